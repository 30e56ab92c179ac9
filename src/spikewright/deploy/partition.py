"""Cutting populations into blocks that each fit one core.

A population is cut into equal ranges of its flat order or, where it has feature maps, into equal boxes of channels,
rows and columns: neighbouring pixels share sources, so boxes save input and output axons, and all channels of a pixel
share the axon that brings its spikes. The cut with the fewest cores is taken and, among cuts with as many, the one that
spikes have to reach the fewest cores of.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import NamedTuple

import numpy as np

from ..chip import ChipNetwork, Connection, IntArray, Population
from ..errors import AnswerIsNo
from ..hardware_profiles.schema import HardwareProfile
from .blocks import Blocks, boxes, ranges, sizes
from .fan_out import fan_out
from .occupancy import Visits, axons_in, axons_out, fan_in, synapse_bits, synapse_formats, visits

SLACKS = (1.0, 1.25, 2.0)
"""How many times the fewest cores a cut may take where it then reaches fewer cores: what one population saves so, the
populations before it save in output axons. Each is tried, and the network's cut with the fewest cores is taken."""
MOST_RANGES = 4096
"""Ranges that a population of feature maps is cut into at most; finer cuts are boxes."""
NOT_ADDED = ("fan-in", "fan-out")
"""What populations that share a core do not add up."""


class DoesNotFit(AnswerIsNo):
    """A network is too large; says which resource binds, and not yet what would help."""

    def __init__(self, sentence: str, resource: str) -> None:
        super().__init__(sentence)
        self.resource = resource


class Taken(NamedTuple):
    """What each block of a population takes of one resource, int64, ``(blocks,)``; ``limit`` None where unknown."""

    resource: str
    limit: int | None
    used: IntArray


@dataclass(frozen=True, eq=False)
class Cut:
    """One population in blocks, and which of them each incoming connection's sources reach."""

    blocks: Blocks
    seen: Mapping[str, Visits]
    taken: tuple[Taken, ...]

    @property
    def messages(self) -> int:
        """Messages that arrive when every source spikes once."""
        return sum(seen.total for seen in self.seen.values())

    @property
    def fault(self) -> tuple[str, int, int] | None:
        """The worst resource that is over its limit, what one block needs of it, and the limit."""
        over = [(t.resource, int(np.max(t.used)), t.limit) for t in self.taken if t.limit is not None and len(t.used)]
        over = [(resource, used, limit) for resource, used, limit in over if used > limit]
        return max(over, key=lambda each: each[1] / each[2], default=None)


Plan = dict[str, Cut]


def partition(chip: ChipNetwork, profile: HardwareProfile, capacity: int | None) -> Plan:
    """The populations that take cores, in the network's order, each in blocks that fit one core.

    Args:
        capacity: cores that there are; None asks for as many as it takes.

    Raises:
        DoesNotFit: some population cannot be cut so that its blocks fit.
    """
    best, refusal = None, None
    for slack in SLACKS:
        try:
            plan = _Planner(chip, profile, capacity, slack).plan()
        except DoesNotFit as error:
            refusal = refusal or error
            continue
        if best is None or _size(plan) < _size(best):
            best = plan
        if all(len(cut.blocks) == 1 for cut in plan.values()):
            break
    if best is None:
        assert refusal is not None
        raise refusal
    return best


def _size(plan: Plan) -> tuple[int, int]:
    return sum(len(cut.blocks) for cut in plan.values()), sum(cut.messages for cut in plan.values())


class _Planner:
    """Cuts populations, targets first: a source's output axons depend on how its targets were cut."""

    def __init__(self, chip: ChipNetwork, profile: HardwareProfile, capacity: int | None, slack: float) -> None:
        self.chip, self.profile, self.limits = chip, profile, profile.limits
        self.capacity, self.slack = capacity, slack
        self.seen: dict[str, Visits] = {}

    def plan(self) -> Plan:
        cuts: Plan = {}
        for population in reversed(self.chip.populations):
            if population.neuron is not None:
                cuts[population.name] = self._best(population)
                self.seen.update(cuts[population.name].seen)
        return dict(reversed(cuts.items()))

    def _best(self, population: Population) -> Cut:
        most = min(population.size, self.capacity or population.size)
        fewest = ceil(population.size / (self.limits.neurons_per_core or population.size))
        if fewest > most:
            raise DoesNotFit(
                f"{self.profile.name}: {population.name!r} does not fit: its {population.size} neurons need {fewest} "
                f"cores and there are {most}",
                "cores",
            )
        found = self._in_ranges(population, fewest, most)
        if found.fault is None and len(found.blocks) == 1:
            return found
        cuts = [found] if found.fault is None else []
        cuts += self._in_boxes(population, fewest, int(self.slack * len(found.blocks)) if cuts else most)
        if not cuts:
            raise self._refusal(population, found)
        allowed = self.slack * min(len(cut.blocks) for cut in cuts)
        return min((c for c in cuts if len(c.blocks) <= allowed), key=lambda cut: (cut.messages, len(cut.blocks)))

    def _in_ranges(self, population: Population, fewest: int, most: int) -> Cut:
        """The fewest equal ranges that fit, searched by doubling and then by halving; the finest where none does."""
        if len(population.shape) == 3:
            most = max(fewest, min(most, MOST_RANGES))
        failed, parts = fewest - 1, fewest
        while (cut := self._cut(population, ranges(population.size, parts))).fault is not None:
            if parts == most:
                return cut
            failed, parts = parts, min(2 * parts, most)
        while parts - failed > 1:
            middle = (parts + failed) // 2
            coarser = self._cut(population, ranges(population.size, middle))
            if coarser.fault is None:
                parts, cut = middle, coarser
            else:
                failed = middle
        return cut

    def _in_boxes(self, population: Population, fewest: int, most: int) -> Iterator[Cut]:
        """Boxes that fit, at most so many: for each division of the feature maps the fewest divisions of channels."""
        if len(population.shape) != 3 or population.shape[1:] == (1, 1):
            return
        channels, height, width = population.shape
        for rows, columns in _divisions(height, width):
            if rows * columns > most:
                continue
            failed, parts = 0, min(channels, most // (rows * columns))
            cut = self._boxed(population, parts, rows, columns)
            if cut.fault is not None:
                continue
            failed = ceil(fewest / (rows * columns)) - 1
            while parts - failed > 1:
                middle = (parts + failed) // 2
                coarser = self._boxed(population, middle, rows, columns)
                if coarser.fault is None:
                    parts, cut = middle, coarser
                else:
                    failed = middle
            most = min(most, int(self.slack * len(cut.blocks)))
            yield cut

    def _boxed(self, population: Population, channels: int, rows: int, columns: int) -> Cut:
        first, height, width = population.shape
        return self._cut(population, boxes((first, height, width), (channels, rows, columns)))

    def _cut(self, population: Population, blocks: Blocks) -> Cut:
        seen = {c.name: visits(self.chip, c, blocks) for c in self.chip.into(population.name)}
        return Cut(blocks, seen, tuple(self._taken(population, blocks, {**self.seen, **seen})))

    def _taken(self, population: Population, blocks: Blocks, seen: Mapping[str, Visits]) -> Iterator[Taken]:
        limits, form = self.limits, self.limits.synapse_format
        arriving, leaving = self.chip.into(population.name), self.chip.out_of(population.name)
        yield Taken("neurons", limits.neurons_per_core, sizes(blocks))
        if limits.axons_in_per_core is not None:
            shared = form is not None and form.shared_kernels
            axons = [axons_in(c, seen[c.name], shared) for c in arriving]
            yield Taken("input axons", limits.axons_in_per_core, _total(axons, blocks))
        if limits.axons_out_per_core is not None:
            slots = [axons_out(c, seen[c.name], blocks, form) for c in leaving]
            yield Taken("output axons", limits.axons_out_per_core, _total(slots, blocks))
        if limits.synapse_bits_per_core is not None and form is not None:
            bits = [synapse_bits(self.chip, c, seen[c.name], blocks, form) for c in arriving]
            yield Taken("synapse memory", limits.synapse_bits_per_core, _total(bits, blocks))
        yield from self._shared_settings(arriving, blocks)
        if limits.fan_in is not None:
            yield Taken("fan-in", limits.fan_in, np.full(len(blocks), fan_in(self.chip, population.name)))
        if limits.fan_out is not None:
            most = sum(int(np.max(fan_out(self.chip, c))) for c in leaving)
            yield Taken("fan-out", limits.fan_out, np.full(len(blocks), most))

    def _shared_settings(self, arriving: Sequence[Connection], blocks: Blocks) -> Iterator[Taken]:
        """Configurations that a core keeps once for many: one of neurons for each population, formats of synapses."""
        limits = self.limits
        if limits.neuron_configs_per_core is not None:
            yield Taken("neuron configurations", limits.neuron_configs_per_core, np.ones(len(blocks), dtype=np.int64))
        if limits.synapse_formats_per_core is not None:
            formats = [synapse_formats(arriving, block, limits.synapse_format) for block in blocks]
            yield Taken("synapse formats", limits.synapse_formats_per_core, np.array(formats, dtype=np.int64))

    def _refusal(self, population: Population, finest: Cut) -> DoesNotFit:
        assert finest.fault is not None
        resource, used, limit = finest.fault
        return DoesNotFit(
            f"{self.profile.name}: {population.name!r} does not fit: even cut over {len(finest.blocks)} cores, one of "
            f"them needs {used} {_words(resource)} and holds {limit}",
            resource,
        )


def _divisions(height: int, width: int) -> Iterator[tuple[int, int]]:
    """Ways to divide feature maps that are tried: into bands of rows, and into boxes of about equal sides."""
    yield from ((rows, 1) for rows in range(1, height + 1))
    for rows in range(1, height + 1):
        columns = round(rows * width / height)
        if columns > 1:
            yield rows, columns


def _total(amounts: Sequence[IntArray], blocks: Blocks) -> IntArray:
    return np.sum(amounts, axis=0) if amounts else np.zeros(len(blocks), dtype=np.int64)


def _words(resource: str) -> str:
    return {
        "synapse memory": "bits of synapse memory",
        "fan-in": "synapses for one neuron",
        "fan-out": "synapses that one spike visits",
    }.get(resource, resource)
