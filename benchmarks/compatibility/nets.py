"""The small networks that every tool is asked to compute: weights, constants and inputs, in numpy alone."""

from __future__ import annotations

from typing import Any

import numpy as np

KINDS = ("mlp", "recurrent", "conv", "skip")
NAMES = {"mlp": "MLP", "recurrent": "recurrent", "conv": "conv + pooling", "skip": "skip"}
STEPS = 30
INPUTS, HIDDEN, OUTPUTS = 16, 12, 6
IMAGE, CHANNELS = (2, 8, 8), 4
KEEP = {"n0": 0.8, "n1": 0.7, "n2": 0.75}
"""What membranes keep in a step, by layer."""


def weights(kind: str, gain: float = 1.0) -> dict[str, Any]:
    """Random weights by layer, float32, of a size with which neurons of threshold 1 fire now and then.

    Args:
        gain: what an input of 1 adds to a membrane of the tool, by which weights are divided.
    """
    rng = np.random.default_rng(KINDS.index(kind))

    def dense(outputs: int, inputs: int, size: float, below: float = 0.35) -> Any:
        return ((rng.random((outputs, inputs)) - below) * size / gain).astype(np.float32)

    if kind == "conv":
        kernel = ((rng.random((CHANNELS, IMAGE[0], 3, 3)) - 0.4) * 1.2 / gain).astype(np.float32)
        bias = ((rng.random(CHANNELS) - 0.4) * 0.1 / gain).astype(np.float32)
        return {"conv": kernel, "conv_bias": bias, "fc1": dense(OUTPUTS, CHANNELS * 16, 1.2, 0.48)}
    found = {"fc0": dense(HIDDEN, INPUTS, 0.5)}
    if kind == "recurrent":
        found["loop"] = dense(HIDDEN, HIDDEN, 0.4)
    if kind == "skip":
        found["fc1"] = dense(HIDDEN, HIDDEN, 0.8)
        return found | {"fc2": dense(OUTPUTS, HIDDEN, 0.6)}
    return found | {"fc1": dense(OUTPUTS, HIDDEN, 0.8)}


def layers(kind: str) -> tuple[str, ...]:
    """The names of the layers of neurons."""
    return ("n0", "n1", "n2") if kind == "skip" else ("n0", "n1")


def sizes(kind: str) -> dict[str, tuple[int, ...]]:
    """The shapes of the layers of neurons."""
    if kind == "conv":
        return {"n0": (CHANNELS, 8, 8), "n1": (OUTPUTS,)}
    return {name: (OUTPUTS,) if name == layers(kind)[-1] else (HIDDEN,) for name in layers(kind)}


def drive(kind: str) -> Any:
    """Random events of 0 and 1 for a kind of network, ``(T, *input)``, float32."""
    shape = IMAGE if kind == "conv" else (INPUTS,)
    return (np.random.default_rng(7).random((STEPS, *shape)) < 0.4).astype(np.float32)
