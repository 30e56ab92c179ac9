"""A neuron layer through all its timesteps and back in plain operations of torch, which the compiled loops repeat."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from ..chip.law import Constant, Law, State

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


class Gradients(NamedTuple):
    """Gradients at what caused the steps, in its shapes; None where there is none."""

    current: Tensor | None = None
    keep_v: Tensor | None = None
    keep_u: Tensor | None = None
    threshold: Tensor | None = None
    bias: Tensor | None = None


@dataclass(frozen=True, eq=False)
class Past:
    """What backpropagation through time begins with.

    Attributes:
        law: kind of the neurons' law.
        steps: what they did.
        keep_v: share of the membrane potential that a step leaves.
        keep_u: share of the synaptic current; None without a synaptic filter.
        threshold: None for an integrator.
        bias: None for none.
        gain: what an input of 1 adds to the current; None for 1.
        is_same: whether every step got the same input.
        spike_grad: the surrogate: a spike of the distance to the threshold.
        wanted: in the order of :class:`Gradients`, which are asked for.
    """

    law: type[Law]
    steps: Steps
    keep_v: Tensor
    keep_u: Tensor | None
    threshold: Tensor | None
    bias: Tensor | None
    gain: Constant | None
    is_same: bool
    spike_grad: SpikeGrad
    wanted: tuple[bool, ...]

    def slopes(self, at_spikes: Tensor) -> Tensor:
        """What the gradients at the spikes are at the membrane potentials, by the surrogate's own derivative."""
        with torch.enable_grad():  # type: ignore[no-untyped-call]
            distance = (self.steps.membranes - self.threshold).detach().requires_grad_()
            (found,) = torch.autograd.grad(self.spike_grad(distance), distance, at_spikes)
        return found


@torch.no_grad()
def step_plainly(law: Law, arriving: Tensor, timesteps: int, observe: Observer | None = None) -> Steps:
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


def learn_plainly(past: Past, at_spikes: Tensor | None, at_membranes: Tensor | None) -> Gradients:
    """Gradients from those at the spikes and at the membrane potentials; see :func:`.surrogate.through_time`."""
    steps, threshold = past.steps, past.threshold
    spikes, membranes = steps.spikes, steps.membranes
    to_current, *others, to_threshold, to_bias = past.wanted
    found = {}
    arriving = torch.zeros_like(membranes) if at_membranes is None else at_membranes.clone()
    from_slopes = from_reset = None
    if at_spikes is not None:
        slopes = past.slopes(at_spikes)
        arriving += slopes
        if to_threshold and threshold is not None:
            from_slopes = -slopes.sum_to_size(threshold.shape)
    taken_off = past.law.taken_off(spikes, past.keep_v) if to_threshold and spikes is not None else None
    if taken_off is None and not (to_current or to_bias or any(others)):
        return Gradients(threshold=from_slopes)  # an encoder, fed by data
    h = _backwards(arriving, past.keep_v, None if spikes is None else past.law.through_reset(spikes))
    if taken_off is not None and threshold is not None:
        from_reset = -(arriving[1:] * taken_off[:-1]).sum_to_size(threshold.shape)
    found["threshold"] = _sum(from_slopes, from_reset)
    if others[0]:
        assert spikes is None or threshold is not None
        kept = membranes if spikes is None or threshold is None else past.law.left(membranes, spikes, threshold)
        found["keep_v"] = (arriving[1:] * kept[:-1]).sum_to_size(past.keep_v.shape)
    if past.keep_u is not None and steps.synaptics is not None:
        h = _backwards(arriving.clone(), past.keep_u)
        if others[1]:
            found["keep_u"] = (h[1:] * steps.synaptics[:-1]).sum_to_size(past.keep_u.shape)
    if past.bias is not None and to_bias:
        found["bias"] = arriving.sum(0).sum_to_size(past.bias.shape)
    if past.gain is not None:
        h = h * past.gain
    return Gradients(current=h.sum(0, keepdim=True) if past.is_same else h, **found)


def _sum(one: Tensor | None, other: Tensor | None) -> Tensor | None:
    if one is None or other is None:
        return one if other is None else other
    return one + other


def _backwards(arriving: Tensor, decay: Tensor, alive: Tensor | None = None) -> Tensor:
    """``g_t = arriving_t + decay * alive_t * g_(t+1)``, backwards in time and in place."""
    for step in range(len(arriving) - 2, -1, -1):
        later = decay * arriving[step + 1]
        arriving[step].add_(later if alive is None else later.mul_(alive[step]))
    return arriving
