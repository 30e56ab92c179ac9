"""Which compartments sit on which core, what each core then holds, and how far spikes travel.

Each population is cut into equal contiguous ranges of its flat order, as few as its core limits allow, and the ranges
take cores in order, tile by tile. A core holds compartments of one population. Input populations whose events are
injected ready-made take no core: their axons count where they arrive, their way to the chip is not modelled.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise

import numpy as np

from ..chip import ChipNetwork, Connection, IntArray, Population
from ..errors import AnswerIsNo
from ..hardware_profiles.schema import HardwareProfile, Limits
from .occupancy import BoolArray, Range, axons_in, axons_out, fan_in, synapse_bits, synapses_into

REMEDY = {
    "neurons": "fewer neurons would make it fit",
    "input axons": "fewer sources (fewer channels, a larger stride, more pooling) would make it fit",
    "output axons": "fewer targets (a narrower next layer) would make it fit",
    "synapse memory": "fewer or narrower synapses (fewer sources, smaller kernels, fewer bits) would make it fit",
    "fan-in": "fewer sources for each neuron would make it fit",
    "cores": "a smaller network (narrower layers, more pooling) would make it fit",
}


@dataclass(frozen=True)
class Use:
    """How much of a resource is taken.

    Attributes:
        resource: neurons, input axons, output axons, synapse memory, fan-in (each of one core), or cores.
        limit: None where the profile does not know one.
        core: which core, None for the whole chip.
        population: whose compartments, empty for the whole chip.
    """

    resource: str
    used: int
    limit: int | None
    core: int | None = None
    population: str = ""

    @property
    def share(self) -> float:
        """Used part of the limit; 0 where there is none."""
        return self.used / self.limit if self.limit else 0.0

    @property
    def fits(self) -> bool:
        """Whether the limit holds."""
        return self.limit is None or self.used <= self.limit


@dataclass(frozen=True)
class Core:
    """Compartments ``start:stop`` (flat order) of one population on core ``index``."""

    index: int
    population: str
    start: int
    stop: int


@dataclass(frozen=True, eq=False)
class Placement:
    """A chip network on the cores of one profile.

    Attributes:
        cores: in order of their index; an input population without neurons has none.
        fit: what each core uses of each resource, then the number of cores.
    """

    chip: ChipNetwork
    profile: HardwareProfile
    cores: tuple[Core, ...]
    fit: tuple[Use, ...]
    _reached: dict[str, BoolArray] = field(default_factory=dict, repr=False)

    @property
    def binding(self) -> Use | None:
        """The use that is nearest to its limit; None where the profile has no limits."""
        limited = [use for use in self.fit if use.limit is not None]
        return max(limited, key=lambda use: use.share, default=None)

    @cached_property
    def worst(self) -> tuple[Use, ...]:
        """For each resource, the fullest core."""
        resources = dict.fromkeys(use.resource for use in self.fit)
        return tuple(max((u for u in self.fit if u.resource == r), key=lambda u: u.used) for r in resources)

    def cores_of(self, population: str) -> tuple[Core, ...]:
        """Cores that hold a population, in its flat order."""
        return tuple(core for core in self.cores if core.population == population)

    def destinations(self, connection: Connection) -> IntArray:
        """Cores that a spike of each source compartment reaches, int64, shape of the source population."""
        return np.asarray(np.count_nonzero(self._reach(connection), axis=0), dtype=np.int64)

    def hops_x(self, connection: Connection) -> IntArray | None:
        """Tile borders crossed east-west by a spike of each source compartment, over all its destinations.

        Each destination core gets a message of its own, routed along the row first and then along the column.

        Returns:
            int64, shape of the source population; None where the profile has no mesh or the source is not on the chip.
        """
        return self._hops(connection, 0)

    def hops_y(self, connection: Connection) -> IntArray | None:
        """Tile borders crossed north-south; otherwise as :meth:`hops_x`."""
        return self._hops(connection, 1)

    def position(self, core: int) -> tuple[int, int]:
        """Column and row of the tile that holds a core."""
        mesh = self.profile.limits.mesh
        if mesh is None:
            raise ValueError(f"{self.profile.name} has no mesh")
        return divmod(core // mesh.cores_per_tile, mesh.rows)

    def _reach(self, connection: Connection) -> BoolArray:
        if connection.name not in self._reached:
            blocks = [(core.start, core.stop) for core in self.cores_of(connection.target)]
            self._reached[connection.name] = synapses_into(self.chip, connection, blocks) > 0
        return self._reached[connection.name]

    def _hops(self, connection: Connection, axis: int) -> IntArray | None:
        sources = self.cores_of(connection.source)
        if self.profile.limits.mesh is None or not sources:
            return None
        here = np.array([self.position(core.index)[axis] for core in sources])
        there = np.array([self.position(core.index)[axis] for core in self.cores_of(connection.target)])
        reached = self._reach(connection)
        flat = reached.reshape(len(there), -1)
        hops = np.zeros(flat.shape[1], dtype=np.int64)
        for core, place_of_core in zip(sources, here, strict=True):
            distance = np.abs(there - place_of_core).astype(np.float64)
            hops[core.start : core.stop] = np.rint(distance @ flat[:, core.start : core.stop]).astype(np.int64)
        return hops.reshape(reached.shape[1:])


def place(chip: ChipNetwork, profile: HardwareProfile) -> Placement:
    """Put ``chip`` on the cores of ``profile``.

    Raises:
        AnswerIsNo: it does not fit; names the binding resource and what would make it fit.
    """
    planner = _Planner(chip, profile)
    blocks: dict[str, list[Range]] = {}
    for population in reversed(chip.populations):  # a source's output axons depend on how its targets were cut
        if _on_chip(population):
            blocks[population.name] = planner.cut(population, blocks)
    cores = [
        (population.name, start, stop)
        for population in chip.populations
        for start, stop in blocks.get(population.name, [])
    ]
    uses = [use for p in chip.populations if p.name in blocks for use in planner.uses(p, blocks[p.name], blocks)]
    first = {name: next(i for i, core in enumerate(cores) if core[0] == name) for name in blocks}
    fit = [Use(u.resource, u.used, u.limit, (u.core or 0) + first[u.population], u.population) for u in uses]
    fit.append(Use("cores", len(cores), profile.limits.cores))
    if not fit[-1].fits:
        raise AnswerIsNo(_too_many_cores(profile, fit))
    return Placement(chip, profile, tuple(Core(i, *core) for i, core in enumerate(cores)), tuple(fit))


def _on_chip(population: Population) -> bool:
    return population.neuron is not None


@dataclass
class _Planner:
    """Cuts populations, targets first."""

    chip: ChipNetwork
    profile: HardwareProfile
    _reached: dict[str, BoolArray] = field(default_factory=dict)

    @property
    def limits(self) -> Limits:
        return self.profile.limits

    def cut(self, population: Population, blocks: dict[str, list[Range]]) -> list[Range]:
        """The fewest equal ranges of ``population`` that fit, searched by doubling and then by halving."""
        most = min(population.size, self.limits.cores or population.size)
        fewest = -(-population.size // (self.limits.neurons_per_core or population.size))
        if fewest > most:
            raise AnswerIsNo(
                f"{self.profile.name}: {population.name!r} does not fit: its {population.size} neurons need {fewest} "
                f"cores and there are {most}; {REMEDY['cores']}"
            )
        failed, parts = fewest - 1, fewest
        while (fault := self._fault(population, parts, blocks)) is not None:
            if parts == most:
                raise AnswerIsNo(self._refusal(population, parts, fault))
            failed, parts = parts, min(2 * parts, most)
        while parts - failed > 1:
            middle = (parts + failed) // 2
            if self._fault(population, middle, blocks) is None:
                parts = middle
            else:
                failed = middle
        return _ranges(population.size, parts)

    def uses(self, population: Population, ranges: list[Range], blocks: dict[str, list[Range]]) -> Iterator[Use]:
        """What each range takes of each resource; cores are counted from the population's first."""
        taken = self._taken(population, ranges, {**blocks, population.name: ranges})
        for resource, limit, used in taken:
            for core, amount in enumerate(used):
                yield Use(resource, int(amount), limit, core, population.name)

    def _fault(self, population: Population, parts: int, blocks: dict[str, list[Range]]) -> Use | None:
        uses = self.uses(population, _ranges(population.size, parts), blocks)
        over = [use for use in uses if not use.fits]
        return max(over, key=lambda use: use.share, default=None)

    def _taken(
        self, population: Population, ranges: list[Range], blocks: dict[str, list[Range]]
    ) -> Iterator[tuple[str, int | None, IntArray]]:
        limits, form, name = self.limits, self.limits.synapse_format, population.name
        yield "neurons", limits.neurons_per_core, np.array([stop - start for start, stop in ranges])
        if limits.axons_in_per_core is None and limits.synapse_bits_per_core is None:
            counts = {}
        else:
            counts = {c.name: synapses_into(self.chip, c, ranges) for c in self.chip.into(name)}
        if limits.axons_in_per_core is not None:
            shared = form is not None and form.shared_kernels
            axons = [axons_in(c, counts[c.name] > 0, shared) for c in self.chip.into(name)]
            yield "input axons", limits.axons_in_per_core, _total(axons, len(ranges))
        if limits.axons_out_per_core is not None:
            slots = [axons_out(c, self._reach(c, blocks, name), ranges, form) for c in self.chip.out_of(name)]
            yield "output axons", limits.axons_out_per_core, _total(slots, len(ranges))
        if limits.synapse_bits_per_core is not None and form is not None:
            bits = [synapse_bits(self.chip, c, counts[c.name], ranges, form) for c in self.chip.into(name)]
            yield "synapse memory", limits.synapse_bits_per_core, _total(bits, len(ranges))
        if limits.fan_in is not None:
            yield "fan-in", limits.fan_in, np.full(len(ranges), fan_in(self.chip, name))

    def _reach(self, connection: Connection, blocks: dict[str, list[Range]], being_cut: str) -> BoolArray:
        """Which sources reach which block of a connection's target; kept once that target is cut for good."""
        if connection.target == being_cut:
            return synapses_into(self.chip, connection, blocks[connection.target]) > 0
        if connection.name not in self._reached:
            self._reached[connection.name] = synapses_into(self.chip, connection, blocks[connection.target]) > 0
        return self._reached[connection.name]

    def _refusal(self, population: Population, parts: int, fault: Use) -> str:
        return (
            f"{self.profile.name}: {population.name!r} does not fit: even cut over {parts} cores, one of them needs "
            f"{fault.used} {_words(fault.resource)} and holds {fault.limit}; {REMEDY[fault.resource]}"
        )


def _ranges(size: int, parts: int) -> list[Range]:
    bounds = [size * part // parts for part in range(parts + 1)]
    return list(pairwise(bounds))


def _total(amounts: Sequence[IntArray], parts: int) -> IntArray:
    return np.sum(amounts, axis=0) if amounts else np.zeros(parts, dtype=np.int64)


def _words(resource: str) -> str:
    return {"synapse memory": "bits of synapse memory", "fan-in": "synapses for one neuron"}.get(resource, resource)


def _too_many_cores(profile: HardwareProfile, fit: Sequence[Use]) -> str:
    *parts, cores = fit
    counts = {name: sum(u.population == name and u.resource == "neurons" for u in parts) for name in _names(parts)}
    largest = max(counts, key=lambda name: counts[name])
    fullest = max((u for u in parts if u.population == largest and u.limit), key=lambda u: u.share)
    return (
        f"{profile.name}: the network does not fit: it needs {cores.used} cores and there are {cores.limit}; "
        f"{largest!r} takes {counts[largest]} of them, bound by {fullest.resource} ({fullest.used} of {fullest.limit} "
        f"on its fullest core); {REMEDY['cores']}"
    )


def _names(uses: Sequence[Use]) -> list[str]:
    return list(dict.fromkeys(use.population for use in uses))
