"""Folding batch normalisations into the layer before them, permanently."""

from __future__ import annotations

import torch
from torch import fx, nn

from ...base.errors import InputError
from ..tracing import trace

_WEIGHTED = (nn.Conv2d, nn.Linear)
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)


def fold_norms(network: nn.Module) -> None:
    """Replace each batch norm by what it computes with its running statistics, in place.

    ``w <- w * gamma / sqrt(var + eps)``, ``b <- (b - mean) * gamma / sqrt(var + eps) + beta``. Every convolution and
    dense layer has a bias afterwards; a norm's place is taken by ``nn.Identity``.

    Raises:
        InputError: a norm that does not follow a convolution or dense layer of its own.
    """
    traced = trace(network)
    modules = dict(network.named_modules())
    for module in modules.values():
        if isinstance(module, _WEIGHTED) and module.bias is None:
            module.bias = nn.Parameter(module.weight.new_zeros(module.weight.shape[0]))
    for node in list(traced.graph.nodes):
        if node.op == "call_module" and isinstance(modules[node.target], _NORMS):
            _fold(modules[_weighted_before(node, modules)], modules[node.target])
            parent, _, child = node.target.rpartition(".")
            setattr(network.get_submodule(parent), child, nn.Identity())


def _weighted_before(node: fx.Node, modules: dict[str, nn.Module]) -> str:
    before = node.args[0]
    if (
        isinstance(before, fx.Node)
        and before.op == "call_module"
        and isinstance(modules[str(before.target)], _WEIGHTED)
        and len(before.users) == 1
    ):
        return str(before.target)
    raise InputError(
        f"{node.target}: this normalisation does not follow a Conv2d or Linear of its own, so it cannot be folded "
        "away; put it right behind one"
    )


@torch.no_grad()
def _fold(weighted: nn.Module, norm: nn.Module) -> None:
    assert isinstance(weighted, _WEIGHTED) and isinstance(norm, _NORMS) and weighted.bias is not None
    assert norm.running_mean is not None and norm.running_var is not None
    gain = torch.rsqrt(norm.running_var + norm.eps)
    if norm.weight is not None:
        gain = gain * norm.weight
    weighted.weight.mul_(gain.reshape(-1, *[1] * (weighted.weight.ndim - 1)))
    weighted.bias.sub_(norm.running_mean).mul_(gain)
    if norm.bias is not None:
        weighted.bias.add_(norm.bias)
