"""The gradient of a neuron layer through all its time steps at once, whatever computed the steps.

The forward pass (in floats, or in a chip's integers) is done elsewhere; here is what learning makes of it: the
surrogate of snnTorch's module at each spike, the decays backwards in time, and nothing through the reset. One pass over
a layer's ``(T, B, *shape)`` instead of a graph of small operations for each step.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

SpikeGrad = Callable[[Tensor], Tensor]


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


def through_time(
    steps: Steps,
    current: Tensor,
    beta: Tensor,
    alpha: Tensor | None,
    threshold: Tensor | None,
    spike_grad: SpikeGrad,
    gain: float = 1.0,
    bias: Tensor | None = None,
) -> tuple[Tensor | None, Tensor]:
    """Spikes and membranes of ``steps`` that carry gradients to what caused them.

    With ``g_t`` the gradient at a membrane: ``g_t = dL/dmem_t + dL/ds_t * surrogate'(mem_t - threshold)
    + beta * (1 - s_t) * g_(t+1)``; behind a synaptic filter ``h_t = g_t + alpha * h_(t+1)``, else ``h = g``;
    ``dL/dI_t = gain * h_t``.

    Args:
        current: what arrived, ``(T or 1, B, *shape)``, in units of which one is ``gain`` of the membrane's.
        beta: membrane decay, a scalar or per neuron.
        alpha: decay of the synaptic current, None without one.
        threshold: None for an integrator.
        spike_grad: snnTorch's surrogate.
        gain: see ``current``.
        bias: what the steps added to the current at every step, in the membrane's units, ``(*shape)`` or broadcast.
    """
    if threshold is None or steps.spikes is None:
        (membranes,) = _ThroughTime.apply(current, beta, alpha, None, bias, steps, spike_grad, gain)  # type: ignore[no-untyped-call]
        return None, membranes
    spikes, membranes = _ThroughTime.apply(current, beta, alpha, threshold, bias, steps, spike_grad, gain)  # type: ignore[no-untyped-call]
    return spikes, membranes


class _ThroughTime(torch.autograd.Function):
    """Identity on the steps; backpropagation through time."""

    @staticmethod
    def forward(
        ctx: Any,
        current: Tensor,
        beta: Tensor,
        alpha: Tensor | None,
        threshold: Tensor | None,
        bias: Tensor | None,
        steps: Steps,
        spike_grad: SpikeGrad,
        gain: float,
    ) -> tuple[Tensor, ...]:
        ctx.save_for_backward(beta, alpha, threshold, bias, steps.spikes, steps.membranes, steps.synaptics)
        ctx.spike_grad, ctx.gain, ctx.constant = spike_grad, gain, current.shape[0] == 1
        ctx.set_materialize_grads(False)
        return (steps.membranes,) if steps.spikes is None else (steps.spikes, steps.membranes)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        beta, alpha, threshold, bias, spikes, membranes, synaptics = ctx.saved_tensors
        at_spikes = gradients[0] if spikes is not None else None
        at_membranes = gradients[-1]
        to_threshold = None
        arriving = torch.zeros_like(membranes) if at_membranes is None else at_membranes.clone()
        if at_spikes is not None:
            slopes = _surrogate(ctx.spike_grad, membranes - threshold, at_spikes)
            arriving += slopes
            to_threshold = -slopes.sum_to_size(threshold.shape) if ctx.needs_input_grad[3] else None
        if not any(ctx.needs_input_grad[i] for i in (0, 1, 2, 4)):  # an encoder, fed by data
            return None, None, None, to_threshold, None, None, None, None
        alive = None if spikes is None else 1.0 - spikes
        to_current = _membranes_to_currents(arriving, beta, alive)
        to_beta = to_alpha = to_bias = None
        if ctx.needs_input_grad[1]:
            kept = membranes if alive is None else membranes * alive
            to_beta = (arriving[1:] * kept[:-1]).sum_to_size(beta.shape)
        if alpha is not None and synaptics is not None:
            to_current = _through_filter(arriving, alpha)
            if ctx.needs_input_grad[2]:
                to_alpha = (to_current[1:] * synaptics[:-1]).sum_to_size(alpha.shape)
        if bias is not None and ctx.needs_input_grad[4]:
            to_bias = arriving.sum(0).sum_to_size(bias.shape)
        if ctx.gain != 1.0:
            to_current = to_current * ctx.gain
        if ctx.constant:
            to_current = to_current.sum(0, keepdim=True)
        return to_current, to_beta, to_alpha, to_threshold, to_bias, None, None, None


def _surrogate(spike_grad: SpikeGrad, distance: Tensor, at_spikes: Tensor) -> Tensor:
    """``dL/ds * surrogate'(distance)``, by the surrogate's own backward pass."""
    with torch.enable_grad():  # type: ignore[no-untyped-call]
        distance = distance.detach().requires_grad_()
        (slopes,) = torch.autograd.grad(spike_grad(distance), distance, at_spikes)
    return slopes


def _membranes_to_currents(arriving: Tensor, beta: Tensor, alive: Tensor | None) -> Tensor:
    """``g_t = arriving_t + beta * alive_t * g_(t+1)``, backwards in time and in place."""
    for step in range(len(arriving) - 2, -1, -1):
        later = beta * arriving[step + 1]
        arriving[step].add_(later if alive is None else later.mul_(alive[step]))
    return arriving


def _through_filter(arriving: Tensor, alpha: Tensor) -> Tensor:
    """``h_t = g_t + alpha * h_(t+1)``, backwards in time."""
    filtered = arriving.clone()
    for step in range(len(arriving) - 2, -1, -1):
        filtered[step].add_(alpha * filtered[step + 1])
    return filtered
