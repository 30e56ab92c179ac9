"""Layers that depend on the whole batch, where several processes run a student on parts of it.

Batch norms exchange means and variances of the parts. Dropout draws for the whole batch in every process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..base.processes import Processes

NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)
DROPOUTS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d)


@dataclass(frozen=True, eq=False)
class Share:
    """The part of a batch that is this process's own.

    Attributes:
        group: the processes that share the batch.
        samples: of the whole batch.
        copies: how often the batch stands behind itself in what the student runs on, of which the part is that of each.
    """

    group: Processes
    samples: int
    copies: int = 1

    @property
    def own(self) -> slice:
        """The samples of this process."""
        return self.group.part(self.samples)

    @property
    def rows(self) -> Tensor:
        """The places of what the student runs on here in what it would run on in one process."""
        own = torch.arange(self.samples)[self.own]
        return torch.cat([own + copy * self.samples for copy in range(self.copies)])


_SHARE: ContextVar[Share | None] = ContextVar("share", default=None)


@contextmanager
def sharing(share: Share) -> Iterator[None]:
    """Let students that run within it take their samples for a part of a batch."""
    before = _SHARE.set(share)
    try:
        yield
    finally:
        _SHARE.reset(before)


def on_whole_batch(module: nn.Module, steps: int) -> Callable[[Tensor], Tensor]:
    """The function of a layer on values ``(steps * B, ...)`` of the own part, as it is on those of the whole batch.

    Outside of :func:`sharing` it is the layer itself.
    """
    share = _SHARE.get()
    if share is None:
        return module
    if isinstance(module, NORMS) and (module.training or module.running_mean is None):
        return lambda values: _normalised(module, values, share)
    if isinstance(module, DROPOUTS):
        return lambda values: values * _mask(module, values, steps, share)
    return module


def _mask(module: nn.Module, values: Tensor, steps: int, share: Share) -> Tensor:
    """The factors of dropout, drawn for the whole batch."""
    whole: Tensor = module(values.new_ones(steps * share.copies * share.samples, *values.shape[1:]))
    by_sample = whole.reshape(steps, -1, *values.shape[1:])[:, share.rows.to(values.device)]
    return by_sample.reshape(values.shape)


def _normalised(norm: Any, values: Tensor, share: Share) -> Tensor:
    """Batch normalisation with mean and variance over the parts of all processes."""
    found, mean, variance, count = _Normalise.apply(values, norm.weight, norm.bias, norm.eps, share.group)  # type: ignore[no-untyped-call]
    if norm.training and norm.running_mean is not None:
        with torch.no_grad():
            norm.num_batches_tracked.add_(1)
            rate = 1 / float(norm.num_batches_tracked) if norm.momentum is None else norm.momentum
            norm.running_mean.lerp_(mean.to(norm.running_mean), rate)
            norm.running_var.lerp_((variance * (count / (count - 1))).to(norm.running_var), rate)
    normalised: Tensor = found
    return normalised


class _Normalise(torch.autograd.Function):
    """``weight (x - mean) / sqrt(var + eps) + bias`` over all axes but the second, and over the processes.

    Means and sums of squared deviations of the parts are combined in float64. Backwards, with ``h`` the normalised
    values, ``g`` the gradient and means over the whole: ``weight / sqrt(var + eps) (g - mean(g) - h mean(g h))``;
    weight and bias get the part's ``sum(g h)`` and ``sum(g)``.

    Source: of the combination Chan, Golub, LeVeque 1983, The American Statistician 37(3).
    """

    @staticmethod
    def forward(
        ctx: Any, values: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float, group: Processes
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        axes, number = [0, *range(2, values.ndim)], values.numel() // values.shape[1]
        variance, mean = (each.double() for each in torch.var_mean(values, axes, correction=0))
        parts = group.joined(torch.cat([mean.new_tensor([number]), mean, variance])[None], group.size)
        counts, means, variances = parts[:, :1], *parts[:, 1:].chunk(2, 1)
        count = counts.sum()
        mean = (counts * means).sum(0) / count
        variance = (counts * (variances + (means - mean).square())).sum(0) / count
        ctx.save_for_backward(values, weight, bias, mean, torch.rsqrt(variance + eps))
        ctx.group, ctx.count = group, float(count)
        ctx.mark_non_differentiable(mean, variance, count)
        found = F.batch_norm(values, mean.to(values), variance.to(values), weight, bias, False, 0.0, eps)
        return found, mean, variance, count

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        values, weight, bias, mean, scale = ctx.saved_tensors
        gradient, shape = gradients[0], (1, -1, *[1] * (values.ndim - 2))
        axes = [0, *range(2, values.ndim)]
        centred = values - mean.to(values).reshape(shape)
        own = torch.stack([gradient.sum(axes).double(), (gradient * centred).sum(axes).double() * scale])
        whole = ctx.group.summed(own) / ctx.count
        gain = scale if weight is None else scale * weight.double()
        by_channel = (gain, -gain * scale * whole[1], -gain * whole[0])
        at_gradient, at_centred, constant = (each.to(values).reshape(shape) for each in by_channel)
        passed = torch.addcmul(torch.addcmul(constant, centred, at_centred), gradient, at_gradient)
        to_weight = None if weight is None else own[1].to(weight)
        return passed, to_weight, None if bias is None else own[0].to(bias), None, None
