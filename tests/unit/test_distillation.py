"""Every loss against values worked out by hand from its equation."""

import math

import pytest
import torch
from torch import tensor

from spikewright.base.errors import InputError
from spikewright.distillation.base import BatchOutputs
from spikewright.distillation.losses import kl_divergence
from spikewright.distillation.methods import METHODS, REGULARIZERS, parse_spec
from spikewright.distillation.soft_labels import HeterogeneousKD
from spikewright.student.neurons import StudentOutput

TEACHER = tensor([[2.0, 0.0, -1.0], [0.0, 3.0, 1.0]])
LOGITS = tensor([[0.5, 0.0, 1.0], [1.0, 1.0, -1.0]])
LABELS = tensor([0, 1])


def batch_of(logits=LOGITS, teacher=TEACHER, spikes=None, synaptic_ops=None):
    spikes = spikes or {}
    student = StudentOutput(logits, logits, logits[None], spikes, {}, logits[None])
    return BatchOutputs(LABELS, student, teacher, synaptic_ops)


def softmax(row, temperature=1.0):
    powers = [math.exp(float(z) / temperature) for z in row]
    return [p / sum(powers) for p in powers]


def kl_by_hand(teacher, student, tau_t, tau_s):
    rows = zip(teacher, student, strict=True)
    pairs = [(softmax(a, tau_t), softmax(z, tau_s)) for a, z in rows]
    return sum(p * math.log(p / q) for ps, qs in pairs for p, q in zip(ps, qs, strict=True)) / len(teacher)


def ce_by_hand(logits):
    return -sum(math.log(softmax(z)[y]) for z, y in zip(logits, LABELS.tolist(), strict=True)) / len(logits)


def total(name, known=METHODS, **options):
    text = name + ":" + ",".join(f"{k}={v}" for k, v in options.items())
    return parse_spec("method", text, known)


def test_labels_only():
    assert float(total("none").terms(batch_of())["cross_entropy"]) == pytest.approx(ce_by_hand(LOGITS), rel=1e-6)


def test_conventional_kd():
    terms = total("kd", alpha=0.7, temperature=4).terms(batch_of())
    assert float(terms["cross_entropy"]) == pytest.approx(0.3 * ce_by_hand(LOGITS), rel=1e-6)
    assert float(terms["distillation"]) == pytest.approx(0.7 * 16 * kl_by_hand(TEACHER, LOGITS, 4, 4), rel=1e-5)


@pytest.mark.parametrize(("scale", "factor"), [("student", 4.0), ("product", 16.0), ("teacher", 64.0), ("none", 1.0)])
def test_heterogeneous_temperatures(scale, factor):
    method = total("ht-kd", alpha=0.9, teacher_temperature=8, student_temperature=2, scale=scale)
    expected = 0.9 * factor * kl_by_hand(TEACHER, LOGITS, 8, 2)
    assert float(method.terms(batch_of())["distillation"]) == pytest.approx(expected, rel=1e-5)


def test_equal_temperatures_make_ht_kd_conventional():
    mine = total("ht-kd", alpha=0.7, teacher_temperature=4, student_temperature=4).terms(batch_of())
    theirs = total("kd", alpha=0.7, temperature=4).terms(batch_of())
    assert mine.keys() == theirs.keys()
    assert all(torch.allclose(mine[k], theirs[k]) for k in mine)


def test_ht_kd_is_stationary_where_the_student_has_the_scaled_teacher_logits():
    """The gradient vanishes at z = (tau_S / tau_T) z_A plus a constant, and nowhere near it."""
    for offset, vanishes in ((0.0, True), (0.3, False)):
        logits = (0.25 * TEACHER + 1.7).clone()
        logits[:, 0] += offset
        logits.requires_grad_()
        kl_divergence(TEACHER, logits, 8.0, 2.0).backward()
        assert (logits.grad.abs().max() < 1e-6) == vanishes


def test_distillation_is_zero_with_zero_gradient_where_student_equals_teacher():
    logits = TEACHER.clone().requires_grad_()
    loss = total("kd", alpha=1.0).terms(batch_of(logits))["distillation"]
    loss.backward()
    assert float(loss.detach()) == pytest.approx(0, abs=1e-6)
    assert logits.grad.abs().max() < 1e-6


def test_the_squared_temperature_keeps_the_gradient_for_small_logits():
    norms = []
    for temperature in (2.0, 4.0, 8.0):
        logits = (0.01 * LOGITS).clone().requires_grad_()
        (temperature**2 * kl_divergence(0.01 * TEACHER, logits, temperature, temperature)).backward()
        norms.append(float(logits.grad.norm()))
    assert max(norms) / min(norms) == pytest.approx(1, abs=0.01)


def test_no_gradient_into_the_teacher():
    teacher = TEACHER.clone().requires_grad_()
    logits = LOGITS.clone().requires_grad_()
    total("kd").terms(batch_of(logits, teacher))["distillation"].backward()
    assert teacher.grad is None


SPIKES = {
    "a": tensor([[[1.0, 0.0], [1.0, 1.0]], [[0.0, 0.0], [1.0, 0.0]]]).requires_grad_(),  # (T=2, B=2, 2)
    "b": tensor([[[1.0], [1.0]], [[1.0], [0.0]]]).requires_grad_(),
}


def test_activation_regularization_by_hand():
    # Layer a: 4 of 8, layer b: 3 of 4; layers weigh the same.
    found = total("activation", REGULARIZERS, weight=0.2).terms(batch_of(spikes=SPIKES))["activation"]
    assert found.item() == pytest.approx(0.2 * (4 / 8 + 3 / 4) / 2)
    # Rates over time: a = 1/2, 0, 1, 1/2; b = 1, 1/2.
    squared = total("activation", REGULARIZERS, weight=0.2, norm="l2").terms(batch_of(spikes=SPIKES))["activation"]
    assert squared.item() == pytest.approx(0.2 * ((0.25 + 0 + 1 + 0.25) / 4 + (1 + 0.25) / 2) / 2)


def test_logits_regularization_by_hand():
    values = [0.5, 0.0, 1.0, 1.0, 1.0, -1.0]
    found = total("logits", REGULARIZERS, weight=0.01).terms(batch_of())["logits"]
    assert found.item() == pytest.approx(0.01 * sum(v * v for v in values) / 6)
    absolute = total("logits", REGULARIZERS, weight=0.01, norm="l1").terms(batch_of())["logits"]
    assert float(absolute) == pytest.approx(0.01 * sum(abs(v) for v in values) / 6)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("kdd", f"method 'kdd' is unknown; did you mean 'kd'? may be: {', '.join(sorted(METHODS))}"),
        ("kd:alpha", "method 'kd:alpha': 'alpha' is not option=value; write kd:option=value,option=value"),
        (
            "kd:alpha=2,tau=3",
            "method kd: alpha: input should be less than or equal to 1; tau: extra inputs are not permitted; "
            "options and their defaults: alpha=0.7, temperature=4.0",
        ),
    ],
)
def test_refusals(text, message):
    with pytest.raises(InputError) as refusal:
        parse_spec("method", text, METHODS)
    assert str(refusal.value) == message


def test_wrong_options_from_python_are_refused_all_at_once():
    with pytest.raises(InputError) as refusal:
        HeterogeneousKD(alpha=2, teacher_temperature=-1, tau=3)
    assert str(refusal.value) == (
        "HeterogeneousKD: alpha: input should be less than or equal to 1; teacher_temperature: input should be greater "
        "than 0; tau: extra inputs are not permitted; options and their defaults: alpha=0.7, teacher_temperature=4.0, "
        "student_temperature=1.0, scale=student"
    )


@pytest.mark.parametrize("name", [*METHODS, *REGULARIZERS])
def test_every_method_says_what_it_is(name):
    method = {**METHODS, **REGULARIZERS}[name]
    assert method.title and "L" in method.equation and method.source and method.confidence in ("high", "medium", "low")
    assert method.differs
    assert "\n" not in method.differs


def test_a_fixed_price_for_spikes_by_hand():
    first, second = torch.zeros(2, 2, 3), torch.zeros(2, 2, 5)
    first[0, 0, :2] = second[1, :, 0] = 1  # four spikes in a batch of two
    spikes = {"encoder": torch.ones(2, 2, 4), "lif1": first.requires_grad_(), "lif2": second.requires_grad_()}
    (found,) = parse_spec("regularizer", "spikes:weight=0.5", REGULARIZERS).terms(batch_of(spikes=spikes)).values()
    assert found.item() == pytest.approx(0.5 * (4 / 2) / 1000)


def test_the_synop_loss_by_hand():
    terms = parse_spec("regularizer", "synops:target=100,weight=3", REGULARIZERS)
    operations = tensor(140.0, requires_grad=True)
    (found,) = terms.terms(batch_of(synaptic_ops=operations)).values()
    assert found.item() == pytest.approx(3 * 0.4**2)
    found.backward()
    assert float(operations.grad) == pytest.approx(3 * 2 * 0.4 / 100)
    at_target = tensor(100.0, requires_grad=True)
    terms.terms(batch_of(synaptic_ops=at_target))["synops"].backward()
    assert float(at_target.grad) == 0
    with pytest.raises(ValueError, match="needs synaptic operations"):
        terms.terms(batch_of())
