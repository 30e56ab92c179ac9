"""What events cost on a chip, in energy and in time, and the source of every number.

A constant that is absent is unknown and is listed as not modelled; a constant of zero is a measured zero. Nothing of
the durations enters the energy that a budget bounds: from them follow run time and static energy.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, PositiveInt, model_validator

Kind = Literal[
    "measured", "pre-silicon", "simulated", "synthesis", "fit", "derived", "convention", "assumed", "unstated"
]
Scope = Literal["incremental", "all-in", "unstated"]

JOULES = {"fJ": 1e-15, "pJ": 1e-12, "nJ": 1e-9}
MICROJOULES = JOULES | {"uJ": 1e-6}
WATTS = {"uW": 1e-6, "mW": 1e-3, "W": 1.0}
SECONDS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3}

NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Text = Annotated[str, Field(min_length=1)]


class Table(BaseModel):
    """A table of a file: frozen, and closed to unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Source(Table):
    """A publication or a programme that numbers come from."""

    cite: Text
    access: Literal["primary", "secondary"]
    note: str = ""

    @property
    def cited(self) -> str:
        """The citation, and whether it is quoted at second hand."""
        return f"{self.cite}{' (quoted at second hand)' if self.access == 'secondary' else ''}"


class Citation(Table):
    """Where a limit comes from: a source, and the place in it."""

    source: Text
    where: Text
    note: str = ""
    assumed: bool = False


class Constant(Table):
    """The cost of one event, and where the number comes from.

    Attributes:
        value: in ``unit``; zero says that zero was measured.
        source: key of the profile's ``sources``; ``where`` is the table, page or file in it.
        kind: how the number was obtained; ``convention`` is a number that a community agreed to count with,
            ``unstated`` where the source does not say.
        scope: ``incremental`` is the marginal cost of one event, ``all-in`` total power divided by event rate,
            ``unstated`` where the source does not say.
    """

    value: NonNegative
    unit: Literal["fJ", "pJ", "nJ", "ops"]
    source: Text
    where: Text
    kind: Kind
    scope: Scope
    note: str = ""

    @property
    def cost(self) -> float:
        """The value in joules, or in ops where the unit is ops."""
        return self.value * JOULES.get(self.unit, 1.0)

    @property
    def assumed(self) -> bool:
        """Whether nobody published this number for this chip."""
        return self.kind == "assumed"


class BesideTheTotal(Table):
    """A published quantity of one chip that reports show beside the total energy, and never add to it.

    Attributes:
        source: key of the profile's ``sources``; ``where`` is the table, page or file in it.
        kind: how the number was obtained.
    """

    value: NonNegative
    source: Text
    where: Text
    kind: Kind
    note: str = ""


class StaticPower(BesideTheTotal):
    """Power that a chip draws whether or not anything happens."""

    unit: Literal["uW", "mW", "W"]


class StateReset(BesideTheTotal):
    """Energy of setting all states of one chip to rest, once before each inference."""

    unit: Literal["pJ", "nJ", "uJ"]

    @property
    def joules(self) -> float:
        """The value in joules, for each chip and inference."""
        return self.value * MICROJOULES[self.unit]


class Energy(Table):
    """Cost of each event; an absent one is unknown.

    Neuron updates are published in one of two ways, and a profile gives one of them: ``neuron_update_active`` and
    ``neuron_update_inactive`` (a compartment's whole step, by whether it had something to do), or ``neuron_access``
    (every compartment, every step) and ``neuron_active_extra`` (in addition, where it had something to do).

    Attributes:
        synaptic_op: one spike visiting one synapse; ``synaptic_op_conv`` and ``synaptic_op_graded`` replace it for
            convolutions and for spikes that carry a payload.
        spike_read: a spike (or input event) entering one connection, before it visits its synapses;
            ``spike_read_conv`` replaces it for convolutions. Where neither is given, nobody counts it apart.
        spike_out: a compartment firing.
        message: a spike reaching one destination core.
        hop_x, hop_y: a message crossing one tile border, east-west and north-south.
        chip_crossing: a message going from one chip to another.
        input_event: an event injected from outside the chip.
        bias_write: the host setting the current of one input neuron in one step, where currents change by step.
        teacher_mac: one multiply-accumulate of the artificial network that is compared with.
    """

    synaptic_op: Constant | None = None
    synaptic_op_conv: Constant | None = None
    synaptic_op_graded: Constant | None = None
    neuron_update_active: Constant | None = None
    neuron_update_inactive: Constant | None = None
    neuron_access: Constant | None = None
    neuron_active_extra: Constant | None = None
    spike_read: Constant | None = None
    spike_read_conv: Constant | None = None
    spike_out: Constant | None = None
    message: Constant | None = None
    hop_x: Constant | None = None
    hop_y: Constant | None = None
    chip_crossing: Constant | None = None
    input_event: Constant | None = None
    bias_write: Constant | None = None
    teacher_mac: Constant | None = None

    def given(self) -> dict[str, Constant]:
        """The constants that are known, by event."""
        return {name: value for name, value in self if isinstance(value, Constant)}


class _Cited(Table):
    """The unit and the source of a duration."""

    unit: Literal["ns", "us", "ms"]
    source: Text
    where: Text
    kind: Literal["measured", "pre-silicon", "simulated", "synthesis", "fit", "derived", "assumed"]
    note: str = ""

    @property
    def cited(self) -> str:
        """The source, the place in it, and the note."""
        return f"{self.source}, {self.where}{f'; {self.note}' if self.note else ''}"


class Duration(_Cited):
    """How long a core is busy with one event."""

    value: NonNegative

    @property
    def seconds(self) -> float:
        """The duration in seconds, whatever its unit in the file."""
        return self.value * SECONDS[self.unit]


class Barrier(_Cited):
    """What it takes to synchronise all cores at the end of a step, by the number of tiles in use.

    Attributes:
        tiles: ascending; ``values`` what it takes with so many.
        between: ``linear`` interpolates between two numbers of tiles, ``steps`` takes the lower one's value; outside
            the table its first or last value holds.
    """

    tiles: Annotated[list[PositiveInt], Field(min_length=1)]
    values: Annotated[list[NonNegative], Field(min_length=1)]
    between: Literal["linear", "steps"]

    @model_validator(mode="after")
    def _is_a_table(self) -> Barrier:
        if len(self.tiles) != len(self.values) or sorted(set(self.tiles)) != self.tiles:
            raise ValueError(f"tiles {self.tiles} and values {self.values} must be as many, tiles ascending")
        return self

    def seconds(self, tiles: int) -> float:
        """Seconds that the barrier takes with ``tiles`` tiles in use."""
        if self.between == "linear":
            value = float(np.interp(tiles, self.tiles, self.values))
        else:
            value = self.values[max(int(np.searchsorted(self.tiles, tiles, side="right")) - 1, 0)]
        return value * SECONDS[self.unit]


class Durations(Table):
    """How long a core is busy with each event; an absent one is unknown and left out.

    Neuron updates are given in one of two ways, as energies are: the whole step of a compartment, active or inactive,
    or an access at every step and something extra where it is active.

    Attributes:
        synaptic_op: one spike visiting one synapse; ``synaptic_op_conv`` replaces it for convolutions.
        message_in: a core receiving one spike, before its synapses; ``message_out`` sending it to one core.
        spike_out: a compartment firing.
        barrier: between steps.
    """

    barrier: Barrier
    synaptic_op: Duration
    synaptic_op_conv: Duration | None = None
    neuron_update_active: Duration | None = None
    neuron_update_inactive: Duration | None = None
    neuron_access: Duration | None = None
    neuron_active_extra: Duration | None = None
    spike_out: Duration | None = None
    message_in: Duration | None = None
    message_out: Duration | None = None

    def given(self) -> dict[str, Duration]:
        """The durations that are known, by event."""
        return {name: value for name, value in self if isinstance(value, Duration)}

    @property
    def unknown(self) -> tuple[str, ...]:
        """Events that take time and are left out, for want of a number."""
        return tuple(name for name in ("spike_out", "message_in", "message_out") if name not in self.given())

    def faults(self) -> Iterator[str]:
        """Faults that concern several fields."""
        given = self.given().keys()
        pairs = (("neuron_update_active", "neuron_update_inactive"), ("neuron_access", "neuron_active_extra"))
        found = [pair for pair in pairs if given & set(pair)]
        if len(found) != 1 or not given >= set(found[0]):
            ways = " or ".join(" and ".join(pair) for pair in pairs)
            said = ", ".join(sorted(given & {name for pair in pairs for name in pair})) or "none"
            yield f"time: gives {said} of the neuron updates; may be: {ways}"

    def lines(self) -> Iterator[tuple[str, str, str, str]]:
        """Event, value, kind and source of every number, for people."""
        for name, duration in self.given().items():
            yield name, f"{duration.value:g} {duration.unit}", duration.kind, duration.cited
        steps = ", ".join(f"{value:g}" for value in self.barrier.values)
        tiles = ", ".join(map(str, self.barrier.tiles))
        yield "barrier", f"{steps} {self.barrier.unit}", self.barrier.kind, f"with {tiles} tiles; {self.barrier.cited}"
