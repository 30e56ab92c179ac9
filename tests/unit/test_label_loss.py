"""The loss against labels: values worked out by hand, weights of classes, samples without a label."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from spikewright.base.errors import InputError
from spikewright.data.dataset import Dataset
from spikewright.data.load import load
from spikewright.data.output_rule import NO_LABEL, OutputRule
from spikewright.distillation.base import BatchOutputs
from spikewright.distillation.soft_labels import ConventionalKD, LabelsOnly
from spikewright.student.label_loss import CROSS_ENTROPY, LabelLoss, guess_of, label_loss_of, standardised
from spikewright.student.neurons import StudentOutput

CERTAIN = torch.tensor([[0.0, 0.0], [math.log(3), 0.0]])
"""Probabilities 1/2 and 1/2; 3/4 and 1/4."""
NONE = torch.tensor(NO_LABEL)


def outputs(logits):
    return StudentOutput(logits, logits, logits[None], {}, {}, logits[None])


def own(**more):
    """Twelve vectors in three classes, of which the first has half."""
    x = np.arange(36, dtype=np.float32).reshape(12, 3) / 36
    part = (x, np.array(list("aaaaaabbbccc")))
    return Dataset.from_arrays(*part, validation=part, test=part, **more)


def values():
    x = np.arange(12, dtype=np.float32).reshape(4, 3) / 12
    part = (x, np.array([[0.0, 10], [0, 30], [2, 10], [2, 30]]))
    return Dataset.from_arrays(*part, validation=part, test=part, task="regression")


def test_cross_entropy_without_weights_is_that_of_torch_bit_for_bit():
    logits, labels = torch.randn(7, 5, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 1, 2, 3, 4, 0, 1])
    assert torch.equal(CROSS_ENTROPY(logits, labels), F.cross_entropy(logits, labels))


def test_a_weighted_cross_entropy_is_a_weighted_mean():
    """ln 2 with weight 1 and ln(4/3) with weight 3."""
    loss = LabelLoss(weights=(3.0, 1.0))
    labels = torch.tensor([1, 0])
    assert float(loss(CERTAIN, labels)) == pytest.approx((math.log(2) + 3 * math.log(4 / 3)) / 4)


def test_squared_and_huber_errors_of_values():
    """Distances 1/2 and 3: squares 1/4 and 9; Huber 1/8 and 5/2."""
    z, y = torch.tensor([[0.5], [0.0]]), torch.tensor([[0.0], [3.0]])
    assert float(LabelLoss("mse")(z, y)) == pytest.approx(9.25 / 2)
    assert float(LabelLoss("huber")(z, y)) == pytest.approx((0.125 + 2.5) / 2)


@pytest.mark.parametrize(
    ("loss", "labels", "known"),
    [
        (CROSS_ENTROPY, torch.stack([NONE, torch.tensor(0)]), math.log(4 / 3)),
        (LabelLoss(weights=(5.0, 1.0)), torch.stack([NONE, torch.tensor(1)]), math.log(4)),
        (LabelLoss("mse"), torch.tensor([[math.nan, math.nan], [math.log(3), 2.0]]), 2.0),
    ],
)
def test_samples_without_a_label_are_left_out(loss, labels, known):
    assert float(loss(CERTAIN, labels)) == pytest.approx(known)
    none = loss(CERTAIN, labels[:1].expand(2, *labels.shape[1:]))
    assert float(none) == 0.0


def test_the_loss_in_each_timestep_is_that_of_each_step_alone():
    steps, labels = torch.stack([CERTAIN, 2 * CERTAIN]), torch.tensor([1, 0])
    for loss in (CROSS_ENTROPY, LabelLoss(weights=(3.0, 1.0))):
        assert torch.allclose(loss.by_step(steps, labels), torch.stack([loss(step, labels) for step in steps]))
    some = torch.stack([NONE, torch.tensor(0)])
    assert torch.allclose(CROSS_ENTROPY.by_step(steps, some), torch.stack([CROSS_ENTROPY(s, some) for s in steps]))


def test_kd_of_values_is_the_loss_against_labels_and_teacher():
    """Squares: 1 against the labels, 4 against the teacher; 3/4 and 1/4 of them."""
    z, y, teacher = torch.tensor([[1.0]]), torch.tensor([[0.0]]), torch.tensor([[3.0]])
    batch = BatchOutputs(y, outputs(z), teacher, label_loss=LabelLoss("mse"))
    assert {name: float(term) for name, term in ConventionalKD(alpha=0.25).terms(batch).items()} == {
        "mse": 0.75,
        "distillation": 1.0,
    }
    assert {name: float(term) for name, term in LabelsOnly().terms(batch).items()} == {"mse": 1.0}
    huber = BatchOutputs(y, outputs(z), teacher, label_loss=LabelLoss("huber"))
    assert float(ConventionalKD(alpha=0.5).terms(huber)["distillation"]) == 0.5 * 1.5


def test_every_method_weighs_the_classes_of_its_labels():
    batch = BatchOutputs(torch.tensor([1, 0]), outputs(CERTAIN), CERTAIN, label_loss=LabelLoss(weights=(3.0, 1.0)))
    expected = (math.log(2) + 3 * math.log(4 / 3)) / 4
    assert float(LabelsOnly().terms(batch)["cross_entropy"]) == pytest.approx(expected)
    assert float(ConventionalKD(alpha=0.5).terms(batch)["cross_entropy"]) == pytest.approx(expected / 2)


def test_balanced_weights_are_inverse_to_the_number_of_samples():
    """Of 12 samples in 3 classes, 6, 3 and 3: 12/(3 x 6), 12/(3 x 3)."""
    assert label_loss_of(own(), class_weights="balanced").weights == pytest.approx((2 / 3, 4 / 3, 4 / 3))
    assert label_loss_of(own()).weights == label_loss_of(own(), class_weights="none").weights == ()


def test_weights_by_name_leave_the_others_at_one():
    assert label_loss_of(own(), class_weights="b=2.5,c=0.5").weights == (1.0, 2.5, 0.5)
    assert label_loss_of(load("digits"), class_weights="7=3").weights == (*[1.0] * 7, 3.0, 1.0, 1.0)


def test_wrong_weights_are_all_named():
    with pytest.raises(InputError) as caught:
        label_loss_of(own(), class_weights="b=0,d=2,c")
    assert str(caught.value) == (
        "data arrays: 3 faults\n"
        "  - class_weights=b=0: is not name=weight with a weight above 0; give balanced, none or a=2.0\n"
        "  - class_weights=d=2: there is no class 'd'; may be: a, b, c\n"
        "  - class_weights=c: is not name=weight with a weight above 0; give balanced, none or a=2.0"
    )


def test_a_loss_of_values_is_refused_for_classes_and_weights_of_classes_for_values():
    with pytest.raises(InputError) as caught:
        label_loss_of(own(), loss="huber")
    assert str(caught.value) == "data arrays: loss=huber is for values, and the labels are classes; leave it out"
    with pytest.raises(InputError) as caught:
        label_loss_of(values(), class_weights="balanced")
    assert str(caught.value) == (
        "data arrays: class_weights=balanced is for classes, and the labels are values; leave it out"
    )


def test_a_guess_knows_nothing_of_the_sample():
    """Of three classes ln 3; of values their mean, each a standard deviation away: 1, and 1/2 by Huber."""
    assert guess_of(CROSS_ENTROPY, own()) == math.log(3)
    assert guess_of(LabelLoss("mse"), values()) == pytest.approx(1.0)
    assert guess_of(LabelLoss("huber"), values()) == pytest.approx(0.5)


def test_values_are_learnt_in_standard_deviations():
    rule = OutputRule("regression", center=(1.0, 20.0), spread=(1.0, 10.0))
    found = standardised(torch.tensor([[0.0, 30.0]]), rule)
    assert found.tolist() == [[-1.0, 1.0]]
    assert found.dtype == torch.float32
    assert values().output == rule
