"""How long an inference takes, and what static power costs meanwhile; apart from the energy that a budget bounds.

``time = sum over the chip's steps of (barrier + slowest core)``; ``static energy = static power x time``. How long a
core is busy follows from the durations of the events in :data:`~spikewright.energy.events.EVENTS`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from ..base.types import FloatArray
from ..chip.activity import Activity
from ..chip.network import Connection, Schedule
from ..placing.core_load import arriving
from ..placing.placement import Placement, Site
from ..profile.costs import WATTS, Durations
from ..profile.schema import HardwareProfile
from ..profile.units import quantity
from .events import events_of


@dataclass(frozen=True)
class TimeEstimate:
    """How long an inference takes where samples follow each other without a pause.

    Attributes:
        barrier_s: synchronisation after each step.
        busy_s: the slowest core at each step of the chip from one sample's start to the next one's.
        slowest: core that is the slowest at the longest step, what it holds, and what it is busy with.
        tiles: in use.
        depth: steps from a sample's first one at the input to its first one at the deepest population.
        timesteps: algorithmic steps.
        static_w: static power of the chip, None where it is unknown.
        static_source: where that comes from.
        unknown: events that take time too and are left out, for want of a number.
    """

    barrier_s: float
    busy_s: tuple[float, ...]
    slowest: tuple[int, str, str]
    tiles: int
    depth: int
    timesteps: int
    static_w: float | None
    static_source: str
    unknown: tuple[str, ...]

    @property
    def steps(self) -> int:
        """Steps of the chip from one sample's start to the next one's."""
        return len(self.busy_s)

    @property
    def inference_s(self) -> float:
        """From one sample's start to the next one's."""
        return sum(self.busy_s) + self.steps * self.barrier_s

    @property
    def latency_s(self) -> float:
        """From a sample's start to its last step at the deepest population."""
        return self.inference_s / self.steps * (self.timesteps + self.depth)

    @property
    def static_j(self) -> float | None:
        """Static energy of an inference, None where static power is unknown."""
        return None if self.static_w is None else self.static_w * self.inference_s

    def sentence(self) -> str:
        """The estimate in one sentence, for reports."""
        core, population, what = self.slowest
        return (
            f"at least {seconds(self.inference_s)} per inference ({1 / self.inference_s:,.0f} a second), "
            f"{seconds(self.latency_s)} from input to answer: {self.steps} steps of "
            f"{seconds(self.inference_s / self.steps)}, {seconds(self.barrier_s)} of it to synchronise {self.tiles} "
            f"{'tile' if self.tiles == 1 else 'tiles'}; the slowest is core {core} ({population}), busy with {what}"
        )

    def static_sentence(self) -> str:
        """Static energy for people; empty where static power is unknown."""
        if self.static_j is None or self.static_w is None:
            return ""
        power = quantity(self.static_w, "J").replace("J", "W")
        return (
            f"static energy meanwhile: {quantity(self.static_j, 'J')} per inference, not in the total "
            f"({power} a chip; {self.static_source})"
        )

    def as_json(self) -> dict[str, object]:
        """The estimate as JSON; seconds, watts and joules."""
        slowest = dict(zip(("core", "population", "busy_with"), self.slowest, strict=True))
        names: tuple[str, ...] = ("inference_s", "latency_s", "barrier_s", "busy_s", "slowest", "tiles")
        names += ("static_w", "static_j", "static_source", "unknown")
        return {name: getattr(self, name) for name in names} | {"slowest": slowest}


def time_of(activity: Activity, placement: Placement, profile: HardwareProfile) -> TimeEstimate | None:
    """How long an inference takes.

    Returns:
        None where the profile does not say how long events take or how cores lie, and for a network on several chips,
        whose barrier no profile gives.
    """
    mesh = profile.limits.mesh
    if profile.time is None or mesh is None or placement.arrangement.chips > 1:
        return None
    schedule = Schedule.of(placement.chip, 1)
    work = core_work(activity, placement, profile.time, schedule.stride)
    tiles = len({core // mesh.cores_per_tile for _, core in work.cores})
    row, step = map(int, np.unravel_index(np.argmax(work.busy_s), work.busy_s.shape))
    what = "synapses" if work.arrivals_s[row, step] > work.updates_s[row, step] else "updates"
    static = profile.static_power
    return TimeEstimate(
        barrier_s=profile.time.barrier.seconds(tiles),
        busy_s=tuple(work.busy_s.max(axis=0).tolist()),
        slowest=(work.cores[row][1], " and ".join(placement.held[work.cores[row]]), what),
        tiles=tiles,
        depth=schedule.deepest,
        timesteps=schedule.timesteps,
        static_w=None if static is None else static.value * WATTS[static.unit],
        static_source="" if static is None else f"{static.source}, {static.where}",
        unknown=profile.time.unknown,
    )


def seconds(value: float) -> str:
    """A duration as text, with the SI prefix that suits it."""
    steps = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"))
    factor, unit = next((step for step in steps if value >= step[0]), (1e-9, "ns"))
    return f"{value / factor:.4g} {unit}"


@dataclass(frozen=True, eq=False)
class CoreWork:
    """Seconds that cores are busy, the mean over samples, step by step of the chip.

    Attributes:
        cores: for each row of the arrays, chip and slot of a core.
        updates_s: in updating compartments, firing and sending, float64 ``(cores, chip steps)``.
        arrivals_s: in receiving spikes and visiting their synapses, likewise; a core does both at once.
    """

    cores: tuple[tuple[int, int], ...]
    updates_s: FloatArray
    arrivals_s: FloatArray

    @property
    def busy_s(self) -> FloatArray:
        """How long each core is busy at each step, ``(cores, chip steps)``."""
        return np.maximum(self.updates_s, self.arrivals_s)


def core_work(activity: Activity, placement: Placement, time: Durations, chip_steps: int) -> CoreWork:
    """The work of every core over the steps from one sample's start to the next one's.

    Samples follow each other every ``chip_steps``, so that algorithmic step t of a population of depth d happens at
    chip step ``(t + d) mod chip_steps``. Spikes and active updates are taken to spread over a population's cores in the
    same way at every step; how many there are at each step is counted, or taken to be even where it was not counted.
    """
    rows = {place: row for row, place in enumerate(placement.held)}
    work = _Work(activity, placement, time, chip_steps)
    updates, arrivals = (np.zeros((len(rows), chip_steps)) for _ in range(2))
    for site in placement.sites:
        updates[rows[site.chip, site.core]] += work.of_updates(site)
    for connection in placement.chip.connections:
        share = work.share("spikes", connection.source)
        sites = placement.sites_of(connection.target)
        for site, seconds in zip(sites, work.of_arrivals(connection).tolist(), strict=True):
            arrivals[rows[site.chip, site.core]] += seconds * share
    return CoreWork(tuple(rows), updates, arrivals)


@dataclass(frozen=True, eq=False)
class _Work:
    """Seconds of blocks and connections, from the durations of their events."""

    activity: Activity
    placement: Placement
    time: Durations
    chip_steps: int

    def of_updates(self, site: Site) -> FloatArray:
        """Seconds of one block's updates, spikes and sent messages at each chip step."""
        population, members, size = self.placement.chip.by_name[site.population], site.block.members, site.block.size
        each_s = active_s = 0.0
        sending = np.zeros(size)
        for event, spot in events_of(population, self.placement, self.time.given()):
            if (duration := event.sending(self.time)) is None:
                continue
            driver = event.driver
            each_s += driver.per_update * duration.seconds
            active_s += driver.per_active_update * duration.seconds
            if (reach := driver.per_spike(spot)) is not None:
                sending += duration.seconds * np.broadcast_to(reach, population.shape).reshape(-1)[members]
        seen = self.activity.populations[site.population]
        spikes = seen.spikes.reshape(-1)[members] / self.activity.samples
        active = seen.active_updates / self.activity.samples * size / population.size
        sent = float(spikes @ sending) * self.share("spikes", site.population)
        return size * each_s + active * active_s * self.share("active_updates", site.population) + sent

    def of_arrivals(self, connection: Connection) -> FloatArray:
        """Seconds that an inference's spikes cost the core of each block of the target, in all, ``(blocks,)``."""
        operations, messages = arriving(self.activity, self.placement, connection)
        source = self.placement.chip.by_name[connection.source]
        seconds = np.zeros(len(operations))
        for event, spot in events_of(source, self.placement, self.time.given()):
            duration = event.receiving(self.time)
            if spot.connection is connection and duration is not None:
                seconds = seconds + duration.seconds * (operations if event.is_synaptic else messages)
        return seconds

    def share(self, of: Literal["spikes", "active_updates"], population: str) -> FloatArray:
        """Which part of a population's counts each chip step has; even parts where steps were not counted."""
        chip, counts = self.placement.chip, self.activity.by_step
        each = (
            np.ones(chip.timesteps) if counts is None else np.asarray(getattr(counts, of)[population], dtype=np.float64)
        )
        steps = np.zeros(self.chip_steps)
        np.add.at(steps, (np.arange(chip.timesteps) + chip.depth[population]) % self.chip_steps, each)
        return steps / max(float(each.sum()), 1.0)
