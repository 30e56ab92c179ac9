"""A student on the chip: what it gets right and what it costs."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from ..base.types import Encoding

SPLITS = ("validation", "test")


class Outcome(BaseModel):
    """A student on the chip: counts and energy of its integer network, per inference and by part of the data set.

    Attributes:
        energy: in the profile's unit, as `spikewright report` computes it.
        energy_is_at_least: whether the profile leaves something unmodelled.
        floor: what the network costs before any hidden neuron fires (validation).
        accuracy: from 0 to 1.
        spikes: input events included.
        certificate: the student's own; None if its training wrote none.
        files: relative to the folder of the bench on the machine ``host``.
        seconds: from the start of the worker that finished it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    energy: dict[str, float]
    energy_is_at_least: bool
    floor: float
    accuracy: dict[str, float]
    synaptic_ops: dict[str, float]
    spikes: dict[str, float]
    samples: dict[str, int]
    timesteps: int
    width: int
    encoding: Encoding
    certificate: object = None
    files: dict[str, str]
    made_by: str
    host: str
    seconds: float

    @property
    def student(self) -> str:
        """Size and input of the student, for people."""
        return f"width {self.width}, T {self.timesteps}, {self.encoding}"
