"""Networks of sinabs: time in the batch axis (Squeeze layers), and time as an axis of its own."""

from __future__ import annotations

import sinabs
import sinabs.layers as sl
from sinabs.activation import MembraneSubtract, SingleSpike
from torch import Tensor, nn

from .cases import Case

STEPS = 8


def squeezed() -> nn.Sequential:
    """A convnet of IAFSqueeze neurons, one spike a step at most, as for DynapCNN."""
    common = {"num_timesteps": STEPS, "spike_fn": SingleSpike, "reset_fn": MembraneSubtract(), "min_v_mem": None}
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1, bias=False), sl.IAFSqueeze(**common), nn.AvgPool2d(2),
        nn.Conv2d(8, 16, 3, padding=1, bias=False), sl.IAFSqueeze(**common), nn.AvgPool2d(2),
        nn.Flatten(), nn.Linear(64, 10, bias=False), sl.IAFSqueeze(**common),
    )  # fmt: skip


def leaky() -> nn.Sequential:
    """LIF neurons with time as the second axis."""
    return nn.Sequential(
        nn.Flatten(2), nn.Linear(64, 80), sl.LIF(tau_mem=5.0, spike_fn=SingleSpike, norm_input=False),
        nn.Linear(80, 10), sl.LIF(tau_mem=5.0, spike_fn=SingleSpike, norm_input=False),
    )  # fmt: skip


def _in_the_batch(x: Tensor) -> Tensor:
    return x.repeat_interleave(STEPS, 0)


def _second(x: Tensor) -> Tensor:
    return x.unsqueeze(1).repeat(1, STEPS, 1, 1, 1)


def _squeezed(module: nn.Module, x: Tensor) -> Tensor:
    sinabs.reset_states(module)
    return module(_in_the_batch(x)).reshape(len(x), STEPS, 10).sum(1)


def _leaky(module: nn.Module, x: Tensor) -> Tensor:
    sinabs.reset_states(module)
    return module(_second(x)).sum(1)


def cases() -> list[Case]:
    """All networks of this module, untrained."""
    return [
        Case(
            "squeezed",
            "IAFSqueeze, one spike a step",
            squeezed(),
            _squeezed,
            _in_the_batch,
            asked={"timesteps": STEPS, "encoding": "direct"},
        ),
        Case("leaky", "LIF, time as an axis", leaky(), _leaky, _second, asked={"encoding": "direct"}),
    ]
