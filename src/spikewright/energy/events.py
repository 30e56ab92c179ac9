"""The table of energy events: how often each one happens, what it costs, how long it keeps a core busy, and its words.

An event follows from what a population does: from updates of its compartments, from its spikes, or from the synapses
that those spikes visit. With n_i spikes of compartment i, U updates and A active updates, every event happens

    count = sum_i n_i x per_spike_i + U x per_update + A x per_active_update

times, so the cost of an activity is linear in n, U and A. The estimate, its linear form for training, the shares of
steps and samples, the time estimate and the pages read ``EVENTS`` and nothing else. To add an event, add its constant
to :class:`~spikewright.profile.costs.Energy` (a key of profile files) and one entry to ``EVENTS``.
"""

# ruff: noqa: ARG002  (every driver takes what the pricing gives)

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..base.types import FloatArray, IntArray
from ..chip.activity import Activity, Counts
from ..chip.fan_out import fan_out
from ..chip.network import Connection, Population
from ..placing.placement import Placement
from ..profile.costs import Constant, Duration, Durations, Energy


@dataclass(frozen=True, eq=False)
class Spot:
    """Where events happen: in a population, or on one of the connections that its spikes take.

    Attributes:
        known: names of the events whose energies, or whose durations, the profile gives.
        connection: None for what happens within the population.
    """

    placement: Placement
    known: Collection[str]
    population: Population
    connection: Connection | None = None

    @property
    def outgoing(self) -> Connection:
        """The connection; only for events of connections."""
        assert self.connection is not None
        return self.connection


class Driver(ABC):
    """What an event follows from; its part of the linear form.

    Attributes:
        on_connections: whether it happens on each outgoing connection, or else within the population.
        per_update: events of each compartment update; ``per_active_update`` further ones of each active update.
    """

    on_connections: bool = False
    per_update: int = 0
    per_active_update: int = 0

    @abstractmethod
    def per_spike(self, spot: Spot, /) -> IntArray | int | None:
        """How many events one spike of each compartment sets off, population shape; None where that is not known."""

    def count(self, spot: Spot, activity: Activity) -> float | None:
        """How many events a whole activity has; None where that is not known."""
        if (each := self.per_spike(spot)) is None:
            return None
        seen = activity.populations[spot.population.name]
        of_updates = self.per_update * seen.updates + self.per_active_update * seen.active_updates
        return float(np.sum(seen.spikes * each) + of_updates)

    @abstractmethod
    def portions(self, counts: Counts, of: Activity, population: str, connection: str, even: float) -> FloatArray:
        """Which portion of an activity's events falls on each step or sample, float64.

        Args:
            counts: of each step or sample of the activity.
            population: whose events are meant; ``connection`` empty for what happens within it.
            even: portion of each step or sample if all are alike.
        """


@dataclass(frozen=True)
class PerUpdate(Driver):
    """Events of compartment updates: ``per_update`` at each one, ``per_active_update`` more at each active one."""

    per_update: int
    per_active_update: int

    def per_spike(self, _: Spot, /) -> int:
        return 0

    def portions(self, counts: Counts, of: Activity, population: str, connection: str, even: float) -> FloatArray:
        seen, active = of.populations[population], counts.active_updates[population]
        everywhere = np.full(len(active), even)
        if not self.per_active_update:
            return everywhere
        events = everywhere * self.per_update * seen.updates + self.per_active_update * active
        return _over(events, self.per_update * seen.updates + self.per_active_update * seen.active_updates)


@dataclass(frozen=True)
class PerSpike(Driver):
    """Events that a population's spikes set off: ``each`` of them, or one for every spike where it is None."""

    on_connections: bool
    each: Callable[[Spot], IntArray | None] | None = None

    def per_spike(self, spot: Spot) -> IntArray | int | None:
        return 1 if self.each is None else self.each(spot)

    def portions(self, counts: Counts, of: Activity, population: str, connection: str, even: float) -> FloatArray:
        return _over(counts.spikes[population], int(of.populations[population].spikes.sum()))


class PerSynapse(Driver):
    """Events of spikes that visit the synapses of a connection; borders of convolutions have fewer of them."""

    on_connections = True

    def per_spike(self, spot: Spot) -> IntArray:
        return fan_out(spot.placement.chip, spot.outgoing)

    def count(self, spot: Spot, activity: Activity) -> float:
        return float(activity.synaptic_ops[spot.outgoing.name])

    def portions(self, counts: Counts, of: Activity, population: str, connection: str, even: float) -> FloatArray:
        return _over(counts.synaptic_ops[connection], of.synaptic_ops[connection])


def _over(events: npt.ArrayLike, whole: int) -> FloatArray:
    return np.asarray(events, dtype=np.float64) / max(whole, 1)


@dataclass(frozen=True, eq=False)
class Event:
    """One kind of event.

    Attributes:
        name: key of its constant in a profile's ``energy``; str(event).
        words: many of it, for people.
        driver: what it follows from.
        happens: whether it happens somewhere; of several ways to charge the same thing one does.
        sends: key of the duration that keeps the core busy that holds the population; empty where there is none.
        receives: key of the duration that keeps the core busy that holds the connection's target; likewise.
    """

    name: str
    words: str
    driver: Driver
    happens: Callable[[Spot], bool] = lambda _: True
    sends: str = ""
    receives: str = ""

    def __str__(self) -> str:
        return self.name

    @property
    def is_synaptic(self) -> bool:
        """Whether it is a synaptic operation, of whatever kind."""
        return isinstance(self.driver, PerSynapse)

    def constant(self, energy: Energy) -> Constant | None:
        """Its constant; None where the profile has none."""
        return energy.given().get(self.name)

    def sending(self, time: Durations) -> Duration | None:
        """How long it keeps the core of the population busy; None where the profile does not say."""
        return time.given().get(self.sends)

    def receiving(self, time: Durations) -> Duration | None:
        """How long it keeps the core of the connection's target busy; None where the profile does not say."""
        return time.given().get(self.receives)


def _has_neurons(spot: Spot) -> bool:
    return spot.population.neuron is not None


def _is_set_each_step(spot: Spot) -> bool:
    """Whether these are input neurons whose currents the host sets anew for each step."""
    return spot.population.role == "input" and _has_neurons(spot) and spot.placement.chip.changes_each_step


def _in_parts(spot: Spot) -> bool:
    """Whether updates are published as an access at each one and something extra for active ones."""
    return _has_neurons(spot) and ("neuron_access" in spot.known or "neuron_active_extra" in spot.known)


def _whole(spot: Spot) -> bool:
    """Whether updates are published by their kind, active or inactive."""
    return _has_neurons(spot) and not _in_parts(spot)


def _is_graded(spot: Spot) -> bool:
    return bool(spot.population.payload_bits) and "synaptic_op_graded" in spot.known


def _is_convolution(spot: Spot) -> bool:
    return not _is_graded(spot) and spot.outgoing.conv is not None and "synaptic_op_conv" in spot.known


def _is_read_from_kernel(spot: Spot) -> bool:
    return spot.outgoing.conv is not None and "spike_read_conv" in spot.known


def _destinations(spot: Spot) -> IntArray | None:
    has_cores = spot.placement.profile.limits.neurons_per_core is not None
    return spot.placement.destinations(spot.outgoing) if has_cores else None


_WITHIN, _ON_CONNECTION, _PER_SYNAPSE = PerSpike(on_connections=False), PerSpike(on_connections=True), PerSynapse()
_HOPS_X = PerSpike(True, lambda spot: spot.placement.hops(spot.outgoing, 0))
_HOPS_Y = PerSpike(True, lambda spot: spot.placement.hops(spot.outgoing, 1))
_CROSSINGS = PerSpike(True, lambda spot: spot.placement.crossings(spot.outgoing))

EVENTS: tuple[Event, ...] = (
    Event("input_event", "input events injected", _WITHIN, lambda spot: not _has_neurons(spot)),
    Event("bias_write", "input currents that the host sets", PerUpdate(1, 0), _is_set_each_step),
    Event("neuron_access", "neuron accesses", PerUpdate(1, 0), _in_parts, sends="neuron_access"),
    Event("neuron_active_extra", "neuron updates, active", PerUpdate(0, 1), _in_parts, sends="neuron_active_extra"),
    Event("neuron_update_active", "neuron updates, active", PerUpdate(0, 1), _whole, sends="neuron_update_active"),
    Event(
        "neuron_update_inactive", "neuron updates, inactive", PerUpdate(1, -1), _whole, sends="neuron_update_inactive"
    ),
    Event("spike_out", "spikes fired", _WITHIN, _has_neurons, sends="spike_out"),
    Event("synaptic_op_graded", "synaptic operations (graded)", _PER_SYNAPSE, _is_graded),
    Event(
        "synaptic_op_conv", "synaptic operations (convolution)", _PER_SYNAPSE, _is_convolution,
        receives="synaptic_op_conv",
    ),
    Event(
        "synaptic_op", "synaptic operations", _PER_SYNAPSE,
        lambda spot: not _is_graded(spot) and not _is_convolution(spot), receives="synaptic_op",
    ),
    Event("spike_read_conv", "spikes read (convolution)", _ON_CONNECTION, _is_read_from_kernel),
    Event(  # reading a spike has a constant of its own in few profiles; most have it in others
        "spike_read", "spikes read", _ON_CONNECTION,
        lambda spot: "spike_read" in spot.known and not _is_read_from_kernel(spot),
    ),
    Event(
        "message", "messages between cores", PerSpike(True, _destinations), sends="message_out", receives="message_in"
    ),
    Event("hop_x", "hops east-west", _HOPS_X),
    Event("hop_y", "hops north-south", _HOPS_Y),
    Event("chip_crossing", "messages between chips", _CROSSINGS, lambda spot: spot.placement.arrangement.chips > 1),
)  # fmt: skip
"""Every event, in the order in which reports list those of a population and then those of each of its connections."""


def events_of(population: Population, placement: Placement, known: Collection[str]) -> Iterator[tuple[Event, Spot]]:
    """The events of one population and then of each of its outgoing connections, in the order of ``EVENTS``."""
    connections = (None, *placement.chip.out_of(population.name))
    for spot in (Spot(placement, known, population, connection) for connection in connections):
        for event in EVENTS:
            if event.driver.on_connections is (spot.connection is not None) and event.happens(spot):
                yield event, spot
