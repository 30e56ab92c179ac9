"""Networks of SpikingJelly, exported and imported by its own functions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from spikingjelly.activation_based import functional, layer, neuron
from spikingjelly.activation_based.nir_exchange.from_nir import import_from_nir
from spikingjelly.activation_based.nir_exchange.to_nir import export_to_nir
from torch import Tensor, nn

from . import nets
from .recording import Recorded, Variant, of_modules

PACKAGES = ("spikingjelly", "nirtorch", "nir", "torch", "numpy")


class Net(nn.Module):
    """One of the networks, step by step."""

    def __init__(self, kind: str, cell: str, decay_input: bool) -> None:
        super().__init__()
        self.kind = kind
        for name in nets.sizes(kind):
            tau = 1 / (1 - nets.KEEP[name])
            own = neuron.IFNode() if cell == "if" else neuron.LIFNode(tau=tau, decay_input=decay_input)
            if kind == "recurrent" and name == "n0":
                own = layer.LinearRecurrentContainer(own, nets.HIDDEN, nets.HIDDEN, bias=False)
            setattr(self, name, own)
        gain = 0.25 if decay_input and cell == "lif" else 1.0
        for name, value in nets.weights(kind, gain).items():
            if name == "conv":
                self.conv = layer.Conv2d(nets.IMAGE[0], nets.CHANNELS, 3, padding=1)
                self.conv.weight.data = torch.from_numpy(value)
                self.pool, self.flatten = layer.AvgPool2d(2), layer.Flatten()
            elif name == "conv_bias":
                self.conv.bias.data = torch.from_numpy(value)
            elif name == "loop":
                self.n0.rc.weight.data = torch.cat([torch.eye(nets.HIDDEN), torch.from_numpy(value)], 1)
            else:
                setattr(self, name, layer.Linear(*value.shape[::-1], bias=False))
                getattr(self, name).weight.data = torch.from_numpy(value)

    def forward(self, x: Tensor) -> Tensor:
        if self.kind == "conv":
            return self.n1(self.fc1(self.flatten(self.pool(self.n0(self.conv(x))))))
        first = self.n0(self.fc0(x))
        second = self.n1(self.fc1(first))
        return self.n2(self.fc2(first + second)) if self.kind == "skip" else second


def variants() -> Iterator[Variant]:
    """Its neurons with the settings and resets that people use."""
    for dt in (1e-4, 1e-3):
        for decay_input in (True, False):
            says = f"LIFNode, dt = {dt:g}, decay_input={decay_input}"
            yield Variant(says, {"cell": "lif", "decay_input": decay_input, "dt": dt}, {"dt_s": dt})
    yield Variant("IFNode", {"cell": "if", "decay_input": True, "dt": 1e-4})


def made(kind: str, variant: Variant) -> tuple[Any, Recorded]:
    """A graph from its exporter, and what its network computes."""
    asked = {name: variant.made[name] for name in ("cell", "decay_input")}
    net, frames = Net(kind, **asked), torch.from_numpy(nets.drive(kind))
    with torch.no_grad():
        spikes = of_modules(net, nets.layers(kind), lambda: [net(x[None]) for x in frames])
        functional.reset_net(net)
        return export_to_nir(Net(kind, **asked), frames[:1], dt=variant.made["dt"]), spikes


def read(path: str, kind: str, told: str) -> Recorded:
    """What its importer makes of a file."""
    module = import_from_nir(path)
    for each in module.modules():
        if told == "subtract" and isinstance(each, neuron.BaseNode):
            each.v_reset = None

    def run() -> None:
        state = None
        for x in torch.from_numpy(nets.drive(kind)):
            _, state = module(x[None], state)

    with torch.no_grad():
        return of_modules(module, nets.layers(kind), run)
