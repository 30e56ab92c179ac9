"""Neurons of sinabs: they fire where the membrane reaches its threshold, and reset at once.

``i = alpha_syn * (i + x)``, ``v = alpha_mem * v + i``, with ``norm_input`` ``(1 - alpha_mem) * i``; a call goes through
all steps, ``(B, T, ...)``, or ``(B * T, ...)`` of the classes called Squeeze.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from .neuron import RESETS, CannotImport, Neuron, constant, reached, refused, translates

PACKAGE = "sinabs"


def _at_rest(module: nn.Module) -> None:
    layer: Any = module
    if layer.is_state_initialised():
        layer.reset_states()


RESETS[PACKAGE] = _at_rest


def steps_of_merged(network: nn.Module, count: int, timesteps: int | None) -> int | None:
    """T of a network that takes samples and timesteps as one axis, made to be T for any number of samples.

    Args:
        count: length of that axis.
        timesteps: T, where it is known.
    """
    steps = timesteps
    for module in network.modules():
        if hasattr(module, "squeeze_forward"):
            layer: Any = module
            if steps is None:
                steps = layer.num_timesteps if layer.num_timesteps > 0 else count // max(layer.batch_size, 1)
            layer.batch_size, layer.num_timesteps = -1, steps
    return steps if any(hasattr(module, "squeeze_forward") for module in network.modules()) else None


@translates(PACKAGE, "LIF", "IAF", "ExpLeak")
def _(module: nn.Module) -> Neuron:
    """``LIF``, and ``IAF`` and ``ExpLeak``, which are kinds of it."""
    layer: Any = module
    if layer.min_v_mem is not None:
        raise CannotImport(
            f"holds its membrane above min_v_mem = {float(layer.min_v_mem):g}, which no chip here does; train it with "
            "min_v_mem=None"
        )
    fires = layer.spike_fn is not None
    alpha = constant(layer.alpha_mem_calculated)
    synaptic = None if layer.tau_syn is None else constant(layer.alpha_syn_calculated)
    gain = (1 - alpha if layer.norm_input else torch.ones_like(alpha)) * (1.0 if synaptic is None else synaptic)
    if gain.numel() > 1 and not bool((gain == gain.flatten()[0]).all()):
        raise CannotImport("has norm_input with a tau_mem of each neuron; train it with norm_input=False")
    return Neuron(
        reset=_reset(layer) if fires else "none",
        beta=alpha,
        alpha=synaptic,
        threshold=reached(constant(layer.spike_threshold)) if fires else torch.tensor(1.0),
        gain=float(gain.flatten()[0]),
        results=("spikes",) if fires else ("membrane",),
        over_time="TB" if hasattr(layer, "squeeze_forward") else "B",
        caveat=_GRADED if fires and getattr(layer.spike_fn, "__name__", "") != "SingleSpike" else "",
    )


_GRADED = (
    "a neuron that crosses its threshold several times in a step sends as many spikes (MultiSpike), on the chip one; "
    "train it with spike_fn=SingleSpike"
)


def _reset(layer: Any) -> Any:
    kind = type(layer.reset_fn).__name__
    if kind == "MembraneReset" and layer.reset_fn.reset_value == 0:
        return "zero"
    subtracted = getattr(layer.reset_fn, "subtract_value", None)
    if kind == "MembraneSubtract" and (subtracted is None or bool((layer.spike_threshold == subtracted).all())):
        return "subtract"
    raise CannotImport(
        f"resets by {layer.reset_fn}; train it with MembraneReset() or MembraneSubtract(), to 0 or by the threshold"
    )


translates(PACKAGE, "LIFRecurrent", "IAFRecurrent", "ExpLeakRecurrent", "ALIFRecurrent")(
    refused("is recurrent (a {kind}), which is not handled for sinabs; use the layer of that name without Recurrent")
)
translates(PACKAGE, "ALIF", "StatefulLayer")(
    refused("is {a_kind}, whose threshold adapts, which no chip here does; use LIF and train it again")
)
