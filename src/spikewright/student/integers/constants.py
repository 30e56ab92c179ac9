"""Constants that differ among the neurons of a layer, on integers: thresholds in the weights, decays as populations.

A population of the chip has one threshold and one decay of each kind. A threshold of each neuron is divided into the
weights and biases before it, for good, as lowering does it. A layer with several decays becomes a population for each
pair of registers, of which all have the scale of the layer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import snntorch as snn
import torch
from torch import Tensor, fx, nn

from ...base.errors import refuse
from ...importing.matrix import Matrix
from ...lowering.split import MOST_PARTS
from ..linear_layers import WEIGHTED, scaled_outputs
from ..neurons import is_integrator, is_neuron
from ..operations import Times
from ..tracing import inputs_of, is_flatten, is_sum, trace
from .folding import UNCHANGED, of_bias, outputs_of
from .neurons import kept

BY_CHANNEL = (
    *UNCHANGED, nn.Flatten, nn.AvgPool1d, nn.AvgPool2d, nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.Upsample,
    nn.UpsamplingNearest2d, nn.UpsamplingBilinear2d, Times,
)  # fmt: skip
"""Modules behind which a gain of each channel is the same as before them."""


@dataclass(frozen=True)
class Before:
    """A layer with weights before neurons, which nothing else gets.

    Attributes:
        flat: whether what it gives is flattened on the way.
    """

    layer: Any
    flat: bool = False

    def by_output(self, value: Tensor) -> Tensor | None:
        """A constant of the neurons for each output channel of the layer; None where it differs within a channel."""
        shape = outputs_of(self.layer), *[1] * (0 if self.flat else self.layer.weight.ndim - 2)
        if isinstance(self.layer, Matrix) and not self.flat:
            shape = self.layer.target
        try:
            return value.detach().expand(shape).flatten()
        except RuntimeError:
            return None


def fold_thresholds(network: nn.Module) -> None:
    """Divide thresholds that a layer has several of into the weights and biases before it, in place.

    Such a layer has the threshold 1 then, which is learnable where the others were.

    Raises:
        InputError: every layer whose weights cannot take them, or whose thresholds are not all above 0.
    """
    traced = trace(network)
    modules = dict(traced.named_modules())
    neurons = [(node, modules[str(node.target)]) for node in traced.graph.nodes if node.op == "call_module"]
    chosen = [(node, module) for node, module in neurons if _has_several(module)]
    faults = []
    for node, module in chosen:
        before = weights_before(node, modules)
        gains = [each.by_output(module.threshold) for each in before]
        if bool((module.threshold <= 0).any()):
            faults.append(f"{node.target}: has thresholds that are not above 0")
        elif not before or any(gain is None for gain in gains):
            faults.append(
                f"{node.target}: has {module.threshold.numel()} thresholds, which weights of its own right before it "
                "would have to take over, one for each output channel of these; give them such weights"
            )
        else:
            for each, gain in zip(before, gains, strict=True):
                assert gain is not None
                _divide(each.layer, gain)
            _set_to_one(module)
    refuse("training on integers", faults)


def takes_constants(neurons: fx.Node, modules: Mapping[str, nn.Module]) -> bool:
    """Whether the weights before neurons can take over what differs among these: thresholds, gains of a bias."""
    module: Any = modules[str(neurons.target)]
    values = [module.threshold] if _has_several(module) else []
    values += [module.alpha] if isinstance(module, snn.Synaptic) and module.alpha.numel() != 1 else []
    before = weights_before(neurons, modules) if values else []
    return not values or (bool(before) and all(e.by_output(v) is not None for e in before for v in values))


def _has_several(module: Any) -> bool:
    return is_neuron(module) and not is_integrator(module) and module.threshold.numel() != 1


def weights_before(neurons: fx.Node, modules: Mapping[str, nn.Module]) -> list[Before]:
    """The layers with weights whose sum neurons get; none where others get it too, or channels mix behind them."""
    found = []
    todo = [(node, False) for node in inputs_of(neurons)]
    while todo:
        node, flat = todo.pop()
        module = modules[str(node.target)] if node.op == "call_module" else None
        if len(node.users) != 1:
            return []
        if isinstance(module, WEIGHTED):
            found.append(Before(module, flat))
        elif is_sum(node) or is_flatten(node) or isinstance(module, BY_CHANNEL):
            flat = flat or is_flatten(node) or isinstance(module, nn.Flatten)
            todo += [(before, flat) for before in inputs_of(node)]
        else:
            return []
    return found


@torch.no_grad()
def _divide(layer: Any, by: Tensor) -> None:
    layer.weight.copy_(scaled_outputs(layer, layer.weight, 1 / by))
    if layer.bias is not None:
        layer.bias.div_(of_bias(layer, by))


def _set_to_one(module: Any) -> None:
    one = torch.ones((), dtype=module.threshold.dtype, device=module.threshold.device)
    module.threshold = nn.Parameter(one) if isinstance(module.threshold, nn.Parameter) else one


def decay_faults(network: nn.Module) -> Iterator[str]:
    """Layers that would become more populations than lowering makes of one, now or by what they may learn."""
    for name, module in network.named_modules():
        if not is_neuron(module):
            continue
        decays = [module.beta, module.alpha] if isinstance(module, snn.Synaptic) else [module.beta]
        most = prod(_shape_of(decays))
        if any(isinstance(decay, nn.Parameter) for decay in decays) and most > MOST_PARTS:
            yield (
                f"{name}: learns {most} decays, and a layer becomes at most {MOST_PARTS} populations of "
                "one decay each; let it learn one for each channel or for all, or fix them"
            )
        elif (count := _pairs(decays)) > MOST_PARTS:
            yield (
                f"{name}: its decays make {count} populations, and a layer is split into at most {MOST_PARTS}: let "
                "neurons share them"
            )


def _pairs(decays: list[Tensor]) -> int:
    """How many different sets of registers the decays of a layer are."""
    shape = _shape_of(decays)
    registers = [torch.as_tensor(kept(decay.clamp(0, 1), least=number)) for number, decay in enumerate(decays)]
    return len(torch.unique(torch.stack([each.expand(shape).flatten() for each in registers]), dim=1)[0])


def _shape_of(decays: list[Tensor]) -> tuple[int, ...]:
    """The shape that constants of both kinds have together."""
    return tuple(sum(torch.zeros_like(decay) for decay in decays).shape)  # type: ignore[union-attr]
