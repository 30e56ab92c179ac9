"""Neurons that feed themselves (`snn.RLeaky`, `snn.RSynaptic`), step by step."""

from __future__ import annotations

from typing import Any

import snntorch as snn
import torch
from torch import Tensor, nn

from ..chip.law import Law, State

RECURRENT = (snn.RLeaky, snn.RSynaptic)
"""Neurons with weights from each layer to itself."""


def is_recurrent(module: nn.Module) -> bool:
    """Whether a layer of neurons feeds itself."""
    return isinstance(module, RECURRENT)


def step_by_step(law: Law, module: Any, current: Tensor, timesteps: int) -> tuple[Tensor, Tensor | None, Tensor]:
    """Step neurons that hear their own spikes of the step before; what arrived, their spikes and their membranes.

    ``a(t) = I(t) + V(s(t-1))``; at the first step the spikes before it are zeros, and a bias of V is there. Gradients
    pass through the loop, and not through the reset.

    Args:
        current: ``(T or 1, B, *shape)``.
    """
    rest = current.new_zeros(current.shape[1:])
    state, heard = State(rest, rest), rest
    found: list[tuple[Tensor, Tensor, Tensor]] = []
    for step in range(timesteps):
        arriving = current[step if len(current) > 1 else 0] + module.recurrent(heard)
        made = law.step(state, arriving)
        state = made.state
        if law.threshold is not None:  # the surrogate gives float32 whatever it gets
            heard = module.spike_grad(made.potential - law.threshold).to(current)
        found.append((arriving, heard, made.potential))
    arrived, spikes, membranes = (torch.stack(each) for each in zip(*found, strict=True))
    return arrived, None if law.threshold is None else spikes, membranes
