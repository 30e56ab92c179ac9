"""Folding batch normalisations into the layer before them, permanently."""

from __future__ import annotations

import torch
from torch import nn

from ...base.errors import InputError
from ..tracing import trace


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
        if isinstance(module, nn.Conv2d | nn.Linear) and module.bias is None:
            module.bias = nn.Parameter(module.weight.new_zeros(module.weight.shape[0]))
    for node in list(traced.graph.nodes):
        norm = modules[node.target] if node.op == "call_module" else None
        if not isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d):
            continue
        before = node.args[0]
        weighted = modules.get(str(before.target)) if before.op == "call_module" else None
        if not isinstance(weighted, nn.Conv2d | nn.Linear) or len(before.users) != 1:
            raise InputError(
                f"{node.target}: this normalisation does not follow a Conv2d or Linear of its own, so it cannot be "
                "folded away; put it right behind one"
            )
        _fold(weighted, norm)
        parent, _, child = node.target.rpartition(".")
        setattr(network.get_submodule(parent), child, nn.Identity())


@torch.no_grad()
def _fold(weighted: nn.Conv2d | nn.Linear, norm: nn.BatchNorm1d | nn.BatchNorm2d) -> None:
    assert norm.running_mean is not None and norm.running_var is not None and weighted.bias is not None
    gain = torch.rsqrt(norm.running_var + norm.eps)
    if norm.weight is not None:
        gain = gain * norm.weight
    weighted.weight.mul_(gain.reshape(-1, *[1] * (weighted.weight.ndim - 1)))
    weighted.bias.sub_(norm.running_mean).mul_(gain)
    if norm.bias is not None:
        weighted.bias.add_(norm.bias)
