"""Networks of sinabs, exported and imported by its own functions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import nir
import numpy as np
import sinabs.layers as sl
import torch
from sinabs.activation import MembraneReset, MembraneSubtract, SingleSpike
from sinabs.layers import StatefulLayer
from sinabs.nir import from_nir, to_nir
from torch import Tensor, nn

from . import nets
from .recording import Recorded, Variant, of_modules

PACKAGES = ("sinabs", "nirtorch", "nir", "torch", "numpy")


class Net(nn.Module):
    """One of the networks; values are ``(T, *shape)``, time in place of the batch."""

    def __init__(self, kind: str, neuron: str, reset: str, norm_input: bool) -> None:
        super().__init__()
        self.kind = kind
        resets = {"reset_fn": MembraneReset() if reset == "zero" else MembraneSubtract(), "spike_fn": SingleSpike}
        for name in nets.sizes(kind):
            tau = float(-1 / torch.log(torch.tensor(nets.KEEP[name])))
            common: dict[str, Any] = {**resets, "batch_size": 1, "min_v_mem": None}
            if kind == "recurrent" and name == "n0":
                loop = nn.Linear(nets.HIDDEN, nets.HIDDEN, bias=False)
                kinds = {"iaf": sl.IAFRecurrent, "lif": sl.LIFRecurrent}
                own = {} if neuron == "iaf" else {"tau_mem": tau, "norm_input": norm_input}
                layer = kinds[neuron](rec_connect=loop, **own, **resets)
            elif neuron == "iaf":
                layer = sl.IAFSqueeze(**common)
            else:
                layer = sl.LIFSqueeze(tau_mem=tau, norm_input=norm_input, **common)
            setattr(self, name, layer)
        gain = 0.25 if norm_input and neuron == "lif" else 1.0
        for name, value in nets.weights(kind, gain).items():
            if name == "conv":
                self.conv = nn.Conv2d(nets.IMAGE[0], nets.CHANNELS, 3, padding=1)
                self.conv.weight.data, self.pool, self.flatten = torch.from_numpy(value), sl.SumPool2d(2), nn.Flatten()
            elif name == "conv_bias":
                self.conv.bias.data = torch.from_numpy(value)
            elif name == "loop":
                self.n0.rec_connect.weight.data = torch.from_numpy(value)
            else:
                value = value / 4 if kind == "conv" else value
                setattr(self, name, nn.Linear(*value.shape[::-1], bias=False))
                getattr(self, name).weight.data = torch.from_numpy(value)

    def forward(self, x: Tensor) -> Tensor:
        if self.kind == "conv":
            return self.n1(self.fc1(self.flatten(self.pool(self.n0(self.conv(x))))))
        first = self.n0(self.fc0(x)[None])[0] if self.kind == "recurrent" else self.n0(self.fc0(x))
        second = self.n1(self.fc1(first))
        return self.n2(self.fc2(first + second)) if self.kind == "skip" else second


def variants() -> Iterator[Variant]:
    """Its neurons with the settings and resets that people use."""
    for neuron in ("lif", "iaf"):
        for reset in ("zero", "subtract"):
            name = "LIF" if neuron == "lif" else "IAF"
            made = {"neuron": neuron, "reset": reset, "norm_input": True}
            yield Variant(f"{name}, reset {'to zero' if reset == 'zero' else 'by subtraction'}", made, {"reset": reset})
    made = {"neuron": "lif", "reset": "subtract", "norm_input": False}
    yield Variant("LIF without norm_input", made, {"reset": "subtract", "producer": "sinabs-unnormed"})


def made(kind: str, variant: Variant) -> tuple[Any, Recorded]:
    """A graph from its exporter, and what its network computes."""
    net, frames = Net(kind, **variant.made), torch.from_numpy(nets.drive(kind))
    with torch.no_grad():
        spikes = of_modules(net, nets.layers(kind), lambda: net(frames))
        graph = to_nir(Net(kind, **variant.made), frames)
        for node in graph.nodes.values():  # which nir 1.0.4 cannot write as its exporter leaves them
            if isinstance(node, nir.Conv2d):
                node.input_shape = nets.IMAGE[1:]
            if isinstance(node, nir.Flatten):
                node.input_type = {"input": np.array([nets.CHANNELS, 4, 4])}
        return graph, {name: values.reshape(nets.STEPS, *nets.sizes(kind)[name]) for name, values in spikes.items()}


def read(path: str, kind: str, told: str) -> Recorded:
    """What its importer makes of a file, step by step, as its layers keep their states."""
    module = from_nir(nir.read(path), batch_size=1)
    for layer in module.modules():
        if told and isinstance(layer, StatefulLayer) and hasattr(layer, "spike_fn"):
            layer.spike_fn = SingleSpike
            layer.reset_fn = MembraneReset() if told == "zero" else MembraneSubtract()

    def run() -> None:
        state = None
        for x in torch.from_numpy(nets.drive(kind)):
            _, state = module(x[None], state)

    with torch.no_grad():
        return of_modules(module, nets.layers(kind), run)
