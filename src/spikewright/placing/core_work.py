"""How long each core is busy at each step: its compartments' updates, and what arrives for them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..base.types import FloatArray
from ..chip.activity import Activity
from ..chip.network import ChipNetwork, Connection
from ..profile.durations import Durations
from .core_load import arriving
from .placement import Placement, Site


@dataclass(frozen=True)
class BusyCore:
    """One core of one chip, and whose compartments it holds."""

    chip: int
    core: int
    populations: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class CoreWork:
    """Seconds that cores are busy, the mean over samples, step by step of the chip.

    Attributes:
        cores: a row of the arrays each.
        updates_s: in updating compartments, firing and sending, ``(cores, chip steps)``.
        arrivals_s: in receiving spikes and visiting their synapses, likewise; a core does both at once.
    """

    cores: tuple[BusyCore, ...]
    updates_s: FloatArray
    arrivals_s: FloatArray

    @property
    def busy_s(self) -> FloatArray:
        """How long each core is busy at each step."""
        return np.maximum(self.updates_s, self.arrivals_s)


def core_work(
    activity: Activity, chip: ChipNetwork, placement: Placement, time: Durations, chip_steps: int
) -> CoreWork:
    """The work of every core over the steps from one sample's start to the next one's.

    Samples follow each other every ``chip_steps``, so that algorithmic step t of a population of depth d happens at
    chip step ``(t + d) mod chip_steps``. How spikes and active updates spread over a population's cores is taken to be
    the same at every step; how many there are at each step is counted, or, where nobody counted them, taken to be even.
    """
    held: dict[tuple[int, int], list[str]] = {}
    for site in placement.sites:
        held.setdefault((site.chip, site.core), []).append(site.population)
    rows = {place: row for row, place in enumerate(held)}
    updates, arrivals = (np.zeros((len(rows), chip_steps)) for _ in range(2))
    shares = {p.name: _share(activity, p.name, chip, chip_steps) for p in chip.populations}
    for site in placement.sites:
        updates[rows[site.chip, site.core]] += _updates(site, activity, chip, placement, time, chip_steps)
    for connection in chip.connections:
        for site, seconds in _arrivals(connection, activity, chip, placement, time):
            arrivals[rows[site.chip, site.core]] += seconds * shares[connection.source]
    cores = (BusyCore(*place, tuple(dict.fromkeys(names))) for place, names in held.items())
    return CoreWork(tuple(cores), updates, arrivals)


def _updates(
    site: Site, activity: Activity, chip: ChipNetwork, placement: Placement, time: Durations, chip_steps: int
) -> FloatArray:
    """Seconds of one block's updates, spikes and sent messages at each chip step."""
    seen, members, size = activity.populations[site.population], site.block.members, site.block.size
    spikes = seen.spikes.reshape(-1)[members] / activity.samples
    sending = np.full(size, time.spike_out.seconds if time.spike_out else 0.0)
    if time.message_out is not None:
        for connection in chip.out_of(site.population):
            sending += time.message_out.seconds * placement.destinations(connection).reshape(-1)[members]
    active = seen.active_updates / activity.samples * size / chip.by_name[site.population].size
    return (
        size * time.idle_s
        + active * time.active_s * _active_share(activity, site.population, chip, chip_steps)
        + float(spikes @ sending) * _share(activity, site.population, chip, chip_steps)
    )


def _arrivals(
    connection: Connection, activity: Activity, chip: ChipNetwork, placement: Placement, time: Durations
) -> Iterator[tuple[Site, float]]:
    """Seconds that each block of a connection's target costs its core, in all, for what an inference's spikes bring."""
    operations, messages = arriving(activity, chip, placement, connection)
    receiving = time.message_in.seconds if time.message_in else 0.0
    seconds = time.synapse_s(connection.conv is not None) * operations + receiving * messages
    yield from zip(placement.sites_of(connection.target), seconds.tolist(), strict=True)


def _share(activity: Activity, population: str, chip: ChipNetwork, chip_steps: int) -> FloatArray:
    """Which part of a population's spikes falls on each chip step."""
    counted = None if activity.by_step is None else activity.by_step.spikes[population]
    return _spread(counted, chip, population, chip_steps)


def _active_share(activity: Activity, population: str, chip: ChipNetwork, chip_steps: int) -> FloatArray:
    counted = None if activity.by_step is None else activity.by_step.active_updates[population]
    return _spread(counted, chip, population, chip_steps)


def _spread(counted: npt.ArrayLike | None, chip: ChipNetwork, population: str, chip_steps: int) -> FloatArray:
    each = np.ones(chip.timesteps) if counted is None else np.asarray(counted, dtype=np.float64)
    steps = np.zeros(chip_steps)
    places = (np.arange(chip.timesteps) + chip.depth[population]) % chip_steps
    np.add.at(steps, places, each)
    return steps / max(float(each.sum()), 1.0)
