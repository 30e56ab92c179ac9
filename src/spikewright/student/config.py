"""The configuration of a student: all that defines its network except the weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from math import inf, prod
from typing import Any, ClassVar

from pydantic import ConfigDict

from ..base.errors import refuse
from ..base.memory import available_bytes, in_gib
from ..base.own_code import is_own
from ..base.types import ENCODINGS, NORMS, READOUTS, RESETS, Encoding, Norm, Readout
from ..data.for_network import ForNetwork
from ..data.input_rule import InputRule
from ..data.output_rule import CLASSES, OutputRule
from .architectures import Shape
from .neuron_settings import NEURON_KINDS, NeuronSettings

MOST_CHANNELS = 2**20
"""Channels of the first layer, and outputs: the neurons of a whole Loihi 2."""
VALUE_BYTES = 8
"""Of one value that drives a student."""
DRIVE_VALUES = 2**27
"""Values over all steps that drive a student at once: 1 GiB as integers."""


@dataclass(frozen=True)
class StudentConfig:
    """The configuration of a student: all that defines its network except the weights.

    Attributes:
        architecture: a name, or ``file.py:function``.
        width: channels of the first layer.
        input_shape: ``(channels, height, width)``.
        timesteps: number of timesteps T per sample.
        classes: of the data, or values of a regression.
        input_bits: width of a graded payload or current (direct and current encodings), 1 to 12.
        input_rule: by which samples of the user's own data are prepared; None for a data set that has a name.
        output: what the outputs mean.
        norm: what stands between weights and neurons of a named architecture.

    Raises:
        InputError: values that are not allowed, all of them at once.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")  # where a file is read into it

    architecture: str
    width: int
    input_shape: Shape
    classes: int
    timesteps: int
    encoding: Encoding = "direct"
    readout: Readout = "membrane"
    input_bits: int = 8
    neuron: NeuronSettings = field(default_factory=NeuronSettings)
    input_rule: InputRule | None = None
    output: OutputRule = CLASSES
    norm: Norm = "batch"

    @property
    def outputs(self) -> int:
        """Neurons of the readout: one for each class or value, or a population of them for each class."""
        return self.classes * self.output.population

    def at_once(self, most: int) -> int:
        """How many samples to run at once, up to ``most``, so that what drives the network stays within bounds."""
        return max(1, min(most, DRIVE_VALUES // (self.timesteps * prod(self.input_shape))))

    @property
    def takes(self) -> ForNetwork:
        """What data for the student must be like."""
        return ForNetwork(self.input_rule, self.output, self.classes)

    @property
    def changes_each_step(self) -> bool:
        """Whether samples are frames of intensities, one for each timestep."""
        return self.input_rule is not None and self.input_rule.changes_each_step

    @classmethod
    def from_json(cls, facts: Mapping[str, Any]) -> StudentConfig:
        """The configuration that :meth:`as_json` wrote.

        Raises:
            InputError: rules or values that are not allowed.
        """
        values = dict(facts)
        values["neuron"], values["input_shape"] = NeuronSettings(**values["neuron"]), tuple(values["input_shape"])
        if values.get("input_rule") is not None:
            values["input_rule"] = InputRule.from_json(values["input_rule"])
        if values.get("output") is not None:
            values["output"] = OutputRule.from_json(values["output"])
        return cls(**values)

    @property
    def facts(self) -> dict[str, Any]:
        """The configuration by name, rules as dictionaries; a reset to zero and batch norms are left out, as they were
        before there was another."""
        values = {**asdict(self), "neuron": self.neuron.facts}
        return {name: value for name, value in values.items() if (name, value) != ("norm", "batch")}

    def as_json(self) -> dict[str, Any]:
        """The configuration as a JSON-able dictionary; rules that a named data set does not have are left out."""
        values = {**self.facts, "output": self.output.as_json()}
        if self.input_rule is not None:
            values["input_rule"] = self.input_rule.as_json()
        unset = {"input_rule": self.input_rule is None, "output": self.output == CLASSES}
        return {name: value for name, value in values.items() if not unset.get(name)}

    def __post_init__(self) -> None:
        refuse("student", list(self._faults()))

    def _faults(self) -> list[str]:
        faults = [
            f"{name} is {value}; must be at least 1"
            for name, value in (("timesteps", self.timesteps), ("width", self.width), ("classes", self.classes))
            if value < 1
        ]
        faults += self._size_faults()
        if not 1 <= self.input_bits <= 12:
            faults.append(f"input_bits is {self.input_bits}; may be 1..12")
        for name, choice, known in (
            ("encoding", self.encoding, ENCODINGS),
            ("readout", self.readout, READOUTS),
            ("neuron", self.neuron.kind, NEURON_KINDS),
            ("reset", self.neuron.reset, RESETS),
            ("norm", self.norm, NORMS),
        ):
            if choice not in known:
                faults.append(f"{name} is {choice!r}; may be {', '.join(known)}")
        for decay in ("beta", "alpha"):
            if not 0 <= getattr(self.neuron, decay) <= 1:
                faults.append(f"{decay} is {getattr(self.neuron, decay)}; may be 0..1")
        if self.norm != "batch" and is_own(self.architecture):
            faults.append(f"norm is {self.norm!r}, and the norms of {self.architecture} stand in its function")
        if self.readout == "count" and not self.output.is_classes:
            faults.append("readout is 'count', and values are read from membrane potentials; may be membrane")
        if not 0 < self.neuron.threshold < inf:
            faults.append(f"threshold is {self.neuron.threshold}; must be above 0 and finite")
        return faults

    def _size_faults(self) -> Iterator[str]:
        """Sizes of which there can be no network here."""
        if len(self.input_shape) != 3 or min(self.input_shape) < 1:
            yield f"input_shape is {self.input_shape}; must be channels, height and width, each at least 1"
            return
        needed, room = VALUE_BYTES * self.timesteps * prod(self.input_shape), available_bytes()
        if needed > room:
            yield (
                f"timesteps is {self.timesteps} and input_shape {self.input_shape}: one sample takes {in_gib(needed)}, "
                f"and there are {in_gib(room)} of memory"
            )
        for name, value in (("width", self.width), ("classes", self.outputs)):
            if value > MOST_CHANNELS:
                yield f"{name} is {value}; may be up to {MOST_CHANNELS}"
