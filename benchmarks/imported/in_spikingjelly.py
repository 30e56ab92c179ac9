"""Networks in the forms that SpikingJelly teaches."""

from __future__ import annotations

import torch
from spikingjelly.activation_based import functional, layer, neuron, surrogate
from torch import Tensor, nn

from .cases import Case

STEPS = 4


def many_steps() -> nn.Sequential:
    """A convnet in multi-step mode, time first, hard reset."""
    network = nn.Sequential(
        layer.Conv2d(1, 12, 3, padding=1, bias=False),
        layer.BatchNorm2d(12),
        neuron.LIFNode(tau=2.0, surrogate_function=surrogate.ATan()),
        layer.AvgPool2d(2),
        layer.Conv2d(12, 24, 3, padding=1, bias=False),
        layer.BatchNorm2d(24),
        neuron.LIFNode(tau=2.0, surrogate_function=surrogate.ATan()),
        layer.AvgPool2d(2),
        layer.Flatten(),
        layer.Linear(96, 10),
        neuron.LIFNode(tau=2.0, surrogate_function=surrogate.ATan()),
    )
    functional.set_step_mode(network, "m")
    return network


class Residual(nn.Module):
    """A SEW block: spikes of a branch are added to spikes that go around it; multi-step mode."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(layer.Conv2d(1, 12, 3, padding=1, bias=False), layer.BatchNorm2d(12), _lif())
        self.branch = nn.Sequential(layer.Conv2d(12, 12, 3, padding=1, bias=False), layer.BatchNorm2d(12), _lif())
        self.head = nn.Sequential(layer.AvgPool2d(2), layer.Flatten(), layer.Linear(192, 10), _lif())
        functional.set_step_mode(self, "m")

    def forward(self, x: Tensor) -> Tensor:
        spikes = self.stem(x)
        return self.head(self.branch(spikes) + spikes)


def _lif() -> nn.Module:
    return neuron.LIFNode(tau=2.0, surrogate_function=surrogate.ATan())


class OneStep(nn.Module):
    """An MLP in single-step mode, the loop outside, soft reset without leak."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            layer.Flatten(),
            layer.Linear(64, 80),
            neuron.IFNode(v_reset=None, surrogate_function=surrogate.ATan()),
            layer.Linear(80, 10),
            neuron.IFNode(v_reset=None, surrogate_function=surrogate.ATan()),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)


class Parametric(nn.Module):
    """Learnt time constants (PLIF), the input not multiplied by the decay, the loop inside."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = layer.Conv2d(1, 12, 3, padding=1)
        self.first = neuron.ParametricLIFNode(init_tau=2.0, decay_input=False, surrogate_function=surrogate.ATan())
        self.fc = layer.Linear(12 * 64, 10)
        self.second = neuron.ParametricLIFNode(init_tau=2.0, decay_input=False, surrogate_function=surrogate.ATan())

    def forward(self, x: Tensor) -> Tensor:
        return sum(self.second(self.fc(self.first(self.conv(x)).flatten(1))) for _ in range(STEPS))


def _repeated(x: Tensor) -> Tensor:
    return x.unsqueeze(0).repeat(STEPS, 1, 1, 1, 1)


def _many(module: nn.Module, x: Tensor) -> Tensor:
    functional.reset_net(module)
    return module(_repeated(x)).sum(0)


def _one(module: nn.Module, x: Tensor) -> Tensor:
    functional.reset_net(module)
    return torch.stack([module(x) for _ in range(8)]).sum(0)


def _inside(module: nn.Module, x: Tensor) -> Tensor:
    functional.reset_net(module)
    return module(x)


def cases() -> list[Case]:
    """All networks of this module, untrained."""
    return [
        Case(
            "many steps",
            "multi-step mode, hard reset, decayed input",
            many_steps(),
            _many,
            _repeated,
            asked={"encoding": "direct"},
        ),
        Case("residual", "SEW block, multi-step mode", Residual(), _many, _repeated, asked={"encoding": "direct"}),
        Case("one step", "IF, soft reset, loop outside", OneStep(), _one, asked={"timesteps": 8}),
        Case("parametric", "PLIF, loop inside", Parametric(), _inside),
    ]
