"""Weights that a state dict holds in parts, as pruning, weight norm and spectral norm leave them, put together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

_NEW = ".parametrizations."


def put_together(values: Mapping[str, Any]) -> dict[str, Any]:
    """The same weights under the names of plain layers; equal to ``values`` where none is in parts.

    Pruning: ``w = w_orig * w_mask``. Weight norm: ``w = g * v / |v|`` with the norm of each first index. Spectral norm:
    ``w = w_orig / (u^T W v)`` with ``W`` of two axes.
    """
    found = dict(values)
    for name in [name for name in values if name.endswith(("_orig", "_g", "original", "original0"))]:
        try:
            made = _new(found, name) if _NEW in name else _old(found, name)
        except (RuntimeError, TypeError, AttributeError):  # parts that do not go together, which then fit no layer
            continue
        if made is not None:
            plain, weight, parts = made
            for part in parts:
                found.pop(part, None)
            found[plain] = weight
    return found


def _old(found: Mapping[str, Any], name: str) -> tuple[str, Tensor, list[str]] | None:
    """Of hooks: ``weight_orig`` with ``weight_mask``, or ``weight_u`` and ``weight_v``; ``weight_g`` with "
    "``weight_v``."""
    plain = name.rpartition("_")[0]
    mask, u, v = (found.get(f"{plain}_{part}") for part in ("mask", "u", "v"))
    if name.endswith("_g"):
        return None if v is None else (plain, torch._weight_norm(v, found[name], 0), [name, f"{plain}_v"])
    if mask is not None:
        return plain, found[name] * mask, [name, f"{plain}_mask"]
    if u is None or v is None:
        return None
    return plain, _over_norm(found[name], u, v), [name, f"{plain}_u", f"{plain}_v"]


def _new(found: Mapping[str, Any], name: str) -> tuple[str, Tensor, list[str]] | None:
    """Of parametrizations: ``original0`` and ``original1`` of weight norm, ``original`` of spectral norm."""
    plain, stem = name.rpartition(".")[0].replace(_NEW, "."), name.rpartition(".")[0]
    if name.endswith("original0"):
        direction = found.get(f"{stem}.original1")
        if direction is None:
            return None
        return plain, torch._weight_norm(direction, found[name], 0), [name, f"{stem}.original1"]
    u, v = found.get(f"{stem}.0._u"), found.get(f"{stem}.0._v")
    if u is None or v is None:
        return None
    return plain, _over_norm(found[name], u, v), [name, f"{stem}.0._u", f"{stem}.0._v"]


def _over_norm(weight: Tensor, u: Tensor, v: Tensor) -> Tensor:
    return weight / torch.dot(u, weight.flatten(1) @ v)
