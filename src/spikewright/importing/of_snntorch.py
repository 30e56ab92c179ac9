"""Neurons of snnTorch."""

from __future__ import annotations

from typing import Any

import snntorch as snn
import torch
from torch import Tensor, nn

from .neuron import HIDDEN, RESETS, CannotImport, Neuron, constant, refused, translates

_ONE_STEP_LATE = (
    "resets to zero one step late, and the input of that step is lost; train it with reset_delay=False, as the chip "
    "resets"
)


def _at_rest(module: nn.Module) -> None:
    for name in ("mem", "syn", "spk", "syn_exc", "syn_inh"):
        if isinstance(state := getattr(module, name, None), Tensor):
            setattr(module, name, state.new_zeros(0))


RESETS["snntorch"] = _at_rest
HIDDEN["snntorch"] = lambda module: [getattr(module, name) for name in ("syn", "mem") if hasattr(module, name)]


@translates("snntorch", "Leaky", "Synaptic", "RLeaky", "RSynaptic")
def _(module: nn.Module) -> Neuron:
    """``Leaky``, ``Synaptic`` with its synaptic current, and both with weights to themselves.

    A delayed reset to zero of Leaky spikes as one at once.
    """
    layer: Any = module
    synaptic = isinstance(module, snn.Synaptic | snn.RSynaptic)
    loop: nn.Module | None = getattr(layer, "recurrent", None)
    reset = layer.reset_mechanism
    delay = bool(layer.reset_delay) and reset == "subtract"
    if faults := [fault for fault, there in _unlike(layer).items() if there]:
        raise CannotImport("; ".join(faults))
    learnt = [name for name in ("beta", "alpha", "threshold") if isinstance(getattr(layer, name, None), nn.Parameter)]
    results: Any = ("spikes", "current", "membrane") if synaptic else ("spikes", "membrane")
    return Neuron(
        reset=reset,
        beta=constant(layer.beta).clamp(0, 1),
        alpha=constant(layer.alpha).clamp(0, 1) if synaptic else None,
        threshold=constant(layer.threshold),
        delay=delay,
        caveat=_LEFT_OVER if reset == "subtract" and not delay else "",
        learnt=tuple(learnt),  # type: ignore[arg-type]
        results=results,
        states={place + (loop is not None): place for place in range(loop is None, len(results))},
        loop=loop,
    )


def _unlike(layer: Any) -> dict[str, bool]:
    """What a layer may be set to that no chip does, and whether it is."""
    late = not isinstance(layer, snn.Leaky) and layer.reset_mechanism == "zero" and bool(layer.reset_delay)
    graded = bool((torch.as_tensor(layer.graded_spikes_factor) != 1).any())
    return {
        _ONE_STEP_LATE: late,
        "has inhibition, by which one neuron of a layer silences all others; train it with inhibition=False": bool(
            layer.inhibition
        ),
        "has state_quant; the chip's own rounding is applied in lowering, so leave it out": bool(layer.state_quant),
        "has a graded_spikes_factor that is not 1; spikes between layers are 0 or 1 on the chip": graded,
    }


_LEFT_OVER = (
    "with reset_delay=False a potential that stays above the threshold after a reset counts as reset once more in the "
    "next step (snnTorch); train it with reset_delay=True, its default"
)
_INSTEAD = "use snn.Leaky or snn.Synaptic and train it again"
translates("snntorch", "Alpha")(
    refused(f"is an Alpha neuron, whose two synaptic currents no chip here has; {_INSTEAD}")
)
translates("snntorch", "Lapicque")(
    refused(
        "is a Lapicque neuron, which weighs its input by R, C and the time step; write it as snn.Leaky with "
        "beta = 1 - time_step / (R C), and multiply the weights before it by time_step / C"
    )
)
translates("snntorch", "SLSTM", "SConv2dLSTM")(
    refused(f"is {{a_kind}}, whose gates multiply values with one another, which no chip here does; {_INSTEAD}")
)
translates("snntorch", "LeakyParallel", "LeakyKernel", "StateLeaky", "LinearLeaky", "DeltaLeaky", "AssociativeLeaky")(
    refused(f"is {{a_kind}}, which has no step in time as a chip has it; {_INSTEAD}")
)
