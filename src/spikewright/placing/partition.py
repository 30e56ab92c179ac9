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
    """The network is too large for the chip; the message does not yet say what would help.

    Attributes:
        resource: the resource that is exceeded.
    """

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
        """Whether every block fits a core."""
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
    planner, refusal = _Planner(chip, profile, capacity), None
    plans: list[PartitionPlan] = []
    for slack in SLACKS:
        try:
            plans.append(planner.plan(slack))
        except DoesNotFit as error:
            refusal = refusal or error
            continue
        if all(len(each.blocks) == 1 for each in plans[-1].values()):
            break
    if refusal is not None and not plans:
        raise refusal
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

    def _best(self, population: Population, slack: float) -> Partition:
        most = min(population.size, self.capacity or population.size)
        fewest = ceil(population.size / (self.profile.limits.neurons_per_core or population.size))
        if fewest > most:
            raise DoesNotFit(
                f"{self.profile.name}: {population.name!r} does not fit: its {population.size} neurons need {fewest} "
                f"cores and there are {most}",
                "cores",
            )
        in_ranges = self._in_ranges(population, fewest, most)
        if in_ranges.fits and len(in_ranges.blocks) == 1:
            return in_ranges
        found = [in_ranges] if in_ranges.fits else []
        found += self._in_boxes(population, fewest, int(slack * len(in_ranges.blocks)) if found else most, slack)
        if not found:
            assert in_ranges.most_needed is not None
            resource, used, limit = in_ranges.most_needed
            raise DoesNotFit(
                f"{self.profile.name}: {population.name!r} does not fit: even on {len(in_ranges.blocks)} cores, "
                f"one of them needs {used} {_NEEDED.get(resource, resource)} and has {limit}",
                resource,
            )
        allowed = slack * min(len(each.blocks) for each in found)
        few = [each for each in found if len(each.blocks) <= allowed]
        return min(few, key=lambda each: (each.messages, len(each.blocks)))

    def _in_ranges(self, population: Population, fewest: int, most: int) -> Partition:
        """The fewest equal ranges that fit; the finest where none does."""
        if len(population.shape) == 3:
            most = max(fewest, min(most, MOST_RANGES))
        parts = _fewest(fewest, most, lambda parts: self._divided(population, (parts,)).fits)
        return self._divided(population, (parts or most,))

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
            self.known[key] = self._partition(population, parts, _blocks(population, parts))
        return self.known[key]

    def _boxes_fit(self, population: Population, rows: int, columns: int, channels: int) -> bool:
        """Whether boxes fit; where channels are alike, only those with the most channels are looked at."""
        parts = (channels, rows, columns)
        key = self._key(population, parts)
        if key not in self.known_to_fit:
            blocks = _blocks(population, parts)
            around = (*self.chip.into(population.name), *self.chip.out_of(population.name))
            if all(c.source != c.target and (c.conv is None or c.conv.groups == 1) for c in around):
                last = population.shape[0]  # the last part of the channels is the largest
                blocks = tuple(block for block in blocks if block.channels[1] == last)
            self.known_to_fit[key] = self._partition(population, parts, blocks).fits
        return self.known_to_fit[key]

    def _key(self, population: Population, parts: Parts) -> tuple[object, ...]:
        """All that decides whether a partition fits: its parts, and how the population's targets were divided."""
        targets = (c.target for c in self.chip.out_of(population.name))
        return population.name, parts, *(self.done[name].parts for name in targets if name in self.done)

    def _partition(self, population: Population, parts: Parts, blocks: Blocks) -> Partition:
        counts = {c.name: count_synapses(self.chip, c, blocks) for c in self.chip.into(population.name)}
        leaving = [c for c in self.chip.out_of(population.name) if c.name not in counts]
        around = counts | {c.name: self.done[c.target].counts[c.name] for c in leaving}
        needed = demands(self.chip, self.profile.limits, population.name, blocks, around)
        return Partition(parts, blocks, counts, tuple(needed))


def _blocks(population: Population, parts: Parts) -> Blocks:
    if len(parts) == 1:
        return ranges(population.size, parts[0])
    channels, height, width = population.shape
    return boxes((channels, height, width), parts)


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
        if fits(middle):
            parts = middle
        else:
            failed = middle
    return parts


def _divisions(height: int, width: int) -> Iterator[tuple[int, int]]:
    """Divisions of feature maps to try: bands of rows, and boxes of about equal sides."""
    yield from ((rows, 1) for rows in range(1, height + 1))
    for rows in range(1, height + 1):
        columns = round(rows * width / height)
        if columns > 1:
            yield rows, columns
