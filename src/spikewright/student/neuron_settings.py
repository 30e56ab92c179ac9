"""The settings of a student's hidden neurons, in a module that can be imported without torch, as ``--help`` needs."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal

from pydantic import ConfigDict

from ..base.types import Reset

NeuronKind = Literal["lif", "cubalif"]
NEURON_KINDS: tuple[NeuronKind, ...] = ("lif", "cubalif")


@dataclass(frozen=True)
class NeuronSettings:
    """The hidden neurons of a named architecture.

    Attributes:
        kind: ``lif`` (`snn.Leaky`) or ``cubalif`` (`snn.Synaptic`, with a synaptic current that decays).
        beta: membrane decay per step, 0..1 (1: no leak).
        alpha: synaptic current decay per step, 0..1 (cubalif only).
        threshold: firing threshold; a spike needs ``membrane > threshold``.
        learn_beta: whether each layer learns its beta.
        learn_threshold: whether each layer learns its threshold.
        reset: what a spike does to the membrane: ``zero`` sets it to 0; ``subtract`` takes the threshold off at once,
            ``subtract-late`` in the next step, behind the decay, as snnTorch's ``reset_delay=True`` does.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")  # where a file is read into it

    kind: NeuronKind = "lif"
    beta: float = 0.5
    alpha: float = 0.5
    threshold: float = 1.0
    learn_beta: bool = False
    learn_threshold: bool = False
    reset: Reset = "zero"

    @property
    def facts(self) -> dict[str, Any]:
        """The settings by name; the reset is left out while it is to zero, as before there was another."""
        values = asdict(self)
        return values if self.reset != "zero" else {name: each for name, each in values.items() if name != "reset"}
