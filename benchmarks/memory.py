"""How much memory a simulation takes: a network for an event camera, at several numbers of timesteps and batches.

    python benchmarks/memory.py [--samples 48] [--out memory.json]

Each row is a process of its own. *Before* is what Python, torch, numba and the network take; the recordings themselves
are one recording that all samples share, so that they do not count.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

import spikewright as sw
from spikewright.base.artefacts import atomic_write
from spikewright.chip.network import ChipNetwork, Connection, ConvGeometry, Neuron, Population
from spikewright.simulation.simulate import BATCH

CASES = ((75, BATCH), (150, BATCH), (300, BATCH), (300, 64), (300, 4096))
"""Timesteps and samples of a batch."""
CAMERA = (2, 128, 128)
SHARE = 0.01
"""Of the pixels and polarities that have an event in a step."""


def camera_network(timesteps: int) -> ChipNetwork:
    """Two convolutions and eleven outputs."""

    def neurons(shape: tuple[int, ...], vth: int | None = None) -> Neuron:
        return Neuron(4095, 400, vth or 131071, np.zeros(shape, np.int64), fires=vth is not None)

    random = np.random.default_rng(0)
    populations = (
        Population("input", CAMERA, "input", None),
        Population("a", (8, 32, 32), "hidden", neurons((8, 32, 32), 300)),
        Population("b", (16, 16, 16), "hidden", neurons((16, 16, 16), 300)),
        Population("readout", (11,), "readout", neurons((11,))),
    )
    connections = (
        Connection("input", "a", random.integers(-100, 128, (8, 2, 5, 5)), conv=ConvGeometry((4, 4), (2, 2))),
        Connection("a", "b", random.integers(-100, 128, (16, 8, 3, 3)), conv=ConvGeometry((2, 2), (1, 1))),
        Connection("b", "readout", random.integers(-100, 128, (11, 4096))),
    )
    return ChipNetwork(populations, connections, timesteps, "events", "membrane", "none", "")


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(timesteps: int, batch: int, samples: int) -> dict[str, Any]:
    """The peak of this process before and after a simulation."""
    chip = camera_network(timesteps)
    one = (np.random.default_rng(1).random((1, timesteps, *CAMERA), np.float32) < SHARE).astype(np.uint8)
    sw.simulate(chip, (one, np.zeros(1, np.int64)))  # the compiled loops are there
    before = peak_mb()
    recordings = np.broadcast_to(one, (samples, timesteps, *CAMERA))
    sw.simulate(chip, (recordings, np.zeros(samples, np.int64)), batch=batch)
    return {"timesteps": timesteps, "batch": batch, "samples": samples, "before_mb": before, "peak_mb": peak_mb()}


def main(
    samples: Annotated[int, typer.Option(help="recordings")] = 48,
    out: Annotated[Path | None, typer.Option(help="also write JSON here")] = None,
    one: Annotated[str | None, typer.Option(hidden=True)] = None,
) -> None:
    """Print a table; write it as JSON where asked."""
    if one is not None:
        print(json.dumps(measure(*map(int, one.split(",")), samples)))
        return
    rows = []
    print("| timesteps | batch | recordings | before | peak |\n| --- | --- | --- | --- | --- |")
    for timesteps, batch in CASES:
        words = [sys.executable, __file__, "--one", f"{timesteps},{batch}", "--samples", str(samples)]
        row = json.loads(subprocess.run(words, capture_output=True, text=True, check=True).stdout.splitlines()[-1])
        rows.append(row)
        before, peak = row["before_mb"], row["peak_mb"]
        print(f"| {timesteps} | {batch} | {samples} | {before:.0f} MB | {peak:.0f} MB |", flush=True)
    if out is not None:
        with atomic_write(out) as temporary:
            Path(temporary).write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    typer.run(main)
