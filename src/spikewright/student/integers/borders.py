"""Batch norms that no weights beside them can take: before a convolution that pads with zeros, and alone.

Before padding the bias behind the convolution becomes one of each place: ``conv(gain x + shift)`` is ``conv'(x)`` and
``conv(shift)``, a constant that is smaller at the borders, where the padding has no shift. The chip has a bias of each
neuron, so that the weights stay shared. A norm alone is weights of its own, one for each channel.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, fx, nn

from ...graph.nodes import Shape
from ..linear_layers import gain_and_shift
from ..placed import PlacedConv1d, PlacedConv2d
from ..tracing import trace
from .folding import NORMS, behind, fold_forwards, replace
from .plan import unplaced


def fold_the_others(network: nn.Module, input_shape: Shape) -> None:
    """Fold norms into padded convolutions right behind them, and make layers with weights of the others, in place.

    Args:
        input_shape: without the batch.
    """
    traced = trace(network)
    modules = dict(traced.named_modules())
    chosen = [n for n in traced.graph.nodes if n.op == "call_module" and isinstance(modules[str(n.target)], NORMS)]
    shapes = unplaced(traced, input_shape).shapes if chosen else {}
    for node in chosen:
        name, norm = str(node.target), modules[str(node.target)]
        assert isinstance(norm, NORMS)
        if (found := _padded_behind(node, modules)) is None:
            changed = {name: _alone(norm, shapes[node.name])}
        else:
            changed = {found[0]: _placed(found[1], norm, shapes[node.name]), name: nn.Identity()}
        for place, module in changed.items():
            replace(network, place, module)
            modules[place] = module


@torch.no_grad()
def _alone(norm: nn.BatchNorm1d | nn.BatchNorm2d, shape: Shape) -> nn.Module:
    """The layer with weights that a norm is for values of ``shape``."""
    gain, shift = gain_and_shift(norm)
    count, axes = len(gain), len(shape) - 1
    convolution: Any = nn.Conv1d if axes == 1 else nn.Conv2d
    made: Any = convolution(count, count, 1, groups=count) if axes else nn.Linear(count, count)
    made = made.to(shift.device)
    made.weight.copy_(torch.diag(gain) if not axes else gain.reshape(made.weight.shape))
    made.bias.copy_(shift)
    return made.train(norm.training)


def _padded_behind(node: fx.Node, modules: dict[str, nn.Module]) -> tuple[str, nn.Conv1d | nn.Conv2d] | None:
    """The convolution right behind a norm that could not take it, since it pads, and its name."""
    found = behind(node, modules)
    if found is None or not isinstance(found[0], nn.Conv1d | nn.Conv2d):
        return None
    layer = found[0]
    return next(name for name, module in modules.items() if module is layer), layer


@torch.no_grad()
def _placed(layer: nn.Conv1d | nn.Conv2d, norm: nn.BatchNorm1d | nn.BatchNorm2d, shape: Shape) -> nn.Module:
    """The convolution of what a norm gives for values of ``shape``."""
    gain, shift = gain_and_shift(norm)
    everywhere: Tensor = shift.reshape(-1, *[1] * (len(shape) - 1)).expand(shape)
    bias = copy.deepcopy(layer).double()(everywhere[None])[0]
    fold_forwards(layer, gain, shift, 1)
    kind = PlacedConv1d if isinstance(layer, nn.Conv1d) else PlacedConv2d
    made: nn.Module = kind.of(layer)
    made.bias = nn.Parameter(bias.to(layer.weight))
    return made
