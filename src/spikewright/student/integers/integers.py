"""A layer's integers, forwards as on the chip and backwards as if nothing were rounded (straight-through).

Everything is floating point that holds whole numbers: weights and sums of them stay below 2^24, where float32 is exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import snntorch as snn
import torch
from torch import Tensor, nn

from ...chip.registers import BIAS_EXP, DECAY_ONE, Registers
from ..neurons import is_integrator

BIAS_UNIT = 2**BIAS_EXP
_EXACT_BITS = 24


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


def _straight_through(value: Tensor, rounded: float) -> Tensor:
    """``rounded``, and the gradient of ``value``."""
    return value + (rounded - value.detach())


@dataclass(frozen=True, eq=False)
class NeuronIntegers:
    """The registers of a neuron layer, and what learning sees of them.

    Attributes:
        keep_u: ``4096 - (du + 1)``: numerator of the share of the current that a step leaves.
        keep_v: ``4096 - dv``, likewise of the membrane potential.
        vth: threshold mantissa; None for a readout that does not fire.
        beta, alpha, threshold: what the registers stand for, with the gradient of the module's parameters.
    """

    keep_u: int
    keep_v: int
    vth: int | None
    beta: Tensor
    alpha: Tensor | None
    threshold: Tensor | None

    @staticmethod
    def of(module: nn.Module, scale: float, registers: Registers) -> NeuronIntegers:
        """The registers of a snnTorch neuron with one beta, alpha and threshold for all."""
        beta = module.beta.clamp(0, 1)
        keep_v = DECAY_ONE - round(DECAY_ONE * (1 - float(beta.detach())))
        keep_u, alpha = 0, None
        if isinstance(module, snn.Synaptic):
            decay = module.alpha.clamp(0, 1)
            keep_u = DECAY_ONE - max(1, round(DECAY_ONE * (1 - float(decay.detach()))))
            alpha = _straight_through(decay, keep_u / DECAY_ONE)
        vth, threshold = None, None
        if not is_integrator(module):
            vth = min(max(1, round(scale * float(module.threshold.detach()))), registers.vth_max)
            threshold = _straight_through(module.threshold, vth / scale)
        return NeuronIntegers(keep_u, keep_v, vth, _straight_through(beta, keep_v / DECAY_ONE), alpha, threshold)

    @staticmethod
    def of_encoder(module: nn.Module, most: int) -> NeuronIntegers:
        """The registers of the neurons that a current drives: their bias is the intensity, 0..``most``.

        Without a leak a potential is a whole number of intensities, so the floor says ``v > threshold`` exactly; half
        a number more keeps the float that stands for it away from every potential.
        """
        vth = max(0, int(float(module.threshold.detach()) * most))
        threshold = _straight_through(module.threshold, (vth + 0.5) / most)
        return NeuronIntegers(0, DECAY_ONE, vth, module.beta.clamp(0, 1), None, threshold)


def decayed(value: Tensor, keep: int, bound: float) -> Tensor:
    """``sgn(x) * ((|x| * keep) >> 12)`` of whole numbers, exactly, in float32.

    Where the product could leave 24 bits, ``x`` is split: ``x = 4096 * high + low`` gives
    ``high * keep + trunc(low * keep / 4096)``, whose terms fit (``|x| < 2^24``).

    Args:
        bound: largest ``|x|``.
    """
    if keep == DECAY_ONE:
        return value
    odd = keep // (keep & -keep) if keep else 0
    if odd * bound < 2**_EXACT_BITS or value.dtype == torch.float64:
        return torch.trunc(value * (keep / DECAY_ONE))
    high = torch.trunc(value / DECAY_ONE)
    low = value - high * DECAY_ONE
    return high.mul_(keep).add_(low.mul_(keep / DECAY_ONE).trunc_())
