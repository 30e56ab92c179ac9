"""How long each core is busy at each step: its compartments' updates and spikes, and what arrives for them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..base.types import FloatArray, IntArray
from ..chip.activity import Activity
from ..chip.network import ChipNetwork, Connection
from ..placing.core_load import arriving
from ..placing.placement import Placement, Site
from ..profile.durations import Durations
from .events import events_of, has_duration


@dataclass(frozen=True)
class BusyCore:
    """One core of one chip, and the populations whose compartments it holds."""

    chip: int
    core: int
    populations: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class CoreWork:
    """Seconds that cores are busy, the mean over samples, step by step of the chip.

    Attributes:
        cores: one for each row of the arrays.
        updates_s: in updating compartments, firing and sending, float64 ``(cores, chip steps)``.
        arrivals_s: in receiving spikes and visiting their synapses, likewise; a core does both at once.
    """

    cores: tuple[BusyCore, ...]
    updates_s: FloatArray
    arrivals_s: FloatArray

    @property
    def busy_s(self) -> FloatArray:
        """How long each core is busy at each step, ``(cores, chip steps)``."""
        return np.maximum(self.updates_s, self.arrivals_s)


def core_work(
    activity: Activity, chip: ChipNetwork, placement: Placement, time: Durations, chip_steps: int
) -> CoreWork:
    """The work of every core over the steps from one sample's start to the next one's.

    Samples follow each other every ``chip_steps``, so that algorithmic step t of a population of depth d happens at
    chip step ``(t + d) mod chip_steps``. Spikes and active updates are taken to spread over a population's cores in the
    same way at every step; how many there are at each step is counted, or taken to be even where it was not counted.
    """
    held: dict[tuple[int, int], list[str]] = {}
    for site in placement.sites:
        held.setdefault((site.chip, site.core), []).append(site.population)
    rows = {place: row for row, place in enumerate(held)}
    work = _Work(activity, chip, placement, time, chip_steps)
    updates, arrivals = (np.zeros((len(rows), chip_steps)) for _ in range(2))
    for site in placement.sites:
        updates[rows[site.chip, site.core]] += work.of_updates(site)
    for connection in chip.connections:
        share = work.share_of_spikes(connection.source)
        sites = placement.sites_of(connection.target)
        for site, seconds in zip(sites, work.of_arrivals(connection).tolist(), strict=True):
            arrivals[rows[site.chip, site.core]] += seconds * share
    cores = (BusyCore(*place, tuple(dict.fromkeys(names))) for place, names in held.items())
    return CoreWork(tuple(cores), updates, arrivals)


@dataclass(frozen=True, eq=False)
class _Work:
    """Seconds of blocks and connections, from the durations of their events."""

    activity: Activity
    chip: ChipNetwork
    placement: Placement
    time: Durations
    chip_steps: int

    def of_updates(self, site: Site) -> FloatArray:
        """Seconds of one block's updates, spikes and sent messages at each chip step."""
        population, members, size = self.chip.by_name[site.population], site.block.members, site.block.size
        each_s = active_s = 0.0
        sending = np.zeros(size)
        for event, spot in events_of(population, self.chip, self.placement, has_duration(self.time)):
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
        counts = self.activity.by_step
        counted = None if counts is None else counts.active_updates[site.population]
        share_of_active = self._at_steps(site.population, counted)
        sent = float(spikes @ sending) * self.share_of_spikes(site.population)
        return size * each_s + active * active_s * share_of_active + sent

    def of_arrivals(self, connection: Connection) -> FloatArray:
        """Seconds that an inference's spikes cost the core of each block of the target, in all, ``(blocks,)``."""
        operations, messages = arriving(self.activity, self.chip, self.placement, connection)
        source = self.chip.by_name[connection.source]
        seconds = np.zeros(len(operations))
        for event, spot in events_of(source, self.chip, self.placement, has_duration(self.time)):
            duration = event.receiving(self.time)
            if spot.connection is connection and duration is not None:
                seconds = seconds + duration.seconds * (operations if event.is_synaptic else messages)
        return seconds

    def share_of_spikes(self, population: str) -> FloatArray:
        """Which part of a population's spikes falls on each chip step."""
        counts = self.activity.by_step
        return self._at_steps(population, None if counts is None else counts.spikes[population])

    def _at_steps(self, population: str, counted: IntArray | None) -> FloatArray:
        """Shares of the chip's steps, from counts of algorithmic steps; even where nothing was counted."""
        timesteps = self.chip.timesteps
        each = np.ones(timesteps) if counted is None else np.asarray(counted, dtype=np.float64)
        steps = np.zeros(self.chip_steps)
        np.add.at(steps, (np.arange(timesteps) + self.chip.depth[population]) % self.chip_steps, each)
        return steps / max(float(each.sum()), 1.0)
