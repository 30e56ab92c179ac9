"""Networks of Spyx, exported by its own function; it does not read what is written for others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jax.numpy as jnp
import numpy as np
from flax import nnx
from spyx.nir import to_nir
from spyx.nn import IF, LIF, RLIF, CuBaLIF, Flatten, Sequential, SumPool

from . import nets
from .recording import Recorded, Variant

PACKAGES = ("spyx", "nir", "jax", "numpy")


def network(kind: str, cell: str) -> Any:
    """One of the networks; images have their channels last."""
    rngs, found, weights = nnx.Rngs(0), [], nets.weights(kind, 1.0 if cell != "cuba" else 3.0)
    for name, shape in nets.sizes(kind).items():
        if kind == "conv" and name == "n0":
            conv = nnx.Conv(nets.IMAGE[0], nets.CHANNELS, (3, 3), padding=[(1, 1), (1, 1)], rngs=rngs)
            conv.kernel[...], conv.bias[...] = weights["conv"].transpose(2, 3, 1, 0), weights["conv_bias"]
            found.append(conv)
        else:
            value = weights["fc" + name[1:]] / (4 if kind == "conv" else 1)
            linear = nnx.Linear(*value.shape[::-1], use_bias=False, rngs=rngs)
            linear.kernel[...] = value.T
            found.append(linear)
        own = shape if len(shape) == 1 else (*shape[1:], shape[0])
        if kind == "recurrent" and name == "n0":
            layer = RLIF(own, beta=nets.KEEP[name], rngs=rngs)
            layer.recurrent_w[...] = weights["loop"].T
        elif cell == "if":
            layer = IF(own)
        elif cell == "cuba":
            layer = CuBaLIF(own, alpha=0.5, beta=nets.KEEP[name], rngs=rngs)
        else:
            layer = LIF(own, beta=nets.KEEP[name], rngs=rngs)
        found.append(layer)
        if kind == "conv" and name == "n0":
            found += [SumPool((2, 2), (2, 2), "VALID", channel_axis=-1), Flatten()]
    return Sequential(*found)


def variants() -> Iterator[Variant]:
    """Its neurons with the settings and resets that people use."""
    yield Variant("LIF", {"cell": "lif"})
    yield Variant("IF", {"cell": "if"})
    yield Variant("CuBaLIF", {"cell": "cuba"})


def made(kind: str, variant: Variant) -> tuple[Any, Recorded]:
    """A graph from its exporter, and what its network computes."""
    if kind == "skip":
        raise NotImplementedError("Spyx exports layers in a row alone")
    if kind == "recurrent" and variant.made["cell"] != "lif":
        raise NotImplementedError("only RLIF was tried")
    net = network(kind, variant.made["cell"])
    shape = nets.IMAGE if kind == "conv" else (nets.INPUTS,)
    graph = to_nir(net, {"input": np.array(shape)}, {"output": np.array([nets.OUTPUTS])})
    state, found = net.initial_state(1), {name: [] for name in nets.layers(kind)}
    for x in nets.drive(kind):
        value, before, state = jnp.asarray(x[None].transpose(0, 2, 3, 1) if kind == "conv" else x[None]), state, []
        names = iter(nets.layers(kind))
        for layer, own in zip(net.layers, before, strict=True):
            value, after = (layer(value), None) if own is None else layer(value, own)
            state.append(after)
            if own is not None:
                found[next(names)].append(np.asarray(value))
    steps = {name: np.stack(values)[:, 0] for name, values in found.items()}
    return graph, {name: each.transpose(0, 3, 1, 2) if each.ndim == 4 else each for name, each in steps.items()}
