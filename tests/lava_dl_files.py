"""Files as lava-dl's own export writes them: float numbers, texts in arrays, kernels with an axis of time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

Layers = Sequence[Mapping[str, Any]]


def neurons(vth: int = 60, current: int = 4096, voltage: int = 300, kind: str = "CUBA", **more: Any) -> dict[str, Any]:
    """The group of neurons of a layer."""
    registers = {"iDecay": current, "vDecay": voltage, "vThMant": vth, "refDelay": 1, "gradedSpike": False}
    return {"type": kind, **registers, "wgtExp": 0, **more}


def write(path: Path, layers: Layers, steps: int | None = 8) -> Path:
    """Write a file with these layers; None leaves an entry out."""
    with h5py.File(path, "w") as file:
        for index, layer in enumerate(layers):
            _group(file.create_group(f"layer/{index}"), layer)
        if steps is not None:
            file["simulation/Ts"], file["simulation/tSample"] = 1, steps
    return path


def _group(group: h5py.Group, entries: Mapping[str, Any]) -> None:
    for name, value in entries.items():
        if value is None:
            continue
        if isinstance(value, Mapping):
            _group(group.create_group(name), value)
        elif isinstance(value, str) and name == "type" and "neuron" not in group.name:
            group.create_dataset(name, data=np.array([value.encode()], "S10"))
        elif isinstance(value, str):
            group[name] = value
        else:
            group[name] = np.asarray(value, np.float32) if np.ndim(value) > 1 else value


def mlp(random: np.random.Generator) -> Layers:
    """Events into odd weights of both signs, weights below 0 alone, and a layer without neurons, as exported."""
    return (
        {"type": "input", "shape": [1, 1, 12]},
        {"type": "flatten", "shape": [12, 1, 1]},
        {
            "type": "dense", "shape": [20, 1, 1], "neuron": neurons(), "weight": random.integers(-30, 41, (20, 12)),
            "bias": random.integers(-3, 9, 20).astype(np.float32), "delay": np.zeros(20),
        },
        {
            "type": "dense", "shape": [15], "neuron": neurons(voltage=4096, kind="LOIHI"),
            "weight": -random.integers(1, 60, (15, 20)), "bias": random.integers(100, 500, 15).astype(np.float32),
        },
        {"type": "dense", "shape": [4], "weight": random.integers(-120, 121, 60).astype(np.float32)},
    )  # fmt: skip


def convolutions(random: np.random.Generator) -> Layers:
    """Currents into kernels with an axis of time, one number for both axes, groups, and a bias for each neuron."""
    return (
        {"type": "input", "shape": [2, 6, 5], "neuron": neurons(50), "weight": [40.0], "bias": [36.0]},
        {
            "type": "conv", "shape": [4, 3, 5], "neuron": neurons(80, 1000, 500), "stride": [2, 1], "padding": [1, 1],
            "dilation": [1, 1], "groups": 2, "weight": random.integers(-40, 60, (4, 1, 3, 3, 1)),
            "bias": random.integers(-3, 9, (5, 3, 4)),
        },
        {
            "type": "conv", "shape": [3, 2, 4], "neuron": neurons(70), "stride": 1, "padding": 0, "dilation": 1,
            "groups": 1, "weight": random.integers(-40, 61, (3, 4, 2, 2)), "bias": [3.0, -2.0, 1.0],
        },
        {"type": "flatten", "shape": [1, 1, 24]},
        {"type": "dense", "shape": [6, 1, 1], "neuron": neurons(40, 2000), "weight": random.integers(-60, 61, (6, 24))},
        {"type": "average", "shape": [3, 1, 1]},
    )  # fmt: skip
