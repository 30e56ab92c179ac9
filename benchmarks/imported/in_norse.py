"""Networks of Norse: SequentialState with a loop outside, and cells with states handed round."""

from __future__ import annotations

import norse.torch as norse
import torch
from torch import Tensor, nn

from .cases import Case

STEPS = 16
PARAMETERS = norse.LIFBoxParameters(tau_mem_inv=torch.tensor(200.0), v_th=torch.tensor(0.4))


class Boxes(nn.Module):
    """Leaky cells without synaptic currents, states handed round in a loop inside."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(64, 80), nn.Linear(80, 10)
        self.lif1, self.lif2 = norse.LIFBoxCell(PARAMETERS), norse.LIFBoxCell(PARAMETERS)

    def forward(self, x: Tensor) -> Tensor:
        state1, state2, out = None, None, []
        for _ in range(STEPS):
            spikes, state1 = self.lif1(self.fc1(x.flatten(1)), state1)
            spikes, state2 = self.lif2(self.fc2(spikes), state2)
            out.append(spikes)
        return torch.stack(out)


class Currents(nn.Module):
    """Cells with synaptic currents, which arrive a step late in Norse."""

    def __init__(self) -> None:
        super().__init__()
        parameters = norse.LIFParameters(
            tau_mem_inv=torch.tensor(200.0), tau_syn_inv=torch.tensor(500.0), v_th=torch.tensor(0.4)
        )
        self.fc1, self.fc2 = nn.Linear(64, 80), nn.Linear(80, 10)
        self.lif1, self.lif2 = norse.LIFCell(parameters), norse.LIFCell(parameters)

    forward = Boxes.forward


def sequential() -> nn.Module:
    """A SequentialState of a convolution and a dense layer, the loop outside."""
    return norse.SequentialState(
        nn.Conv2d(1, 8, 3, padding=1), norse.LIFBoxCell(PARAMETERS), nn.Flatten(),
        nn.Linear(512, 10), norse.LIFBoxCell(PARAMETERS),
    )  # fmt: skip


def _outside(module: nn.Module, x: Tensor) -> Tensor:
    state, total = None, 0
    for _ in range(STEPS):
        spikes, state = module(x, state)
        total = total + spikes
    return total


def cases() -> list[Case]:
    """All networks of this module, untrained."""
    return [
        Case("boxes", "LIFBoxCell, states handed round", Boxes(), lambda m, x: m(x).sum(0)),
        Case("currents", "LIFCell, synaptic currents", Currents(), lambda m, x: m(x).sum(0)),
        Case("sequential", "SequentialState, loop outside", sequential(), _outside, asked={"timesteps": STEPS}),
    ]
