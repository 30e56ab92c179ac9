"""The configuration of a student: all that defines its network except the weights."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..base.errors import refuse
from ..base.types import ENCODINGS, READOUTS, Encoding, Readout
from .architectures import Shape
from .neuron_settings import NEURON_KINDS, NeuronSettings


@dataclass(frozen=True)
class StudentConfig:
    """The configuration of a student: all that defines its network except the weights.

    Attributes:
        architecture: a name, or ``file.py:function``.
        width: channels of the first layer.
        input_shape: ``(channels, height, width)``.
        timesteps: number of timesteps T per sample.
        input_bits: width of a graded payload or current (direct and current encodings), 1 to 12.

    Raises:
        InputError: values that are not allowed, all of them at once.
    """

    architecture: str
    width: int
    input_shape: Shape
    classes: int
    timesteps: int
    encoding: Encoding = "direct"
    readout: Readout = "membrane"
    input_bits: int = 8
    neuron: NeuronSettings = field(default_factory=NeuronSettings)

    def __post_init__(self) -> None:
        refuse("student", list(self._faults()))

    def _faults(self) -> list[str]:
        faults = [
            f"{name} is {value}; must be at least 1"
            for name, value in (("timesteps", self.timesteps), ("width", self.width), ("classes", self.classes))
            if value < 1
        ]
        if not 1 <= self.input_bits <= 12:
            faults.append(f"input_bits is {self.input_bits}; may be 1..12")
        for name, choice, known in (
            ("encoding", self.encoding, ENCODINGS),
            ("readout", self.readout, READOUTS),
            ("neuron", self.neuron.kind, NEURON_KINDS),
        ):
            if choice not in known:
                faults.append(f"{name} is {choice!r}; may be {', '.join(known)}")
        for decay in ("beta", "alpha"):
            if not 0 <= getattr(self.neuron, decay) <= 1:
                faults.append(f"{decay} is {getattr(self.neuron, decay)}; may be 0..1")
        if self.neuron.threshold <= 0:
            faults.append(f"threshold is {self.neuron.threshold}; must be above 0")
        return faults
