"""Partition of populations into blocks that each fit one core.

A population is divided into equal ranges of its flat order or, where it has feature maps, into equal boxes of channels,
rows and columns. Neighbouring pixels share sources, so boxes save input and output axons, and all channels of a pixel
share the axon that brings its spikes. The partition with the fewest cores is taken and, among those of about as many
cores, the one whose sources send the fewest messages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from math import ceil

import numpy as np

from ..base.errors import AnswerIsNo
from ..chip.network import ChipNetwork, Population
from ..profile.schema import HardwareProfile
from .blocks import Blocks, SynapseCounts, boxes, count_synapses, ranges
from .resources import Demand, demands

SLACKS = (1.0, 1.25, 2.0)
"""Factors by which a partition may exceed the fewest cores if fewer messages reach it then.

The output axons that this saves in the populations before may save more cores there. Each factor is tried, and the
network's partition with the fewest cores is taken."""
MOST_RANGES = 1024
"""Most ranges that a population of feature maps is divided into; finer partitions are boxes."""
_NEEDED = {
    "synapse memory": "bits of synapse memory",
    "fan-in": "synapses for one neuron",
    "fan-out": "synapses that one spike visits",
}

Parts = tuple[int] | tuple[int, int, int]


class DoesNotFit(AnswerIsNo):
    """The network exceeds ``resource`` of the chip; the message does not yet say what would help."""

    def __init__(self, message: str, resource: str) -> None:
        super().__init__(message)
        self.resource = resource


@dataclass(frozen=True, eq=False)
class Partition:
    """One population in blocks.

    Attributes:
        parts: number of ranges, or numbers of parts along channels, rows and columns.
        counts: by name of each incoming connection, its synapses in the blocks.
        demands: what the blocks need of each resource.
    """

    parts: Parts
    blocks: Blocks
    counts: Mapping[str, SynapseCounts]
    demands: tuple[Demand, ...]

    @property
    def messages(self) -> int:
        """Messages that arrive when every source spikes once."""
        return sum(counts.messages for counts in self.counts.values())

    @property
    def most_needed(self) -> tuple[str, int, int] | None:
        """The resource that is nearest to its limit or furthest above it, the most that a block needs, and the limit.

        None where the profile has no limits.
        """
        limited = [(d.resource, int(np.max(d.used)), d.limit) for d in self.demands if d.limit is not None]
        return max(limited, key=lambda each: each[1] / each[2], default=None)

    @property
    def fits(self) -> bool:
        return self.most_needed is None or self.most_needed[1] <= self.most_needed[2]


PartitionPlan = dict[str, Partition]
"""The partition of every population that takes cores, by name in the network's order."""


def partition(chip: ChipNetwork, profile: HardwareProfile, capacity: int | None) -> PartitionPlan:
    """Divide every population that takes cores into blocks that fit one core each.

    Args:
        capacity: number of cores that there are; None for as many as the network needs.

    Raises:
        DoesNotFit: some population cannot be divided so that its blocks fit.
    """
    planner = _Planner(chip, profile, capacity)
    plans: list[PartitionPlan] = []
    refusals: list[DoesNotFit] = []
    for slack in SLACKS:
        try:
            plans.append(planner.plan(slack))
        except DoesNotFit as error:
            refusals.append(error)
        else:
            if blocks_in(plans[-1]) == len(plans[-1]):
                break
    if not plans:
        raise refusals[0]
    return min(plans, key=lambda plan: (blocks_in(plan), sum(each.messages for each in plan.values())))


def blocks_in(plan: PartitionPlan) -> int:
    """Number of blocks of all populations."""
    return sum(len(each.blocks) for each in plan.values())


class _Planner:
    """Divides populations, targets first, since a source's output axons depend on the blocks of its targets."""

    def __init__(self, chip: ChipNetwork, profile: HardwareProfile, capacity: int | None) -> None:
        self.chip, self.profile, self.capacity = chip, profile, capacity
        self.done: PartitionPlan = {}
        self.known: dict[tuple[object, ...], Partition] = {}
        self.known_to_fit: dict[tuple[object, ...], bool] = {}

    def plan(self, slack: float) -> PartitionPlan:
        self.done = {}
        for population in reversed(self.chip.populations):
            if population.neuron is not None:
                self.done[population.name] = self._best(population, slack)
        return dict(reversed(self.done.items()))

    def _refusal(self, population: Population, reason: str, resource: str) -> DoesNotFit:
        return DoesNotFit(f"{self.profile.name}: {population.name!r} does not fit: {reason}", resource)

    def _best(self, population: Population, slack: float) -> Partition:
        most = min(population.size, self.capacity or population.size)
        fewest = ceil(population.size / (self.profile.limits.neurons_per_core or population.size))
        if fewest > most:
            reason = f"its {population.size} neurons need {fewest} cores and there are {most}"
            raise self._refusal(population, reason, "cores")
        most_ranges = max(fewest, min(most, MOST_RANGES)) if len(population.shape) == 3 else most
        parts = _fewest(fewest, most_ranges, lambda parts: self._divided(population, (parts,)).fits)
        in_ranges = self._divided(population, (parts or most_ranges,))
        if in_ranges.fits and len(in_ranges.blocks) == 1:
            return in_ranges
        found = [in_ranges] if in_ranges.fits else []
        found += self._in_boxes(population, fewest, int(slack * len(in_ranges.blocks)) if found else most, slack)
        if not found:
            assert in_ranges.most_needed is not None
            resource, used, limit = in_ranges.most_needed
            needed = f"{used} {_NEEDED.get(resource, resource)} and has {limit}"
            reason = f"even on {len(in_ranges.blocks)} cores, one of them needs {needed}"
            raise self._refusal(population, reason, resource)
        allowed = slack * min(len(each.blocks) for each in found)
        few = [each for each in found if len(each.blocks) <= allowed]
        return min(few, key=lambda each: (each.messages, len(each.blocks)))

    def _in_boxes(self, population: Population, fewest: int, most: int, slack: float) -> Iterator[Partition]:
        """Boxes that fit, at most so many: for each division of rows and columns the fewest divisions of channels."""
        if len(population.shape) != 3 or population.shape[1:] == (1, 1):
            return
        channels, height, width = population.shape
        for rows, columns in _divisions(height, width):
            first, last = ceil(fewest / (rows * columns)), min(channels, most // (rows * columns))
            parts = _fewest(first, last, partial(self._boxes_fit, population, rows, columns))
            if parts is not None:
                most = min(most, int(slack * parts * rows * columns))
                yield self._divided(population, (parts, rows, columns))

    def _divided(self, population: Population, parts: Parts) -> Partition:
        key = self._key(population, parts)
        if key not in self.known:
            self.known[key] = self._partition(population, parts)
        return self.known[key]

    def _boxes_fit(self, population: Population, rows: int, columns: int, channels: int) -> bool:
        parts = (channels, rows, columns)
        key = self._key(population, parts)
        if key not in self.known_to_fit:
            self.known_to_fit[key] = self._partition(population, parts, largest_only=True).fits
        return self.known_to_fit[key]

    def _key(self, population: Population, parts: Parts) -> tuple[object, ...]:
        """All that decides whether a partition fits: its parts, and how the population's targets were divided."""
        targets = (c.target for c in self.chip.out_of(population.name))
        return population.name, parts, *(self.done[name].parts for name in targets if name in self.done)

    def _partition(self, population: Population, parts: Parts, largest_only: bool = False) -> Partition:
        """``largest_only`` leaves out all boxes but those with the most channels, where channels are alike."""
        into, out_of = self.chip.into(population.name), self.chip.out_of(population.name)
        blocks = ranges(population.size, parts[0]) if len(parts) == 1 else boxes(population.shape, parts)
        if largest_only and all(c.source != c.target and (c.conv is None or c.conv.groups == 1) for c in into + out_of):
            last = population.shape[0]  # the last part of the channels is the largest
            blocks = tuple(block for block in blocks if block.channels[1] == last)
        counts = {c.name: count_synapses(self.chip, c, blocks) for c in into}
        leaving = {c.name: self.done[c.target].counts[c.name] for c in out_of if c.name not in counts}
        needed = demands(self.chip, self.profile.limits, population.name, blocks, counts | leaving)
        return Partition(parts, blocks, counts, tuple(needed))


def _fewest(first: int, last: int, fits: Callable[[int], bool]) -> int | None:
    """The smallest number from ``first`` to ``last`` that fits, by doubling and bisection; None if none does."""
    if first > last:
        return None
    failed, parts = first - 1, first
    while not fits(parts):
        if parts == last:
            return None
        failed, parts = parts, min(2 * parts, last)
    while parts - failed > 1:
        middle = (parts + failed) // 2
        failed, parts = (failed, middle) if fits(middle) else (middle, parts)
    return parts


def _divisions(height: int, width: int) -> Iterator[tuple[int, int]]:
    """Divisions of feature maps to try: bands of rows, and boxes of about equal sides."""
    yield from ((rows, 1) for rows in range(1, height + 1))
    yield from ((rows, columns) for rows in range(1, height + 1) if (columns := round(rows * width / height)) > 1)
