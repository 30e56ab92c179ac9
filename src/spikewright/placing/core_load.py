"""What each core does in one inference, and how far the messages of each connection travel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..base.types import FloatArray, IntArray
from ..chip.activity import Activity
from ..chip.network import Connection
from .placement import Placement


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
        """The work of the core in one inference: synaptic operations and neuron updates."""
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


def core_loads(activity: Activity, placement: Placement) -> tuple[CoreLoad, ...]:
    """The load of every core in use, by chip and slot; over all cores it adds up to the counts of the activity."""
    chip, operations = placement.chip, dict.fromkeys(placement.held, 0.0)
    for connection in chip.connections:
        arrived, _ = arriving(activity, placement, connection)
        for site, count in zip(placement.sites_of(connection.target), arrived.tolist(), strict=True):
            operations[site.chip, site.core] += count
    return tuple(
        CoreLoad(*place, names, operations[place], float(chip.timesteps * sum(names.values())))
        for place, names in sorted(placement.held.items())
    )


def route_traffic(activity: Activity, placement: Placement) -> tuple[RouteTraffic, ...]:
    """How many messages each connection sends and how far; empty where the profile has no cores."""
    if placement.profile.limits.neurons_per_core is None:
        return ()

    def sent(connection: Connection, per_spike: IntArray | None) -> float | None:
        if per_spike is None:
            return None
        return float(np.sum(activity.populations[connection.source].spikes * per_spike)) / activity.samples

    found = []
    for connection in placement.chip.connections:
        messages = sent(connection, placement.destinations(connection))
        assert messages is not None
        across, down = (placement.hops(connection, axis) for axis in (0, 1))
        hops = sent(connection, None if across is None or down is None else across + down)
        found.append(RouteTraffic(connection.name, messages, hops, sent(connection, placement.crossings(connection))))
    return tuple(found)


def arriving(activity: Activity, placement: Placement, connection: Connection) -> tuple[FloatArray, FloatArray]:
    """Synaptic operations, and messages, that reach each site of the target in an inference, float64 ``(sites,)``."""
    counts = placement.counts[connection.name]
    spikes = activity.populations[connection.source].spikes.reshape(-1) / activity.samples
    places = counts.counts[0].size
    sent = np.bincount(counts.of_source, weights=spikes, minlength=places)
    operations = counts.counts.reshape(-1, places).astype(np.float64) @ sent
    messages = counts.reached.reshape(-1, places).astype(np.float64) @ sent
    return operations[counts.kind], messages[counts.kind]
