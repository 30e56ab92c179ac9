"""Layers that become one: batch norms in the weights beside them, and two layers with weights in a row.

A student on integers has one layer of weights between two layers of neurons, as the chip has one connection.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx, nn

from ...base.errors import refuse
from ...chip.network import ConvGeometry
from ...lowering.linear_map import LinearMap, folded
from ..linear_layers import WEIGHTED, gain_and_shift, keeps_constants, scaled_outputs
from ..modules import CannotExport
from ..tracing import inputs_of, trace

UNCHANGED = (nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d)
"""Modules that change nothing on integers: the chip drops nothing out."""
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)
"""Layers that are a gain and a shift of each channel."""


def fold_norms(network: nn.Module) -> None:
    """Make one layer of each batch norm and the weights beside it, and of two layers with weights in a row, in place.

    ``w <- w * gamma / sqrt(var + eps)``, ``b <- (b - mean) * gamma / sqrt(var + eps) + beta`` of a norm behind a layer.
    Every layer with weights has a bias afterwards; the place of what is folded away is taken by ``nn.Identity``. What
    no layer beside it can take stays, for :mod:`.borders` and :mod:`.composing`.

    Raises:
        InputError: every norm without running statistics.
    """
    traced = trace(network)
    modules = dict(traced.named_modules())
    for module in modules.values():
        if isinstance(module, WEIGHTED) and module.bias is None:
            module.bias = nn.Parameter(module.weight.new_zeros(outputs_of(module)))
    faults: list[str] = []
    for node in list(traced.graph.nodes):
        norm = modules[str(node.target)] if node.op == "call_module" else None
        if isinstance(norm, NORMS):
            try:
                if not _fold_norm(node, norm, modules):
                    continue
            except CannotExport as fault:
                faults.append(f"{node.target}: {fault}")
                continue
            replace(network, str(node.target), nn.Identity())
            modules[str(node.target)] = nn.Identity()
    refuse("training on integers", faults)
    for node in list(traced.graph.nodes):
        if node.op == "call_module" and isinstance(modules[str(node.target)], WEIGHTED):
            _merge(network, node, modules)


def outputs_of(layer: Any) -> int:
    """How many biases a layer with weights has."""
    return int(layer.out_features if isinstance(layer, nn.Linear) else layer.out_channels)


def of_bias(layer: Any, gain: Tensor) -> Tensor:
    """A gain of each output channel in the shape in which it multiplies the bias of a layer."""
    return gain.reshape(-1, *[1] * (layer.bias.ndim - 1))


def replace(network: nn.Module, name: str, module: nn.Module) -> None:
    """Put a module into the place of another."""
    parent, _, child = name.rpartition(".")
    setattr(network.get_submodule(parent), child, module)


def _fold_norm(node: fx.Node, norm: nn.BatchNorm1d | nn.BatchNorm2d, modules: dict[str, nn.Module]) -> bool:
    """Fold a norm into the weights before or behind it; returns whether there are some that can take it.

    A convolution behind it that pads with zeros cannot, since the shift of the norm does not reach them: see
    :mod:`.borders`.

    Raises:
        CannotExport: it has no running statistics.
    """
    gain, shift = gain_and_shift(norm)
    before, after = _before(node, modules), behind(node, modules)
    if before is not None:
        _fold(before, norm)
        return True
    if after is None or (isinstance(after[0], nn.Conv1d | nn.Conv2d) and _pads_zeros(after[0])):
        return False
    fold_forwards(after[0], gain, shift, after[1])
    return True


def _before(node: fx.Node, modules: dict[str, nn.Module]) -> Any:
    """The weights before a norm, whose output goes to nothing else, seen through what keeps constants; else None."""
    (source,) = inputs_of(node)
    while source.op == "call_module" and len(source.users) == 1:
        module = modules[str(source.target)]
        if isinstance(module, WEIGHTED):
            return module
        if not (isinstance(module, UNCHANGED) or keeps_constants(module)):
            return None
        (source,) = inputs_of(source)
    return None


def behind(node: fx.Node, modules: dict[str, nn.Module]) -> tuple[Any, int] | None:
    """The weights behind a norm that get nothing else, and how many inputs of theirs each channel is; else None."""
    flat = False
    while len(node.users) == 1:
        node = next(iter(node.users))
        if node.op != "call_module" and not (flat := flat or _flattens(node)):
            return None
        module = modules[str(node.target)] if node.op == "call_module" else nn.Identity()
        if isinstance(module, nn.Linear | nn.Conv1d | nn.Conv2d):
            return module, 0 if flat else 1
        flat = flat or isinstance(module, nn.Flatten)
        if not isinstance(module, (*UNCHANGED, nn.Flatten)):
            return None
    return None


def _flattens(node: fx.Node) -> bool:
    return node.target is torch.flatten or (node.op == "call_method" and node.target == "flatten")


def _pads_zeros(layer: nn.Conv1d | nn.Conv2d) -> bool:
    return _pads(layer) and layer.padding_mode == "zeros"


def _pads(layer: nn.Conv1d | nn.Conv2d) -> bool:
    return layer.padding == "same" or (layer.padding != "valid" and any(map(int, layer.padding)))


@torch.no_grad()
def _fold(weighted: Any, norm: nn.BatchNorm1d | nn.BatchNorm2d) -> None:
    assert norm.running_mean is not None and norm.running_var is not None
    gain = torch.rsqrt(norm.running_var + norm.eps)
    if norm.weight is not None:
        gain = gain * norm.weight
    weighted.weight.copy_(scaled_outputs(weighted, weighted.weight, gain))
    weighted.bias.sub_(norm.running_mean).mul_(gain)
    if norm.bias is not None:
        weighted.bias.add_(norm.bias)


@torch.no_grad()
def fold_forwards(layer: Any, gain: Tensor, shift: Tensor, repeated: int) -> None:
    """``W (gain x + shift) + b`` as ``W' x + b'``.

    Args:
        repeated: 1 where the channels are the inputs, 0 where a flatten stands between.
    """
    weight = layer.weight.double()
    if isinstance(layer, nn.Linear):
        each = 1 if repeated else weight.shape[1] // len(gain)
        gain, shift = (values.repeat_interleave(each) for values in (gain, shift))
        layer.bias.add_(weight @ shift)
        layer.weight.copy_(weight * gain)
        return
    groups, axes = layer.groups, [1] * (weight.ndim - 2)
    inputs = weight.shape[1]
    by_group = (len(weight) // groups, 1)
    gains, shifts = (v.reshape(groups, inputs).repeat_interleave(by_group[0], 0) for v in (gain, shift))
    layer.bias.add_((weight * shifts.reshape(-1, inputs, *axes)).flatten(1).sum(1))
    layer.weight.copy_(weight * gains.reshape(-1, inputs, *axes))


def _merge(network: nn.Module, node: fx.Node, modules: dict[str, nn.Module]) -> None:
    """Make one layer of this one and the next, where only that gets its output and one layer can be both."""
    users = list(node.users)
    while len(users) == 1 and users[0].op == "call_module" and isinstance(modules[str(users[0].target)], UNCHANGED):
        users = list(users[0].users)
    if len(users) != 1 or users[0].op != "call_module":
        return
    name, behind = str(node.target), str(users[0].target)
    if (made := _both(modules[name], modules[behind])) is not None:
        for place, module in ((name, nn.Identity()), (behind, made)):
            replace(network, place, module)
            modules[place] = module


@torch.no_grad()
def _both(first: nn.Module, second: nn.Module) -> nn.Module | None:
    """Two layers in a row as one; None where that is none of the same kind."""
    if isinstance(first, nn.Linear) and isinstance(second, nn.Linear):
        both = nn.Linear(first.in_features, second.out_features).to(first.weight)
        both.weight.copy_(second.weight.double() @ first.weight.double())
        both.bias.copy_(second.weight.double() @ first.bias.double() + second.bias)
        return both
    if type(first) is not nn.Conv2d or type(second) is not nn.Conv2d or _pads(second) or isinstance(first.padding, str):
        return None
    if {first.padding_mode, second.padding_mode} != {"zeros"}:
        return None
    one, two = (_as_map(layer) for layer in (first, second))
    total = folded(one, two)
    if total is None or total.conv is None:
        return None
    conv, kernel = total.conv, torch.from_numpy(total.weight)
    size = (kernel.shape[2], kernel.shape[3])
    made = nn.Conv2d(first.in_channels, second.out_channels, size, conv.stride, conv.padding, groups=conv.groups)
    made = made.to(first.weight)
    made.weight.copy_(kernel)
    through = second.weight.double().sum((2, 3))  # of a constant, which no padding interrupts
    assert first.bias is not None and second.bias is not None and made.bias is not None
    constants = first.bias.double().reshape(second.groups, -1).repeat_interleave(len(through) // second.groups, 0)
    made.bias.copy_((through * constants).sum(1) + second.bias)
    return made


def _as_map(layer: nn.Conv2d) -> LinearMap:
    """A convolution without padding behind it, whose shapes do not matter when it is folded."""
    stride, padding, dilation = ((int(v[0]), int(v[1])) for v in (layer.stride, layer.padding, layer.dilation))
    weight = layer.weight.detach().double().cpu().numpy()
    shape = (layer.in_channels, *(int(np.prod(dilation) * prod(weight.shape[2:])),) * 2)
    return LinearMap(weight, shape, (layer.out_channels, 1, 1), ConvGeometry(stride, padding, dilation, layer.groups))
