"""lava-dl alone against us, on its own files that we read and on those that we write: equal spikes and potentials."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import h5py
import lava_dl_files
import numpy as np
import numpy.typing as npt
import pytest

import spikewright as sw
from spikewright.base.types import IntArray
from spikewright.chip.network import ChipNetwork, Connection, Neuron, Population, Schedule
from spikewright.exchange.netx import write_netx
from spikewright.simulation import integer
from spikewright.simulation.backends import backend
from spikewright.simulation.recording import Recording, compare

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


def said_in(path: Path) -> dict[str, int]:
    """The settings in the call by which a file of ours says that it has to be loaded."""
    with h5py.File(path) as file:
        return {name: int(value) for name, value in re.findall(r"(\w+)=(\d+)", file.attrs["loading"])}


def mlp(seed: int = 5) -> tuple[ChipNetwork, IntArray]:
    """Three dense layers with biases."""
    random = np.random.default_rng(seed)
    sizes = (10, 14, 12, 4)
    populations = [Population("in", (10,), "input", None)]
    for index, size in enumerate(sizes[1:]):
        neuron = Neuron(4095, 400, 60, random.integers(-9, 20, size))
        populations.append(Population(f"p{index}", (size,), "hidden" if index < 2 else "readout", neuron))
    names = [p.name for p in populations]
    weights = [2 * random.integers(-25, 28, shape) for shape in zip(sizes[1:], sizes[:-1], strict=True)]
    connections = [Connection(*ends, w) for ends, w in zip(pairwise(names), weights, strict=True)]
    chip = ChipNetwork(tuple(populations), tuple(connections), 6, "rate", "count", "none", "")
    return chip, random.integers(0, 2, (6, 4, 10))


def kernels() -> tuple[ChipNetwork, IntArray]:
    """The same, where lava-dl's loader would change weights: all -2, and none above 0."""
    chip, drive = mlp()
    first, second, third = chip.connections
    changed = replace(second, weight=np.full_like(second.weight, -2)), replace(third, weight=-1 * (third.weight > 8))
    lively = [
        replace(p, neuron=p.neuron and replace(p.neuron, bias=np.abs(p.neuron.bias) + 20)) for p in chip.populations
    ]
    return replace(chip, populations=tuple(lively), connections=(first, *changed)), drive


WRITTEN = ("convolutions", "current_input", "graded_frames")


@pytest.mark.lava
@pytest.mark.parametrize("kind", ["mlp", "kernels", *(pytest.param(kind, marks=pytest.mark.slow) for kind in WRITTEN)])
def test_what_we_write_is_what_lava_dl_computes_alone(
    lava_dl: None, drawn: Callable[[str, int], tuple[ChipNetwork, IntArray]], kind: str, tmp_path: Path
) -> None:
    """Loaded as the file says, by its own loader."""
    chip, drive = {"mlp": mlp, "kernels": kernels}[kind]() if kind in ("mlp", "kernels") else drawn(kind, 7)
    write_netx(chip, tmp_path / "a.net")
    ours = integer.run(chip, drive, record_states=True)
    assert any(0 < ours.spikes[p.name].mean() < 1 for p in chip.populations if p.role == "hidden")
    truth = alone(tmp_path / "a.net", chip, drive, tmp_path, **said_in(tmp_path / "a.net"))
    assert_same(chip, ours, truth, drive.shape[1])


@pytest.mark.lava
def test_without_a_reset_or_with_an_early_one_spikes_are_others(lava_dl: None, tmp_path: Path) -> None:
    """Why files say how they have to be loaded: a sample begins with what is left, or a bias acts a step early."""
    chip, drive = mlp()
    write_netx(chip, tmp_path / "a.net")
    ours = integer.run(chip, drive).spikes["p0"].astype(int)
    told = said_in(tmp_path / "a.net")
    places = Schedule.of(chip, drive.shape[1]).places(1)
    for settings in ({}, {**told, "reset_offset": 0}):
        theirs = alone(tmp_path / "a.net", chip, drive, tmp_path, **settings)["spikes0"][places]
        assert np.any(theirs != ours)


@pytest.mark.lava
def test_the_simulator_netx_runs_layers_that_are_written_as_convolutions(lava_dl: None) -> None:
    chip, drive = kernels()
    ours, theirs = (backend(on)(chip, drive, record_states=True) for on in ("integer", "netx"))
    assert [str(each) for each in compare(ours, theirs)] == []
    assert np.array_equal(ours.scores, theirs.scores)
    assert all(np.array_equal(ours.v[name], theirs.v[name]) for name in ours.v)
