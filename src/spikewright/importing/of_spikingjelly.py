"""Neurons of SpikingJelly: they fire where the membrane reaches its threshold, and reset at once.

``v = v + (x - v) / tau`` with ``decay_input``, else ``v = v - v / tau + x``; ``v_reset=None`` takes the threshold off.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from .neuron import HIDDEN, RESETS, CannotImport, Neuron, constant, reached, refused, translates

PACKAGE = "spikingjelly"


def _at_rest(module: nn.Module) -> None:
    reset: Any = getattr(module, "reset", None)
    if callable(reset):
        reset()


def _kept(module: nn.Module) -> list[Tensor]:
    state = getattr(module, "v", None)
    return [state] if isinstance(state, Tensor) and getattr(module, "step_mode", "s") == "s" else []


RESETS[PACKAGE] = _at_rest
HIDDEN[PACKAGE] = _kept


def _neuron(layer: Any, leak: Tensor, gain: float) -> Neuron:
    if layer.v_reset not in (None, 0, 0.0):
        raise CannotImport(f"resets to v_reset = {layer.v_reset}, not to 0; train it with v_reset=0. or v_reset=None")
    threshold = constant(layer.v_threshold)
    fires = bool(torch.isfinite(threshold).all())
    reset: Any = "none" if not fires else "subtract" if layer.v_reset is None else "zero"
    return Neuron(
        reset=reset,
        beta=1 - leak,
        threshold=reached(threshold) if fires else torch.tensor(1.0),
        gain=gain,
        results=("spikes", "membrane"),
        over_time="T" if layer.step_mode == "m" else "",
    )


@translates(PACKAGE, "IFNode")
def _(module: nn.Module) -> Neuron:
    return _neuron(module, torch.tensor(0.0), 1.0)


@translates(PACKAGE, "LIFNode")
def _(module: nn.Module) -> Neuron:
    layer: Any = module
    return _neuron(layer, torch.tensor(1.0 / float(layer.tau)), 1.0 / float(layer.tau) if layer.decay_input else 1.0)


@translates(PACKAGE, "ParametricLIFNode")
def _(module: nn.Module) -> Neuron:
    layer: Any = module
    leak = constant(layer.w).sigmoid()
    return _neuron(layer, leak, float(leak) if layer.decay_input else 1.0)


translates(PACKAGE, "QIFNode", "EIFNode", "IzhikevichNode", "LIAFNode", "KLIFNode", "AdaptBaseNode", "DSRIFNode")(
    refused("is {a_kind}, whose membrane does not follow a linear equation; use LIFNode or IFNode and train it again")
)
translates(PACKAGE, "BaseNode", "PSN", "MaskedPSN", "SlidingPSN", "GatedLIFNode", "DSRLIFNode", "OTTTLIFNode")(
    refused("is {a_kind}, which is not handled; use IFNode, LIFNode or ParametricLIFNode and train it again")
)
translates(PACKAGE, "SynapseFilter", "LinearRecurrentContainer", "ElementWiseRecurrentContainer")(
    refused("is {a_kind}, whose state is not of neurons that the chip has; use LIFNode")
)
