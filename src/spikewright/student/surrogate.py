"""A neuron layer through all its timesteps: forward by the law of its neurons, backward by a surrogate gradient.

What learning makes of the steps is the surrogate of snnTorch's module at each spike, the decays backwards in time, and
nothing through the spikes of a reset: one pass over a layer's ``(T, B, *shape)`` instead of a graph of small operations
for each step. The pass is one of compiled loops where they know the law (:mod:`.compiled`), else of plain operations
(:mod:`.plain_steps`).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ..chip.law import Law
from . import compiled
from .plain_steps import Past, SpikeGrad, Steps, learn_plainly, step_plainly


def stepped(law: Law, arriving: Tensor, timesteps: int) -> Steps:
    """Step a layer from rest in floating point, in the type of ``arriving``.

    Args:
        arriving: ``(T, B, *shape)``, or ``(1, B, *shape)`` for the same at every step.
    """
    if compiled.steps_in_floats(law, arriving):
        return compiled.step_floats(law, arriving, timesteps)
    return step_plainly(law, arriving, timesteps)


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
        ctx.spike_grad, ctx.gain, ctx.is_same = spike_grad, law.gain_u, current.shape[0] == 1
        ctx.law = type(law)
        ctx.set_materialize_grads(False)
        return (steps.membranes,) if steps.spikes is None else (steps.spikes, steps.membranes)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        keep_v, keep_u, threshold, bias, spikes, membranes, synaptics = ctx.saved_tensors
        past = Past(
            ctx.law,
            Steps(spikes, membranes, synaptics),
            keep_v,
            keep_u,
            threshold,
            bias,
            ctx.gain,
            ctx.is_same,
            ctx.spike_grad,
            wanted=tuple(ctx.needs_input_grad[3:]),
        )
        at_spikes = gradients[0] if spikes is not None else None
        learn = compiled.learn if compiled.learns(past) else learn_plainly
        return None, None, None, *learn(past, at_spikes, gradients[-1])
