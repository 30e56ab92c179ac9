"""Graphs that other tools published: read, said what was assumed, lowered, and run as integers at the float's rates."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from spikewright.base.types import IntArray
from spikewright.chip.network import ChipNetwork
from spikewright.exchange.lava_values import lava_faults
from spikewright.graph.interpreter import GraphTrace, interpret
from spikewright.graph.nir_io import read_graph, write_graph
from spikewright.graph.wiring import wire
from spikewright.lowering.check import check, repair
from spikewright.lowering.lower import lower
from spikewright.simulation import integer

BRAILLE = "braille_noDelay_bias_zero.nir"
SUBTRACT = "braille_noDelay_noBias_subtract.nir"
PUBLISHED = {
    "lif_norse.nir": (1e-4, "customary where r = 1 (norse)"),
    "cnn_sinabs.nir": (1.0, "sinabs' convention"),
    BRAILLE: (1e-4, "snnTorch's convention"),
    SUBTRACT: (1e-4, "snnTorch's convention"),
}


def both(path: Path, drive: IntArray, dt_s: float) -> tuple[GraphTrace, ChipNetwork, dict[str, np.ndarray]]:
    """The graph in float64 and its integers, on the same events."""
    graph = read_graph(path)
    timesteps = len(drive)
    chip = lower(graph, "loihi2", timesteps=timesteps, encoding="events")
    trace = interpret(wire(graph), torch.from_numpy(drive).double(), dt_s, timesteps)
    return trace, chip, integer.run(chip, drive).spikes


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_published_graph_is_read_and_its_conventions_said(traces: Path, name: str) -> None:
    dt_s, why = PUBLISHED[name]
    findings = check(read_graph(traces / name))
    assert not [finding for finding in findings if finding.level == "blocks"]
    said = [finding.what for finding in findings if finding.level == "assumed"]
    assert any(sentence.startswith(f"time step {dt_s:g} s: ") and why in sentence for sentence in said)
    assert any(sentence.startswith("reset to zero: NIR cannot say") for sentence in said)


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_repaired_graph_says_all_that_was_guessed_and_computes_the_same(
    traces: Path, name: str, tmp_path: Path
) -> None:
    graph = read_graph(traces / name)
    write_graph(repair(graph), tmp_path / "r.nir")
    again = read_graph(tmp_path / "r.nir")
    assert again.metadata["dt_s"] == PUBLISHED[name][0]
    shape = wire(graph).shapes[wire(graph).input][1]
    drive = torch.from_numpy(np.random.default_rng(0).integers(0, 2, (6, 2, *shape))).double()
    before, after = (interpret(wire(g), drive, PUBLISHED[name][0], 6) for g in (graph, again))
    for neuron, membrane in before.membranes.items():
        torch.testing.assert_close(after.membranes[neuron], membrane)


@pytest.mark.parametrize(
    ("trace", "late", "scale"), [("lif_lava_cpu_float.csv", 1, 1.0), ("lif_snntorch.csv", 0, 25.0)]
)
def test_the_interpreter_reproduces_the_recorded_neuron(traces: Path, trace: str, late: int, scale: float) -> None:
    recorded = np.loadtxt(traces / trace, delimiter=",")
    arriving = np.concatenate([np.zeros(late), recorded[: len(recorded) - late, 0]])
    drive = torch.from_numpy(arriving).reshape(-1, 1, 1)
    found = interpret(wire(read_graph(traces / "lif_norse.nir")), drive, 1e-4, len(recorded))
    spikes = found.spikes["1"].flatten().numpy()
    np.testing.assert_array_equal(spikes, recorded[:, 2])
    after_reset = found.membranes["1"].flatten().numpy() * (1 - spikes)
    np.testing.assert_allclose(after_reset * scale, recorded[:, 1], atol=2e-6)


def test_our_integers_spike_where_the_chip_spiked(traces: Path) -> None:
    recorded = np.loadtxt(traces / "lif_lava_loihi_fixed.csv", delimiter=",")
    arriving = np.concatenate([[0], recorded[:-1, 0]]).astype(np.int64).reshape(-1, 1, 1)
    _, chip, spikes = both(traces / "lif_norse.nir", arriving, 1e-4)
    assert chip.output.neuron.dv == 164
    np.testing.assert_array_equal(spikes["1"].flatten(), recorded[:, 2])


def test_the_convolutional_network_keeps_its_rates(traces: Path) -> None:
    drive = (np.random.default_rng(0).random((20, 4, 2, 34, 34)) < 0.15).astype(np.int64)
    trace, chip, spikes = both(traces / "cnn_sinabs.nir", drive, 1.0)
    assert [p.shape for p in chip.populations] == [(2, 34, 34), (16, 16, 16), (16, 16, 16), (8, 8, 8), (256,), (10,)]
    assert list(lava_faults(chip)) == [], "both pools are folded into the next weights"
    for name, expected in trace.spikes.items():
        rate = float(expected.mean())
        assert rate > 0.01
        assert spikes[name].mean() == pytest.approx(rate, rel=0.05, abs=0.01), name
    first = trace.spikes["1"].numpy()
    assert (first == spikes["1"]).mean() > 0.99


@pytest.mark.parametrize("name", [BRAILLE, SUBTRACT])
def test_the_recurrent_network_keeps_its_rates(traces: Path, name: str) -> None:
    drive = (np.random.default_rng(0).random((40, 20, 12)) < 0.25).astype(np.int64)
    trace, chip, spikes = both(traces / name, drive, 1e-4)
    assert chip.is_recurrent
    for neuron, expected in trace.spikes.items():
        rate = float(expected.mean())
        assert 0.003 < rate < 0.9
        assert spikes[neuron].mean() == pytest.approx(rate, abs=0.02), neuron
    assert (trace.spikes["lif1.lif"].numpy() == spikes["lif1.lif"]).mean() > 0.95
    roles = [p.role for p in chip.populations if p.role == "bias"]
    assert len(roles) == (2 if name == BRAILLE else 0), "a bias before a synaptic filter comes from an always-on neuron"
