"""Files of lava-dl's, read by us, against lava-dl loading the same file alone: the same spikes and potentials."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import lava_dl_files
import numpy as np
import numpy.typing as npt
import pytest

import spikewright as sw
from spikewright.base.types import IntArray
from spikewright.chip.network import ChipNetwork, Schedule
from spikewright.simulation import integer
from spikewright.simulation.recording import Recording

ALONE = Path(__file__).with_name("lava_dl_alone.py")
SAMPLES = 3
Truth = dict[str, npt.NDArray[np.int64]]


def alone(net: Path, chip: ChipNetwork, drive: IntArray, folder: Path, **settings: object) -> Truth:
    """What lava-dl makes of a file, step by step, in a process that cannot import spikewright."""
    schedule = Schedule.of(chip, drive.shape[1])
    stream = np.zeros((schedule.chip_steps, *chip.input.shape), np.int64)
    stream[schedule.places(0)] = drive
    lavas = np.moveaxis(stream.T, -1, 0) if drive.ndim == 5 else stream
    np.savez(folder / "job.npz", drive=lavas)
    words = [sys.executable, str(ALONE), str(net), str(folder / "job.npz"), str(folder / "out.npz")]
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    subprocess.run([*words, json.dumps(settings)], check=True, timeout=500, capture_output=True, env=kept)
    with np.load(folder / "out.npz") as file:
        return {name: file[name] for name in file.files}


def loading(chip: ChipNetwork) -> dict[str, object]:
    """How a file has to be loaded: each layer is reset when its first step of a sample comes."""
    first = next(p for p in chip.populations if p.neuron is not None)
    return {
        "reset_interval": chip.timesteps,
        "reset_offset": chip.depth[first.name],
        "input_message_bits": chip.input.payload_bits,
    }


def assert_same(chip: ChipNetwork, ours: Recording, truth: Truth, samples: int) -> None:
    schedule = Schedule.of(chip, samples)
    named = [p for p in chip.populations if p.neuron is not None]
    assert {f"spikes{i}" for i in range(len(named))} | {"v"} == truth.keys()
    for i, population in enumerate(named):
        rows = truth[f"spikes{i}"][schedule.places(chip.depth[population.name])]
        theirs = rows.transpose(0, 1, *range(rows.ndim - 1, 1, -1)).reshape(ours.spikes[population.name].shape)
        assert np.array_equal(ours.spikes[population.name], theirs), population.name
    v = truth["v"][schedule.places(chip.depth[named[-1].name])]
    theirs = v.transpose(0, 1, *range(v.ndim - 1, 1, -1)).reshape(ours.v[named[-1].name].shape)
    assert np.array_equal(ours.v[named[-1].name], theirs)


def currents(chip: ChipNetwork, random: np.random.Generator) -> IntArray:
    return random.integers(-20, 120, (1, SAMPLES, *chip.input.shape))


def compared(net: Path, folder: Path, timesteps: int, drive: Callable[..., IntArray] = currents) -> ChipNetwork:
    chip = sw.read_netx(net, timesteps=timesteps)
    driven = drive(chip, np.random.default_rng(3))
    ours = integer.run(chip, driven, record_states=True)
    hidden = [ours.spikes[p.name].mean() for p in chip.populations if p.role == "hidden"]
    assert all(0 < rate < 1 for rate in hidden)
    assert_same(chip, ours, alone(net, chip, driven, folder, **loading(chip)), SAMPLES)
    return chip


@pytest.mark.lava
@pytest.mark.slow
@pytest.mark.parametrize("name", ["mnist.net", "tiny.net"])
def test_shipped_files_compute_what_lava_dl_computes(lava_dl_truths: Path, name: str, tmp_path: Path) -> None:
    compared(lava_dl_truths / name, tmp_path, 9)


def spikes(chip: ChipNetwork, random: np.random.Generator) -> IntArray:
    return random.integers(0, 2, (chip.timesteps, SAMPLES, *chip.input.shape))


DRAWN = {"mlp": (lava_dl_files.mlp, spikes), "convolutions": (lava_dl_files.convolutions, currents)}


@pytest.mark.lava
@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", DRAWN)
def test_drawn_files_compute_what_lava_dl_computes(lava_dl: None, kind: str, seed: int, tmp_path: Path) -> None:
    """lava-dl's loader has no average layer, so that it loads the file up to there."""
    layers, drive = DRAWN[kind]
    whole = layers(np.random.default_rng(seed))
    loaded = [layer for layer in whole if layer["type"] != "average"]
    chip = compared(lava_dl_files.write(tmp_path / "a.net", loaded), tmp_path, 7, drive)
    read = sw.read_netx(lava_dl_files.write(tmp_path / "b.net", whole))
    assert [np.array_equal(a.weight, b.weight) for a, b in zip(chip.connections, read.connections, strict=True)]
    assert read.meaning.population == (2 if kind == "convolutions" else 1)
    assert read.timesteps == 8


@pytest.mark.lava
def test_pilotnet_is_read_as_the_benchmark_reads_it(
    lava_dl_truths: Path, benchmark_file: Callable[[str], ModuleType]
) -> None:
    """With which tests/oracles/test_pilotnet.py compares Intel's traces."""
    benchmark = benchmark_file("pilotnet")
    folder = lava_dl_truths / "gts" / "pilotnet_lif"
    ours, theirs = sw.read_netx(folder / "network.net"), benchmark.pilotnet(folder)
    assert (ours.timesteps, ours.encoding, ours.readout) == (theirs.timesteps, theirs.encoding, theirs.readout)
    for mine, other in zip(ours.populations, theirs.populations, strict=True):
        assert (mine.shape, mine.role) == (other.shape, other.role)
        assert np.array_equal(mine.neuron.bias, other.neuron.bias)
        assert [getattr(mine.neuron, name) for name in ("du", "dv", "vth")] == [
            getattr(other.neuron, name) for name in ("du", "dv", "vth")
        ]
    for mine, other in zip(ours.connections, theirs.connections, strict=True):
        assert mine.conv == other.conv
        assert np.array_equal(mine.weight, other.weight)
