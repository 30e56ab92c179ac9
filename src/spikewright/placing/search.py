"""Search for a layout of cores with short routes: a greedy start, then swaps and moves as long as they help.

``cost = sum over pairs of cores of (messages between them * distance of their slots)``. The same search lays cores out
on the tiles of a mesh (distance: tile borders crossed) and shares them out among chips (distance: 1 between chips).
All numbers are integers in float64, exact below 2^53, so that every machine finds the same layout.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np

from ..base.types import FloatArray, IntArray
from ..profile.schema import Mesh

PASSES = 100
"""Most rounds over all cores; the search ends earlier where no swap lowers the cost."""
SMALL = 32
"""Up to so many cores the search also starts from random layouts."""
RESTARTS = 4
"""Number of random layouts."""


@dataclass(frozen=True, eq=False)
class Topology:
    """Slots for one core each; the distance of two slots is the sum over axes of that of their coordinates.

    Attributes:
        coordinates: for each axis, int64 ``(slots,)``.
        distances: for each axis, float64 ``(values, values)``, the distance from one coordinate to another.
    """

    coordinates: tuple[IntArray, ...]
    distances: tuple[FloatArray, ...]

    @property
    def slots(self) -> int:
        return len(self.coordinates[0])

    @classmethod
    def of_mesh(cls, mesh: Mesh, slots: int) -> Topology:
        """The first ``slots`` cores of a mesh; the distance is the number of tile borders between two cores."""
        columns, rows = np.divmod(np.arange(slots) // mesh.cores_per_tile, mesh.rows)
        lines = (np.arange(length, dtype=np.float64) for length in (mesh.columns, mesh.rows))
        return cls((columns, rows), tuple(np.abs(line[:, None] - line) for line in lines))

    @classmethod
    def of_chips(cls, chips: int, cores: int) -> Topology:
        """``chips`` chips of ``cores`` cores each; the distance between any two chips is 1."""
        return cls((np.repeat(np.arange(chips), cores),), (1.0 - np.eye(chips),))

    def cost(self, traffic: FloatArray, slot_of: IntArray) -> int:
        """Sum over pairs of cores of messages times distance.

        Args:
            traffic: messages between each pair of cores, float64 ``(cores, cores)``, symmetric.
            slot_of: slot of each core, int64 ``(cores,)``.
        """
        at = [coordinate[slot_of] for coordinate in self.coordinates]
        apart = sum(distance[np.ix_(x, x)] for x, distance in zip(at, self.distances, strict=True))
        return int(np.sum(traffic * apart)) // 2


def search(traffic: FloatArray, topology: Topology, seed: int) -> IntArray:
    """The slot of each core in the cheapest layout that was found.

    Searches start from the cores in order, from a greedy layout and, where there are few cores, from random ones. Cores
    stay in order unless another layout costs less.

    Args:
        traffic: as in :meth:`Topology.cost`; integers, zero on the diagonal.

    Returns:
        int64 ``(cores,)``, all different.
    """
    cores, shuffler = len(traffic), random.Random(seed)
    in_order = np.arange(cores)
    if topology.cost(traffic, in_order) == 0:
        return in_order
    starts = [in_order, greedy(traffic, topology)]
    if cores <= SMALL:
        starts += [np.array(shuffler.sample(range(topology.slots), cores)) for _ in range(RESTARTS)]
    found = [in_order, *(improve(traffic, topology, start, shuffler) for start in starts)]
    return min(found, key=lambda slot_of: topology.cost(traffic, slot_of))


def greedy(traffic: FloatArray, topology: Topology) -> IntArray:
    """Lay out the core with most messages in the middle, then one by one the core with most messages to those before.

    Each core takes the free slot with the lowest cost. Returns the slot of each core, int64 ``(cores,)``.
    """
    slot_of = np.full(len(traffic), -1)
    free = np.ones(topology.slots, dtype=bool)
    costs_at = [np.zeros((len(traffic), len(distance))) for distance in topology.distances]  # of each core
    pull = np.sum(traffic, axis=1) / (1 + np.sum(traffic))
    for step in range(len(traffic)):
        core = int(np.argmax(np.where(slot_of < 0, pull, -1.0)))
        axes = zip(costs_at, topology.distances, strict=True)
        here = [costs[core] if step else np.sum(distance, axis=1) for costs, distance in axes]
        costs_of_slots = sum(costs[x] for costs, x in zip(here, topology.coordinates, strict=True))
        slot = int(np.argmin(np.where(free, costs_of_slots, np.inf)))
        slot_of[core], free[slot] = slot, False
        for costs, x, distance in zip(costs_at, topology.coordinates, topology.distances, strict=True):
            costs += np.outer(traffic[core], distance[x[slot]])
        pull = pull + traffic[core]
    return slot_of


def improve(traffic: FloatArray, topology: Topology, slot_of: IntArray, shuffler: random.Random) -> IntArray:
    """Swap two cores or move one to a free slot until nothing lowers the cost; for each core in turn the best swap.

    Returns the slot of each core, int64 ``(cores,)``.
    """
    state = _State(traffic, topology, slot_of)
    turns = list(range(len(traffic)))
    for _ in range(PASSES):
        shuffler.shuffle(turns)
        if not sum([state.try_best(core) for core in turns]):
            break
    return state.slot_of[: len(traffic)]


class _State:
    """A layout, and for each core what it would cost at each coordinate.

    Free slots are filled with cores without traffic, so that a move is a swap.
    """

    def __init__(self, traffic: FloatArray, topology: Topology, slot_of: IntArray) -> None:
        spare = np.setdiff1d(np.arange(topology.slots), slot_of)
        self.slot_of = np.concatenate([slot_of, spare])
        self.traffic, self.cores = traffic, len(traffic)
        at = [x[self.slot_of] for x in topology.coordinates]
        costs = [
            np.pad(traffic @ distance[x[: self.cores]], ((0, len(spare)), (0, 0)))
            for x, distance in zip(at, topology.distances, strict=True)
        ]
        self.axes = list(zip(at, topology.distances, costs, strict=True))

    def try_best(self, core: int) -> bool:
        """Make the swap of ``core`` that lowers the cost most; returns whether there was one."""
        change = np.zeros(len(self.slot_of))
        for x, distance, costs in self.axes:
            here = x[core]
            change += costs[core, x] - costs[core, here] + costs[:, here] - costs[np.arange(len(x)), x]
            change[: self.cores] += 2 * self.traffic[core] * distance[here, x[: self.cores]]
        other = int(np.argmin(change))
        if change[other] >= 0:
            return False
        self.slot_of[[core, other]] = self.slot_of[[other, core]]
        for x, distance, costs in self.axes:
            moved = distance[x[other]] - distance[x[core]]
            costs[: self.cores] += np.outer(self.traffic[core], moved)
            if other < self.cores:
                costs[: self.cores] -= np.outer(self.traffic[other], moved)
            x[[core, other]] = x[[other, core]]
        return True
