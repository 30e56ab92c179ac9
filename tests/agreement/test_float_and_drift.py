"""The float side of a drift report is what the graph says, and the chip's side is the simulator's, on every kind of
network."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from spikewright.base.types import IntArray
from spikewright.chip.encoding import encode, full_scale
from spikewright.chip.network import ChipNetwork
from spikewright.divergence.drift import drift_on
from spikewright.divergence.report import DriftReport, raster
from spikewright.graph.interpreter import GraphTrace, interpret
from spikewright.graph.nir_io import read_graph
from spikewright.graph.wiring import wire
from spikewright.lowering.lower import lower
from spikewright.profile.profile import load_profile
from spikewright.simulation import integer
from spikewright.student.integers.form import become_integer
from spikewright.student.student import Student
from spikewright.student.to_nir import to_nir

MakeStudent = Callable[[str, str, str, str], Student]
SHAPE = (1, 12, 12)
SAMPLES = 10


def is_what_both_levels_do(report: DriftReport, trace: GraphTrace, chip: ChipNetwork, drive: IntArray) -> None:
    ours = integer.run(chip, drive)
    names = [layer.name for layer in report.layers]
    assert names == [p.name for p in chip.populations if p.neuron is not None and p.role not in ("relay", "bias")]
    assert set(names) == set(trace.membranes), "every neuron node of the graph, and nothing that lowering added"
    for layer in report.layers:
        assert layer.why is not None
        assert layer.why.other == 0, f"{layer.name}: the causes together are the chip"
        if layer.fires:
            assert layer.raster == raster(trace.spikes[layer.name].numpy(), ours.spikes[layer.name], 0)
            assert 0.002 < layer.raster.reference / layer.raster.compared < 0.99
    if chip.readout == "membrane":
        scores = trace.membranes[chip.output.name][-1].numpy()
        scale = 64 * float(chip.provenance["scales"][chip.output.name])
        assert report.answers.score == pytest.approx(np.abs(scores - ours.scores / scale).max(), rel=1e-9)
        assert report.answers.agreeing == (scores.argmax(1) == ours.scores.argmax(1)).sum()


@pytest.mark.parametrize(
    ("architecture", "encoding", "readout", "kind", "profile"),
    [
        ("convnet", "direct", "membrane", "lif", "loihi2-assumed"),
        ("skipnet", "current", "count", "lif", "loihi1-davies"),
        ("skipnet", "rate", "membrane", "cubalif", "loihi1-davies"),
        ("mlp", "latency", "count", "cubalif", "loihi2"),
    ],
)
def test_students(
    untrained: MakeStudent, architecture: str, encoding: str, readout: str, kind: str, profile: str
) -> None:
    graph = to_nir(untrained(architecture, encoding, readout, kind))
    chip = lower(graph, profile)
    images = np.random.default_rng(2).random((SAMPLES, *SHAPE), dtype=np.float32)
    drive = encode(encoding, images, 4, 4)
    unit = torch.from_numpy(drive).double() / full_scale(encoding, 4)
    trace = interpret(wire(graph), unit, 1e-4, 4)
    is_what_both_levels_do(drift_on(graph, chip, images, np.zeros(SAMPLES, np.int64)), trace, chip, drive)


@pytest.mark.parametrize(
    ("name", "steps", "dt_s", "rate"),
    [
        ("lif_norse.nir", 60, 1e-4, 0.5),
        ("cnn_sinabs.nir", 6, 1.0, 0.3),
        ("braille_noDelay_bias_zero.nir", 30, 1e-4, 0.3),
        ("braille_noDelay_noBias_subtract.nir", 30, 1e-4, 0.3),
    ],
)
def test_published_graphs(root: Path, name: str, steps: int, dt_s: float, rate: float) -> None:
    path = root.parent / "shared" / "oracles" / name
    if not path.is_file():
        pytest.skip("the oracle files are not beside this checkout")
    graph = read_graph(path)
    chip = lower(graph, "loihi2", timesteps=steps, encoding="events")
    random = np.random.default_rng(3)
    frames = (random.random((4, steps, *chip.input.shape)) < rate).astype(np.float32)
    drive = encode("events", frames, steps, 8)
    trace = interpret(wire(graph), torch.from_numpy(drive).double(), dt_s, steps)
    is_what_both_levels_do(drift_on(graph, chip, frames), trace, chip, drive)


@pytest.mark.parametrize(
    ("architecture", "encoding", "readout", "kind", "profile", "bits"),
    [
        ("convnet", "direct", "membrane", "lif", "loihi2-assumed", 8),
        ("skipnet", "current", "count", "lif", "loihi1-davies", 4),
        ("mlp", "rate", "membrane", "cubalif", "loihi2", 8),
    ],
)
def test_a_student_on_integers_does_not_drift(
    untrained: MakeStudent, architecture: str, encoding: str, readout: str, kind: str, profile: str, bits: int
) -> None:
    made = untrained(architecture, encoding, readout, kind)
    graph = to_nir(become_integer(made, load_profile(profile), profile, bits))
    chip = lower(graph, profile)
    images = np.random.default_rng(2).random((SAMPLES, *SHAPE), dtype=np.float32)
    report = drift_on(graph, chip, images)
    assert report.reference == "trained integers"
    assert report.trained == {"profile": profile, "weight_bits": bits}
    assert sum(layer.raster.chip for layer in report.layers) > 0
    assert not report.differs


def test_batches_change_nothing(untrained: MakeStudent, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = to_nir(untrained("skipnet", "rate", "membrane", "cubalif"))
    chip = lower(graph, "loihi1-davies")
    images = np.random.default_rng(2).random((SAMPLES, *SHAPE), dtype=np.float32)
    whole = drift_on(graph, chip, images, np.zeros(SAMPLES, np.int64))
    monkeypatch.setattr("spikewright.divergence.drift.ELEMENTS", 3 * 4 * sum(p.size for p in chip.populations))
    seen: list[int] = []
    assert drift_on(graph, chip, images, np.zeros(SAMPLES, np.int64), progress=lambda n=1: seen.append(n)) == whole
    assert seen == [3, 3, 3, 1]
