"""A layer's weights and biases on the chip's grid, and straight-through gradients: as if nothing were rounded."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ...chip.registers import Registers


def weight_integers(weight: Tensor, scale: float, registers: Registers) -> Tensor:
    """``clip(round(scale * w / step) * step)``, and ``scale`` as its derivative.

    A clipped weight still learns in the direction that brings it back.
    """
    mixed = bool((weight > 0).any()) and bool((weight < 0).any())
    step, top = registers.grid(mixed)
    rounded: Tensor = _OnGrid.apply(weight, scale, step, top)  # type: ignore[no-untyped-call]
    return rounded


class _OnGrid(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, weight: Tensor, scale: float, step: int, top: int) -> Tensor:
        levels = torch.round(weight * (scale / step))
        ctx.save_for_backward(weight)
        ctx.scale, ctx.limit = scale, (top + step / 2) / scale
        return levels.clamp_(-(top // step), top // step).mul_(step)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (weight,) = ctx.saved_tensors
        (gradient,) = gradients
        passed = gradient * ctx.scale
        outside = weight.abs() > ctx.limit
        if bool(outside.any()):
            passed = passed.masked_fill(outside & (passed * weight < 0), 0.0)
        return passed, None, None, None


def bias_on_grid(bias: Tensor, scale: float, registers: Registers) -> Tensor:
    """The bias that the register holds, in float units: ``clip(round(scale * b)) / scale``."""
    mantissa = torch.round(bias.detach() * scale).clamp_(-registers.bias_max, registers.bias_max)
    return bias + (mantissa / scale - bias.detach())


def straight_through(value: Tensor, rounded: float) -> Tensor:
    """``rounded``, and the gradient of ``value``."""
    return value + (rounded - value.detach())
