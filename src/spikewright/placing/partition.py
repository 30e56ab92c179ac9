"""Cutting populations into blocks that each fit one core.

A population is cut into equal ranges of its flat order or, where it has feature maps, into equal boxes of channels,
rows and columns: neighbouring pixels share sources, so boxes save input and output axons, and all channels of a pixel
share the axon that brings its spikes. The cut with the fewest cores is taken and, among cuts with as many, the one that
spikes have to reach the fewest cores of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import ceil
from typing import NamedTuple

import numpy as np

from ..base.errors import AnswerIsNo
from ..base.types import IntArray
from ..chip.fan_out import fan_out
from ..chip.network import ChipNetwork, Connection, Population
from ..profile.schema import HardwareProfile
from .blocks import Blocks, boxes, ranges, sizes
from .occupancy import axons_in, axons_out, fan_in, synapse_bits, synapse_formats
from .visits import Visits, visits

SLACKS = (1.0, 1.25, 2.0)
"""How many times the fewest cores a cut may take where it then reaches fewer cores: what one population saves so, the
populations before it save in output axons. Each is tried, and the network's cut with the fewest cores is taken."""
MOST_RANGES = 1024
"""Ranges that a population of feature maps is cut into at most; finer cuts are boxes."""
NOT_ADDED = ("fan-in", "fan-out")
"""What populations that share a core do not add up."""


Parts = tuple[int] | tuple[int, int, int]


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

    parts: Parts
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
        return _fault(self.taken)


Plan = dict[str, Cut]


def _fault(taken: Sequence[Taken]) -> tuple[str, int, int] | None:
    over = [(t.resource, int(np.max(t.used)), t.limit) for t in taken if t.limit is not None]
    over = [(resource, used, limit) for resource, used, limit in over if used > limit]
    return max(over, key=lambda each: each[1] / each[2], default=None)


def partition(chip: ChipNetwork, profile: HardwareProfile, capacity: int | None) -> Plan:
    """The populations that take cores, in the network's order, each in blocks that fit one core.

    Args:
        capacity: cores that there are; None asks for as many as it takes.

    Raises:
        DoesNotFit: some population cannot be cut so that its blocks fit.
    """
    planner, best, refusal = _Planner(chip, profile, capacity), None, None
    for slack in SLACKS:
        try:
            plan = planner.plan(slack)
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

    def __init__(self, chip: ChipNetwork, profile: HardwareProfile, capacity: int | None) -> None:
        self.chip, self.profile, self.limits, self.capacity = chip, profile, profile.limits, capacity
        self.cuts: Plan = {}
        self.known: dict[tuple[object, ...], Cut | bool] = {}

    def plan(self, slack: float) -> Plan:
        self.cuts = {}
        for population in reversed(self.chip.populations):
            if population.neuron is not None:
                self.cuts[population.name] = self._best(population, slack)
        return dict(reversed(self.cuts.items()))

    def _best(self, population: Population, slack: float) -> Cut:
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
        cuts += self._in_boxes(population, fewest, int(slack * len(found.blocks)) if cuts else most, slack)
        if not cuts:
            raise self._refusal(population, found)
        allowed = slack * min(len(cut.blocks) for cut in cuts)
        return min((c for c in cuts if len(c.blocks) <= allowed), key=lambda cut: (cut.messages, len(cut.blocks)))

    def _in_ranges(self, population: Population, fewest: int, most: int) -> Cut:
        """The fewest equal ranges that fit; the finest where none does."""
        if len(population.shape) == 3:
            most = max(fewest, min(most, MOST_RANGES))
        parts = _fewest(fewest, most, lambda parts: self._cut(population, (parts,)).fault is None)
        return self._cut(population, (parts or most,))

    def _in_boxes(self, population: Population, fewest: int, most: int, slack: float) -> Iterator[Cut]:
        """Boxes that fit, at most so many: for each division of the feature maps the fewest divisions of channels."""
        if len(population.shape) != 3 or population.shape[1:] == (1, 1):
            return
        channels, height, width = population.shape
        for rows, columns in _divisions(height, width):
            first, last = ceil(fewest / (rows * columns)), min(channels, most // (rows * columns))
            parts = _fewest(first, last, partial(self._boxes_fit, population, rows, columns))
            if parts is not None:
                most = min(most, int(slack * parts * rows * columns))
                yield self._cut(population, (parts, rows, columns))

    def _cut(self, population: Population, parts: Parts) -> Cut:
        """A population in so many ranges, or in so many parts of channels, rows and columns."""
        key = ("cut", population.name, parts, *self._downstream(population))
        if key not in self.known:
            blocks = _blocks(population, parts)
            seen = {c.name: visits(self.chip, c, blocks) for c in self.chip.into(population.name)}
            self.known[key] = Cut(parts, blocks, seen, tuple(self._taken(population, blocks, seen)))
        cut = self.known[key]
        assert isinstance(cut, Cut)
        return cut

    def _boxes_fit(self, population: Population, rows: int, columns: int, channels: int) -> bool:
        """Whether boxes fit, told from those with the most channels where channels are alike."""
        key = ("fits", population.name, (channels, rows, columns), *self._downstream(population))
        if key not in self.known:
            blocks = _blocks(population, (channels, rows, columns))
            if self._has_like_channels(population):
                blocks = tuple(
                    b for b in blocks if b.channels[1] == population.shape[0]
                )  # the last part is the largest
            seen = {c.name: visits(self.chip, c, blocks) for c in self.chip.into(population.name)}
            self.known[key] = _fault(tuple(self._taken(population, blocks, seen))) is None
        return self.known[key] is True

    def _downstream(self, population: Population) -> list[Parts]:
        """How the targets of a population were cut, all that its own fit depends on beside its own cut."""
        return [self.cuts[c.target].parts for c in self.chip.out_of(population.name) if c.target in self.cuts]

    def _has_like_channels(self, population: Population) -> bool:
        around = (*self.chip.into(population.name), *self.chip.out_of(population.name))
        return all(c.source != c.target and (c.conv is None or c.conv.groups == 1) for c in around)

    def _taken(self, population: Population, blocks: Blocks, seen: Mapping[str, Visits]) -> Iterator[Taken]:
        """What blocks take, ``seen`` the visits of connections that arrive."""
        limits, form = self.limits, self.limits.synapse_format
        arriving, leaving = self.chip.into(population.name), self.chip.out_of(population.name)
        onward = {c.name: seen[c.name] if c in arriving else self.cuts[c.target].seen[c.name] for c in leaving}
        yield Taken("neurons", limits.neurons_per_core, sizes(blocks))
        if limits.axons_in_per_core is not None:
            shared = form is not None and form.shared_kernels
            axons = [axons_in(c, seen[c.name], shared) for c in arriving]
            yield Taken("input axons", limits.axons_in_per_core, _total(axons, blocks))
        if limits.axons_out_per_core is not None:
            slots = [axons_out(c, onward[c.name], blocks, form) for c in leaving]
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


def _blocks(population: Population, parts: Parts) -> Blocks:
    if len(parts) == 1:
        return ranges(population.size, parts[0])
    channels, height, width = population.shape
    return boxes((channels, height, width), parts)


def _fewest(first: int, last: int, fits: Callable[[int], bool]) -> int | None:
    """The smallest number from ``first`` to ``last`` that fits, by doubling and then by halving; None if none does."""
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
