"""How long events take on a chip: an optional table of its profile, from which run time and static energy follow.

Nothing of it enters the energy that a budget bounds.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, PositiveInt, model_validator

SECONDS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3}

NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
TimeUnit = Literal["ns", "us", "ms"]
Text = Annotated[str, Field(min_length=1)]


class _Cited(BaseModel):
    """The unit and the source of a duration."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    unit: TimeUnit
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
        """The value in seconds."""
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


class Durations(BaseModel):
    """How long a core is busy with each event; an absent one is unknown and left out.

    Neuron updates are given in one of two ways, as energies are: the whole step of a compartment, active or inactive,
    or an access at every step and something extra where it is active.

    Attributes:
        synaptic_op: one spike visiting one synapse; ``synaptic_op_conv`` replaces it for convolutions.
        message_in: a core receiving one spike, before its synapses; ``message_out`` sending it to one core.
        spike_out: a compartment firing.
        barrier: between steps.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

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
        events = {"spike_out": self.spike_out, "message_in": self.message_in, "message_out": self.message_out}
        return tuple(name for name, duration in events.items() if duration is None)

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
        barrier = self.barrier
        steps = ", ".join(f"{value:g}" for value in barrier.values)
        tiles = ", ".join(str(count) for count in barrier.tiles)
        yield "barrier", f"{steps} {barrier.unit}", barrier.kind, f"with {tiles} tiles; {barrier.cited}"
