"""Values and population codes: student, integers and Lava answer the same."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from spikewright.data.output_rule import OutputRule
from spikewright.data.split import Split
from spikewright.lowering.lower import lower
from spikewright.profile.profile import load_profile
from spikewright.simulation.simulate import simulate
from spikewright.student.config import StudentConfig
from spikewright.student.integers.form import become_integer
from spikewright.student.neuron_settings import NeuronSettings
from spikewright.student.student import Student
from spikewright.student.to_nir import to_nir

VALUES = OutputRule("regression", ("force", "speed"), center=(3.0, 100.0), spread=(2.0, 20.0))
SAMPLES = 6


@pytest.mark.lava
@pytest.mark.parametrize(("classes", "meaning"), [(2, VALUES), (4, OutputRule(population=3))])
def test_student_integers_and_lava_answer_the_same(lava: None, classes: int, meaning: OutputRule) -> None:
    torch.manual_seed(3)
    random = np.random.default_rng(0)
    config = StudentConfig("mlp", 8, (1, 4, 4), classes, 3, neuron=NeuronSettings(threshold=0.1), output=meaning)
    student = become_integer(Student(config).eval(), load_profile("loihi2-assumed"), "loihi2-assumed")
    chip = lower(to_nir(student), load_profile("loihi2-assumed"))
    images = random.random((SAMPLES, 1, 4, 4), np.float32)
    labels = random.normal(size=(SAMPLES, 2)).astype(np.float32) if classes == 2 else np.arange(SAMPLES) % 4
    part = Split(images, labels)
    found = {name: simulate(chip, part, on=name) for name in ("integer", "lava")}
    found["student"] = simulate(chip, part, on=student)
    ours = found["integer"].answers
    assert ours is not None
    assert np.ptp(ours.scores, axis=0).max() > 0
    for name, activity in found.items():
        answers = activity.answers
        assert answers is not None
        assert np.array_equal(answers.scores, ours.scores), name
        assert np.array_equal(answers.answers, ours.answers), name
        assert activity.quality is not None
        assert found["integer"].quality is not None
        assert activity.quality.facts == found["integer"].quality.facts, name
