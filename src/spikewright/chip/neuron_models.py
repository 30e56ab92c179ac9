"""The table of neuron models: which law a population of a chip network obeys."""

from __future__ import annotations

import numpy as np
import torch

from ..base.errors import InputError, did_you_mean
from ..base.types import Drive, Reset
from .law import FIXED_POINT, Law
from .network import ChipNetwork, Neuron
from .registers import DECAY_ONE, STATE_UNIT
from .subtraction import LateSubtractingLaw, SubtractingLaw

LAWS: dict[str, type[Law]] = {"lif": Law, "lif-subtract": SubtractingLaw, "lif-subtract-late": LateSubtractingLaw}
"""Neuron models by the name that :attr:`spikewright.chip.network.Neuron.law` gives."""
OF_RESET: dict[Reset, str] = {"zero": "lif", "subtract": "lif-subtract", "subtract-late": "lif-subtract-late"}
"""The name of the neuron model for each reset."""


def law_with(reset: Reset) -> type[Law]:
    """The law of neurons that are reset in this way."""
    return LAWS[OF_RESET[reset]]


def reset_of(law: str) -> Reset | None:
    """What a spike does in the neuron model of this name; None in one that is not ours."""
    return next((reset for reset, name in OF_RESET.items() if name == law), None)


def resets_of(chip: ChipNetwork) -> dict[str, Reset]:
    """By population that fires, what its spikes do; without relays and biases, and neuron models that are not ours."""
    own = (p for p in chip.populations if p.role not in ("relay", "bias"))
    laws = {p.name: p.neuron.law for p in own if p.neuron is not None and p.neuron.fires}
    found = {name: reset_of(law) for name, law in laws.items()}
    return {name: reset for name, reset in found.items() if reset is not None}


def law_of(neuron: Neuron, bias: Drive | None = None) -> Law:
    """The law of a population, in the chip's units.

    Args:
        neuron: its registers.
        bias: mantissas instead of the neuron's own, of an input population whose bias the host sets: shape
            ``(samples, *population shape)``, or ``(steps, samples, *population shape)`` where it sets them anew for
            each step (a single step is for all of them).

    Raises:
        InputError: the neuron model is not known.
    """
    if neuron.law not in LAWS:
        raise InputError(f"neuron model {neuron.law!r}: there is none of this name; {did_you_mean(neuron.law, LAWS)}")
    mantissas: Drive = neuron.bias[None] if bias is None else bias
    if mantissas.ndim == neuron.bias.ndim + 2 and len(mantissas) == 1:
        (mantissas,) = mantissas
    values = torch.from_numpy(mantissas.astype(np.float64) * 2**neuron.bias_exp) if mantissas.any() else None
    is_by_step = mantissas.ndim == neuron.bias.ndim + 2
    return LAWS[neuron.law](
        keep_v=(DECAY_ONE - neuron.dv) / DECAY_ONE,
        threshold=neuron.vth * STATE_UNIT,
        keep_u=(DECAY_ONE - (neuron.du + 1)) / DECAY_ONE or None,
        gain_u=STATE_UNIT,
        bias=None if is_by_step else values,
        biases=values if is_by_step else None,
        arithmetic=FIXED_POINT,
    )
