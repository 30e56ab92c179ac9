"""Losses of batches in which samples lack labels or are mixed of two, against values worked out by hand."""

import math
from dataclasses import replace

import pytest
import torch
from torch import tensor

from spikewright.data.output_rule import NO_LABEL
from spikewright.distillation.base import BatchOutputs, MixedLabels, NetworkShapes, shapes_of
from spikewright.distillation.kdsnn import weighted_soft_labels
from spikewright.distillation.losses import label_loss
from spikewright.distillation.methods import METHODS, parse_spec
from spikewright.student.config import StudentConfig
from spikewright.student.neurons import StudentOutput
from spikewright.student.student import Student
from spikewright.teachers.ann import build
from spikewright.teachers.outputs import TeacherOutputs, batch_outputs
from spikewright.teachers.torch_teacher import TorchTeacher

# (T=2, B=3, K=3): sample 1 has no label.
STEPS = [
    [[2.0, 0.5, -1.0], [1.5, 1.0, 0.0], [0.2, 0.1, 0.9]],
    [[0.0, 0.3, 1.0], [-0.5, 0.2, 0.8], [1.0, 2.0, 0.0]],
]
TEACHER = [[2.0, 0.0, -1.0], [0.0, 3.0, 1.0], [1.0, 0.5, 0.0]]
LABELS = [0, NO_LABEL, 1]
KNOWN = (0, 2)
CASES = [(t, b) for t in range(2) for b in range(3)]


def batch_of(labels=LABELS, mixed=None):
    steps = tensor(STEPS)
    logits = steps.mean(0)
    student = StudentOutput(logits * 2, logits, steps, {}, {}, logits[None])
    return BatchOutputs(tensor(labels), student, tensor(TEACHER), mixed=mixed)


def terms_of(text, batch=None):
    return {k: v.item() for k, v in parse_spec("method", text, METHODS).terms(batch or batch_of()).items()}


def softmax(row, tau=1.0):
    powers = [math.exp(z / tau) for z in row]
    return [p / sum(powers) for p in powers]


def ce(row, label):
    return -math.log(softmax(row)[label])


def kl(p, q):
    return sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))


def mean(values):
    values = list(values)
    return sum(values) / len(values)


def averaged(b):
    return [mean(step[b][k] for step in STEPS) for k in range(3)]


MEAN_CE = mean(ce(averaged(b), LABELS[b]) for b in KNOWN)
STEP_CE = mean(ce(STEPS[t][b], LABELS[b]) for t in range(2) for b in KNOWN)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("kd:alpha=0.6", 0.4 * MEAN_CE),
        ("ht-kd:alpha=0.6", 0.4 * MEAN_CE),
        ("kdsnn:alpha=0.6", 0.4 * MEAN_CE),
        ("hta-kl:alpha=0.6", 0.4 * MEAN_CE),
        ("cist", MEAN_CE),
        ("nld:noise=0", MEAN_CE),
        ("tser:alpha=0.6", 0.4 * STEP_CE),
        ("twd", STEP_CE),
        ("seal-kd", STEP_CE),
    ],
)
def test_labels_count_where_they_are(text, expected):
    found = terms_of(text)
    assert found["cross_entropy"] == pytest.approx(expected, rel=1e-5)
    nothing = terms_of(text, batch_of([NO_LABEL] * 3))
    assert nothing["cross_entropy"] == 0
    assert all(math.isfinite(value) for value in nothing.values())


@pytest.mark.parametrize("name", ["kd", "ht-kd", "kdsnn", "hta-kl", "cist", "nld:noise=0", "tser"])
def test_the_answers_of_the_teacher_count_for_every_sample(name):
    some, every = terms_of(name), terms_of(name, batch_of([0, 2, 1]))
    del some["cross_entropy"], every["cross_entropy"]
    assert some == every


def test_kd_of_all_samples_by_hand():
    by_hand = mean(kl(softmax(TEACHER[b], 2), softmax(averaged(b), 2)) for b in range(3))
    assert terms_of("kd:alpha=0.7,temperature=2")["distillation"] == pytest.approx(0.7 * 4 * by_hand, rel=1e-5)


def test_the_ensemble_of_twd_has_every_step_of_a_sample_without_a_label():
    # Sample 0 is right at step 0, sample 2 at step 1; of sample 1 it is not known.
    ensemble = [STEPS[0][0], averaged(1), STEPS[1][2]]
    by_hand = mean(kl(softmax(ensemble[b], 2), softmax(STEPS[t][b], 2)) for t, b in CASES)
    assert terms_of("twd:beta=0.7,temperature=2")["ensemble"] == pytest.approx(0.7 * 4 * by_hand, rel=1e-5)


def test_seal_levels_nothing_without_a_label():
    # Wrong are sample 0 at step 1 (answer 2, label 0) and sample 2 at step 0 (answer 2, label 1).
    levelled = {
        (0, 0): (STEPS[0][0], TEACHER[0]),
        (0, 1): (STEPS[0][1], TEACHER[1]),
        (0, 2): ([0.2, 0.1, 0.1], [1.0, 0.0, 0.0]),
        (1, 0): ([0.0, 0.3, 0.0], [-1.0, 0.0, -1.0]),
        (1, 1): (STEPS[1][1], TEACHER[1]),
        (1, 2): (STEPS[1][2], TEACHER[2]),
    }
    by_hand = mean(kl(softmax(teacher, 3), softmax(student, 3)) for student, teacher in levelled.values())
    assert terms_of("seal-kd:alpha=0.6,temperature=3")["distillation"] == pytest.approx(0.6 * 9 * by_hand, rel=1e-5)


def test_bkd_weighs_a_sample_without_a_label_by_the_answer_of_the_teacher():
    total = 0.0
    for b in range(3):
        one = [float(k == LABELS[b]) for k in range(3)]
        right = one if LABELS[b] != NO_LABEL else softmax(TEACHER[b])
        behind = sum(p * ce(averaged(b), k) for k, p in enumerate(right))
        before = sum(p * ce(TEACHER[b], k) for k, p in enumerate(right))
        weight = 1 - math.exp(-behind / (before + 1e-7))
        taught, own = softmax(TEACHER[b], 2), softmax(averaged(b), 2)
        total -= weight * sum(p * math.log(q) for p, q in zip(taught, own, strict=True)) / 3
    assert weighted_soft_labels(batch_of(), 2.0).item() == pytest.approx(4 * total, rel=1e-5)


def test_mixed_labels_weigh_by_their_shares():
    mixed = MixedLabels(tensor([2, 0, NO_LABEL]), tensor([0.75, 0.5, 0.6]))
    loss = label_loss(batch_of(mixed=mixed), tensor(STEPS).mean(0))
    whole = 0.75 * ce(averaged(0), 0) + 0.25 * ce(averaged(0), 2) + 0.5 * ce(averaged(1), 0) + 0.6 * ce(averaged(2), 1)
    assert loss.item() == pytest.approx(whole / (1 + 0.5 + 0.6), rel=1e-5)
    both = label_loss(batch_of([0, 2, 1], replace(mixed, labels=tensor([2, 0, 0]))), tensor(STEPS))
    by_hand = mean(
        s * ce(STEPS[t][b], first) + (1 - s) * ce(STEPS[t][b], second)
        for t in range(2)
        for b, (first, second, s) in enumerate(((0, 2, 0.75), (2, 0, 0.5), (1, 0, 0.6)))
    )
    assert both.item() == pytest.approx(by_hand, rel=1e-5)


def test_mixed_samples_are_weighed_by_both_labels_in_bkd():
    mixed = MixedLabels(tensor([2, 2, 0]), tensor([0.75, 0.8, 0.6]))
    total = 0.0
    shares = [[0.75, 0, 0.25], [0.8 * p + 0.2 * (k == 2) for k, p in enumerate(softmax(TEACHER[1]))], [0.4, 0.6, 0]]
    for b, right in enumerate(shares):
        behind = sum(p * ce(averaged(b), k) for k, p in enumerate(right))
        before = sum(p * ce(TEACHER[b], k) for k, p in enumerate(right))
        taught, own = softmax(TEACHER[b]), softmax(averaged(b))
        soft = -sum(p * math.log(q) for p, q in zip(taught, own, strict=True))
        total += (1 - math.exp(-behind / (before + 1e-7))) * soft / 3
    assert weighted_soft_labels(batch_of(mixed=mixed), 1.0).item() == pytest.approx(total, rel=1e-5)


CONFIG = StudentConfig("convnet", 4, (1, 8, 8), 3, timesteps=2, encoding="direct")


def run_of(text, labels):
    """A batch of a small student, its batch norms at rest, with all that the method asks for."""
    torch.manual_seed(0)
    method = parse_spec("method", text, METHODS)
    student = Student(CONFIG).eval()
    teacher = TorchTeacher(build("convnet", CONFIG.input_shape, 3), CONFIG.input_shape, "convnet")
    shapes = NetworkShapes(student.layer_shapes, teacher.shapes, 3, 2)
    assert shapes == shapes_of(student, teacher.shapes)
    samples = torch.rand(4, 1, 8, 8)
    asked = method.requested_values(shapes)
    values = teacher.features(samples, [*(name for name in asked.features if name != "steps"), "logits"])
    values["steps"] = torch.rand(4, 2, 3)  # of a spiking teacher
    saliency = teacher.saliency(samples, asked.saliency) if asked.saliency else {}
    outputs = TeacherOutputs(values["logits"], values, saliency)
    auxiliary = method.auxiliary(shapes)
    batch = batch_outputs(student, method, tensor(labels), samples, teacher=outputs, auxiliary=auxiliary)
    return method, batch


@pytest.mark.parametrize(
    "text",
    [
        "bkd",
        "samd",
        "samd-nld:noise=0",
        "kdsnn:form=both",
        "hdkd:project=conv,alpha=0",
        "distilling-spikes:alpha=0",
        "tssd:long_labels=1,weak_labels=1",
        "strong2weak",
        "none",
    ],
)
def test_terms_of_labels_are_those_of_the_labelled_samples(text):
    """The mean over those alone, every other term being that of a batch in which all have labels; 0 without any."""
    method, batch = run_of(text, [2, NO_LABEL, 0, NO_LABEL])

    def term(labels):
        torch.manual_seed(1)
        return {name: float(value) for name, value in method.terms(replace(batch, labels=tensor(labels))).items()}

    some, first, third, nothing = (
        term([a, NO_LABEL, b, NO_LABEL]) for a, b in ((2, 0), (2, -100), (-100, 0), (-100, -100))
    )
    of_labels = [name for name in some if name in ("cross_entropy", "long_labels", "weak_labels")]
    assert of_labels
    for name in of_labels:
        assert some[name] == pytest.approx((first[name] + third[name]) / 2, rel=1e-4)
        assert some[name] > 0
        assert nothing[name] == 0
    assert all(math.isfinite(value) for value in nothing.values())


def test_cross_kd_masks_images_and_events_alike():
    steps = tensor(STEPS)
    output = batch_of().student
    source = StudentOutput(output.logits, output.logits * 0.5, steps * 0.5, {}, {}, output.drive)
    for labels, expected in (
        ("mean", (mean(ce([z / 2 for z in averaged(b)], LABELS[b]) for b in KNOWN), MEAN_CE)),
        ("steps", (mean(ce([z / 2 for z in STEPS[t][b]], LABELS[b]) for t in range(2) for b in KNOWN), STEP_CE)),
    ):
        method = parse_spec("method", f"cross-kd:alignment=0,labels={labels}", METHODS)
        found = method.terms(replace(batch_of(), source=source))
        assert found["source"].item() == pytest.approx(expected[0], rel=1e-5)
        assert found["cross_entropy"].item() == pytest.approx(expected[1], rel=1e-5)
        none = method.terms(replace(batch_of([NO_LABEL] * 3), source=source))
        assert none["source"].item() == none["cross_entropy"].item() == 0
