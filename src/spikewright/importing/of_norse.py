"""Neurons of Norse: ``i = i + x``, ``v = v + dt / tau_mem * (v_leak - v + i)``, ``i = i - dt / tau_syn * i``.

They fire above their threshold and reset at once; those called Box have no synaptic current.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from .neuron import CannotImport, Neuron, constant, refused, translates

PACKAGE = "norse"


def _rate(layer: Any, name: str) -> torch.Tensor:
    return float(layer.dt) * constant(getattr(layer.p, name))


def _zero(layer: Any, name: str) -> None:
    if bool(constant(getattr(layer.p, name, 0.0)).count_nonzero()):
        raise CannotImport(f"has {name} = {getattr(layer.p, name)}, not 0; train it with {name} = 0")


def _neuron(module: nn.Module, synaptic: bool, fires: bool) -> Neuron:
    layer: Any = module
    _zero(layer, "v_leak")
    reset: Any = "none"
    if fires:
        subtracts = "subtract" in getattr(getattr(layer.p, "reset_method", None), "__name__", "")
        reset = "subtract" if subtracts else "zero"
        if not subtracts:
            _zero(layer, "v_reset")
    leak = _rate(layer, "tau_mem_inv")
    if leak.numel() > 1 and not bool((leak == leak.flatten()[0]).all()):
        raise CannotImport("has a time constant of each neuron, by which it also weighs its input; use one for all")
    return Neuron(
        reset=reset,
        beta=1 - leak,
        alpha=1 - _rate(layer, "tau_syn_inv") if synaptic else None,
        threshold=constant(layer.p.v_th) if fires else torch.tensor(1.0),
        gain=float(leak.flatten()[0]),
        results=("spikes" if fires else "membrane", "membrane", "current"),
        states={1: 1},
    )


@translates(PACKAGE, "LIFBoxCell")
def _(module: nn.Module) -> Neuron:
    return _neuron(module, synaptic=False, fires=True)


@translates(PACKAGE, "LIFCell")
def _(module: nn.Module) -> Neuron:
    return _neuron(module, synaptic=True, fires=True)


@translates(PACKAGE, "LIBoxCell")
def _(module: nn.Module) -> Neuron:
    return _neuron(module, synaptic=False, fires=False)


@translates(PACKAGE, "LICell")
def _(module: nn.Module) -> Neuron:
    return _neuron(module, synaptic=True, fires=False)


translates(PACKAGE, "SNNCell", "SNN", "LIF", "LI", "LILinearCell", "IAFCell")(
    refused("is {a_kind}, which is not handled; use LIFBoxCell or LIFCell, and LIBoxCell or LICell as a readout")
)
translates(PACKAGE, "SNNRecurrent", "SNNRecurrentCell", "LSNNCell", "LSNNRecurrentCell")(
    refused("is recurrent (a {kind}), which is not handled for Norse; use LIFBoxCell or LIFCell")
)
