"""Layout of cores: a chip and a slot for each, so that few messages leave a chip and the others cross few hops.

Messages are counted from the sources that have synapses in each block and from how often each source spikes. Cores are
shared out among chips first, then laid out on the mesh of each chip; either is left in order unless that is improved.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np

from ..base.types import FloatArray, IntArray
from ..chip.activity import Activity
from ..chip.network import ChipNetwork
from ..profile.schema import Limits
from .cores import CoreAssignment
from .partition import PartitionPlan
from .search import Topology, search

PlaceBy = Literal["connectivity", "spikes", "order"]
PLACE_BY: tuple[PlaceBy, ...] = get_args(PlaceBy)

MOST_SEARCHED = 4096
"""Most cores that are searched over together, since the search stores a number for each pair; more stay in order."""


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


@dataclass(frozen=True, eq=False)
class Traffic:
    """Messages between ``cores`` cores; injected events come from no core and are left out."""

    connections: tuple[ConnectionTraffic, ...]
    cores: int

    @classmethod
    def of(
        cls, chip: ChipNetwork, plan: PartitionPlan, assignment: CoreAssignment, activity: Activity | None
    ) -> Traffic:
        """Count messages, with the spikes of ``activity`` or, where it is None, with one spike of each source."""
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
        return cls(tuple(found), assignment.cores)

    def between(self, cores: IntArray) -> FloatArray:
        """Messages between each two of ``cores``, both directions added, float64 ``(cores, cores)`` of integers.

        The matrix is symmetric with zeros on its diagonal.
        """
        row_of = np.full(self.cores, -1)
        row_of[cores] = np.arange(len(cores))
        found = np.zeros((len(cores), len(cores)))
        for connection in self.connections:
            rows, columns = row_of[connection.sources], row_of[connection.targets]
            sent = connection.to_kind[rows >= 0][:, connection.kind[columns >= 0]]
            found[np.ix_(rows[rows >= 0], columns[columns >= 0])] += sent
        found += found.T
        np.fill_diagonal(found, 0)
        return found


@dataclass(frozen=True)
class Arrangement:
    """How the cores of a placement were laid out, and what that saved.

    Attributes:
        by: how messages were weighted in the search: ``connectivity`` lets every source spike once, ``spikes`` uses
            measured spikes, ``order`` does not search.
        seed: of the search.
        chips: number of chips.
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


def lay_out(
    traffic: Traffic, assignment: CoreAssignment, limits: Limits, by: PlaceBy, seed: int
) -> tuple[IntArray, IntArray, Arrangement]:
    """Choose a chip and a slot for every core.

    Returns:
        chip and slot of each core, int64 ``(cores,)`` each, and what the layout saves.
    """
    cores = np.arange(assignment.cores)
    each = limits.cores or assignment.cores
    in_order = cores // each
    chip_of, slot_of = in_order, np.zeros_like(cores)
    if assignment.chips > 1 and by != "order" and assignment.cores <= MOST_SEARCHED:
        chip_of = search(traffic.between(cores), Topology.of_chips(assignment.chips, each), seed) // each
    has_mesh = limits.mesh is not None and min(each, assignment.cores) <= limits.mesh.cores
    hops = hops_in_order = 0
    for chip in range(assignment.chips):
        here = cores[chip_of == chip]
        slots = slot_of[here] = np.arange(len(here))
        if limits.mesh is not None and has_mesh:
            topology = Topology.of_mesh(limits.mesh, min(limits.cores or limits.mesh.cores, limits.mesh.cores))
            between = traffic.between(here)
            hops_in_order += topology.cost(between, slots)
            if by != "order" and len(here) <= MOST_SEARCHED:
                slots = slot_of[here] = search(between, topology, seed)
            hops += topology.cost(between, slots)
    arrangement = Arrangement(
        by=by,
        seed=seed,
        chips=assignment.chips,
        hops=hops if has_mesh else None,
        hops_in_order=hops_in_order if has_mesh else None,
        cut={connection.name: connection.crossing(chip_of) for connection in traffic.connections},
        cut_in_order=sum(connection.crossing(in_order)[0] for connection in traffic.connections),
        shared_cores=assignment.is_shared,
    )
    return chip_of, slot_of, arrangement
