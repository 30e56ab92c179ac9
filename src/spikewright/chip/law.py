"""The law of a neuron: its state and its spikes after one timestep, at every level from the float graph to the chip.

The interpreter of NIR graphs, the student in floats and on integers, the integer simulator and the drift analysis all
step their neurons with a :class:`Law`. Where a level has a kernel of its own for speed, a test holds the kernel to the
law bit for bit, and the kernel takes the comparison with the threshold and the reset from here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple, TypeAlias

import torch
from torch import Tensor

from .registers import DECAY_ONE, LAVA_WIDTHS

Constant: TypeAlias = float | Tensor
"""A constant of neurons: one number for all, or a tensor that broadcasts to their shape."""

STATE_LIMIT = LAVA_WIDTHS.state_limit
"""2^23: currents wrap into ``(-2^23, 2^23]``, potentials are clipped to ``-2^23 + 1 .. 2^23 - 1``."""
INT32_LIMIT = 2**31
"""Lava keeps sums in int32, which wrap; only a current far outside its 24 bits ever shows it."""
FLOAT32_LIMIT = 2**24
"""Up to here float32 holds every whole number."""


@dataclass(frozen=True)
class Arithmetic:
    """Which roundings and limits of the chip's registers a step applies; none of them is exact arithmetic.

    Attributes:
        truncates_u: the decay product of the current is cut to a whole number, toward zero.
        truncates_v: the decay product of the membrane potential is.
        wraps: a current outside its 24 bits wraps around, and sums outside 32 bits do.
        saturates: a membrane potential outside its 24 bits is clipped.
    """

    truncates_u: bool = False
    truncates_v: bool = False
    wraps: bool = False
    saturates: bool = False


EXACT = Arithmetic()
"""The float counterpart of a chip's law."""
FIXED_POINT = Arithmetic(truncates_u=True, truncates_v=True, wraps=True, saturates=True)
"""Lava's fixed-point LIF, bit for bit."""


class State(NamedTuple):
    """What neurons remember from step to step, each tensor of the neurons' shape.

    Attributes:
        u: synaptic current.
        v: membrane potential after the reset.
    """

    u: Tensor
    v: Tensor


class Step(NamedTuple):
    """One timestep of neurons.

    Attributes:
        state: after the step.
        potential: membrane potential before the reset.
        spikes: bool; None for neurons that do not fire.
    """

    state: State
    potential: Tensor
    spikes: Tensor | None


@dataclass(frozen=True, eq=False)
class Law:
    """The law of a leaky integrate-and-fire neuron with a synaptic current, and its constants.

    From the synaptic input ``a(t)`` one step makes the spikes ``s(t)``::

        u(t) = wrap(decay(keep_u, u(t-1)) + gain_u a(t))
        p(t) = clip(decay(keep_v, v(t-1)) + gain_v u(t) + bias)
        s(t) = p(t) > threshold
        v(t) = v_reset where s(t), else p(t)

    In exact arithmetic ``decay(k, x) = k x``, and wrap and clip change nothing. On the chip k is a multiple of 1/4096
    and ``decay(k, x) = trunc(k x)``; wrap adds or subtracts 2^24 once where u leaves ``(-2^23, 2^23]``; clip keeps p
    within ``-2^23 + 1 .. 2^23 - 1``. Source: ``PyLifModelBitAcc`` of lava-nc 0.10.0; NIR's LIF, CubaLIF, IF, LI, CubaLI
    and I by forward Euler; snnTorch's Leaky and Synaptic with ``reset_mechanism="zero"``.

    All methods work on tensors of any floating-point type. Whole numbers of the chip stay exact in float64, and in
    float32 as long as inputs and states stay below 2^24. A neuron model that fires, resets or integrates in another
    way is a subclass with its name in :data:`spikewright.chip.neuron_models.LAWS`; those that reset by subtraction are
    in :mod:`spikewright.chip.subtraction`.

    Attributes:
        keep_v: share of the membrane potential that a step leaves, 0..1.
        threshold: None for neurons that do not fire.
        keep_u: share of the synaptic current that a step leaves; None without a synaptic filter.
        gain_u: what an input of 1 adds to the current; None for 1.
        gain_v: what a current of 1 adds to the membrane potential; None for 1.
        bias: what every step adds to the membrane potential; None for 0.
        biases: what each step adds in place of ``bias``, ``(T, *neurons)``, where the host sets it anew for each step;
            :meth:`at` gives the law of one step.
        v_reset: membrane potential after a spike.
        arithmetic: roundings and limits that apply.
    """

    keep_v: Constant
    threshold: Constant | None = None
    keep_u: Constant | None = None
    gain_u: Constant | None = None
    gain_v: Tensor | None = None
    bias: Tensor | None = None
    v_reset: Constant = 0.0
    arithmetic: Arithmetic = EXACT
    biases: Tensor | None = None

    reach: ClassVar[int] = 1
    """The largest magnitude of a potential, as a multiple of what inputs and biases can gather without a reset."""

    def at(self, step: int) -> Law:
        """The law in one timestep, counted from 0."""
        return self if self.biases is None else replace(self, bias=self.biases[step], biases=None)

    def step(self, state: State, arriving: Tensor) -> Step:
        """One timestep of neurons in ``state`` to which ``arriving`` comes."""
        u = self.current(state.u, arriving)
        potential = self.potential(state.v, u)
        if self.threshold is None:
            return Step(State(u, potential), potential, None)
        spikes = self.fires(potential)
        return Step(State(u, self.reset(potential, spikes)), potential, spikes)

    def current(self, u: Tensor, arriving: Tensor, out: Tensor | None = None) -> Tensor:
        """``u(t)`` from ``u(t-1)`` and ``a(t)``; written to ``out`` where it is given and a sum is made."""
        gain = 1 if self.gain_u is None else self.gain_u
        if self.keep_u is None:
            u = arriving if self.gain_u is None else torch.mul(arriving, gain, out=out)
        else:
            kept = decayed(u, self.keep_u, self.arithmetic.truncates_u)
            if isinstance(gain, Tensor):
                u = torch.add(kept, gain * arriving, out=out)
            else:
                u = torch.add(kept, arriving, alpha=gain, out=out)
        return wrapped(u) if self.arithmetic.wraps else u

    def potential(self, v: Tensor, u: Tensor, out: Tensor | None = None) -> Tensor:
        """``p(t)`` from ``v(t-1)`` and ``u(t)``; written to ``out`` where it is given."""
        owed = self.owed(v)
        kept = decayed(v, self.keep_v, self.arithmetic.truncates_v)
        potential = torch.add(kept, u if self.gain_v is None else self.gain_v * u, out=out)
        if self.bias is not None:
            potential.add_(self.bias)
        if owed is not None:
            potential.sub_(owed)
        if self.arithmetic.wraps:
            potential = wrapped_to_32_bits(potential)
        return potential.clamp_(1 - STATE_LIMIT, STATE_LIMIT - 1) if self.arithmetic.saturates else potential

    def owed(self, v: Tensor) -> Tensor | None:  # noqa: ARG002
        """What a step takes off ``p(t)`` for the spikes of the step before, from ``v(t-1)``; None for nothing."""
        return None

    def fires(self, potential: Tensor, out: Tensor | None = None) -> Tensor:
        """``s(t)`` from ``p(t)``: where the neurons spike, bool. Only for neurons that have a threshold."""
        assert self.threshold is not None
        return torch.gt(potential, self.threshold, out=out)

    def reset_(self, potential: Tensor, spikes: Tensor) -> Tensor:
        """``v(t)`` from ``p(t)`` and ``s(t)``, in place."""
        if isinstance(self.v_reset, Tensor):
            return potential.copy_(torch.where(spikes, self.v_reset, potential))
        return potential.masked_fill_(spikes, self.v_reset)

    def reset(self, potential: Tensor, spikes: Tensor) -> Tensor:
        """``v(t)`` from ``p(t)`` and ``s(t)``."""
        return self.reset_(potential.clone(), spikes)

    @staticmethod
    def through_reset(spikes: Tensor) -> Tensor | None:
        """``dv(t)/dp(t)`` with the spikes (0 and 1, floating) held fixed: a reset to a constant passes nothing on.

        None where everything passes, as 1 would say.
        """
        return 1.0 - spikes

    @staticmethod
    def left(potential: Tensor, spikes: Tensor, threshold: Tensor) -> Tensor:  # noqa: ARG004
        """``v(t)`` of a reset to 0, from ``p(t)`` and spikes that are 0 and 1, floating."""
        return potential * (1.0 - spikes)

    @staticmethod
    def taken_off(spikes: Tensor, keep_v: Tensor) -> Tensor | None:  # noqa: ARG004
        """``-dp(t+1)/dthreshold`` with the spikes of step t held fixed: a reset to a constant takes nothing off."""
        return None

    def busy(self, state: State, arriving: Tensor) -> Tensor:
        """Where a step has something to do, bool: an input, a bias, or a state left from the step before."""
        busy = state.v.ne(0).logical_or_(arriving.ne(0))
        if self.keep_u is not None:
            busy.logical_or_(state.u.ne(0))
        if self.bias is not None:
            busy.logical_or_(self.bias.ne(0))
        return busy


def decayed(x: Tensor, keep: Constant, truncates: bool) -> Tensor:
    """``keep x``, or of whole numbers ``trunc(keep x) = sgn(x) * ((|x| * 4096 keep) >> 12)``, exactly.

    Where a float32 product could leave 24 bits, x is split: ``x = 4096 h + l`` gives
    ``h * 4096 keep + trunc(l * keep)``, whose terms fit.
    """
    if not truncates:
        return keep * x
    if not isinstance(keep, Tensor) and keep == 1:
        return x
    if x.dtype == torch.float64 or _product_fits(keep):
        return torch.trunc(keep * x)
    high = torch.trunc(x / DECAY_ONE)
    low = x - high * DECAY_ONE
    return high.mul_(keep * DECAY_ONE).add_(low.mul_(keep).trunc_())


def _product_fits(keep: Constant) -> bool:
    """Whether float32 is known to hold ``keep x`` for every x of a register: it is 0, or half of 1 some times over."""
    return not isinstance(keep, Tensor) and keep.as_integer_ratio()[0] <= 1


def wrapped(u: Tensor) -> Tensor:
    """Currents outside ``(-2^23, 2^23]`` one period of 2^24 nearer, once, after the wrap of 32-bit sums."""
    if largest(u) < STATE_LIMIT:
        return u
    u = wrapped_to_32_bits(u)
    outside = (u <= -STATE_LIMIT).to(u.dtype) - (u > STATE_LIMIT).to(u.dtype)
    return u + outside * (2 * STATE_LIMIT)


def wrapped_to_32_bits(x: Tensor) -> Tensor:
    """Sums wrapped into the range of int32, as Lava holds them."""
    return x if largest(x) < INT32_LIMIT else modulo(x, INT32_LIMIT)


def modulo(x: Tensor, limit: int) -> Tensor:
    """``x`` brought into ``[-limit, limit)`` by whole periods of ``2 limit``: two's complement."""
    wrapped_around: Tensor = torch.remainder(x + limit, 2 * limit) - limit
    return wrapped_around


def gathered(keep: float, steps: int) -> float:
    """Multiple of one step's input that is there after ``steps`` equal ones: ``(1 - keep^steps) / (1 - keep)``."""
    return float(steps) if keep == 1 else (1 - keep**steps) / (1 - keep)


def largest(x: Tensor) -> float:
    """The largest absolute value in ``x``."""
    low, high = torch.aminmax(x.detach())
    return max(-float(low), float(high))


@contextmanager
def exact_kernels() -> Iterator[None]:
    """Keep torch from using convolution and matrix kernels that round.

    NNPACK and cuDNN may choose transforms (Winograd, FFT) whose partial results are no integers, and TF32 or reduced
    precision drops bits. Sums of integers below 2^24 are exact in float32 in any order otherwise.
    """
    precision = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        with torch.backends.nnpack.flags(enabled=False), torch.backends.cudnn.flags(enabled=False):
            yield
    finally:
        torch.set_float32_matmul_precision(precision)
