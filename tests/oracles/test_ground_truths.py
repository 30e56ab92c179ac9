"""The integer simulator against traces from Intel's chip and Intel's own ground truths."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt
import pytest

from spikewright.base.types import IntArray
from spikewright.chip.network import ChipNetwork, Connection, ConvGeometry, Neuron, Population
from spikewright.simulation.integer import run
from spikewright.simulation.recording import Recording


def single_layer(neuron: Neuron, connection: Connection, source: tuple[int, ...], timesteps: int) -> ChipNetwork:
    populations = (
        Population("in", source, "input", None),
        Population("out", neuron.bias.shape, "readout", neuron),
    )
    return ChipNetwork(populations, (connection,), timesteps, "events", "count", "none", "")


def one_step_late(spikes: npt.NDArray[np.generic]) -> IntArray:
    """Spikes, time first, as they arrive over a connection: these recordings are in the chip's own time."""
    late = np.zeros(spikes.shape, dtype=np.int64)
    late[1:] = spikes[:-1]
    return late


def lif_of_the_nir_paper(trace: npt.NDArray[np.float64]) -> Recording:
    neuron = Neuron(du=4095, dv=163, vth=25, bias=np.zeros(1, dtype=np.int64))
    chip = single_layer(neuron, Connection("in", "out", np.array([[10]])), (1,), len(trace))
    return run(chip, one_step_late(trace[:, 0])[:, None, None], record_states=True)


def test_a_real_loihi_2_gives_the_same_1000_spikes_and_996_membranes(traces: Path) -> None:
    trace = np.loadtxt(traces / "lif_lava_loihi_fixed.csv", delimiter=",")
    recording = lif_of_the_nir_paper(trace)
    spikes, v = recording.spikes["out"].ravel(), recording.v["out"].ravel()
    assert np.array_equal(spikes, trace[:, 2])
    differ = np.flatnonzero(v != trace[:, 1])
    assert differ.tolist() == [461, 511, 711, 761]
    assert differ.tolist() == np.flatnonzero(spikes).tolist()
    assert set(trace[differ, 1]) == {128.0}
    assert set(v[differ]) == {0}


def test_lavas_own_trace_is_the_same_throughout(traces: Path) -> None:
    trace = np.loadtxt(traces / "lif_lava_cpu_fixed.csv", delimiter=",")
    recording = lif_of_the_nir_paper(trace)
    assert np.array_equal(recording.spikes["out"].ravel(), trace[:, 2])
    assert np.array_equal(recording.v["out"].ravel(), trace[:, 1])


def test_without_the_connections_step_the_trace_is_missed(traces: Path) -> None:
    trace = np.loadtxt(traces / "lif_lava_cpu_fixed.csv", delimiter=",")
    early = np.vstack([trace[1:], trace[:1]])
    assert np.sum(lif_of_the_nir_paper(early).spikes["out"].ravel() == trace[:, 2]) == 992


@pytest.mark.lava
def test_lava_dl_dense(lava_dl_truths: Path) -> None:
    folder = lava_dl_truths / "gts" / "dense"
    x, weight, current, out = (np.load(folder / f"{name}.npy").T for name in ("in", "weight", "current", "out"))
    neuron = Neuron(du=4095, dv=415, vth=6, bias=np.zeros(256, dtype=np.int64))
    chip = single_layer(neuron, Connection("in", "out", weight.T), (200,), 2000)
    recording = run(chip, one_step_late(x)[:, None], record_states=True)
    assert out.sum() == 1826
    assert np.array_equal(recording.spikes["out"][:, 0], out)
    assert np.array_equal(recording.u["out"][:, 0], current * 64)


def tiny_layer(file: h5py.File, index: int) -> tuple[Neuron, IntArray, ConvGeometry]:
    layer = file[f"layer/{index}"]
    shape = tuple(layer["shape"][()])
    bias = np.broadcast_to(layer["bias"][()].astype(np.int64)[:, None, None], shape)
    registers = layer["neuron"]
    neuron = Neuron(
        du=int(registers["iDecay"][()]) - 1,
        dv=int(registers["vDecay"][()]),
        vth=int(registers["vThMant"][()]),
        bias=bias.copy(),
    )
    geometry = ConvGeometry(stride=tuple(layer["stride"][()]), padding=tuple(layer["padding"][()]))
    return neuron, layer["weight"][..., 0].astype(np.int64), geometry


def time_first(folder: Path, name: str) -> npt.NDArray[np.int64]:
    """A tensor of lava-dl's, (1, channels, rows, columns, time), from step 1 on: integration starts there."""
    return np.moveaxis(np.load(folder / f"{name}.npy").astype(np.int64), -1, 0)[1:]


@pytest.mark.lava
@pytest.mark.parametrize(("index", "source", "target"), [(1, "input", "layer1"), (2, "layer1", "output")])
def test_lava_dl_tinynet_convolutions(lava_dl_truths: Path, index: int, source: str, target: str) -> None:
    folder = lava_dl_truths / "gts" / "tinynet"
    with h5py.File(lava_dl_truths / "tiny.net") as file:
        neuron, weight, geometry = tiny_layer(file, index)
    drive, truth = time_first(folder, source), time_first(folder, target)
    chip = single_layer(neuron, Connection("in", "out", weight, conv=geometry), drive.shape[2:], len(drive))
    recording = run(chip, drive, record_states=True)
    assert 0 < truth.mean() < 1
    assert np.array_equal(recording.spikes["out"], truth)
    if index == 1:
        assert np.array_equal(recording.u["out"], time_first(folder, "current") * 64)


@pytest.mark.lava
def test_lava_dl_tinynet_input_neurons(lava_dl_truths: Path) -> None:
    folder = lava_dl_truths / "gts" / "tinynet"
    bias = np.load(folder / "input_bias.npy").astype(np.int64).T
    truth = time_first(folder, "input")
    neuron = Neuron(du=4095, dv=1024, vth=25, bias=np.zeros(bias.shape, dtype=np.int64))
    populations = (
        Population("in", bias.shape, "input", neuron),
        Population("out", (1,), "readout", Neuron(du=4095, dv=0, vth=1, bias=np.zeros(1, dtype=np.int64))),
    )
    weight = np.zeros((1, bias.size), dtype=np.int64)
    chip = ChipNetwork(populations, (Connection("in", "out", weight),), len(truth), "current", "count", "none", "")
    assert 0 < truth.mean() < 1
    assert np.array_equal(run(chip, bias[None, None]).spikes["in"], truth)
