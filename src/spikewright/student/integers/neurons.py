"""Weights, biases and neurons of a layer in the chip's integers, with the gradients of what they stand for.

Weights and biases learn straight through, as if nothing were rounded. Everything is floating point that holds whole
numbers: float32 as long as states and inputs are sure to stay below 2^24, where it is exact, else float64.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import snntorch as snn
import torch
from torch import Tensor, nn

from ...chip.law import Arithmetic, Constant, Law, State
from ...chip.neuron_models import law_with
from ...chip.registers import BIAS_EXP, DECAY_ONE, STATE_UNIT, Registers
from .. import compiled
from ..neurons import is_integrator, reset_of
from ..plain_steps import SpikeGrad, Steps, step_plainly
from ..surrogate import through_time
from .limits import CLIPS, Limits

INTEGERS = Arithmetic(truncates_u=True, truncates_v=True, saturates=True)
"""The chip's arithmetic short of the wrap, for currents that are sure to stay in their range; others take all of it.
Potentials are clipped to Lava's 24 bits whatever the chip has, as the simulators do."""


def weight_integers(weight: Tensor, scale: float, registers: Registers, mixed: bool | None = None) -> Tensor:
    """``clip(round(scale * w / step) * step)``, and ``scale`` as its derivative.

    A clipped weight still learns in the direction that brings it back.

    Args:
        mixed: whether weights of both signs come together on the chip; None: whether these are.
    """
    low, high = (float(each) for each in torch.aminmax(weight.detach()))
    step, top = registers.grid(low < 0 < high if mixed is None else mixed)
    limit = (top + step / 2) / abs(scale)
    clips = max(-low, high) > limit
    rounded: Tensor = _OnGrid.apply(weight, scale, step, top, limit if clips else None)  # type: ignore[no-untyped-call]
    return rounded


class _OnGrid(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, weight: Tensor, scale: float, step: int, top: int, limit: float | None) -> Tensor:
        levels = torch.mul(weight, scale / step).round_()
        ctx.save_for_backward(weight if limit is not None else None)
        ctx.scale, ctx.limit = scale, limit
        return levels.clamp_(-(top // step), top // step).mul_(step)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (weight,) = ctx.saved_tensors
        (gradient,) = gradients
        passed = gradient * ctx.scale
        if weight is not None:  # some are clipped
            passed = passed.masked_fill((weight.abs() > ctx.limit) & (passed * weight < 0), 0.0)
        return passed, None, None, None, None


def bias_on_grid(bias: Tensor, scale: float, registers: Registers) -> Tensor:
    """The bias that the register holds, in float units: ``clip(round(scale * b)) / scale``."""
    mantissa = torch.round(bias.detach() * scale).clamp_(-registers.bias_max, registers.bias_max)
    return bias + (mantissa / scale - bias.detach())


def _straight_through(value: Tensor, rounded: Constant) -> Tensor:
    """``rounded``, with the gradient of ``value``."""
    return value + (rounded - value.detach())


@dataclass(frozen=True, eq=False)
class IntegerLaw:
    """The law of a neuron layer on integers, and its float counterpart.

    Attributes:
        chip: in the chip's units: 64 for each unit of a weight.
        floats: what the registers of ``chip`` stand for, with the gradients of the module's parameters and of the bias
            (straight-through); an input of 1 is worth ``gain_u``.
        ceiling: of an integrator, the largest threshold that the chip has: above it the chip fires and resets it.
    """

    chip: Law
    floats: Law
    ceiling: int | None = None

    @staticmethod
    def of(module: nn.Module, scale: float, registers: Registers, bias: Tensor | None = None) -> IntegerLaw:
        """Round a snnTorch neuron with one threshold for all; its decays may be tensors that broadcast to ``shape``.

        Args:
            scale: integer units per float unit.
            registers: what the threshold must fit.
            bias: in float units, whole numbers at ``scale``; broadcasts to ``(B, *shape)``.
        """
        beta = module.beta.clamp(0, 1)
        keep_v = kept(beta)
        keep_u, alpha = None, None
        if isinstance(module, snn.Synaptic):
            decay = module.alpha.clamp(0, 1)
            keep_u = kept(decay, least=1)
            alpha = _straight_through(decay, keep_u)
        vth, threshold = None, None
        if not is_integrator(module):
            vth = min(max(1, round(scale * float(module.threshold.detach()))), registers.vth_max)
            threshold = _straight_through(module.threshold, vth / scale)
        kind, mantissa = law_with(reset_of(module)), None if bias is None else torch.round(bias.detach() * scale)
        return IntegerLaw(
            chip=_on_chip(keep_v, keep_u, vth, mantissa, kind),
            floats=kind(_straight_through(beta, keep_v), threshold, alpha, gain_u=1.0 / scale, bias=bias),
            ceiling=registers.unreached if vth is None else None,
        )

    @staticmethod
    def of_encoder(module: nn.Module, most: int, codes: Tensor | None = None) -> IntegerLaw:
        """The law of the neurons that a current drives: their bias is the intensity, 0..``most``.

        Without a leak a potential is a whole number of intensities, so the floor says ``v > threshold`` exactly; half
        a number more keeps the float that stands for it away from every potential.

        Args:
            most: the integer that an intensity of 1 becomes.
            codes: intensities as integers, ``(1, B, *shape)``, or ``(T, B, *shape)`` where they change by step.
        """
        vth = max(0, int(float(module.threshold.detach()) * most))
        threshold = _straight_through(module.threshold, (vth + 0.5) / most)
        return IntegerLaw(
            chip=_driven(_on_chip(1.0, None, vth, None), codes),
            floats=Law(module.beta.clamp(0, 1), threshold, gain_u=1.0 / most),
        )


def kept(decay: Tensor, least: int = 0) -> Constant:
    """The share of a state that a step leaves, as registers of 12 bits hold it: one number where all have the same.

    Where some neurons leak, all do: NIR has no LIF without a leak, and the graph holds what the registers do.

    Args:
        decay: the share in floats.
        least: the smallest register, in steps of 1/4096 of a state.
    """
    leaks = torch.round(DECAY_ONE * (1 - decay.detach().double()))
    leaks.clamp_(min=max(least, 1 if bool(leaks.any()) else 0))
    shares = (DECAY_ONE - leaks) / DECAY_ONE
    return float(shares.flatten()[0]) if bool((shares == shares.flatten()[0]).all()) else shares.float()


def _on_chip(
    keep_v: Constant, keep_u: Constant | None, vth: int | None, mantissa: Tensor | None, kind: type[Law] = Law
) -> Law:
    return kind(
        keep_v=keep_v,
        threshold=None if vth is None else vth * STATE_UNIT,
        keep_u=keep_u if isinstance(keep_u, Tensor) else keep_u or None,
        gain_u=STATE_UNIT,
        bias=None if mantissa is None else mantissa * 2**BIAS_EXP,
        arithmetic=INTEGERS,
    )


def _driven(law: Law, codes: Tensor | None) -> Law:
    """The law of neurons whose bias mantissas the host sets, ``(1 or T, *neurons)``."""
    if codes is None:
        return law
    values = codes * 2**BIAS_EXP
    return replace(law, bias=values[0]) if len(values) == 1 else replace(law, biases=values)


@dataclass(frozen=True, eq=False)
class Stepped:
    """What a layer on integers did.

    Attributes:
        spikes: 0 or 1, ``(T, B, *shape)``, with gradients; None for an integrator.
        membrane: after each step and before a reset, in float units, likewise; of an integrator after the reset that
            the chip makes above its largest threshold.
        active: updates of a sample that had something to do (an input, a state or a bias), ``(T, B)``.
        overflows: wraps and clips of a sample, int64, ``(T, B, 2)``.
        resets: where an integrator was reset, bool, ``(T, B, *shape)``; None where it cannot have been.
        states: registers after every step, int32, ``(T, B, *shape)``; None unless recorded.
    """

    spikes: Tensor | None
    membrane: Tensor
    active: Tensor
    overflows: Tensor
    resets: Tensor | None
    states: State | None


def step_integers(
    law: IntegerLaw,
    arriving: Tensor,
    timesteps: int,
    spike_grad: SpikeGrad,
    record: bool = False,
    most: float | None = None,
) -> Stepped:
    """Step a layer from rest in integers; spikes and membranes learn as the float counterpart does.

    Registers overflow as on the chip: currents wrap, potentials are clipped, an integrator above its largest threshold
    is reset. Gradients pass as if they had not.

    Args:
        arriving: whole numbers, ``(T or 1, B, *shape)``.
        record: also keep the registers of every step.
        most: a bound of the magnitude of ``arriving``, where one is known.
    """
    limits = Limits.of(law.chip, arriving, timesteps, most)
    chip, given = limits.law(law.chip, law.ceiling), limits.exact(arriving.detach())
    found: _Counted
    may_reset = limits.clips and law.ceiling is not None
    if record or limits.wraps or may_reset or not compiled.steps_on_integers(chip, given):
        found = _by_law(law, chip, given, timesteps, limits, record)
    else:
        steps, counts = compiled.step_integers(chip, given, timesteps, _unit(law.floats.gain_u), limits.clips)
        overflows = torch.zeros(*counts.shape[1:], 2, dtype=torch.int64)
        overflows[..., CLIPS] = counts[1].to(torch.int64)
        found = _Counted(steps, counts[0], overflows)
    spikes, membrane = through_time(law.floats, found.steps, arriving, spike_grad)
    return Stepped(spikes, membrane, found.active, found.overflows, found.resets, found.states)


@dataclass(frozen=True, eq=False)
class _Counted:
    """Steps in float units, and the counts of :class:`Stepped`."""

    steps: Steps
    active: Tensor
    overflows: Tensor
    resets: Tensor | None = None
    states: State | None = None


def _by_law(law: IntegerLaw, chip: Law, arriving: Tensor, timesteps: int, limits: Limits, record: bool) -> _Counted:
    """Step a layer in plain operations, whatever its registers do."""
    active = arriving.new_full((timesteps, arriving.shape[1]), float(arriving[0, 0].numel()), dtype=torch.float32)
    overflows = torch.zeros(*active.shape, 2, dtype=torch.int64, device=arriving.device)
    resets = None
    always = chip.bias is not None and bool((chip.bias != 0).all())
    us: list[Tensor] = []
    vs: list[Tensor] = []

    def observe(step: int, a: Tensor, before: State, after: State, potential: Tensor) -> None:
        if not always:
            active[step] = chip.at(step).busy(before, a).flatten(1).sum(1)
        limits.count(chip.at(step), overflows[step], a, before, after.u, potential)
        if record:
            us.append(after.u.to(torch.int32))
            vs.append(after.v.to(torch.int32))

    steps = step_plainly(chip, arriving, timesteps, observe)
    if law.ceiling is not None and steps.spikes is not None:
        resets = steps.spikes != 0
        steps.membranes.masked_fill_(resets, 0)
        steps = replace(steps, spikes=None)
    states = State(torch.stack(us), torch.stack(vs)) if record else None
    return _Counted(_in_floats(steps, law.floats.gain_u), active, overflows, resets, states)


def _unit(gain: Constant | None) -> float:
    """What 1 in a register is worth in float units."""
    assert isinstance(gain, float)
    return 1.0 / STATE_UNIT * gain


def _in_floats(steps: Steps, gain: Constant | None) -> Steps:
    """Steps in chip units as float32 in float units; whole numbers of a register stay exact on the way."""
    unit = _unit(gain)
    return Steps(
        spikes=None if steps.spikes is None else steps.spikes.float(),
        membranes=steps.membranes.float().mul_(unit),
        synaptics=None if steps.synaptics is None else steps.synaptics.float().mul_(unit),
    )
