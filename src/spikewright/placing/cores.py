"""Assignment of blocks to cores, and what each core then uses of its resources.

Every block has a core of its own as long as there are enough cores. Otherwise populations share cores: in the network's
order each block goes to the first core where everything that it needs still fits. The needs of the populations on a
core are added up, axons included, even where one axon could serve two populations.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from ..base.types import IntArray
from ..profile.schema import HardwareProfile
from .partition import DoesNotFit, PartitionPlan, blocks_in
from .resources import NOT_ADDED


@dataclass(frozen=True)
class Use:
    """How much of a resource is used.

    Attributes:
        resource: ``cores`` of the chips, or a resource of one core: neurons, input axons, output axons, synapse memory,
            neuron configurations, synapse formats, fan-in, fan-out.
        limit: how much there is, None where the profile does not say.
        core: number of the core, None for ``cores``.
        population: names of the populations on the core, joined by commas; empty for ``cores``.
        chip: number of the chip, None where there is one chip only.
    """

    resource: str
    used: int
    limit: int | None
    core: int | None = None
    population: str = ""
    chip: int | None = None

    @property
    def share(self) -> float:
        """``used / limit``; 0 where there is no limit."""
        return self.used / self.limit if self.limit else 0.0


@dataclass(frozen=True, eq=False)
class CoreAssignment:
    """The core of every block; cores are numbered from 0 and do not yet have a chip and a slot.

    Attributes:
        core_of: by population, int64 ``(blocks,)``.
        cores, chips: how many are used.
        is_shared: whether populations may share cores.
    """

    core_of: Mapping[str, IntArray]
    cores: int
    chips: int
    is_shared: bool


def assign_cores(plan: PartitionPlan, profile: HardwareProfile, chips: int) -> CoreAssignment:
    """Assign every block to a core.

    Cores are shared where that saves chips.

    Args:
        chips: most chips that may be used.

    Raises:
        DoesNotFit: the blocks need more cores than so many chips have.
    """
    each, apart = profile.limits.cores, blocks_in(plan)
    if each is None or apart <= each:
        return CoreAssignment(_apart(plan), apart, 1, is_shared=False)
    together, shared = _together(plan) if _could_share(plan, each * chips) else (_apart(plan), apart)
    if shared <= each:
        return CoreAssignment(together, shared, 1, is_shared=True)
    if apart <= each * chips:
        return CoreAssignment(_apart(plan), apart, -(-apart // each), is_shared=False)
    if shared <= each * chips:
        return CoreAssignment(together, shared, -(-shared // each), is_shared=True)
    raise DoesNotFit(_too_many_cores(plan, profile, shared, each * chips), "cores")


def uses_of_cores(plan: PartitionPlan, assignment: CoreAssignment) -> Iterator[Use]:
    """What each core uses of each resource."""
    names: dict[int, list[str]] = {}
    for population, cores in assignment.core_of.items():
        for core in cores.tolist():
            names.setdefault(core, []).append(population)
    limits = {demand.resource: demand.limit for part in plan.values() for demand in part.demands}
    for resource, limit in limits.items():
        total = np.zeros(assignment.cores, dtype=np.int64)
        for population, part in plan.items():
            used = next(demand.used for demand in part.demands if demand.resource == resource)
            cores = assignment.core_of[population]
            total[cores] = np.maximum(total[cores], used) if resource in NOT_ADDED else total[cores] + used
        for core, amount in enumerate(total.tolist()):
            yield Use(resource, amount, limit, core, ", ".join(names[core]))


def _apart(plan: PartitionPlan) -> dict[str, IntArray]:
    """A core for each block."""
    cores, first = {}, 0
    for population, part in plan.items():
        cores[population] = np.arange(first, first + len(part.blocks))
        first += len(part.blocks)
    return cores


def _could_share(plan: PartitionPlan, cores: int) -> bool:
    """Whether the sum of every resource is no more than so many cores have together."""
    room: dict[str, int] = {}
    for demand in (demand for part in plan.values() for demand in part.demands):
        if demand.limit is not None and demand.resource not in NOT_ADDED:
            left = room.setdefault(demand.resource, cores * demand.limit)
            room[demand.resource] = left - int(np.sum(demand.used))
    return all(left >= 0 for left in room.values())


def _together(plan: PartitionPlan) -> tuple[dict[str, IntArray], int]:
    """For each block the first core where it still fits, and the number of cores.

    Blocks of one population never share a core and take cores in ascending order.
    """
    first = next(iter(plan.values()))
    limits = [np.inf if d.limit is None or d.resource in NOT_ADDED else float(d.limit) for d in first.demands]
    left, core_of = np.tile(np.array(limits), (blocks_in(plan), 1)), {}
    for population, part in plan.items():
        needs = np.stack([demand.used for demand in part.demands], axis=1)
        cores = np.zeros(len(needs), dtype=np.int64)
        after = 0
        for block, need in enumerate(needs):
            cores[block] = after + int(np.argmax(np.all(left[after:] >= need, axis=1)))
            left[cores[block]] -= need
            after = int(cores[block]) + 1
        core_of[population] = cores
    return core_of, 1 + max(int(np.max(cores)) for cores in core_of.values())


def _too_many_cores(plan: PartitionPlan, profile: HardwareProfile, needed: int, there: int) -> str:
    name, largest = max(plan.items(), key=lambda item: len(item[1].blocks))
    by = ""
    if largest.most_needed is not None:
        resource, used, limit = largest.most_needed
        by = f", bound by {resource} ({used} of {limit} on its fullest core)"
    return (
        f"{profile.name}: the network does not fit: it needs {needed} {'core' if needed == 1 else 'cores'} and there "
        f"{'is' if there == 1 else 'are'} {there}; {name!r} takes {len(largest.blocks)} of them{by}"
    )
