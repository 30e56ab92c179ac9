"""Assignment of blocks to cores, and layout of cores: a chip and a slot for each, so that messages travel short routes.

Every block has a core of its own as long as there are enough cores. Otherwise populations share cores: in the network's
order each block goes to the first core where everything that it needs still fits. The needs of the populations on a
core are added up, axons included, even where one axon could serve two populations.

Messages are counted from the sources that have synapses in each block and from how often each source spikes. Cores are
shared out among chips first, so that few messages leave a chip, then laid out on the mesh of each chip.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np

from ..base.types import FloatArray, IntArray
from ..chip.activity import Activity
from ..chip.network import ChipNetwork
from ..profile.schema import HardwareProfile, Limits
from .partition import DoesNotFit, PartitionPlan, blocks_in
from .resources import NOT_ADDED
from .search import Topology, search

PlaceBy = Literal["connectivity", "spikes", "order"]
PLACE_BY: tuple[PlaceBy, ...] = get_args(PlaceBy)

MOST_SEARCHED = 4096
"""Most cores that are searched over together, since the search stores a number for each pair; more stay in order."""


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


@dataclass(frozen=True, eq=False)
class ConnectionTraffic:
    """Messages of one connection between cores.

    Attributes:
        name: of the connection.
        sources, targets: cores of the source's and of the target's blocks.
        to_kind: float64 ``(source blocks, kinds of target blocks)``, messages to one block of each kind (integers).
        kind: of each target block.
    """

    name: str
    sources: IntArray
    targets: IntArray
    to_kind: FloatArray
    kind: IntArray

    def crossing(self, chip_of: IntArray) -> tuple[int, int]:
        """Messages to another chip, and all messages, where ``chip_of`` is the chip of each core."""
        blocks_there = np.zeros((self.to_kind.shape[1], 1 + int(np.max(chip_of))))  # of each kind on each chip
        np.add.at(blocks_there, (self.kind, chip_of[self.targets]), 1)
        to_chip = self.to_kind @ blocks_there
        stay = to_chip[np.arange(len(to_chip)), chip_of[self.sources]]
        return int(np.sum(to_chip) - np.sum(stay)), int(np.sum(to_chip))


@dataclass(frozen=True)
class Arrangement:
    """How the cores of a placement were laid out, and what that saved.

    Attributes:
        by: how messages were weighted in the search, as in :func:`~spikewright.placing.placement.place`.
        hops: tile borders that messages within chips cross; None where the profile has no mesh.
        hops_in_order: the same with the cores of each chip in the network's order.
        cut: by connection between cores, messages between chips and all messages.
        cut_in_order: messages between chips if the cores filled the chips in order.
        shared_cores: whether some core holds more than one population.
    """

    by: PlaceBy = "order"
    seed: int = 0
    chips: int = 1
    hops: int | None = None
    hops_in_order: int | None = None
    cut: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    cut_in_order: int = 0
    shared_cores: bool = False

    @property
    def messages(self) -> int:
        """Messages between cores, weighted as in the search."""
        return sum(all_of_them for _, all_of_them in self.cut.values())

    @property
    def between_chips(self) -> int:
        """Messages that leave a chip, weighted as in the search."""
        return sum(crossing for crossing, _ in self.cut.values())


def assign_cores(plan: PartitionPlan, profile: HardwareProfile, chips: int) -> CoreAssignment:
    """Assign every block to a core; cores are shared where that saves chips.

    Args:
        chips: most chips that may be used.

    Raises:
        DoesNotFit: the blocks need more cores than so many chips have.
    """
    each, blocks = profile.limits.cores, blocks_in(plan)
    ends = np.cumsum([len(part.blocks) for part in plan.values()])
    apart = dict(zip(plan, np.split(np.arange(blocks), ends[:-1]), strict=True))
    if each is None or blocks <= each:
        return CoreAssignment(apart, blocks, 1, is_shared=False)
    together = _together(plan, each * chips)
    shared = blocks if together is None else 1 + max(int(np.max(cores)) for cores in together.values())
    if shared > each and blocks <= each * chips:
        return CoreAssignment(apart, blocks, -(-blocks // each), is_shared=False)
    if together is None or shared > each * chips:
        raise DoesNotFit(_too_many_cores(plan, profile, shared, each * chips), "cores")
    return CoreAssignment(together, shared, -(-shared // each), is_shared=True)


def uses_of_cores(
    plan: PartitionPlan, assignment: CoreAssignment, chip_of: IntArray, slot_of: IntArray
) -> Iterator[Use]:
    """What each core uses of each resource, where ``chip_of`` and ``slot_of`` are the chip and slot of each core."""
    names: dict[int, list[str]] = {}
    for population, cores in assignment.core_of.items():
        for core in cores.tolist():
            names.setdefault(core, []).append(population)
    for index, (resource, limit, _) in enumerate(next(iter(plan.values())).demands):
        combine = np.maximum if resource in NOT_ADDED else np.add
        total = np.zeros(assignment.cores, dtype=np.int64)
        for population, part in plan.items():
            combine.at(total, assignment.core_of[population], part.demands[index].used)
        for core, amount in enumerate(total.tolist()):
            chip = int(chip_of[core]) if assignment.chips > 1 else None
            yield Use(resource, amount, limit, int(slot_of[core]), ", ".join(names[core]), chip)


def traffic_of(
    chip: ChipNetwork, plan: PartitionPlan, assignment: CoreAssignment, activity: Activity | None
) -> list[ConnectionTraffic]:
    """Messages between cores, with the spikes of ``activity`` or, where it is None, with one spike of each source.

    Injected events come from no core and are left out.
    """
    found = []
    for connection in (c for c in chip.connections if c.source in plan):
        counts, blocks = plan[connection.target].counts[connection.name], plan[connection.source].blocks
        spikes = np.ones(chip.by_name[connection.source].size, dtype=np.int64)
        if activity is not None:
            spikes = np.asarray(activity.populations[connection.source].spikes, dtype=np.int64).reshape(-1)
        reached = counts.reached.reshape(len(counts.counts), -1)
        sent = np.zeros((len(blocks), reached.shape[1]))
        for row, block in zip(sent, blocks, strict=True):
            members = block.members
            row[:] = np.bincount(counts.of_source[members], weights=spikes[members], minlength=len(row))
        sources, targets = (assignment.core_of[name] for name in (connection.source, connection.target))
        to_kind = np.asarray(sent @ reached.T.astype(np.float64))
        found.append(ConnectionTraffic(connection.name, sources, targets, to_kind, counts.kind))
    return found


def lay_out(
    traffic: Sequence[ConnectionTraffic], assignment: CoreAssignment, limits: Limits, by: PlaceBy, seed: int
) -> tuple[IntArray, IntArray, Arrangement]:
    """Chip and slot of each core, int64 ``(cores,)`` each; either is left in order unless another layout costs less."""
    cores, mesh = np.arange(assignment.cores), limits.mesh
    each = limits.cores or assignment.cores
    chip_of, slot_of = cores // each, np.zeros_like(cores)
    cut_in_order = sum(connection.crossing(chip_of)[0] for connection in traffic)
    if assignment.chips > 1 and by != "order" and assignment.cores <= MOST_SEARCHED:
        chip_of = search(_between(traffic, cores), Topology.of_chips(assignment.chips, each), seed) // each
    topology = None
    if mesh is not None and min(each, assignment.cores) <= mesh.cores:
        topology = Topology.of_mesh(mesh, min(limits.cores or mesh.cores, mesh.cores))
    hops = hops_in_order = 0
    for chip in range(assignment.chips):
        here = cores[chip_of == chip]
        slots = slot_of[here] = np.arange(len(here))
        if topology is not None:
            between = _between(traffic, here)
            hops_in_order += topology.cost(between, slots)
            if by != "order" and len(here) <= MOST_SEARCHED:
                slots = slot_of[here] = search(between, topology, seed)
            hops += topology.cost(between, slots)
    costs: tuple[int | None, int | None] = (None, None) if topology is None else (hops, hops_in_order)
    cut = {connection.name: connection.crossing(chip_of) for connection in traffic}
    arrangement = Arrangement(by, seed, assignment.chips, *costs, cut, cut_in_order, assignment.is_shared)
    return chip_of, slot_of, arrangement


def _between(traffic: Sequence[ConnectionTraffic], cores: IntArray) -> FloatArray:
    """Messages between each two of ``cores`` (ascending), both directions together; zero on the diagonal."""
    found = np.zeros((len(cores), len(cores)))
    for connection in traffic:
        here, there = np.isin(connection.sources, cores), np.isin(connection.targets, cores)
        rows, columns = (np.searchsorted(cores, c) for c in (connection.sources[here], connection.targets[there]))
        found[np.ix_(rows, columns)] += connection.to_kind[here][:, connection.kind[there]]
    found += found.T
    np.fill_diagonal(found, 0)
    return found


def _together(plan: PartitionPlan, cores: int) -> dict[str, IntArray] | None:
    """For each block the first core where it still fits; None where the sum of a resource exceeds so many cores.

    Blocks of one population never share a core and take cores in ascending order.
    """
    needs = {name: np.stack([demand.used for demand in part.demands], axis=1) for name, part in plan.items()}
    demands = next(iter(plan.values())).demands
    limits = np.array([np.inf if d.limit is None or d.resource in NOT_ADDED else float(d.limit) for d in demands])
    if np.any(sum(np.sum(each, axis=0) for each in needs.values()) > cores * limits):
        return None
    left, core_of = np.tile(limits, (blocks_in(plan), 1)), {}
    for population, of_blocks in needs.items():
        core_of[population] = np.zeros(len(of_blocks), dtype=np.int64)
        after = 0
        for block, need in enumerate(of_blocks):
            core = after + int(np.argmax(np.all(left[after:] >= need, axis=1)))
            left[core] -= need
            core_of[population][block], after = core, core + 1
    return core_of


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
