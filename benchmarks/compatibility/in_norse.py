"""Networks of Norse, exported and imported by its own functions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import nir
import norse.torch as norse
import torch
from norse.torch.functional.reset import reset_subtract, reset_value
from norse.torch.utils.export_nir import to_nir
from norse.torch.utils.import_nir import from_nir
from torch import Tensor, nn

from . import nets
from .recording import Recorded, Variant, of_modules

PACKAGES = ("norse", "nirtorch", "nir", "torch", "numpy")
DT = 1e-3


class Net(nn.Module):
    """One of the networks, the states of its neurons handed round."""

    def __init__(self, kind: str, cell: str) -> None:
        super().__init__()
        self.kind, self.cell = kind, cell
        gain = 1.0 if cell == "lif" else 0.25
        for name, shape in nets.sizes(kind).items():
            rate, ones = torch.full(shape, (1 - nets.KEEP[name]) / DT), torch.ones(shape)
            if cell == "lif":
                parameters = norse.LIFParameters(
                    tau_mem_inv=rate, tau_syn_inv=500 * ones, v_leak=0 * ones, v_th=0.4 * ones
                )
                setattr(self, name, norse.LIFCell(parameters))
            else:
                box = norse.LIFBoxParameters(tau_mem_inv=rate, v_leak=0 * ones, v_th=ones)
                setattr(self, name, norse.LIFBoxCell(box))
        for name, value in nets.weights(kind, gain).items():
            if name == "conv":
                self.conv = nn.Conv2d(nets.IMAGE[0], nets.CHANNELS, 3, padding=1)
                self.conv.weight.data, self.pool, self.flatten = torch.from_numpy(value), nn.AvgPool2d(2), nn.Flatten()
            elif name == "conv_bias":
                self.conv.bias.data = torch.from_numpy(value)
            else:
                setattr(self, name, nn.Linear(*value.shape[::-1], bias=False))
                getattr(self, name).weight.data = torch.from_numpy(value)

    def forward(self, x: Tensor, state: Any = None) -> Any:
        s = [None] * 4 if state is None else state
        if self.kind == "conv":
            first, s[0] = self.n0(self.conv(x), s[0])
            second, s[1] = self.n1(self.fc1(self.flatten(self.pool(first))), s[1])
            return second, s
        arriving = self.fc0(x)
        if self.kind == "recurrent":
            arriving = arriving + self.loop(torch.zeros_like(arriving) if s[3] is None else s[3])
        first, s[0] = self.n0(arriving, s[0])
        s[3] = first
        second, s[1] = self.n1(self.fc1(first), s[1])
        if self.kind == "skip":
            second, s[2] = self.n2(self.fc2(first + second), s[2])
        return second, s


def variants() -> Iterator[Variant]:
    """Its neurons with the settings and resets that people use."""
    yield Variant("LIFBoxCell", {"cell": "box"})
    yield Variant("LIFCell", {"cell": "lif"})


def made(kind: str, variant: Variant) -> tuple[Any, Recorded]:
    """A graph from its exporter, and what its network computes."""
    net = Net(kind, variant.made["cell"])
    frames = torch.from_numpy(nets.drive(kind))

    def run() -> None:
        state = None
        for x in frames:
            _, state = net(x[None], state)

    with torch.no_grad():
        spikes = of_modules(net, nets.layers(kind), run)
        return to_nir(Net(kind, variant.made["cell"]), frames[:1]), spikes


TOLD = {"zero": reset_value, "subtract": reset_subtract}


def read(path: str, kind: str, told: str) -> Recorded:
    """What its importer makes of a file."""
    module = from_nir(nir.read(path), reset_method=TOLD.get(told, reset_value))

    def run() -> None:
        state = None
        for x in torch.from_numpy(nets.drive(kind)):
            _, state = module(x, state)

    with torch.no_grad():
        return of_modules(module, nets.layers(kind), run)
