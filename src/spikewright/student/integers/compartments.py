"""A neuron layer stepped in the chip's integers, with the gradient of what they stand for."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ...chip.network import STATE_LIMIT
from ...chip.registers import STATE_UNIT, Registers
from ..surrogate import SpikeGrad, Steps, through_time
from .integers import BIAS_UNIT, NeuronIntegers, decayed


@dataclass(frozen=True, eq=False)
class IntegerStates:
    """Registers after every step, int32, ``(T, B, *shape)``.

    Attributes:
        u: synaptic currents.
        v: membrane potentials after the reset.
    """

    u: Tensor
    v: Tensor


@dataclass(frozen=True, eq=False)
class Stepped:
    """What a layer did.

    Attributes:
        steps: in float units.
        active: updates of a sample that had something to do (an input, a state or a bias), ``(T, B)``.
        states: None unless recorded.
    """

    steps: Steps
    active: Tensor
    states: IntegerStates | None


@torch.no_grad()
def step_integers(
    arriving: Tensor,
    mantissa: Tensor,
    law: NeuronIntegers,
    registers: Registers,
    scale: float,
    timesteps: int,
    record: bool = False,
) -> Stepped:
    """Step a layer from rest: ``u = decay(u) + (a << 6)``, ``v = clip(decay(v) + u + (bias << 6))``, spike where
    ``v > vth << 6``, then ``v = 0``.

    The currents cannot wrap: the scales keep the largest sum of weights below the chip's range. Potentials are clipped
    to Lava's 24 bits whatever the chip has, as the simulators do.

    Args:
        arriving: whole numbers, ``(T or 1, B, *shape)``.
        mantissa: of the bias, whole numbers that broadcast to ``(B, *shape)``.
    """
    shape = (timesteps, *arriving.shape[1:])
    limit = registers.state_limit
    membranes = arriving.new_empty(shape)
    synaptics = arriving.new_empty(shape) if law.keep_u else None
    spikes = arriving.new_empty(shape) if law.vth is not None else None
    bias = mantissa * BIAS_UNIT
    v = u = arriving.new_zeros(shape[1:])
    us, vs = [], []
    active = arriving.new_full(shape[:2], float(arriving[0, 0].numel()))
    always = bool((mantissa != 0).all())
    for step in range(timesteps):
        a = arriving[step if arriving.shape[0] > 1 else 0]
        if not always:
            active[step] = _active(a, u if law.keep_u else None, v, bias)
        u = a * STATE_UNIT if synaptics is None else torch.add(
            decayed(u, law.keep_u, limit), a, alpha=STATE_UNIT, out=synaptics[step]
        )  # fmt: skip
        v = torch.add(decayed(v, law.keep_v, STATE_LIMIT), u, out=membranes[step])
        v.add_(bias).clamp_(1 - STATE_LIMIT, STATE_LIMIT - 1)
        if spikes is not None and law.vth is not None:
            fired = v > law.vth * STATE_UNIT
            spikes[step].copy_(fired)
            v = v.masked_fill(fired, 0.0)
        if record:
            us.append(u.to(torch.int32))
            vs.append(v.to(torch.int32))
    states = IntegerStates(torch.stack(us), torch.stack(vs)) if record else None
    unit = 1.0 / (STATE_UNIT * scale)
    steps = Steps(spikes, membranes.mul_(unit), None if synaptics is None else synaptics.mul_(unit))
    return Stepped(steps, active, states)


def with_gradient(
    stepped: Stepped, arriving: Tensor, bias: Tensor, law: NeuronIntegers, scale: float, spike_grad: SpikeGrad
) -> tuple[Tensor | None, Tensor]:
    """Spikes and membranes in float units that learn through ``arriving`` and ``bias``."""
    return through_time(
        stepped.steps, arriving, law.beta, law.alpha, law.threshold, spike_grad, gain=1.0 / scale, bias=bias
    )


def _active(a: Tensor, u: Tensor | None, v: Tensor, bias: Tensor) -> Tensor:
    busy = (v != 0) | (a != 0) | (bias != 0)
    if u is not None:
        busy |= u != 0
    return busy.flatten(1).sum(1)
