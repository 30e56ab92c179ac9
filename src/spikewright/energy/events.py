"""The table of energy events: how often each one happens, what it costs, how long it keeps a core busy, and its words.

An event follows from what a population does: from updates of its compartments, from its spikes, or from the synapses
that those spikes visit. With n_i spikes of compartment i, U updates and A active updates, every event happens

    count = sum_i n_i x per_spike_i + U x per_update + A x per_active_update

times, so the cost of an activity is linear in n, U and A. The estimate, its linear form for training, the shares of
steps and samples, the time estimate and the pages read ``EVENTS`` and nothing else. To add an event, add its constant
to :class:`~spikewright.profile.schema.Energy` (a key of profile files) and one entry to ``EVENTS``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ..base.types import FloatArray, IntArray
from ..chip.activity import Activity, Counts
from ..chip.fan_out import fan_out
from ..chip.network import ChipNetwork, Connection, Population
from ..placing.placement import Placement
from ..profile.durations import Duration, Durations
from ..profile.schema import Constant, Energy


@dataclass(frozen=True, eq=False)
class Spot:
    """Where events happen: in a population, or on one of the connections that its spikes take.

    Attributes:
        is_known: whether a profile says what is asked for (the energy or the duration) of an event.
        connection: None for what happens within the population.
    """

    chip: ChipNetwork
    placement: Placement
    is_known: Callable[[Event], bool]
    population: Population
    connection: Connection | None = None

    @property
    def outgoing(self) -> Connection:
        """The connection; only for events of connections."""
        assert self.connection is not None
        return self.connection


@dataclass(frozen=True, eq=False)
class Portions:
    """Counts of each step or of each sample, from which the portions of a row's events follow.

    Attributes:
        counts: of each step or sample; ``activity`` what they belong to.
        population: whose events are meant; ``connection`` empty for what happens within it.
        even: portion of each step or sample if all are alike.
    """

    counts: Counts
    activity: Activity
    population: str
    connection: str
    even: float


class Driver(Protocol):
    """What an event follows from; its part of the linear form."""

    @property
    def on_connections(self) -> bool:
        """Whether it happens on each outgoing connection, or else within the population."""

    @property
    def per_update(self) -> int:
        """Events of each compartment update."""

    @property
    def per_active_update(self) -> int:
        """Further events of each active update."""

    def per_spike(self, spot: Spot, /) -> IntArray | int | None:
        """How many events one spike of each compartment sets off, population shape; None where that is not known."""

    def count(self, spot: Spot, activity: Activity) -> float | None:
        """How many events a whole activity has; None where that is not known."""

    def portions(self, of: Portions) -> FloatArray:
        """Which portion of an activity's events falls on each step or sample, float64."""


@dataclass(frozen=True)
class PerUpdate:
    """Events of compartment updates: ``per_update`` at each one, ``per_active_update`` more at each active one."""

    per_update: int
    per_active_update: int
    on_connections = False

    def per_spike(self, _: Spot) -> int:
        return 0

    def count(self, spot: Spot, activity: Activity) -> float:
        seen = activity.populations[spot.population.name]
        return float(self.per_update * seen.updates + self.per_active_update * seen.active_updates)

    def portions(self, of: Portions) -> FloatArray:
        seen, active = of.activity.populations[of.population], of.counts.active_updates[of.population]
        everywhere = np.full(len(active), of.even)
        if not self.per_active_update:
            return everywhere
        events = everywhere * self.per_update * seen.updates + self.per_active_update * active
        return _over(events, self.per_update * seen.updates + self.per_active_update * seen.active_updates)


@dataclass(frozen=True)
class PerSpike:
    """Events that a population's spikes set off: ``each`` of them, or one for every spike where it is None."""

    on_connections: bool
    each: Callable[[Spot], IntArray | None] | None = None
    per_update = 0
    per_active_update = 0

    def per_spike(self, spot: Spot) -> IntArray | int | None:
        return 1 if self.each is None else self.each(spot)

    def count(self, spot: Spot, activity: Activity) -> float | None:
        each = self.per_spike(spot)
        return None if each is None else float(np.sum(activity.populations[spot.population.name].spikes * each))

    def portions(self, of: Portions) -> FloatArray:
        return _over(of.counts.spikes[of.population], int(of.activity.populations[of.population].spikes.sum()))


@dataclass(frozen=True)
class PerSynapse:
    """Events of spikes that visit the synapses of a connection; borders of convolutions have fewer of them."""

    on_connections = True
    per_update = 0
    per_active_update = 0

    def per_spike(self, spot: Spot) -> IntArray:
        return fan_out(spot.chip, spot.outgoing)

    def count(self, spot: Spot, activity: Activity) -> float:
        return float(activity.synaptic_ops[spot.outgoing.name])

    def portions(self, of: Portions) -> FloatArray:
        return _over(of.counts.synaptic_ops[of.connection], of.activity.synaptic_ops[of.connection])


def _over(events: npt.ArrayLike, whole: int) -> FloatArray:
    return np.asarray(events, dtype=np.float64) / max(whole, 1)


@dataclass(frozen=True, eq=False)
class Event:
    """One kind of event.

    Attributes:
        name: key of its constant in a profile's ``energy``; str(event).
        words: many of it, for people.
        driver: what it follows from.
        constant: its constant, None where the profile has none.
        happens: whether it happens somewhere; of several ways to charge the same thing one does.
        sending: how long it keeps the core busy that holds the population; None where the profile does not say.
        receiving: how long it keeps the core busy that holds the connection's target; likewise.
    """

    name: str
    words: str
    driver: Driver
    constant: Callable[[Energy], Constant | None]
    happens: Callable[[Spot], bool] = lambda _: True
    sending: Callable[[Durations], Duration | None] = lambda _: None
    receiving: Callable[[Durations], Duration | None] = lambda _: None

    def __str__(self) -> str:
        return self.name

    @property
    def is_synaptic(self) -> bool:
        """Whether it is a synaptic operation, of whatever kind."""
        return isinstance(self.driver, PerSynapse)


def _is_injected(spot: Spot) -> bool:
    """Whether events come from outside: the population has no compartments."""
    return spot.population.neuron is None


def _has_neurons(spot: Spot) -> bool:
    return spot.population.neuron is not None


def _is_updated_in_parts(spot: Spot) -> bool:
    """Whether updates are published as an access at each one and something extra for active ones."""
    return _has_neurons(spot) and (spot.is_known(NEURON_ACCESS) or spot.is_known(NEURON_ACTIVE_EXTRA))


def _is_updated_whole(spot: Spot) -> bool:
    """Whether updates are published by their kind, active or inactive."""
    return _has_neurons(spot) and not _is_updated_in_parts(spot)


def _is_graded(spot: Spot) -> bool:
    return bool(spot.population.payload_bits) and spot.is_known(SYNAPTIC_OP_GRADED)


def _is_convolution(spot: Spot) -> bool:
    return not _is_graded(spot) and spot.outgoing.conv is not None and spot.is_known(SYNAPTIC_OP_CONV)


def _is_plain(spot: Spot) -> bool:
    return not _is_graded(spot) and not _is_convolution(spot)


def _is_read_from_kernel(spot: Spot) -> bool:
    return spot.outgoing.conv is not None and spot.is_known(SPIKE_READ_CONV)


def _is_read(spot: Spot) -> bool:
    """Whether reading a spike has a constant of its own; most profiles have it in others."""
    return spot.is_known(SPIKE_READ) and not _is_read_from_kernel(spot)


def _is_on_several_chips(spot: Spot) -> bool:
    return spot.placement.arrangement.chips > 1


def _destinations(spot: Spot) -> IntArray | None:
    has_cores = spot.placement.profile.limits.neurons_per_core is not None
    return spot.placement.destinations(spot.outgoing) if has_cores else None


_WITHIN, _ON_CONNECTION, _PER_SYNAPSE = PerSpike(on_connections=False), PerSpike(on_connections=True), PerSynapse()
_PER_DESTINATION = PerSpike(True, _destinations)
_PER_HOP_X = PerSpike(True, lambda spot: spot.placement.hops_x(spot.outgoing))
_PER_HOP_Y = PerSpike(True, lambda spot: spot.placement.hops_y(spot.outgoing))
_PER_CROSSING = PerSpike(True, lambda spot: spot.placement.crossings(spot.outgoing))

INPUT_EVENT = Event("input_event", "input events injected", _WITHIN, lambda energy: energy.input_event, _is_injected)
NEURON_ACCESS = Event(
    "neuron_access", "neuron accesses", PerUpdate(1, 0), lambda energy: energy.neuron_access, _is_updated_in_parts,
    sending=lambda time: time.neuron_access,
)  # fmt: skip
NEURON_ACTIVE_EXTRA = Event(
    "neuron_active_extra", "neuron updates, active", PerUpdate(0, 1), lambda energy: energy.neuron_active_extra,
    _is_updated_in_parts, sending=lambda time: time.neuron_active_extra,
)  # fmt: skip
NEURON_UPDATE_ACTIVE = Event(
    "neuron_update_active", "neuron updates, active", PerUpdate(0, 1), lambda energy: energy.neuron_update_active,
    _is_updated_whole, sending=lambda time: time.neuron_update_active,
)  # fmt: skip
NEURON_UPDATE_INACTIVE = Event(
    "neuron_update_inactive", "neuron updates, inactive", PerUpdate(1, -1),
    lambda energy: energy.neuron_update_inactive, _is_updated_whole, sending=lambda time: time.neuron_update_inactive,
)  # fmt: skip
SPIKE_OUT = Event(
    "spike_out", "spikes fired", _WITHIN, lambda energy: energy.spike_out, _has_neurons,
    sending=lambda time: time.spike_out,
)  # fmt: skip
SYNAPTIC_OP_GRADED = Event(
    "synaptic_op_graded", "synaptic operations (graded)", _PER_SYNAPSE, lambda energy: energy.synaptic_op_graded,
    _is_graded,
)  # fmt: skip
SYNAPTIC_OP_CONV = Event(
    "synaptic_op_conv", "synaptic operations (convolution)", _PER_SYNAPSE, lambda energy: energy.synaptic_op_conv,
    _is_convolution, receiving=lambda time: time.synaptic_op_conv,
)  # fmt: skip
SYNAPTIC_OP = Event(
    "synaptic_op", "synaptic operations", _PER_SYNAPSE, lambda energy: energy.synaptic_op, _is_plain,
    receiving=lambda time: time.synaptic_op,
)  # fmt: skip
SPIKE_READ_CONV = Event(
    "spike_read_conv", "spikes read (convolution)", _ON_CONNECTION, lambda energy: energy.spike_read_conv,
    _is_read_from_kernel,
)  # fmt: skip
SPIKE_READ = Event("spike_read", "spikes read", _ON_CONNECTION, lambda energy: energy.spike_read, _is_read)
MESSAGE = Event(
    "message", "messages between cores", _PER_DESTINATION, lambda energy: energy.message,
    sending=lambda time: time.message_out, receiving=lambda time: time.message_in,
)  # fmt: skip
HOP_X = Event("hop_x", "hops east-west", _PER_HOP_X, lambda energy: energy.hop_x)
HOP_Y = Event("hop_y", "hops north-south", _PER_HOP_Y, lambda energy: energy.hop_y)
CHIP_CROSSING = Event(
    "chip_crossing", "messages between chips", _PER_CROSSING, lambda energy: energy.chip_crossing, _is_on_several_chips
)

EVENTS: tuple[Event, ...] = (
    INPUT_EVENT, NEURON_ACCESS, NEURON_ACTIVE_EXTRA, NEURON_UPDATE_ACTIVE, NEURON_UPDATE_INACTIVE, SPIKE_OUT,
    SYNAPTIC_OP_GRADED, SYNAPTIC_OP_CONV, SYNAPTIC_OP, SPIKE_READ_CONV, SPIKE_READ, MESSAGE, HOP_X, HOP_Y,
    CHIP_CROSSING,
)  # fmt: skip
"""Every event, in the order in which reports list those of a population and then those of each of its connections."""


def has_constant(energy: Energy) -> Callable[[Event], bool]:
    """Whether a profile says what an event costs."""
    return lambda event: event.constant(energy) is not None


def has_duration(time: Durations) -> Callable[[Event], bool]:
    """Whether a profile says how long an event takes."""
    return lambda event: event.sending(time) is not None or event.receiving(time) is not None


def events_of(
    population: Population, chip: ChipNetwork, placement: Placement, is_known: Callable[[Event], bool]
) -> Iterator[tuple[Event, Spot]]:
    """The events of one population and then of each of its outgoing connections, in the order of ``EVENTS``."""
    within = Spot(chip, placement, is_known, population)
    connections = (Spot(chip, placement, is_known, population, c) for c in chip.out_of(population.name))
    for spot in (within, *connections):
        for event in EVENTS:
            if event.driver.on_connections is (spot.connection is not None) and event.happens(spot):
                yield event, spot
