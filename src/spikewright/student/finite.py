"""NaN and infinite values among the weights of a network, refused where the network enters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)


def not_finite(values: Mapping[str, Tensor]) -> Iterator[str]:
    """A sentence for each tensor with NaN or infinite values, by name."""
    for name, tensor in values.items():
        if tensor.is_floating_point() and (bad := int((~torch.isfinite(tensor)).sum())):
            yield f"{name}: {bad:,} of {tensor.numel():,} values are NaN or infinite"


def weight_faults(module: nn.Module) -> Iterator[str]:
    """What keeps a network from computing: weights that are NaN or infinite, and norms that divide by nothing."""
    found = {name.removeprefix("network."): value for name, value in module.state_dict().items()}
    yield from not_finite(found)
    for name, norm in module.named_modules():
        if isinstance(norm, NORMS) and (fault := divisor_fault(norm)):
            yield f"{name.removeprefix('network.')}: {fault}"


def divisor_fault(norm: nn.BatchNorm1d | nn.BatchNorm2d) -> str:
    """Why a batch norm cannot divide by ``sqrt(variance + eps)``; empty where it can."""
    if norm.running_var is None:
        return ""
    bad = int((norm.running_var + norm.eps <= 0).sum())
    if not bad:
        return ""
    return (
        f"its running variance and its eps of {norm.eps:g} add up to 0 or less in {bad:,} of {norm.num_features:,} "
        "channels, and it divides by the root of that; give it an eps above 0, such as 1e-5"
    )
