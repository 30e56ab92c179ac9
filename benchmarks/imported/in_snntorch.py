"""Networks in the forms that the tutorials of snnTorch teach, and some that people make of them."""

from __future__ import annotations

from itertools import pairwise

import snntorch as snn
import torch
from snntorch import spikegen, surrogate, utils
from torch import Tensor, nn
from torch.nn import functional as F

from .cases import Case

STEPS = 8
GRADIENT = surrogate.fast_sigmoid(slope=5)


class Tutorial3(nn.Module):
    """Feed-forward, the neurons of the tutorials' first network: decay given, reset by subtraction."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(64, 60)
        self.lif1 = snn.Leaky(beta=0.8)
        self.fc2 = nn.Linear(60, 10)
        self.lif2 = snn.Leaky(beta=0.8)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mem1 = self.lif1.reset_mem()
        mem2 = self.lif2.reset_mem()
        spk2_rec, mem2_rec = [], []
        for _ in range(STEPS):
            spk1, mem1 = self.lif1(self.fc1(x.flatten(1)), mem1)
            spk2, mem2 = self.lif2(self.fc2(spk1), mem2)
            spk2_rec.append(spk2)
            mem2_rec.append(mem2)
        return torch.stack(spk2_rec, dim=0), torch.stack(mem2_rec, dim=0)


class Tutorial5(nn.Module):
    """The same with init_leaky and a decay of 0.95, a step of the input given at each step of the loop."""

    def __init__(self, beta: float = 0.95) -> None:
        super().__init__()
        self.fc1 = nn.Linear(8, 64)
        self.lif1 = snn.Leaky(beta=beta, spike_grad=GRADIENT)
        self.fc2 = nn.Linear(64, 10)
        self.lif2 = snn.Leaky(beta=beta, spike_grad=GRADIENT)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mem1, mem2 = self.lif1.init_leaky(), self.lif2.init_leaky()
        spk_rec, mem_rec = [], []
        for step in range(x.size(0)):
            spk1, mem1 = self.lif1(self.fc1(x[step].flatten(1)), mem1)
            spk2, mem2 = self.lif2(self.fc2(spk1), mem2)
            spk_rec.append(spk2)
            mem_rec.append(mem2)
        return torch.stack(spk_rec), torch.stack(mem_rec)


def tutorial_6() -> nn.Sequential:
    """A convnet as a Sequential, hidden states kept, the loop outside."""
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1),
        nn.AvgPool2d(2),
        snn.Leaky(beta=0.5, spike_grad=GRADIENT, init_hidden=True),
        nn.Conv2d(8, 16, 3, padding=1),
        nn.AvgPool2d(2),
        snn.Leaky(beta=0.5, spike_grad=GRADIENT, init_hidden=True),
        nn.Flatten(),
        nn.Linear(64, 10),
        snn.Leaky(beta=0.5, spike_grad=GRADIENT, init_hidden=True, output=True),
    )


def tutorial_7() -> nn.Sequential:
    """A convnet on frames of events, as of N-MNIST, hidden states kept, the loop over frames outside."""
    settings = {"beta": 0.7, "spike_grad": GRADIENT, "init_hidden": True}
    return nn.Sequential(
        nn.Conv2d(1, 12, 3), nn.BatchNorm2d(12), nn.AvgPool2d(2), snn.Leaky(**settings),
        nn.Flatten(), nn.Linear(108, 10), snn.Leaky(output=True, **settings),
    )  # fmt: skip


class Tutorial4(nn.Module):
    """Second-order neurons, with a synaptic current that decays; the answer is the membrane potential."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(64, 60)
        self.lif1 = snn.Synaptic(alpha=0.6, beta=0.8, spike_grad=GRADIENT)
        self.fc2 = nn.Linear(60, 10)
        self.lif2 = snn.Leaky(beta=0.9, reset_mechanism="none")

    def forward(self, x: Tensor) -> Tensor:
        syn1, mem1 = self.lif1.init_synaptic()
        mem2 = self.lif2.init_leaky()
        for _ in range(STEPS):
            spk1, syn1, mem1 = self.lif1(self.fc1(x.flatten(1)), syn1, mem1)
            _, mem2 = self.lif2(self.fc2(spk1), mem2)
        return mem2


class Latency(nn.Module):
    """Input as latencies, made inside the forward pass."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(64, 80)
        self.lif1 = snn.Leaky(beta=0.9, spike_grad=GRADIENT)
        self.fc2 = nn.Linear(80, 10)
        self.lif2 = snn.Leaky(beta=0.9, spike_grad=GRADIENT)

    def forward(self, x: Tensor) -> Tensor:
        spikes = spikegen.latency(x.flatten(1), num_steps=STEPS, normalize=True, linear=True, clip=True)
        mem1, mem2, counts = self.lif1.init_leaky(), self.lif2.init_leaky(), 0
        for step in range(STEPS):
            spk1, mem1 = self.lif1(self.fc1(spikes[step]), mem1)
            spk2, mem2 = self.lif2(self.fc2(spk1), mem2)
            counts = counts + spk2
        return counts


class Layers(nn.Module):
    """Layers in ModuleLists, the states in lists, learnt thresholds, a learnt decay for each hidden neuron."""

    def __init__(self) -> None:
        super().__init__()
        sizes = (64, 24, 10)
        self.linears = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(sizes))
        self.neurons = nn.ModuleList(
            snn.Leaky(
                beta=torch.full((size,), 0.7) if size > 10 else 0.7, learn_beta=True, learn_threshold=True,
                spike_grad=GRADIENT, reset_mechanism="zero",
            )
            for size in sizes[1:]
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        states = [neuron.init_leaky() for neuron in self.neurons]
        out = []
        for _ in range(STEPS):
            spikes = x.flatten(1)
            for number, (linear, neuron) in enumerate(zip(self.linears, self.neurons, strict=True)):
                spikes, states[number] = neuron(linear(spikes), states[number])
            out.append(spikes)
        return torch.stack(out)


class Residual(nn.Module):
    """A small ResNet: batch norms, identity shortcuts of spikes and of currents, average pooling."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 12, 3, padding=1, bias=False), nn.BatchNorm2d(12))
        self.conv1 = nn.Sequential(nn.Conv2d(12, 12, 3, padding=1, bias=False), nn.BatchNorm2d(12))
        self.conv2 = nn.Sequential(nn.Conv2d(12, 12, 3, padding=1, bias=False), nn.BatchNorm2d(12))
        self.lif0, self.lif1, self.lif2, self.lif3 = (
            snn.Leaky(beta=0.5, spike_grad=GRADIENT, reset_mechanism="zero") for _ in range(4)
        )
        self.fc = nn.Linear(12 * 16, 10)

    def forward(self, x: Tensor) -> Tensor:
        mem0, mem1, mem2, mem3 = (each.init_leaky() for each in (self.lif0, self.lif1, self.lif2, self.lif3))
        counts = 0
        for _ in range(4):
            spk0, mem0 = self.lif0(self.stem(x), mem0)
            spk1, mem1 = self.lif1(self.conv1(spk0), mem1)
            spk2, mem2 = self.lif2(self.conv2(spk1) + spk0, mem2)
            spk3, mem3 = self.lif3(self.fc(F.avg_pool2d(spk2, 2).flatten(1)), mem3)
            counts = counts + spk3
        return counts


class Branches(nn.Module):
    """A one-dimensional convnet over the channels of a row, two branches of it concatenated."""

    def __init__(self) -> None:
        super().__init__()
        self.narrow, self.wide = nn.Conv1d(1, 6, 3, padding=1), nn.Conv1d(1, 6, 5, padding=2)
        self.lif1, self.lif2 = (snn.Leaky(beta=0.8, spike_grad=GRADIENT) for _ in range(2))
        self.fc = nn.Linear(12 * 8, 10)
        self.lif3 = snn.Leaky(beta=0.9, spike_grad=GRADIENT)

    def forward(self, x: Tensor) -> Tensor:
        mem1, mem2, mem3 = (each.init_leaky() for each in (self.lif1, self.lif2, self.lif3))
        out = []
        for row in x:
            row = row.reshape(len(row), 1, 8)
            spk1, mem1 = self.lif1(self.narrow(row), mem1)
            spk2, mem2 = self.lif2(self.wide(row), mem2)
            spk3, mem3 = self.lif3(self.fc(torch.cat((spk1, spk2), 1).flatten(1)), mem3)
            out.append(spk3)
        return torch.stack(out)


class Recurrent(nn.Module):
    """A layer that hears its own spikes."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(8, 48)
        self.lif1 = snn.RLeaky(
            beta=0.8,
            linear_features=48,
            spike_grad=GRADIENT,
            reset_mechanism="zero",
            reset_delay=False,
        )
        self.fc2 = nn.Linear(48, 10)
        self.lif2 = snn.Leaky(beta=0.9, spike_grad=GRADIENT, reset_mechanism="zero")

    def forward(self, x: Tensor) -> Tensor:
        spk1, mem1 = self.lif1.init_rleaky()
        mem2, out = self.lif2.init_leaky(), []
        for row in x:
            spk1, mem1 = self.lif1(self.fc1(row.flatten(1)), spk1, mem1)
            spk2, mem2 = self.lif2(self.fc2(spk1), mem2)
            out.append(spk2)
        return torch.stack(out)


class Population(Tutorial3):
    """The answer in a population of five outputs for each class."""

    def __init__(self) -> None:
        super().__init__()
        self.fc2 = nn.Linear(60, 50)


def _counts(module: nn.Module, x: Tensor) -> Tensor:
    return module(x)[0].sum(0)


def _rows(module: nn.Module, x: Tensor) -> Tensor:
    out = module(_time_first(x))
    return (out[0] if isinstance(out, tuple) else out).sum(0)


def _frames(module: nn.Module, x: Tensor) -> Tensor:
    utils.reset(module)
    return torch.stack([module(frame)[0] for frame in _time_first(x)]).sum(0)


def _first_frame(x: Tensor) -> Tensor:
    return x[:, 0]


def _as_it_is(module: nn.Module, x: Tensor) -> Tensor:
    return module(x)


def _time_first(x: Tensor) -> Tensor:
    return x.movedim(1, 0)


def _loop_outside(module: nn.Module, x: Tensor) -> Tensor:
    utils.reset(module)
    return torch.stack([module(x)[0] for _ in range(STEPS)]).sum(0)


def cases() -> list[Case]:
    """All networks of this module, untrained."""
    rows = {"takes": _time_first, "asked": {"encoding": "direct"}, "data": "rows", "epochs": 25, "rate": 5e-3}
    return [
        Case("tutorial 3", "reset by subtraction a step late, loop inside", Tutorial3(), _counts),
        Case("tutorial 4", "synaptic currents, membrane readout", Tutorial4(), _as_it_is),
        Case("tutorial 5", "a row at each step, x.size(0)", Tutorial5(), _rows, **rows),
        Case("tutorial 6", "Sequential, hidden states kept, loop outside", tutorial_6(), _loop_outside, rate=5e-3,
             asked={"timesteps": STEPS}),
        Case("latency", "spikegen inside", Latency(), _as_it_is),
        Case("layers", "ModuleLists, a learnt decay for each neuron", Layers(), lambda m, x: m(x).sum(0)),
        Case("residual", "identity shortcuts, batch norms", Residual(), _as_it_is),
        Case("branches", "Conv1d, concatenation", Branches(), _rows,
             **rows | {"data": "spikes", "asked": {"encoding": "events"}}),
        Case("recurrent", "RLeaky, all to all", Recurrent(), _rows,
             **rows | {"asked": {"encoding": "direct", "input_bits": 4}}),
        Case("tutorial 7", "frames of events, loop outside, batch norm", tutorial_7(), _frames, _first_frame,
             {"timesteps": 8, "encoding": "events"}, "frames"),
        Case("population", "five outputs for each class", Population(),
             lambda m, x: m(x)[0].sum(0).reshape(len(x), 10, 5).sum(2), asked={"classes": 10}),
    ]  # fmt: skip
