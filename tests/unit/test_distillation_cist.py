"""CIST: a temperature for each sample and each of the two networks, with values worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import tensor

from spikewright.distillation.base import BatchOutputs
from spikewright.distillation.methods import METHODS, parse_spec
from spikewright.student.neurons import StudentOutput

E3 = math.exp(3)
SURE = (E3 - 1) * 3 / (E3 + 2)
"""KL of softmax(3, 0, 0) and softmax(0, 3, 0): the logs of the first two classes differ by 3 and by -3."""


def batch_of(student, teacher, steps=None, labels=(0, 0)):
    logits = torch.as_tensor(student)
    each = logits[None] if steps is None else torch.as_tensor(steps)
    output = StudentOutput(logits, logits, each, {"encoder": torch.ones(len(each), len(logits), 4)}, {}, logits)
    return BatchOutputs(tensor(labels[: len(logits)]), output, torch.as_tensor(teacher))


def cist(options=""):
    return parse_spec("method", f"cist:{options}", METHODS)


def distillation(batch, options=""):
    return cist(options).terms(batch)["distillation"].item()


def test_each_sample_has_its_temperature():
    """Largest logits 6 and 3 at rho = 3 are temperatures of 2 and 1; below 0.3 it is the least one."""
    logits = tensor([[6.0, 0.0, 0.0], [-1.0, 3.0, -3.0], [0.15, 0.0, 0.0], [-4.0, -5.0, -6.0]])
    assert cist().temperature(logits).flatten().tolist() == pytest.approx([2.0, 1.0, 0.1, 0.1])
    assert cist("rho=1.5,least=0.2").temperature(logits).flatten().tolist() == pytest.approx([4.0, 2.0, 0.2, 0.2])


def test_centred_temperatures_know_no_offset():
    """Above the mean of a sample the largest logits are 4 and 10/3, whatever is added to all."""
    logits = tensor([[6.0, 0.0, 0.0], [-1.0, 3.0, -3.0]])
    for offset in (0.0, 7.0, -7.0):
        found = cist("logits=centred,rho=2").temperature(logits + offset).flatten().tolist()
        assert found == pytest.approx([2.0, 5 / 3], rel=1e-5)


def test_a_multiple_of_the_teachers_logits_has_no_loss():
    student = tensor([[3.0, 0.0, 0.0], [12.0, -6.0, 3.0]], requires_grad=True)
    term = cist().terms(batch_of(student, [[6.0, 0.0, 0.0], [4.0, -2.0, 1.0]]))["distillation"]
    term.backward()
    assert term.item() == pytest.approx(0, abs=1e-6)
    assert student.grad.abs().max() < 1e-6
    shared = distillation(batch_of(student.detach(), [[6.0, 0.0, 0.0], [4.0, -2.0, 1.0]]), "student=teacher")
    assert shared > 0.1


@pytest.mark.parametrize(("factor", "scale"), [("product", 2.0), ("teacher", 4.0), ("student", 1.0), ("none", 1.0)])
def test_the_loss_by_hand(factor, scale):
    """The first sample agrees up to its scale; of the second tau_A = 2 and tau_S = 1, and its KL is above."""
    batch = batch_of([[3.0, 0.0, 0.0], [0.0, 3.0, 0.0]], [[6.0, 0.0, 0.0], [6.0, 0.0, 0.0]])
    found = cist(f"factor={factor},weight=0.5").terms(batch)
    assert found["distillation"].item() == pytest.approx(0.5 * scale * SURE / 2, rel=1e-5)
    first, second = -math.log(E3 / (E3 + 2)), -math.log(1 / (E3 + 2))
    assert found["cross_entropy"].item() == pytest.approx((first + second) / 2, rel=1e-5)


def test_one_temperature_for_both_by_hand():
    """With tau = 2 for both the student's logits are (0, 1.5, 0) and the teacher's (3, 0, 0)."""
    p, q = [E3 / (E3 + 2), 1 / (E3 + 2), 1 / (E3 + 2)], [1.0, math.exp(1.5), 1.0]
    q = [each / sum(q) for each in q]
    kl = sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))
    batch = batch_of([[0.0, 3.0, 0.0]], [[6.0, 0.0, 0.0]])
    assert distillation(batch, "student=teacher") == pytest.approx(4 * kl, rel=1e-5)


def test_the_gradient_is_the_difference_by_the_teachers_temperature():
    """d/dz of tau_A tau_S KL is tau_A (q - p) with constant temperatures; there are two samples."""
    student = tensor([[3.0, 0.0, 0.0], [0.0, 3.0, 0.0]], requires_grad=True)
    teacher = tensor([[6.0, 0.0, 0.0], [6.0, 0.0, 0.0]], requires_grad=True)
    cist().terms(batch_of(student, teacher))["distillation"].backward()
    p, q = [E3 / (E3 + 2), 1 / (E3 + 2), 1 / (E3 + 2)], [1 / (E3 + 2), E3 / (E3 + 2), 1 / (E3 + 2)]
    assert student.grad[0].tolist() == pytest.approx([0.0] * 3, abs=1e-6)
    assert student.grad[1].tolist() == pytest.approx([2 * (b - a) / 2 for a, b in zip(p, q, strict=True)], rel=1e-5)
    assert teacher.grad is None


def test_steps_have_temperatures_of_their_own():
    """Two steps, of which one agrees up to its scale and the other is the sample above: the mean of the two."""
    steps = [[[9.0, 0.0, 0.0]], [[0.0, 3.0, 0.0]]]
    batch = batch_of([[4.5, 1.5, 0.0]], [[6.0, 0.0, 0.0]], steps)
    assert distillation(batch, "time=steps") == pytest.approx(2 * SURE / 2, rel=1e-5)
    assert distillation(batch) != pytest.approx(2 * SURE / 2, rel=1e-2)
