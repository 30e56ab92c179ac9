"""Neurons of Norse: ``i = i + x``, ``v = v + dt / tau_mem * (v_leak - v + i)``, ``i = i - dt / tau_syn * i``.

They fire above their threshold and reset at once; those called Box have no synaptic current. Classes without Cell in
their names go through all steps in one call, time first.
"""

from __future__ import annotations

from functools import partial
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


def _reset(layer: Any) -> Any:
    if "subtract" in getattr(getattr(layer.p, "reset_method", None), "__name__", ""):
        return "subtract"
    _zero(layer, "v_reset")
    return "zero"


def _neuron(module: nn.Module, over_time: bool, synaptic: bool, fires: bool) -> Neuron:
    """A cell, or the layer that runs a cell through all steps, time first."""
    layer: Any = module
    _zero(layer, "v_leak")
    leak = _rate(layer, "tau_mem_inv")
    if leak.numel() > 1 and not bool((leak == leak.flatten()[0]).all()):
        raise CannotImport("has a time constant of each neuron, by which it also weighs its input; use one for all")
    return Neuron(
        reset=_reset(layer) if fires else "none",
        beta=1 - leak,
        alpha=1 - _rate(layer, "tau_syn_inv") if synaptic else None,
        threshold=constant(layer.p.v_th) if fires else torch.tensor(1.0),
        gain=float(leak.flatten()[0]),
        results=_results(over_time, fires),
        states={1: 1},
        over_time="T" if over_time else "",
    )


def _results(over_time: bool, fires: bool) -> tuple[Any, ...]:
    """What a call returns; the states behind it are those of the last step where it goes through all."""
    made = "spikes" if fires else "membrane"
    return (made,) if over_time else (made, "membrane", "current")


def _translate(cell: str, over_time: str | None, synaptic: bool, fires: bool) -> None:
    translates(PACKAGE, cell)(partial(_neuron, over_time=False, synaptic=synaptic, fires=fires))
    if over_time is not None:
        translates(PACKAGE, over_time)(partial(_neuron, over_time=True, synaptic=synaptic, fires=fires))


_translate("LIFBoxCell", None, synaptic=False, fires=True)
_translate("LIFCell", "LIF", synaptic=True, fires=True)
_translate("LIBoxCell", None, synaptic=False, fires=False)
_translate("LICell", "LI", synaptic=True, fires=False)


@translates(PACKAGE, "IAFCell", "IAF")
def _(module: nn.Module) -> Neuron:
    """``v = v + x``, without a leak."""
    over_time = type(module).__name__ == "IAF"
    return Neuron(
        reset=_reset(module),
        beta=torch.tensor(1.0),
        threshold=constant(module.p.v_th),
        results=("spikes",) if over_time else ("spikes", "membrane"),
        states={1: 1},
        over_time="T" if over_time else "",
    )


translates(PACKAGE, "LILinearCell")(
    refused("is {a_kind}, which holds weights of its own; write it as nn.Linear without a bias and LICell")
)
_INSTEAD = "use LIFBoxCell, LIFCell, LIF or IAFCell, and LIBoxCell, LICell or LI as a readout"
translates(PACKAGE, "SNNCell", "SNN")(refused(f"is {{a_kind}}, which is not handled; {_INSTEAD}"))
translates(PACKAGE, "SNNRecurrent", "SNNRecurrentCell", "LSNNCell", "LSNNRecurrentCell")(
    refused(f"is recurrent (a {{kind}}), which is not handled for Norse; {_INSTEAD}")
)
