"""How many cores a cut network takes, on how many chips, and what each core then holds.

Every block has a core of its own as long as there are cores. Where they run out, populations share them: in the
network's order each block goes to the first core where everything it needs still fits. What the populations of a core
need is added up, their axons too, even where one axon could serve two.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from ..base.types import IntArray
from ..profile.schema import HardwareProfile
from .partition import NOT_ADDED, DoesNotFit, Plan


@dataclass(frozen=True)
class Use:
    """How much of a resource is taken.

    Attributes:
        resource: neurons, input axons, output axons, synapse memory, fan-in ... (each of one core), or cores.
        limit: None where the profile does not know one.
        core: which core, None for the whole chip.
        population: whose compartments, empty for the whole chip; several are joined by commas.
        chip: which chip, None where there is one.
    """

    resource: str
    used: int
    limit: int | None
    core: int | None = None
    population: str = ""
    chip: int | None = None

    @property
    def share(self) -> float:
        """Used part of the limit; 0 where there is none."""
        return self.used / self.limit if self.limit else 0.0

    @property
    def fits(self) -> bool:
        """Whether the limit holds."""
        return self.limit is None or self.used <= self.limit


@dataclass(frozen=True, eq=False)
class Seating:
    """Core of each block of each population, cores numbered from 0 without gaps, before they are given slots.

    Attributes:
        cores: how many there are; ``chips`` likewise.
        is_shared: whether some core holds more than one population.
    """

    core_of: Mapping[str, IntArray]
    cores: int
    chips: int
    is_shared: bool


def seat(plan: Plan, profile: HardwareProfile, chips: int) -> Seating:
    """Give every block a core.

    Args:
        chips: most chips that may be used.

    Raises:
        DoesNotFit: it needs more cores than so many chips have.
    """
    each = profile.limits.cores
    apart = sum(len(cut.blocks) for cut in plan.values())
    if each is None or apart <= each:
        return Seating(_apart(plan), apart, 1, is_shared=False)
    together, shared = _together(plan) if _could_share(plan, each * chips) else (_apart(plan), apart)
    if shared <= each:
        return Seating(together, shared, 1, is_shared=True)
    if apart <= each * chips:
        return Seating(_apart(plan), apart, -(-apart // each), is_shared=False)
    if shared <= each * chips:
        return Seating(together, shared, -(-shared // each), is_shared=True)
    raise DoesNotFit(_too_many_cores(plan, profile, shared, each * chips), "cores")


def uses_of_cores(plan: Plan, seating: Seating) -> Iterator[Use]:
    """What each core takes of each resource; cores as the seating numbers them."""
    names: dict[int, list[str]] = {}
    for population, cores in seating.core_of.items():
        for core in cores.tolist():
            names.setdefault(core, []).append(population)
    for resource, limit, used in _totals(plan, seating):
        for core, amount in enumerate(used.tolist()):
            yield Use(resource, amount, limit, core, ", ".join(names[core]))


def _totals(plan: Plan, seating: Seating) -> Iterator[tuple[str, int | None, IntArray]]:
    resources = {taken.resource: taken.limit for cut in plan.values() for taken in cut.taken}
    for resource, limit in resources.items():
        total = np.zeros(seating.cores, dtype=np.int64)
        for population, cut in plan.items():
            used = next(taken.used for taken in cut.taken if taken.resource == resource)
            cores = seating.core_of[population]
            total[cores] = np.maximum(total[cores], used) if resource in NOT_ADDED else total[cores] + used
        yield resource, limit, total


def _apart(plan: Plan) -> dict[str, IntArray]:
    cores, first = {}, 0
    for population, cut in plan.items():
        cores[population] = np.arange(first, first + len(cut.blocks))
        first += len(cut.blocks)
    return cores


def _could_share(plan: Plan, cores: int) -> bool:
    """Whether all that adds up is no more than so many cores hold together."""
    room: dict[str, int] = {}
    for taken in (taken for cut in plan.values() for taken in cut.taken):
        if taken.limit is not None and taken.resource not in NOT_ADDED:
            left = room.setdefault(taken.resource, cores * taken.limit)
            room[taken.resource] = left - int(np.sum(taken.used))
    return all(left >= 0 for left in room.values())


def _together(plan: Plan) -> tuple[dict[str, IntArray], int]:
    """The first core where a block still fits; blocks of one population never share."""
    first = next(iter(plan.values()))
    limits = np.array(
        [np.inf if t.limit is None or t.resource in NOT_ADDED else t.limit for t in first.taken], dtype=np.float64
    )
    most = sum(len(cut.blocks) for cut in plan.values())
    left, core_of = np.tile(limits, (most, 1)), {}
    for population, cut in plan.items():
        needs = np.stack([taken.used for taken in cut.taken], axis=1)
        cores = np.zeros(len(needs), dtype=np.int64)
        after = 0  # blocks of one population take cores in ascending order
        for block, need in enumerate(needs):
            fits = np.all(left[after:] >= need, axis=1)
            cores[block] = after + int(np.argmax(fits))
            left[cores[block]] -= need
            after = int(cores[block]) + 1
        core_of[population] = cores
    return core_of, 1 + max(int(np.max(cores)) for cores in core_of.values())


def _too_many_cores(plan: Plan, profile: HardwareProfile, needed: int, there: int) -> str:
    largest = max(plan, key=lambda name: len(plan[name].blocks))
    blocks = plan[largest].blocks
    limited = [(t.resource, int(np.max(t.used)), t.limit) for t in plan[largest].taken if t.limit]
    bound = max(limited, key=lambda each: each[1] / each[2], default=None)
    by = f", bound by {bound[0]} ({bound[1]} of {bound[2]} on its fullest core)" if bound else ""
    return (
        f"{profile.name}: the network does not fit: it needs {_counted(needed, 'core')} and there "
        f"{'is' if there == 1 else 'are'} {there}; {largest!r} takes {len(blocks)} of them{by}"
    )


def _counted(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
