"""The script of Lava processes that `lower --emit lava` writes, run without spikewright: our spikes and scores."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spikewright.base.types import IntArray
from spikewright.chip.network import ChipNetwork
from spikewright.exchange.lava_script import script_faults, write_lava
from spikewright.simulation import integer
from spikewright.simulation.simulate import drive_of

Draw = Callable[[str, int], tuple[ChipNetwork, IntArray]]
QUICK = ("convolutions", "recurrent", "current_input")
OTHERS = ("dense", "one_step", "skip_with_relay", "bias_population", "graded_frames", "changing_current_recurrent")


def samples_of(chip: ChipNetwork, drive: IntArray) -> np.ndarray:
    """What a user would give: frames of events, or intensities."""
    if chip.encoding == "events":
        return np.swapaxes(drive, 0, 1).astype(np.uint8)
    return np.random.default_rng(1).random((3, *chip.input.shape)).astype(np.float32)


def as_a_user_has_it(chip: ChipNetwork) -> ChipNetwork:
    """The drawn network with the encoding that its drive has, and the bits of its input said."""
    encoding = "events" if chip.encoding == "rate" else chip.encoding
    return replace(chip, encoding=encoding, provenance={"input_bits": 8})


def run_script(chip: ChipNetwork, samples: np.ndarray, folder: Path) -> tuple[str, dict[str, np.ndarray]]:
    """What the script prints and writes, in a process that cannot import spikewright."""
    write_lava(chip, folder / "chip_lava")
    np.save(folder / "samples.npy", samples)
    words = [sys.executable, "-W", "ignore", "chip_lava/run.py", "samples.npy", "--out", "spikes.npz"]
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(words, cwd=folder, env=kept, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    with np.load(folder / "spikes.npz") as file:
        return done.stdout, {name: file[name] for name in file.files}


def assert_same(chip: ChipNetwork, folder: Path, drive: IntArray) -> str:
    samples = samples_of(chip, drive)
    ours = integer.run(chip, drive_of(chip, samples))
    said, theirs = run_script(chip, samples, folder)
    assert {f"spikes/{p.name}" for p in chip.populations} | {"scores"} == theirs.keys()
    assert np.array_equal(theirs["scores"], ours.scores)
    for population in chip.populations:
        assert np.array_equal(theirs[f"spikes/{population.name}"], ours.spikes[population.name]), population.name
    assert any(0 < ours.spikes[p.name].mean() < 1 for p in chip.populations if p.role == "hidden")
    for number, row in enumerate(ours.scores):
        assert f"sample {number}: class {row.argmax()}, scores {row.tolist()}" in said
    return said


@pytest.mark.lava
@pytest.mark.parametrize("kind", [*QUICK, *(pytest.param(kind, marks=pytest.mark.slow) for kind in OTHERS)])
def test_the_script_computes_what_the_integers_do(lava: None, drawn: Draw, kind: str, tmp_path: Path) -> None:
    chip, drive = drawn(kind, 7)
    assert_same(as_a_user_has_it(chip), tmp_path, drive)


@pytest.mark.lava
@pytest.mark.parametrize("law", ["lif-subtract", pytest.param("lif-subtract-late", marks=pytest.mark.slow)])
def test_the_script_brings_neurons_that_subtract(lava: None, drawn: Draw, law: str, tmp_path: Path) -> None:
    chip, drive = drawn("dense", 7)
    hidden = [replace(p, neuron=p.neuron and replace(p.neuron, law=law)) for p in chip.populations]
    assert_same(replace(as_a_user_has_it(chip), populations=tuple(hidden)), tmp_path, drive)


@pytest.mark.lava
def test_odd_weights_of_both_signs_are_halved_on_arrival(lava: None, drawn: Draw, tmp_path: Path) -> None:
    chip, drive = drawn("dense", 7)
    odd = [replace(c, weight=c.weight // 2 + (c.weight != 0)) for c in chip.connections]
    network = replace(as_a_user_has_it(chip), connections=tuple(odd))
    assert any(np.any(c.weight % 2) and c.weight.min() < 0 < c.weight.max() for c in odd)
    assert script_faults(network) == []
    assert_same(network, tmp_path, drive)


@pytest.mark.lava
def test_samples_that_the_network_does_not_take_are_refused(lava: None, drawn: Draw, tmp_path: Path) -> None:
    chip = as_a_user_has_it(drawn("dense", 0)[0])
    assert chip.encoding == "events"
    write_lava(chip, tmp_path / "chip_lava")
    shape = (chip.timesteps, *chip.input.shape)
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    for samples, says in (
        (np.full((2, *shape), 3), "samples hold other values than 0 and 1"),
        (np.full((2, *shape), np.nan), "samples hold other values than 0 and 1"),
        (np.zeros((0, *shape)), f"samples have shape {(0, *shape)}; must be one or more of {shape}"),
        (None, "samples.npy: cannot be read as an array"),
    ):
        if samples is None:
            (tmp_path / "samples.npy").write_text("no array")
        else:
            np.save(tmp_path / "samples.npy", samples)
        words = [sys.executable, "-W", "ignore", "chip_lava/run.py", "samples.npy"]
        done = subprocess.run(words, cwd=tmp_path, env=kept, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 2 and says in done.stderr, done.stderr[-500:]
