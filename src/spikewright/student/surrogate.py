"""A neuron layer through all its timesteps: forward by the law of its neurons, backward by a surrogate gradient.

What learning makes of the steps is the surrogate of snnTorch's module at each spike, the decays backwards in time, and
nothing through the spikes of a reset: one pass over a layer's ``(T, B, *shape)`` instead of a graph of small operations
for each step.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..chip.law import Law, State

SpikeGrad = Callable[[Tensor], Tensor]
Observer = Callable[[int, Tensor, State, State, Tensor], None]
"""Called after each step with its index, what arrived, the state before and after, and the potential before the reset;
none of these is to be kept."""


@dataclass(frozen=True)
class Steps:
    """What a layer did, each tensor ``(T, B, *shape)`` without history.

    Attributes:
        spikes: 0 or 1; None for an integrator.
        membranes: after each step, before a reset.
        synaptics: synaptic currents after each step; None without a synaptic filter.
    """

    spikes: Tensor | None
    membranes: Tensor
    synaptics: Tensor | None


@torch.no_grad()
def stepped(law: Law, arriving: Tensor, timesteps: int, observe: Observer | None = None) -> Steps:
    """Step a layer from rest, in the type of ``arriving``.

    Args:
        arriving: ``(T, B, *shape)``, or ``(1, B, *shape)`` for the same at every step.
    """
    shape = (timesteps, *arriving.shape[1:])
    membranes = arriving.new_empty(shape)
    synaptics = None if law.keep_u is None else arriving.new_empty(shape)
    spikes = None if law.threshold is None else arriving.new_empty(shape)
    rest = arriving.new_zeros(shape[1:])
    state = State(rest, rest)
    for step in range(timesteps):
        now, a = law.at(step), arriving[step if arriving.shape[0] > 1 else 0]
        u = now.current(state.u, a, out=None if synaptics is None else synaptics[step])
        potential = v = now.potential(state.v, u, out=membranes[step])
        if spikes is not None:
            fired = now.fires(v)
            spikes[step].copy_(fired)
            v = now.reset(v, fired)
        before, state = state, State(u, v)
        if observe is not None:
            observe(step, a, before, state, potential)
    return Steps(spikes, membranes, synaptics)


def through_time(law: Law, steps: Steps, current: Tensor, spike_grad: SpikeGrad) -> tuple[Tensor | None, Tensor]:
    """Spikes and membranes of ``steps`` that carry gradients to what caused them.

    With ``g_t`` the gradient at a membrane: ``g_t = dL/dmem_t + dL/ds_t * surrogate'(mem_t - threshold)
    + keep_v * r_t * g_(t+1)``, where ``r_t`` is :meth:`Law.through_reset`, ``1 - s_t`` of a reset to zero and 1 of one
    by subtraction; behind a synaptic filter ``h_t = g_t + keep_u * h_(t+1)``, else ``h = g``;
    ``dL/da_t = gain_u * h_t``, ``dL/dbias = sum of g_t``. The spikes of a reset are held fixed, as snnTorch holds those
    of a late one. A threshold that is subtracted learns from that too: :meth:`Law.taken_off`.

    Args:
        law: what the steps stand for in float units; gradients reach its decays, its threshold and its bias. Its gain
            is a number.
        current: what arrived, ``(T or 1, B, *shape)``.
    """
    constants = (law.keep_v, law.keep_u, law.threshold, law.bias)
    found = _ThroughTime.apply(law, steps, spike_grad, current, *constants)  # type: ignore[no-untyped-call]
    return (None, found[0]) if steps.spikes is None else found


class _ThroughTime(torch.autograd.Function):
    """Identity on the steps; backpropagation through time."""

    @staticmethod
    def forward(
        ctx: Any, law: Law, steps: Steps, spike_grad: SpikeGrad, current: Tensor, *constants: Tensor | None
    ) -> tuple[Tensor, ...]:
        ctx.save_for_backward(*constants, steps.spikes, steps.membranes, steps.synaptics)
        ctx.spike_grad, ctx.gain, ctx.constant = spike_grad, law.gain_u, current.shape[0] == 1
        ctx.law = type(law)
        ctx.set_materialize_grads(False)
        return (steps.membranes,) if steps.spikes is None else (steps.spikes, steps.membranes)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        beta, alpha, threshold, bias, spikes, membranes, synaptics = ctx.saved_tensors
        learn_current, learn_beta, learn_alpha, learn_threshold, learn_bias = ctx.needs_input_grad[3:]
        at_spikes = gradients[0] if spikes is not None else None
        at_membranes = gradients[-1]
        to_threshold = to_beta = to_alpha = to_bias = None
        arriving = torch.zeros_like(membranes) if at_membranes is None else at_membranes.clone()
        if at_spikes is not None:
            with torch.enable_grad():  # type: ignore[no-untyped-call]
                distance = (membranes - threshold).detach().requires_grad_()
                (slopes,) = torch.autograd.grad(ctx.spike_grad(distance), distance, at_spikes)
            arriving += slopes
            to_threshold = -slopes.sum_to_size(threshold.shape) if learn_threshold else None
        taken_off = ctx.law.taken_off(spikes, beta) if learn_threshold and spikes is not None else None
        if taken_off is None and not (learn_current or learn_beta or learn_alpha or learn_bias):
            return None, None, None, None, None, None, to_threshold, None  # an encoder, fed by data
        alive = None if spikes is None else ctx.law.through_reset(spikes)
        to_current = _backwards(arriving, beta, alive)
        if taken_off is not None:
            through_reset = (arriving[1:] * taken_off[:-1]).sum_to_size(threshold.shape)
            to_threshold = -through_reset if to_threshold is None else to_threshold - through_reset
        if learn_beta:
            kept = membranes if spikes is None else ctx.law.left(membranes, spikes, threshold)
            to_beta = (arriving[1:] * kept[:-1]).sum_to_size(beta.shape)
        if alpha is not None and synaptics is not None:
            to_current = _backwards(arriving.clone(), alpha)
            if learn_alpha:
                to_alpha = (to_current[1:] * synaptics[:-1]).sum_to_size(alpha.shape)
        if bias is not None and learn_bias:
            to_bias = arriving.sum(0).sum_to_size(bias.shape)
        if ctx.gain is not None:
            to_current = to_current * ctx.gain
        if ctx.constant:
            to_current = to_current.sum(0, keepdim=True)
        return None, None, None, to_current, to_beta, to_alpha, to_threshold, to_bias


def _backwards(arriving: Tensor, decay: Tensor, alive: Tensor | None = None) -> Tensor:
    """``g_t = arriving_t + decay * alive_t * g_(t+1)``, backwards in time and in place."""
    for step in range(len(arriving) - 2, -1, -1):
        later = decay * arriving[step + 1]
        arriving[step].add_(later if alive is None else later.mul_(alive[step]))
    return arriving
