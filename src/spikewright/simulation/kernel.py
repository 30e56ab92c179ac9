"""The neurons of one population stepped in time for many samples: the law in place, in float64."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import prod

import torch
from torch import Tensor

from ..base.types import Drive
from ..chip.activity import Overflows
from ..chip.law import INT32_LIMIT, STATE_LIMIT, Law, State, largest
from ..chip.network import Neuron
from ..chip.neuron_models import law_of
from ..chip.registers import STATE_UNIT
from .recording import Tally


@dataclass(frozen=True, eq=False)
class Rules:
    """The law of one population, and which of its rare limits can apply at all.

    Attributes:
        law: of the population, float64; its bias has the shape ``(1 or samples, *population shape)``, and one that is
            set anew for each step ``(timesteps, samples, *population shape)``.
        timesteps: T.
        may_wrap: whether a current could leave its 24 bits.
        may_clip: whether a membrane potential could.
        may_overflow: whether a sum could leave 32 bits.
        fires: whether a spike is an output; else it is a readout's that overflowed.
    """

    law: Law
    timesteps: int
    may_wrap: bool
    may_clip: bool
    may_overflow: bool
    fires: bool = True

    @staticmethod
    def of(neuron: Neuron, bias: Drive, timesteps: int, peak: float) -> Rules:
        """Rules of ``neuron`` with these bias mantissas, given the largest absolute synaptic input of a step."""
        law = law_of(neuron, bias)
        biases = law.bias if law.biases is None else law.biases
        largest_bias = 0.0 if biases is None else largest(biases)
        largest_u = peak * STATE_UNIT * (1 if law.keep_u is None else timesteps)
        largest_sum = law.reach * STATE_LIMIT + largest_u + largest_bias
        return Rules(
            law=law,
            timesteps=timesteps,
            may_wrap=largest_u >= STATE_LIMIT,
            may_clip=law.reach * timesteps * (largest_u + largest_bias) >= STATE_LIMIT,
            may_overflow=largest_sum >= INT32_LIMIT,
            fires=neuron.fires,
        )


@dataclass(frozen=True, eq=False)
class KernelTrace:
    """The result of one population over all steps.

    Attributes:
        spikes: float32 of 0 and 1, shape ``(timesteps, samples, *population shape)``.
        last_v: membrane potentials after the last step, float64, shape ``(samples, *population shape)``.
        tally: counts.
        active: active updates of each step and sample, int64, ``(timesteps, samples)``.
        u: currents of every step, float64; no steps unless recorded.
        v: membrane potentials of every step, after the reset, float64; no steps unless recorded.
    """

    spikes: Tensor
    last_v: Tensor
    tally: Tally
    active: Tensor
    u: Tensor
    v: Tensor


class Buffers:
    """Memory that one population keeps between batches: allocating it anew costs more than the arithmetic in it."""

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
) -> KernelTrace:
    """Step a population from rest through all its steps.

    Args:
        rules: of the population.
        arriving: synaptic input, shape ``(timesteps or 1, samples, *population shape)``; 1 means the same every step.
        feedback: synaptic input that the spikes of the step before cause, for a population connected to itself.
        record_states: also keep currents and membrane potentials.
        buffers: memory to work in; the trace then lives until the same buffers are used again.
    """
    buffers = buffers or Buffers()
    # A neuron model that integrates otherwise steps by its own methods.
    is_lavas = (Law.current, Law.potential) == (type(rules.law).current, type(rules.law).potential)
    update = _update if is_lavas else _update_by_law
    shape, steps = arriving.shape[1:], rules.timesteps
    kept = steps if record_states else 0
    spikes = buffers.take("spikes", (steps, *shape), torch.float32)
    us, vs = (buffers.take(what, (kept, *shape), torch.float64) for what in ("u of all steps", "v of all steps"))
    u, v = (buffers.take(what, shape, torch.float64).zero_() for what in ("u", "v"))
    active, wraps, saturations = torch.empty((steps, shape[0]), dtype=torch.int64), 0, 0
    for t in range(steps):
        law, a = rules.law.at(t), arriving[t if len(arriving) > 1 else 0]
        if feedback is not None and t:
            a = a + feedback(spikes[t - 1])
        active[t] = law.busy(State(u, v), a).flatten(1).sum(1)
        wrapped, saturated = update(rules, law, u, v, a)
        wraps, saturations = wraps + wrapped, saturations + saturated
        fired = law.fires(v, out=buffers.take("fired", shape, torch.bool))
        law.reset_(v, fired)
        spikes[t].copy_(fired)
        if record_states:
            us[t], vs[t] = u, v
    resets = 0 if rules.fires else int(torch.count_nonzero(spikes))
    tally = Tally(int(active.sum()), Overflows(wraps, saturations, resets))
    return KernelTrace(spikes, v, tally, active, us, vs)


def _update(rules: Rules, law: Law, u: Tensor, v: Tensor, a: Tensor) -> tuple[int, int]:
    """:meth:`Law.current` and :meth:`Law.potential` in place, without the limits that cannot apply.

    Returns:
        how many neurons wrapped and how many saturated.
    """
    wraps = saturations = 0
    if law.keep_u is None:
        torch.mul(a, STATE_UNIT, out=u)
    else:
        u.mul_(law.keep_u).trunc_().add_(a, alpha=STATE_UNIT)
    if rules.may_overflow:
        _wrap_int32(u)
    if rules.may_wrap:
        wraps = _wrap_once(u)
    owed = law.owed(v)
    v.mul_(law.keep_v).trunc_().add_(u)
    if law.bias is not None:
        v.add_(law.bias)
    if owed is not None:
        v.sub_(owed)
    if rules.may_overflow:
        _wrap_int32(v)
    if rules.may_clip and largest(v) >= STATE_LIMIT:
        saturations = int(torch.count_nonzero(v.abs() >= STATE_LIMIT))
        v.clamp_(-STATE_LIMIT + 1, STATE_LIMIT - 1)
    return wraps, saturations


def _update_by_law(_: Rules, law: Law, u: Tensor, v: Tensor, a: Tensor) -> tuple[int, int]:
    """The law's own methods; what they change against the same without limits was wrapped or clipped."""
    free = replace(law, arithmetic=replace(law.arithmetic, wraps=False, saturates=False))
    current = law.current(u, a)
    wraps = int(torch.count_nonzero(current != free.current(u, a)))
    potential = law.potential(v, current)
    saturations = int(torch.count_nonzero(potential != free.potential(v, current)))
    u.copy_(current)
    v.copy_(potential)
    return wraps, saturations


def _wrap_once(u: Tensor) -> int:
    """Bring currents outside ``(-2^23, 2^23]`` one period of 2^24 back, in place; returns how many there were."""
    if largest(u) < STATE_LIMIT:
        return 0
    over, under = u > STATE_LIMIT, u <= -STATE_LIMIT
    u.add_(under.to(u.dtype) - over.to(u.dtype), alpha=2 * STATE_LIMIT)
    return int(torch.count_nonzero(over) + torch.count_nonzero(under))


def _wrap_int32(x: Tensor) -> None:
    x.add_(INT32_LIMIT).remainder_(2 * INT32_LIMIT).sub_(INT32_LIMIT)
