"""Networks of Rockpool, exported and imported by its own functions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import nir
import numpy as np
import torch
from rockpool.nn.combinators import Residual, Sequential
from rockpool.nn.modules import LIFNeuronTorch, LIFTorch, LinearTorch
from rockpool.nn.modules.torch.nir import from_nir, to_nir

from . import nets
from .recording import Recorded, Variant, of_modules

PACKAGES = ("rockpool", "nirtorch", "nir", "torch", "numpy")
DT = 1e-3
CELLS = LIFTorch, LIFNeuronTorch


def network(kind: str, cell: str, several: bool) -> Any:
    """One of the networks; its neurons are called 1_..., 3_... by Rockpool."""
    gain = 1.0 if cell == "neuron" else 2.0
    found: list[Any] = []
    weights = nets.weights(kind, gain)
    for name, shape in nets.sizes(kind).items():
        linear = LinearTorch(
            weights["fc" + name[1:]].T.shape, weight=torch.from_numpy(weights["fc" + name[1:]].T.copy())
        )
        tau = float(-DT / np.log(nets.KEEP[name]))
        asked = {
            "shape": shape,
            "dt": DT,
            "tau_mem": torch.full(shape, tau),
            "max_spikes_per_dt": 2**16 if several else 1,
        }
        if cell == "neuron":
            layer = LIFNeuronTorch(**asked)
        else:
            loop = (
                {"has_rec": True, "w_rec": torch.from_numpy(weights["loop"].T)}
                if kind == "recurrent" and name == "n0"
                else {}
            )
            layer = LIFTorch(**asked, tau_syn=torch.full((*shape, 1), 2 * DT), **loop)
        found.append(Sequential(linear, layer))
    if kind == "skip":
        return Sequential(*found[0], Residual(*found[1]), *found[2])
    return Sequential(*[each for part in found for each in part])


def variants() -> Iterator[Variant]:
    """Its neurons with the settings and resets that people use."""
    yield Variant("LIFTorch, one spike a step", {"cell": "filtered", "several": False})
    yield Variant("LIFTorch, several spikes a step, its default", {"cell": "filtered", "several": True})
    yield Variant("LIFNeuronTorch", {"cell": "neuron", "several": False})


def made(kind: str, variant: Variant) -> tuple[Any, Recorded]:
    """A graph from its exporter, and what its network computes."""
    if kind == "conv":
        raise NotImplementedError("Rockpool has no convolutions for torch")
    if kind == "recurrent" and variant.made["cell"] == "neuron":
        raise NotImplementedError("LIFNeuronTorch has no recurrent weights")
    net = network(kind, **variant.made)
    names = [name for name, each in net.named_modules() if isinstance(each, CELLS)]
    with torch.no_grad():
        spikes = of_modules(net, names, lambda: net(torch.from_numpy(nets.drive(kind)[None])))
    graph = to_nir(network(kind, **variant.made))
    return graph, {name: spikes[own][0, 0] for name, own in zip(nets.layers(kind), names, strict=True)}


def read(path: str, kind: str, told: str) -> Recorded:
    """What its importer makes of a file, step by step, as its layers keep their states."""
    module = from_nir(nir.read(path))
    for each in module.modules():
        if told and isinstance(each, CELLS):
            each.max_spikes_per_dt = torch.tensor(1.0)

    def run() -> None:
        state = None
        for x in torch.from_numpy(nets.drive(kind)):
            _, state = module(x[None, None], state)

    with torch.no_grad():
        return of_modules(module, nets.layers(kind), run)
