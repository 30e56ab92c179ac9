"""Series, in every encoding that suits them: student, graph, integers, drift, energy, Lava and netx say the same."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import nn

from spikewright.chip.network import ChipNetwork
from spikewright.data.dataset import Dataset
from spikewright.divergence.drift import drift_on
from spikewright.energy.estimate import estimate
from spikewright.graph.interpreter import interpret
from spikewright.graph.wiring import wire
from spikewright.lowering.lower import lower
from spikewright.placing.placement import place
from spikewright.profile.profile import load_profile
from spikewright.simulation import integer
from spikewright.simulation.backends import backend
from spikewright.simulation.recording import activity_of, compare
from spikewright.simulation.simulate import drive_of, simulate
from spikewright.student.config import StudentConfig
from spikewright.student.integers.form import become_integer
from spikewright.student.neuron_settings import NeuronSettings
from spikewright.student.student import Student
from spikewright.student.to_nir import to_nir
from spikewright.student.verify import differences, verify_export
from spikewright.training.cost import SpikeCost

LONGEST, CHANNELS, CLASSES = 9, 3, 4
WAYS = [
    pytest.param("direct", "mlp", "loihi2-assumed", id="direct-by-step"),
    pytest.param("current", "mlp", "loihi1-davies", id="current-by-step"),
    pytest.param("rate", "mlp", "loihi1-davies", id="rate-by-step"),
    pytest.param("delta", "mlp", "loihi2", id="delta-by-step"),
    pytest.param("direct", "temporal", "loihi2-assumed", id="direct-at-once"),
    pytest.param("current", "temporal", "loihi1-davies", id="current-at-once"),
    pytest.param("rate", "temporal", "loihi1-davies", id="rate-at-once"),
    pytest.param("latency", "temporal", "loihi2", id="latency-at-once"),
]


@dataclass(frozen=True, eq=False)
class Case:
    """A data set as a student takes it, the student, and its chip network."""

    data: Dataset
    student: Student
    chip: ChipNetwork
    profile: str

    @property
    def samples(self) -> np.ndarray:
        return np.asarray(self.data.test.samples)


def recordings() -> Dataset:
    """Walks of 4 to 9 steps in three channels of unequal spread, of both signs."""
    random = np.random.default_rng(3)
    walks = [
        (random.normal(size=(length, CHANNELS)).cumsum(0) * (1, 10, 0.1)).astype(np.float32)
        for length in random.integers(4, LONGEST, 60)
    ]
    walks[0] = np.resize(walks[0], (LONGEST, CHANNELS))
    return Dataset.from_arrays(walks, np.arange(60) % CLASSES, name="walks", test=(walks[:20], np.arange(20) % CLASSES))


def case(encoding: str, architecture: str, profile: str, *, integers: bool) -> Case:
    data = recordings().for_student(encoding, architecture, None)
    torch.manual_seed(5)
    neuron = NeuronSettings(beta=0.7, threshold=0.4)
    given = "events" if encoding == "delta" else encoding
    config = StudentConfig(
        *(architecture, 6, data.shape, CLASSES, data.timesteps or 5, given, "membrane", 5, neuron, data.input_rule)
    )
    student = Student(config).eval()
    for module in student.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.02, 0.1)
    if integers:
        student = become_integer(student, load_profile(profile), profile).eval()
    return Case(data, student, lower(to_nir(student), profile), profile)


def is_worth_comparing(student: Student, samples: np.ndarray) -> bool:
    """Whether every hidden layer spikes sometimes and not always."""
    with torch.no_grad():
        spikes = student(torch.from_numpy(samples)).spikes
    return all(0 < each.float().mean() < 1 for each in spikes.values())


@pytest.mark.parametrize(("encoding", "architecture", "profile"), WAYS)
def test_the_graph_is_the_student_in_floats(encoding: str, architecture: str, profile: str) -> None:
    made = case(encoding, architecture, profile, integers=False)
    assert is_worth_comparing(made.student, made.samples)
    checked = verify_export(made.student, to_nir(made.student), torch.from_numpy(made.samples))
    assert (checked.samples, checked.ties) == (20, 0)


@pytest.mark.parametrize(("encoding", "architecture", "profile"), WAYS)
def test_the_chip_network_is_the_student_on_integers(encoding: str, architecture: str, profile: str) -> None:
    made = case(encoding, architecture, profile, integers=True)
    assert is_worth_comparing(made.student, made.samples)
    samples = torch.from_numpy(made.samples)
    assert [str(found) for found in differences(made.student, made.chip, samples, seed=3, first_index=7)] == []
    report = drift_on(to_nir(made.student), made.chip, made.samples, made.data.test.labels)
    assert not report.is_wrong
    assert all(layer.raster.differing == 0 for layer in report.layers)


@pytest.mark.parametrize(("encoding", "architecture", "profile"), WAYS)
def test_the_causes_explain_every_difference_from_floats(encoding: str, architecture: str, profile: str) -> None:
    made = case(encoding, architecture, profile, integers=False)
    graph = to_nir(made.student)
    report = drift_on(graph, made.chip, made.samples, made.data.test.labels)
    assert [layer.why.other for layer in report.layers if layer.why is not None] == [0] * len(report.layers)
    drive = made.student.drive(torch.from_numpy(made.samples)).double()
    trace = interpret(wire(graph), drive, 1e-4, made.chip.timesteps)
    counted = {layer.name: layer.raster.reference for layer in report.layers if layer.fires}
    assert counted == {name: int(spikes.sum()) for name, spikes in trace.spikes.items()}


@pytest.mark.parametrize(("encoding", "architecture", "profile"), WAYS)
def test_training_and_report_charge_the_same(encoding: str, architecture: str, profile: str) -> None:
    made = case(encoding, architecture, profile, integers=True)
    target = load_profile(profile)
    activity = simulate(made.chip, made.data.test)
    report = estimate(activity, place(made.chip, target), target)
    with torch.no_grad():
        output = made.student(torch.from_numpy(made.samples))
    cost = SpikeCost(made.chip, target)
    assert float(cost.read(output).total) == pytest.approx(report.total, rel=1e-5)
    if encoding != "current":
        drive = drive_of(made.chip, made.samples)
        repeats = made.chip.timesteps if len(drive) == 1 else 1
        (events,) = [item.count for item in report.not_modelled if item.event == "input_event"]
        assert events == pytest.approx(int(np.count_nonzero(drive)) * repeats / 20)


def test_biases_that_the_host_sets_each_step_are_counted_and_their_energy_said_to_be_unknown() -> None:
    made = case("current", "mlp", "loihi1-davies", integers=False)
    target = load_profile("loihi1-davies")
    report = estimate(simulate(made.chip, made.data.test), place(made.chip, target), target)
    written = [item for item in report.not_modelled if item.event == "bias_write"]
    assert [(item.count, item.why) for item in written] == [(2 * CHANNELS * LONGEST, "no constant is published")]
    at_once = case("current", "temporal", "loihi1-davies", integers=False)
    report = estimate(simulate(at_once.chip, at_once.data.test), place(at_once.chip, target), target)
    assert "bias_write" not in {item.event for item in report.not_modelled}


def test_behind_the_end_of_a_recording_nothing_is_sent() -> None:
    for way in WAYS:
        made = case(*way.values, integers=False)
        assert made.data.raw is not None and made.data.raw.test.lengths is not None
        drive = drive_of(made.chip, made.samples)
        for sample, length in enumerate(made.data.raw.test.lengths):
            sent = drive[:, sample]
            behind = sent[length:] if made.data.timesteps else sent[:, :, length:]
            assert not behind.any(), way.id
        assert drive.any(), way.id


@pytest.mark.lava
@pytest.mark.parametrize(("encoding", "architecture", "profile"), WAYS)
def test_lava_computes_the_same(lava: None, encoding: str, architecture: str, profile: str) -> None:
    agrees(case(encoding, architecture, profile, integers=True), "lava")


@pytest.mark.lava
@pytest.mark.slow
@pytest.mark.parametrize(("encoding", "architecture", "profile"), [WAYS[0], WAYS[1], WAYS[3]])
def test_netx_computes_the_same(lava_dl: None, encoding: str, architecture: str, profile: str) -> None:
    agrees(case(encoding, architecture, profile, integers=True), "netx")


def agrees(made: Case, other: str) -> None:
    drive = drive_of(made.chip, made.samples[:3], seed=1)
    ours = integer.run(made.chip, drive, record_states=True)
    theirs = backend(other)(made.chip, drive, record_states=True)
    assert [str(mismatch) for mismatch in compare(ours, theirs)] == []
    assert np.array_equal(ours.scores, theirs.scores)
    mine, others = (activity_of(made.chip, each, "integer") for each in (ours, theirs))
    assert mine.synaptic_ops == others.synaptic_ops
