"""Which core lies where, so that messages travel few hops: a greedy start, then swaps and moves that shorten the way.

``cost = sum over pairs of cores of messages between them x distance of their slots``. The same search lays cores on the
tiles of a mesh (distance: tile borders crossed) and shares them out over chips (distance: 1 between two chips).
Everything is an integer in float64, exact below 2^53, so that the result is the same on every machine.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np

from ..base.types import FloatArray, IntArray
from ..profile.schema import Mesh

PASSES = 100
"""Rounds over all cores at most; the search ends by itself where no swap shortens the way any more."""
SMALL = 32
"""Up to so many cores the search starts from random arrangements too, as many as `RESTARTS`."""
RESTARTS = 4


@dataclass(frozen=True, eq=False)
class Ground:
    """Slots that each hold one core, and how far apart they are.

    Attributes:
        coordinates: for each axis, int64, ``(slots,)``.
        distances: for each axis, float64, ``(values, values)``: what it costs to go from one coordinate to another.
    """

    coordinates: tuple[IntArray, ...]
    distances: tuple[FloatArray, ...]

    @property
    def slots(self) -> int:
        """How many cores it can hold."""
        return len(self.coordinates[0])

    @classmethod
    def of_mesh(cls, mesh: Mesh, slots: int) -> Ground:
        """The first ``slots`` cores of a mesh, whose distance is the tile borders between them."""
        columns, rows = np.divmod(np.arange(slots) // mesh.cores_per_tile, mesh.rows)
        return cls((columns, rows), (_line(mesh.columns), _line(mesh.rows)))

    @classmethod
    def of_chips(cls, chips: int, cores: int) -> Ground:
        """``chips`` chips of ``cores`` cores, a distance of 1 apart whichever they are."""
        return cls((np.repeat(np.arange(chips), cores),), (1.0 - np.eye(chips),))

    def cost(self, traffic: FloatArray, slot_of: IntArray) -> int:
        """Messages x distance.

        Args:
            traffic: messages between each pair of cores, symmetric, each pair's whole number at both places.
            slot_of: slot of each core.
        """
        at = [coordinate[slot_of] for coordinate in self.coordinates]
        ways = sum(distance[np.ix_(x, x)] for x, distance in zip(at, self.distances, strict=True))
        return int(np.sum(traffic * ways)) // 2


def arrange(traffic: FloatArray, ground: Ground, seed: int) -> IntArray:
    """Slot of each core: the cheapest of the searches from the cores in order, from a greedy start and, where there
    are few cores, from random ones; in order, unless another is strictly cheaper.

    Args:
        traffic: float64 ``(cores, cores)``, symmetric, of whole numbers, zero on the diagonal.

    Returns:
        int64, ``(cores,)``, all different.
    """
    cores = len(traffic)
    best = np.arange(cores)
    least = ground.cost(traffic, best)
    if least == 0:
        return best
    shuffler = random.Random(seed)
    starts = [best, greedy(traffic, ground)]
    if cores <= SMALL:
        starts += [np.array(shuffler.sample(range(ground.slots), cores)) for _ in range(RESTARTS)]
    for start in starts:
        found = improve(traffic, ground, start, shuffler)
        if (cost := ground.cost(traffic, found)) < least:
            best, least = found, cost
    return best


def greedy(traffic: FloatArray, ground: Ground) -> IntArray:
    """The core with most messages first, in the middle; then always the core with most messages to those that lie
    already, in the free slot from which they are nearest."""
    slot_of = np.full(len(traffic), -1)
    free = np.ones(ground.slots, dtype=bool)
    ways = [np.zeros((len(traffic), len(distance))) for distance in ground.distances]
    pull = np.sum(traffic, axis=1) / (1 + np.sum(traffic))
    for step in range(len(traffic)):
        core = int(np.argmax(np.where(slot_of < 0, pull, -1.0)))
        each = [way[core] if step else np.sum(d, axis=1) for way, d in zip(ways, ground.distances, strict=True)]
        costs = sum(way[x] for way, x in zip(each, ground.coordinates, strict=True))
        slot = int(np.argmin(np.where(free, costs, np.inf)))
        slot_of[core], free[slot] = slot, False
        for way, x, distance in zip(ways, ground.coordinates, ground.distances, strict=True):
            way += np.outer(traffic[core], distance[x[slot]])
        pull = pull + traffic[core]
    return slot_of


def improve(traffic: FloatArray, ground: Ground, slot_of: IntArray, shuffler: random.Random) -> IntArray:
    """Swap two cores, or move one to a free slot, as long as that shortens the way; for each core in turn the best."""
    state = _State(traffic, ground, slot_of)
    turns = list(range(len(traffic)))
    for _ in range(PASSES):
        shuffler.shuffle(turns)
        if not sum([state.try_best(core) for core in turns]):
            break
    return state.slot_of[: len(traffic)]


class _State:
    """An arrangement, and for each core what it would cost at each coordinate.

    Free slots hold cores without traffic, so that a move is a swap.
    """

    def __init__(self, traffic: FloatArray, ground: Ground, slot_of: IntArray) -> None:
        spare = np.setdiff1d(np.arange(ground.slots), slot_of)
        self.slot_of = np.concatenate([slot_of, spare])
        self.traffic, self.ground, self.cores = traffic, ground, len(traffic)
        self.at = [x[self.slot_of] for x in ground.coordinates]
        self.costs = []
        for x, distance in zip(self.at, ground.distances, strict=True):
            there = np.zeros((self.cores, len(distance)))
            there[np.arange(self.cores), x[: self.cores]] = 1
            costs = np.zeros((ground.slots, len(distance)))
            costs[: self.cores] = traffic @ there @ distance
            self.costs.append(costs)

    def try_best(self, core: int) -> bool:
        """Make the swap of ``core`` that shortens the way most; whether there was one."""
        gains = np.zeros(self.ground.slots)
        for x, distance, costs in zip(self.at, self.ground.distances, self.costs, strict=True):
            here = x[core]
            gains += costs[core, x] - costs[core, here] + costs[:, here] - costs[np.arange(len(x)), x]
            gains[: self.cores] += 2 * self.traffic[core] * distance[here, x[: self.cores]]
        other = int(np.argmin(gains))
        if gains[other] >= 0:
            return False
        self._swap(core, other)
        return True

    def _swap(self, one: int, two: int) -> None:
        self.slot_of[[one, two]] = self.slot_of[[two, one]]
        for x, distance, costs in zip(self.at, self.ground.distances, self.costs, strict=True):
            change = distance[x[two]] - distance[x[one]]
            costs[: self.cores] += np.outer(self.traffic[one], change)
            if two < self.cores:
                costs[: self.cores] -= np.outer(self.traffic[two], change)
            x[[one, two]] = x[[two, one]]


def _line(length: int) -> FloatArray:
    places = np.arange(length, dtype=np.float64)
    return np.abs(places[:, None] - places)
