"""How much memory a simulation takes: a network for an event camera, and one with a hundred million weights.

    python benchmarks/memory.py [--samples 48] [--out memory.json]
    python benchmarks/memory.py --weights 100000000 [--samples 8] [--out memory.json]

Each row is a process of its own. *Before* is what Python, torch, numba and, for the camera, the network take; the
recordings themselves are one recording that all samples share, so that they do not count.

With `--weights` a dense network with about so many weights is written to a file by one process, and read and simulated
by another, whose memory counts: *before* it reads the file, behind that, and at its *peak*. *Pages of files* are those
of libraries, a part of the peak, which the system can drop and read again.
"""

from __future__ import annotations

import importlib
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

import spikewright as sw
from spikewright.base.artefacts import atomic_write
from spikewright.chip.chip_file import load_chip, save_chip
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


FORMS = {
    "-128..127": (-128, 128, 1),
    "even, -254..254": (-127, 128, 2),
    "0..255": (0, 256, 1),
    "-255..255": (-255, 256, 1),
}
"""Weights in words; the range from which they are drawn, the end not included, and by what that is multiplied."""
TIMESTEPS = 8


def write_large(path: Path, weights: int, form: str) -> None:
    """A dense network of events, as many neurons, and ten outputs, in a file."""
    random, size, (low, high, factor) = np.random.default_rng(0), round(weights**0.5), FORMS[form]

    def drawn(*shape: int) -> np.ndarray:
        return random.integers(low, high, shape, np.int16) * np.int16(factor)

    hidden = Neuron(4095, 400, 2000, np.zeros(size, np.int64))
    last = Neuron(4095, 400, 131071, np.zeros(10, np.int64), fires=False)
    populations = (
        Population("input", (size,), "input", None),
        Population("hidden", (size,), "hidden", hidden),
        Population("readout", (10,), "readout", last),
    )
    connections = Connection("input", "hidden", drawn(size, size)), Connection("hidden", "readout", drawn(10, size))
    save_chip(ChipNetwork(populations, connections, TIMESTEPS, "events", "membrane", "none", ""), path)


def measure_large(path: Path, samples: int) -> dict[str, Any]:
    """The peak of this process before it reads a network, behind that, and when it has simulated samples."""
    importlib.import_module("spikewright.kernels.network")
    before = peak_mb()
    chip = load_chip(path)
    read = peak_mb()
    shape = (samples, TIMESTEPS, *chip.input.shape)
    recordings = (np.random.default_rng(1).random(shape, np.float32) < SHARE).astype(np.uint8)
    began = time.perf_counter()
    activity = sw.simulate(chip, (recordings, np.zeros(samples, np.int64)))
    taken, files = time.perf_counter() - began, _pages_of_files_mb()
    found = {"before_mb": before, "read_mb": read, "peak_mb": peak_mb(), "files_mb": files, "simulated_s": taken}
    return {**found, "samples": samples, "spikes": activity.spikes, "synaptic_ops": activity.total_synaptic_ops}


def _pages_of_files_mb() -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssFile")) / 1024


def large_networks(weights: int, samples: int) -> list[dict[str, Any]]:
    """One row for each kind of weights, printed as a table."""
    rows = []
    print("| weights | file | before | read | peak | pages of files |\n| --- | --- | --- | --- | --- | --- |")
    for form in FORMS:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "chip.h5"
            _in_a_process("--write", f"{path}:{form}", "--weights", str(weights))
            for _ in range(2):  # the first may compile loops
                row = json.loads(_in_a_process("--read", str(path), "--samples", str(samples)).splitlines()[-1])
            rows.append({"weights": weights, "form": form, "file_mb": path.stat().st_size / 1e6, **row})
        told = " | ".join(f"{rows[-1][f'{name}_mb']:.0f} MB" for name in ("file", "before", "read", "peak", "files"))
        print(f"| {form} | {told} |", flush=True)
    return rows


def _in_a_process(*words: str) -> str:
    return subprocess.run([sys.executable, __file__, *words], capture_output=True, text=True, check=True).stdout


def main(
    samples: Annotated[int, typer.Option(help="recordings")] = 48,
    weights: Annotated[
        int | None, typer.Option(help="a dense network of about so many, in place of the camera")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="also write JSON here")] = None,
    one: Annotated[str | None, typer.Option(hidden=True)] = None,
    write: Annotated[str | None, typer.Option(hidden=True)] = None,
    read: Annotated[Path | None, typer.Option(hidden=True)] = None,
) -> None:
    """Print a table; write it as JSON where asked."""
    if one is not None:
        print(json.dumps(measure(*map(int, one.split(",")), samples)))
        return
    if read is not None:
        print(json.dumps(measure_large(read, samples)))
        return
    if write is not None and weights is not None:
        write_large(Path(write.partition(":")[0]), weights, write.partition(":")[2])
        return
    rows = cameras(samples) if weights is None else large_networks(weights, samples)
    if out is not None:
        with atomic_write(out) as temporary:
            Path(temporary).write_text(json.dumps(rows, indent=1))


def cameras(samples: int) -> list[dict[str, Any]]:
    """One row for each of :data:`CASES`, printed as a table."""
    rows = []
    print("| timesteps | batch | recordings | before | peak |\n| --- | --- | --- | --- | --- |")
    for timesteps, batch in CASES:
        words = "--one", f"{timesteps},{batch}", "--samples", str(samples)
        row = json.loads(_in_a_process(*words).splitlines()[-1])
        rows.append(row)
        before, peak = row["before_mb"], row["peak_mb"]
        print(f"| {timesteps} | {batch} | {samples} | {before:.0f} MB | {peak:.0f} MB |", flush=True)
    return rows


if __name__ == "__main__":
    typer.run(main)
