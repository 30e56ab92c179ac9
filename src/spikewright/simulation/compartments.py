"""Loihi's compartment, stepped in time for many samples: Lava's fixed-point LIF process, bit for bit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
import torch
from torch import Tensor

from ..base.types import IntArray
from ..chip.network import STATE_LIMIT, Neuron
from ..chip.registers import DECAY_ONE, STATE_UNIT
from .recording import Tally

INT32_LIMIT = 2**31
"""Lava keeps sums in int32, which wrap; only a current far outside its 24 bits ever shows it."""


@dataclass(frozen=True, eq=False)
class Rules:
    """One population's registers, and which of the rare rules can apply at all.

    Attributes:
        keep_u: share of the current that a step leaves, ``(4096 - (du + 1)) / 4096``.
        keep_v: share of the membrane potential that a step leaves, ``(4096 - dv) / 4096``.
        threshold: ``vth << 6``.
        bias: ``mantissa << exponent``, float64, shape ``(1 or samples, *population shape)``; None where all are 0.
        timesteps: T.
        may_wrap: whether a current could leave its 24 bits.
        may_clip: whether a membrane potential could.
        may_overflow: whether a sum could leave 32 bits.
    """

    keep_u: float
    keep_v: float
    threshold: int
    bias: Tensor | None
    timesteps: int
    may_wrap: bool
    may_clip: bool
    may_overflow: bool

    @staticmethod
    def of(neuron: Neuron, bias: IntArray, timesteps: int, peak: float) -> Rules:
        """Rules of ``neuron`` with these bias mantissas, given the largest absolute synaptic input of a step."""
        keep_u = (DECAY_ONE - (neuron.du + 1)) / DECAY_ONE
        shifted = bias.astype(np.float64) * 2**neuron.bias_exp
        largest_bias = float(np.abs(shifted).max(initial=0))
        largest_u = peak * STATE_UNIT * (timesteps if keep_u else 1)
        return Rules(
            keep_u=keep_u,
            keep_v=(DECAY_ONE - neuron.dv) / DECAY_ONE,
            threshold=neuron.vth * STATE_UNIT,
            bias=torch.from_numpy(shifted) if largest_bias else None,
            timesteps=timesteps,
            may_wrap=largest_u >= STATE_LIMIT,
            may_clip=timesteps * (largest_u + largest_bias) >= STATE_LIMIT,
            may_overflow=STATE_LIMIT + largest_u + largest_bias >= INT32_LIMIT,
        )


@dataclass(frozen=True, eq=False)
class Trace:
    """What one population did.

    Attributes:
        spikes: float32 of 0 and 1, shape ``(timesteps, samples, *population shape)``.
        last_v: membrane potentials after the last step, float64, shape ``(samples, *population shape)``.
        tally: counts.
        active: of them the active updates, step by step and sample by sample, int64, ``(timesteps, samples)``.
        u: currents of every step, float64; no steps unless recorded.
        v: membrane potentials of every step, after the reset; likewise.
    """

    spikes: Tensor
    last_v: Tensor
    tally: Tally
    active: Tensor
    u: Tensor
    v: Tensor


class Buffers:
    """Memory that one population keeps between batches: fresh pages cost more than the arithmetic done in them."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, torch.dtype], Tensor] = {}

    def take(self, what: str, shape: Sequence[int], dtype: torch.dtype) -> Tensor:
        """A tensor of unspecified content that lives until ``what`` is taken again."""
        size = prod(shape)
        kept = self._kept.get((what, dtype))
        if kept is None or kept.numel() < size:
            kept = self._kept[what, dtype] = torch.empty(size, dtype=dtype)
        return kept[:size].view(*shape)


def integrate(
    rules: Rules,
    arriving: Tensor,
    feedback: Callable[[Tensor], Tensor] | None = None,
    *,
    record_states: bool = False,
    buffers: Buffers | None = None,
) -> Trace:
    """Step a population from rest through all its steps.

    Per step, in integers: ``u = wrap24(decay(u, du + 1) + (a << 6))``,
    ``v = clip24(decay(v, dv) + u + bias)``, spike where ``v > vth << 6``, and there ``v = 0``;
    ``decay(x, d) = sgn(x) * ((|x| * (4096 - d)) >> 12)``, which is truncation of the product toward zero.

    Args:
        rules: of the population.
        arriving: synaptic input, shape ``(timesteps or 1, samples, *population shape)``; 1 means the same every step.
        feedback: synaptic input that the spikes of the step before cause, for a population connected to itself.
        record_states: also keep currents and membrane potentials.
        buffers: memory to work in; the trace then lives until the same buffers are used again.
    """
    buffers = buffers or Buffers()
    shape, steps = arriving.shape[1:], rules.timesteps
    kept = steps if record_states else 0
    spikes = buffers.take("spikes", (steps, *shape), torch.float32)
    us, vs = (buffers.take(what, (kept, *shape), torch.float64) for what in ("u of all steps", "v of all steps"))
    u, v = (buffers.take(what, shape, torch.float64).zero_() for what in ("u", "v"))
    tally, active = Tally(), torch.empty((steps, shape[0]), dtype=torch.int64)
    for t in range(steps):
        a = arriving[t if len(arriving) > 1 else 0]
        if feedback is not None and t:
            a = a + feedback(spikes[t - 1])
        active[t] = _active(rules, u, v, a)
        wraps, saturations = _update(rules, u, v, a)
        fired = torch.gt(v, rules.threshold, out=buffers.take("fired", shape, torch.bool))
        v.masked_fill_(fired, 0.0)
        spikes[t].copy_(fired)
        tally += Tally(int(active[t].sum()), wraps, saturations)
        if record_states:
            us[t], vs[t] = u, v
    return Trace(spikes, v, tally, active, us, vs)


def _update(rules: Rules, u: Tensor, v: Tensor, a: Tensor) -> tuple[int, int]:
    """Advance ``u`` and ``v`` by one step in place, short of the reset; returns how many wrapped and saturated."""
    wraps = saturations = 0
    if rules.keep_u:
        u.mul_(rules.keep_u).trunc_().add_(a, alpha=STATE_UNIT)
    else:
        torch.mul(a, STATE_UNIT, out=u)
    if rules.may_overflow:
        _wrap_int32(u)
    if rules.may_wrap:
        wraps = _wrap_once(u)
    v.mul_(rules.keep_v).trunc_().add_(u)
    if rules.bias is not None:
        v.add_(rules.bias)
    if rules.may_overflow:
        _wrap_int32(v)
    if rules.may_clip and largest(v) >= STATE_LIMIT:
        saturations = int(torch.count_nonzero(v.abs() >= STATE_LIMIT))
        v.clamp_(-STATE_LIMIT + 1, STATE_LIMIT - 1)
    return wraps, saturations


def largest(x: Tensor) -> float:
    """The largest absolute value in ``x``."""
    low, high = torch.aminmax(x)
    return max(-float(low), float(high))


def _active(rules: Rules, u: Tensor, v: Tensor, a: Tensor) -> Tensor:
    """Compartments of each sample that have something to do in this step, int64, ``(samples,)``."""
    busy = v.ne(0).logical_or_(a.ne(0))
    if rules.keep_u:
        busy.logical_or_(u.ne(0))
    if rules.bias is not None:
        busy.logical_or_(rules.bias.ne(0))
    return busy.flatten(1).sum(1)


def _wrap_once(u: Tensor) -> int:
    """Bring currents outside ``(-2^23, 2^23]`` one period of 2^24 back, in place; returns how many there were."""
    if largest(u) < STATE_LIMIT:
        return 0
    over, under = u > STATE_LIMIT, u <= -STATE_LIMIT
    u.add_(under.to(u.dtype) - over.to(u.dtype), alpha=2 * STATE_LIMIT)
    return int(torch.count_nonzero(over) + torch.count_nonzero(under))


def _wrap_int32(x: Tensor) -> None:
    x.add_(INT32_LIMIT).remainder_(2 * INT32_LIMIT).sub_(INT32_LIMIT)
