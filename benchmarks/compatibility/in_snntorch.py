"""Networks of snnTorch, exported and imported by its own functions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import nir
import snntorch as snn
import torch
from snntorch.export_nir import export_to_nir
from snntorch.import_nir import import_from_nir
from torch import Tensor, nn

from . import nets
from .recording import Recorded, Variant, of_modules

PACKAGES = ("snntorch", "nirtorch", "nir", "torch", "numpy")


class Net(nn.Module):
    """One of the networks, its neurons with states of their own."""

    def __init__(self, kind: str, reset: str, cell: str) -> None:
        super().__init__()
        self.kind = kind
        for name, shape in nets.sizes(kind).items():
            beta, threshold = torch.full(shape, nets.KEEP[name]), torch.full(shape, 1.0)
            given = {"threshold": threshold, "init_hidden": True, "reset_mechanism": reset}
            if kind == "recurrent" and name == "n0":
                loops: dict[str, Any] = {"all_to_all": True, "linear_features": nets.HIDDEN}
                if cell == "Synaptic":
                    layer = snn.RSynaptic(alpha=beta - 0.3, beta=beta, **given, **loops)
                else:
                    layer = snn.RLeaky(beta=beta, **given, **loops)
                layer.recurrent = nn.Linear(nets.HIDDEN, nets.HIDDEN, bias=False)
            elif cell == "Synaptic":
                layer = snn.Synaptic(alpha=beta - 0.3, beta=beta, **given)
            else:
                layer = snn.Leaky(beta=beta, **given)
            setattr(self, name, layer)
        weights = nets.weights(kind)
        if kind == "conv":
            self.conv = nn.Conv2d(nets.IMAGE[0], nets.CHANNELS, 3, padding=1)
            self.pool, self.flatten = nn.AvgPool2d(2), nn.Flatten()
        for name, value in weights.items():
            if name == "conv":
                self.conv.weight.data = torch.from_numpy(value)
            elif name == "conv_bias":
                self.conv.bias.data = torch.from_numpy(value)
            elif name == "loop":
                self.n0.recurrent.weight.data = torch.from_numpy(value)
            else:
                setattr(self, name, nn.Linear(*value.shape[::-1], bias=False))
                getattr(self, name).weight.data = torch.from_numpy(value)

    def forward(self, x: Tensor) -> Tensor:
        if self.kind == "conv":
            return self.n1(self.fc1(self.flatten(self.pool(self.n0(self.conv(x))))))
        first = self.n0(self.fc0(x))
        second = self.n1(self.fc1(first))
        return self.n2(self.fc2(first + second)) if self.kind == "skip" else second


def variants() -> Iterator[Variant]:
    """Its neurons with the settings and resets that people use."""
    for cell in ("Leaky", "Synaptic"):
        yield Variant(f"{cell}, reset to zero", {"reset": "zero", "cell": cell}, {"reset": "zero"})
        made = {"reset": "subtract", "cell": cell}
        yield Variant(f"{cell}, reset by subtraction, its default", made, {"reset": "subtract-late"})


def made(kind: str, variant: Variant) -> tuple[Any, Recorded]:
    """A graph from its exporter, and what its network computes."""
    net, frames = Net(kind, **variant.made).eval(), torch.from_numpy(nets.drive(kind))
    with torch.no_grad():
        spikes = of_modules(net, nets.layers(kind), lambda: [net(x[None]) for x in frames])
        graph = export_to_nir(Net(kind, **variant.made).eval(), frames[:1], ignore_dims=[0])
    return graph, spikes


def read(path: str, kind: str, told: str) -> Recorded:
    """What its importer makes of a file."""
    module = import_from_nir(nir.read(path))
    if told == "subtract-late":
        for name, own in [(name, own) for name, own in module.named_children() if isinstance(own, snn.Leaky)]:
            setattr(module, name, snn.Leaky(own.beta, own.threshold, init_hidden=True))

    def run() -> None:
        state = None
        for x in torch.from_numpy(nets.drive(kind)):
            _, state = module(x, state)

    with torch.no_grad():
        return of_modules(module, nets.layers(kind), run)
