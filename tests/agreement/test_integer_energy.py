"""Training on integers is held to the report's own energy: event for event, on every architecture and profile."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from spikewright.base.errors import AnswerIsNo
from spikewright.data.split import Split
from spikewright.energy.estimate import estimate
from spikewright.lowering.lower import lower
from spikewright.placing.placement import place
from spikewright.profile.profile import HardwareProfile, load_profile
from spikewright.simulation.simulate import simulate
from spikewright.student.config import StudentConfig
from spikewright.student.integers.form import become_integer
from spikewright.student.neuron_settings import NeuronSettings
from spikewright.student.student import Student
from spikewright.student.to_nir import to_nir
from spikewright.training import deployment
from spikewright.training.cost import SpikeCost
from spikewright.training.limits import EnergyLimit, OperationsLimit, RateLimit
from spikewright.training.records import measure

SHAPE = (1, 10, 10)


def split() -> Split:
    random = np.random.default_rng(0)
    images = random.random((40, *SHAPE), dtype=np.float32)
    images[:, :, :3] = 0  # dark lines: neurons without input
    return Split(images, random.integers(0, 5, 40))


def student_for(profile: HardwareProfile, architecture: str, encoding: str, kind: str) -> Student:
    torch.manual_seed(1)
    neuron = NeuronSettings(kind=kind, threshold=0.4)
    made = Student(StudentConfig(architecture, 4, SHAPE, 5, 4, encoding, "membrane", 6, neuron)).eval()
    student = become_integer(made, profile, profile.name)
    with torch.no_grad():
        for name, parameter in student.named_parameters():
            if name.endswith("bias"):
                parameter[1::2] = 0.0  # compartments that are active only when something arrives
    return student.eval()


@pytest.mark.parametrize("name", ["loihi1-davies", "loihi1-sanafe", "loihi2", "loihi2-assumed", "cmos45", "lemaire"])
@pytest.mark.parametrize(
    ("architecture", "encoding", "kind"),
    [
        ("convnet", "default", "lif"),
        ("vgg", "rate", "cubalif"),
        ("skipnet", "current", "lif"),
        ("mlp", "latency", "lif"),
    ],
)
def test_training_measures_what_the_report_says(name: str, architecture: str, encoding: str, kind: str) -> None:
    profile = load_profile(name)
    student = student_for(profile, architecture, profile.default_encoding if encoding == "default" else encoding, kind)
    chip = lower(to_nir(student), profile)
    report = estimate(simulate(chip, split(), seed=3), place(chip, profile), profile)
    measured = measure(student, split(), SpikeCost.of(student, profile), seed=3)
    assert measured.cost == pytest.approx(report.total, rel=1e-5)
    assert sum(measured.synaptic_ops.values()) == pytest.approx(report.synaptic_ops, rel=1e-6)
    assert measured.accuracy == report.accuracy


def test_a_certificate_holds_every_limit_and_is_the_reports_number() -> None:
    profile, other = load_profile("loihi2-assumed"), load_profile("loihi1-davies")
    student = student_for(profile, "convnet", "current", "lif")
    cost = SpikeCost.of(student, profile)
    measured = measure(student, split(), cost)
    limits = (
        EnergyLimit(1.01 * measured.cost, profile, cost),
        EnergyLimit(1.0, other, SpikeCost.of(student, other), is_main=False),
        OperationsLimit(1e9, cost),
        RateLimit("lif1", 1e-6),
    )
    found, _ = deployment.certify(student, split(), profile, limits, seed=0)
    assert found.energy == pytest.approx(measured.cost, rel=1e-5)
    assert found.budget == limits[0].limit
    assert set(found.limits) == {"budget", "budget_loihi1-davies", "operations", "rate_lif1"}
    assert not found.met, "the rate is over its limit"
    assert found.split_sha256 == split().sha256
    chip = lower(to_nir(student), other)
    elsewhere = estimate(simulate(chip, split()), place(chip, other), other)
    assert found.limits["budget_loihi1-davies"][0] == pytest.approx(elsewhere.total, rel=1e-5)


def test_levels_that_disagree_get_no_certificate(monkeypatch: pytest.MonkeyPatch) -> None:
    profile = load_profile("loihi2-assumed")
    student = student_for(profile, "convnet", "direct", "lif")
    true_price = deployment.price

    def dearer(*arguments: object) -> object:
        priced = true_price(*arguments)  # type: ignore[arg-type]
        rows = tuple(replace(row, count=row.count * 1.001) for row in priced.energy.rows)
        return replace(priced, energy=replace(priced.energy, rows=rows))

    monkeypatch.setattr(deployment, "price", dearer)
    with pytest.raises(AnswerIsNo, match=r"certificate: training measured .*; the two must be the same"):
        deployment.certify(student, split(), profile, (), seed=0)
