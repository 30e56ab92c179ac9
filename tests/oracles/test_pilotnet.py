"""PilotNet-LIF as lava-dl installs it: Intel's own trace, bit for bit, and the energy that Loihi 2 took for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from spikewright.base.types import IntArray
from spikewright.chip.activity import Activity
from spikewright.chip.network import ChipNetwork
from spikewright.energy.estimate import estimate
from spikewright.placing.placement import place
from spikewright.simulation.integer import run

pytestmark = pytest.mark.lava


@pytest.fixture(scope="module")
def bench(benchmark_file: Callable[[str], ModuleType]) -> ModuleType:
    """The benchmark `pilotnet.py`, which reads lava-dl's file."""
    return benchmark_file("pilotnet")


@pytest.fixture(scope="module")
def folder(bench: ModuleType, lava_dl_truths: Path) -> Path:
    """Where lava-dl put the network and its traces."""
    found = bench.folder()
    if found is None:
        pytest.skip("this lava-dl was installed without its PilotNet")
    return found


@pytest.fixture(scope="module")
def counted(bench: ModuleType, folder: Path) -> tuple[ChipNetwork, Activity]:
    return bench.counted(folder)


def trace(folder: Path, name: str, depth: int, timesteps: int) -> IntArray:
    """A trace of lava-dl's, turned to time, channels, rows and columns, from a population's first step on."""
    recorded = np.load(folder / f"{name}.npy").astype(np.int64)
    recorded = recorded.transpose(range(recorded.ndim - 1, -1, -1))
    return recorded[depth : depth + timesteps]


def test_every_spike_current_and_membrane_is_intels(bench: ModuleType, folder: Path) -> None:
    """All but the integrator at the end, whose trace does not follow from the spikes that lava-dl recorded."""
    chip = bench.pilotnet(folder)
    recording = run(chip, bench.frame(folder), record_states=True)
    compared = 0
    for population in chip.populations[:-1]:
        name, depth = population.name, chip.depth[population.name]
        spikes = recording.spikes[name][:, 0]
        truth = trace(folder, name, depth, chip.timesteps)
        assert len(truth) == chip.timesteps
        assert np.array_equal(spikes, truth), name
        compared += truth.size
        if name != "input":
            assert np.array_equal(recording.u[name][:, 0], trace(folder, f"{name}-u", depth, chip.timesteps)), name
            v = trace(folder, f"{name}-v", depth, chip.timesteps)  # as it is before the reset
            assert np.array_equal(recording.v[name][:, 0][spikes == 0], v[spikes == 0]), name
    assert compared == 16 * (sum(p.size for p in chip.populations) - 1)


def test_what_is_counted(counted: tuple[ChipNetwork, Activity]) -> None:
    chip, activity = counted
    assert sum(p.size for p in chip.populations) == 158_509
    assert (activity.spikes, activity.total_synaptic_ops) == (741_321, 48_267_067)
    # every neuron has a bias or a state, but for some at their first steps
    assert sum(p.active_updates for p in activity.populations.values()) / (16 * 158_509) > 0.99


def test_loihi_1_constants_against_the_measurement(bench: ModuleType, counted: tuple[ChipNetwork, Activity]) -> None:
    chip, activity = counted
    shares = {}
    for name in ("loihi1-davies", "loihi1-sanafe"):
        profile = bench.with_constants_of(name)
        shares[name] = estimate(activity, place(chip, profile), profile).total / bench.Measured().dynamic_j
    assert bench.Measured().dynamic_j == pytest.approx(1.094e-3, rel=1e-3)
    assert 1.2 < shares["loihi1-davies"] < 1.35
    assert 1.5 < shares["loihi1-sanafe"] < 1.8
    # Loihi 1's synaptic operations alone are more than Loihi 2 took for everything.
    assert bench.bounds(activity)["synaptic operation"] == pytest.approx(22.65e-12, rel=1e-3)
    assert bench.bounds(activity)["synaptic operation"] < 23.6e-12


def test_one_op_of_intels_proxy(bench: ModuleType, counted: tuple[ChipNetwork, Activity]) -> None:
    chip, activity = counted
    (relative,) = (row for row in bench.rows(chip, activity) if row["unit"] == "ops")
    assert relative["total"] == 48_267_067 + 10 * 16 * 158_509
    assert relative["measured_pj_per_op"] == pytest.approx(14.85, rel=1e-3)
