"""What each core does in one inference, and how far the messages of each connection go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..base.types import FloatArray, IntArray
from ..chip.activity import Activity
from ..chip.network import ChipNetwork, Connection
from .placement import Placement
from .visits import visits


@dataclass(frozen=True)
class CoreLoad:
    """One core of one chip, per inference.

    Attributes:
        core: its slot on the mesh.
        compartments: that it holds, by population.
        synaptic_ops: that spikes arriving here cause; ``updates`` of its compartments.
    """

    chip: int
    core: int
    compartments: dict[str, int]
    synaptic_ops: float
    updates: float

    @property
    def work(self) -> float:
        """Synaptic operations and updates together."""
        return self.synaptic_ops + self.updates

    @property
    def main(self) -> str:
        """The population with most compartments here, the first of equals."""
        return max(self.compartments, key=lambda name: self.compartments[name])


@dataclass(frozen=True)
class Way:
    """Messages of one connection, per inference.

    Attributes:
        messages: one for each spike and each core that it reaches; the sender's own core counts too.
        hops: tile borders that those within a chip cross, None where no mesh is known or events are injected.
        crossings: messages that go to another chip, None for injected events.
    """

    connection: str
    messages: float
    hops: float | None
    crossings: float | None

    @property
    def mean_hops(self) -> float | None:
        """Hops of a message that stays on its chip, None where they are not known or there are no such messages."""
        within = self.messages - (self.crossings or 0.0)
        return None if self.hops is None or within <= 0 else self.hops / within


def core_loads(activity: Activity, chip: ChipNetwork, placement: Placement) -> tuple[CoreLoad, ...]:
    """The load of every core in use, by chip and slot; over all cores it adds up to the activity's counts."""
    held: dict[tuple[int, int], dict[str, int]] = {}
    for site in placement.sites:
        here = held.setdefault((site.chip, site.core), {})
        here[site.population] = here.get(site.population, 0) + site.block.size
    operations = dict.fromkeys(held, 0.0)
    for connection in chip.connections:
        arrived, _ = arriving(activity, chip, placement, connection)
        for site, count in zip(placement.sites_of(connection.target), arrived.tolist(), strict=True):
            operations[site.chip, site.core] += count
    return tuple(
        CoreLoad(*place, names, operations[place], float(chip.timesteps * sum(names.values())))
        for place, names in sorted(held.items())
    )


def ways(activity: Activity, chip: ChipNetwork, placement: Placement) -> tuple[Way, ...]:
    """How many messages each connection sends and how far; empty where there are no cores."""
    if placement.profile.limits.neurons_per_core is None:
        return ()
    return tuple(_way(activity, placement, connection) for connection in chip.connections)


def arriving(
    activity: Activity, chip: ChipNetwork, placement: Placement, connection: Connection
) -> tuple[FloatArray, FloatArray]:
    """Synaptic operations and messages that reach each block of a connection's target in one inference.

    Returns:
        two float64 arrays ``(blocks,)``, in the order of the target's sites.
    """
    sites = placement.sites_of(connection.target)
    seen = placement.seen.get(connection.name) or visits(chip, connection, [site.block for site in sites])
    spikes = activity.populations[connection.source].spikes.reshape(-1) / activity.samples
    places = seen.counts[0].size
    sent = np.bincount(seen.of_source, weights=spikes, minlength=places)
    operations = seen.counts.reshape(-1, places).astype(np.float64) @ sent
    messages = seen.reached.reshape(-1, places).astype(np.float64) @ sent
    return operations[seen.kind], messages[seen.kind]


def _way(activity: Activity, placement: Placement, connection: Connection) -> Way:
    spikes = activity.populations[connection.source].spikes

    def of_all(each: Sequence[IntArray | None]) -> float | None:
        known = [one for one in each if one is not None]
        return float(sum(np.sum(spikes * one) for one in known)) / activity.samples if known else None

    messages = of_all([placement.destinations(connection)])
    assert messages is not None
    hops = of_all([placement.hops_x(connection), placement.hops_y(connection)])
    return Way(connection.name, messages, hops, of_all([placement.crossings(connection)]))
