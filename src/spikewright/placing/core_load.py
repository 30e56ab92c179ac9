"""What each core does in one inference, how long it is busy, and how far the messages of each connection travel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..base.types import FloatArray, IntArray
from ..chip.activity import Activity
from ..chip.network import ChipNetwork, Connection
from ..profile.durations import Durations
from .placement import Placement, Site


@dataclass(frozen=True)
class CoreLoad:
    """The work of one core per inference.

    Attributes:
        core: slot on the mesh of its chip.
        compartments: by population, how many it holds.
        synaptic_ops: synaptic operations of the spikes that arrive.
        updates: updates of its compartments.
    """

    chip: int
    core: int
    compartments: dict[str, int]
    synaptic_ops: float
    updates: float

    @property
    def work(self) -> float:
        """Synaptic operations plus updates."""
        return self.synaptic_ops + self.updates

    @property
    def main(self) -> str:
        """The population with most compartments on the core, the first of equals."""
        return max(self.compartments, key=lambda name: self.compartments[name])


@dataclass(frozen=True)
class RouteTraffic:
    """Messages of one connection per inference.

    Attributes:
        messages: one for each spike and each core that it is sent to, the sender's own core included.
        hops: tile borders that messages within a chip cross; None without a mesh or for injected events.
        crossings: messages to another chip; None for injected events.
    """

    connection: str
    messages: float
    hops: float | None
    crossings: float | None

    @property
    def mean_hops(self) -> float | None:
        """Hops per message that stays on its chip; None where they are not known or there are no such messages."""
        within = self.messages - (self.crossings or 0.0)
        return None if self.hops is None or within <= 0 else self.hops / within


def core_loads(activity: Activity, chip: ChipNetwork, placement: Placement) -> tuple[CoreLoad, ...]:
    """The load of every core in use, by chip and slot; over all cores it adds up to the counts of the activity."""
    held: dict[tuple[int, int], dict[str, int]] = {}
    for site in placement.sites:
        here = held.setdefault((site.chip, site.core), {})
        here[site.population] = here.get(site.population, 0) + site.block.size
    operations = dict.fromkeys(held, 0.0)
    for connection in chip.connections:
        arrived, _ = arriving(activity, placement, connection)
        for site, count in zip(placement.sites_of(connection.target), arrived.tolist(), strict=True):
            operations[site.chip, site.core] += count
    return tuple(
        CoreLoad(*place, names, operations[place], float(chip.timesteps * sum(names.values())))
        for place, names in sorted(held.items())
    )


def route_traffic(activity: Activity, chip: ChipNetwork, placement: Placement) -> tuple[RouteTraffic, ...]:
    """How many messages each connection sends and how far; empty where the profile has no cores."""
    if placement.profile.limits.neurons_per_core is None:
        return ()

    def sent(connection: Connection, per_spike: IntArray | None) -> float | None:
        if per_spike is None:
            return None
        return float(np.sum(activity.populations[connection.source].spikes * per_spike)) / activity.samples

    found = []
    for connection in chip.connections:
        messages = sent(connection, placement.destinations(connection))
        assert messages is not None
        hops_x, hops_y = placement.hops_x(connection), placement.hops_y(connection)
        hops = sent(connection, None if hops_x is None or hops_y is None else hops_x + hops_y)
        found.append(RouteTraffic(connection.name, messages, hops, sent(connection, placement.crossings(connection))))
    return tuple(found)


def arriving(activity: Activity, placement: Placement, connection: Connection) -> tuple[FloatArray, FloatArray]:
    """Synaptic operations and messages that reach each block of a connection's target in one inference.

    Returns:
        two float64 arrays ``(blocks,)``, in the order of the target's sites.
    """
    counts = placement.synapses(connection)
    spikes = activity.populations[connection.source].spikes.reshape(-1) / activity.samples
    places = counts.counts[0].size
    sent = np.bincount(counts.of_source, weights=spikes, minlength=places)
    operations = counts.counts.reshape(-1, places).astype(np.float64) @ sent
    messages = counts.reached.reshape(-1, places).astype(np.float64) @ sent
    return operations[counts.kind], messages[counts.kind]


@dataclass(frozen=True)
class BusyCore:
    """A core of a chip and the populations on it."""

    chip: int
    core: int
    populations: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class CoreWork:
    """Seconds for which cores are busy in each timestep of the chip, the mean over samples.

    Attributes:
        cores: for each row of the arrays.
        updates_s: for updating compartments, firing and sending, float64 ``(cores, chip steps)``.
        arrivals_s: for receiving spikes and their synaptic operations, of the same shape.
    """

    cores: tuple[BusyCore, ...]
    updates_s: FloatArray
    arrivals_s: FloatArray

    @property
    def busy_s(self) -> FloatArray:
        """Busy time, ``max(updates_s, arrivals_s)``, since a core does both at once."""
        return np.maximum(self.updates_s, self.arrivals_s)


def core_work(
    activity: Activity, chip: ChipNetwork, placement: Placement, time: Durations, chip_steps: int
) -> CoreWork:
    """The work of every core over the timesteps from the start of one sample to the start of the next.

    Samples follow each other every ``chip_steps``, so timestep t of a population of depth d happens in timestep
    ``(t + d) mod chip_steps`` of the chip. Spikes and active updates are assumed to be spread over a population's cores
    in the same proportions at every step; their number at each step is counted or, without such counts, assumed even.

    Args:
        time: how long each event takes.
        chip_steps: number of timesteps of the chip from one sample to the next.
    """
    held: dict[tuple[int, int], list[str]] = {}
    for site in placement.sites:
        held.setdefault((site.chip, site.core), []).append(site.population)
    rows = {place: row for row, place in enumerate(held)}
    updates, arrivals = (np.zeros((len(rows), chip_steps)) for _ in range(2))
    spikes, active = (activity.by_step.spikes, activity.by_step.active_updates) if activity.by_step else ({}, {})
    spiking = {p.name: _share_of_steps(spikes.get(p.name), chip, p.name, chip_steps) for p in chip.populations}
    for site in placement.sites:
        idle_s, active_s, sending_s = _update_seconds(site, activity, placement, time)
        seconds = active_s * _share_of_steps(active.get(site.population), chip, site.population, chip_steps)
        updates[rows[site.chip, site.core]] += idle_s + seconds + sending_s * spiking[site.population]
    receiving_s = time.message_in.seconds if time.message_in else 0.0
    for connection in chip.connections:
        operations, messages = arriving(activity, placement, connection)
        seconds = time.synapse_s(connection.conv is not None) * operations + receiving_s * messages
        for site, busy_s in zip(placement.sites_of(connection.target), seconds.tolist(), strict=True):
            arrivals[rows[site.chip, site.core]] += busy_s * spiking[connection.source]
    cores = (BusyCore(*place, tuple(dict.fromkeys(names))) for place, names in held.items())
    return CoreWork(tuple(cores), updates, arrivals)


def _update_seconds(
    site: Site, activity: Activity, placement: Placement, time: Durations
) -> tuple[float, float, float]:
    """Mean busy time of one block: of idle compartments per timestep, and of active updates and of sending in all."""
    chip, seen = placement.chip, activity.populations[site.population]
    members, size = site.block.members, site.block.size
    spikes = seen.spikes.reshape(-1)[members] / activity.samples
    per_spike = np.full(size, time.spike_out.seconds if time.spike_out else 0.0)
    if time.message_out is not None:
        for connection in chip.out_of(site.population):
            per_spike += time.message_out.seconds * placement.destinations(connection).reshape(-1)[members]
    active = seen.active_updates / activity.samples * size / chip.by_name[site.population].size
    return size * time.idle_s, active * time.active_s, float(spikes @ per_spike)


def _share_of_steps(counted: IntArray | None, chip: ChipNetwork, population: str, chip_steps: int) -> FloatArray:
    """Which share of what a population does falls on each timestep of the chip; even shares without counts."""
    each = np.ones(chip.timesteps) if counted is None else np.asarray(counted, dtype=np.float64)
    steps = np.zeros(chip_steps)
    np.add.at(steps, (np.arange(chip.timesteps) + chip.depth[population]) % chip_steps, each)
    return steps / max(float(each.sum()), 1.0)
