"""Methods on labels, teacher and the logits of each step, against values worked out by hand from their equations."""

import math

import pytest
import torch
from torch import tensor

from spikewright.distillation.base import BatchOutputs
from spikewright.distillation.methods import METHODS, parse_spec
from spikewright.student.neurons import StudentOutput

# (T=3, B=2, K=3). Sample 0 answers 0, 2, 0 and is a 0; sample 1 answers 0, 2, 2 and is a 1: never right.
STEPS = [
    [[2.0, 0.5, -1.0], [1.5, 1.0, 0.0]],
    [[0.0, 0.3, 1.0], [-0.5, 0.2, 0.8]],
    [[1.0, -1.0, 0.5], [0.1, 0.3, 2.5]],
]
TEACHER = [[2.0, 0.0, -1.0], [0.0, 3.0, 1.0]]
LABELS = [0, 1]
CASES = [(t, b) for t in range(3) for b in range(2)]
OURS = ("kdsnn", "tser", "twd", "seal-kd", "hta-kl", "cist", "nld", "strong2weak")
WITH_TEACHER = ("kd", "ht-kd", *(name for name in OURS if METHODS[name].needs_teacher()))


def batch_of(steps=STEPS, teacher=TEACHER, labels=LABELS, logits=None):
    steps = torch.as_tensor(steps)
    logits = steps.mean(0) if logits is None else logits
    student = StudentOutput(logits * len(steps), logits, steps, {}, {}, logits[None])
    return BatchOutputs(tensor(labels), student, None if teacher is None else torch.as_tensor(teacher))


def terms_of(text, given=None):
    return {k: v.item() for k, v in parse_spec("method", text, METHODS).terms(given or batch_of()).items()}


def softmax(row, tau=1.0):
    powers = [math.exp(z / tau) for z in row]
    return [p / sum(powers) for p in powers]


def kl(p, q):
    return sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))


def entropy(p):
    return -sum(a * math.log(a) for a in p)


def mean(values):
    values = list(values)
    return sum(values) / len(values)


def averaged(steps=STEPS):
    return [[mean(step[b][k] for step in steps) for k in range(3)] for b in range(2)]


def step_ce(tau=1.0, labels=LABELS):
    return mean(-math.log(softmax(STEPS[t][b], tau)[labels[b]]) for t, b in CASES)


def mean_ce():
    return mean(-math.log(softmax(row)[y]) for row, y in zip(averaged(), LABELS, strict=True))


def step_kl(tau):
    return mean(kl(softmax(TEACHER[b], tau), softmax(STEPS[t][b], tau)) for t, b in CASES)


@pytest.mark.parametrize("label_temperature", [1.0, 3.0])
def test_tser(label_temperature):
    found = terms_of(f"tser:alpha=0.3,gamma=0.2,temperature=3,label_temperature={label_temperature}")
    assert found["cross_entropy"] == pytest.approx(0.7 * step_ce(label_temperature), rel=1e-5)
    assert found["distillation"] == pytest.approx(0.3 * 9 * step_kl(3), rel=1e-5)
    assert found["entropy"] == pytest.approx(-0.2 * mean(entropy(softmax(STEPS[t][b], 3)) for t, b in CASES), rel=1e-5)


@pytest.mark.parametrize(
    ("ensemble", "labels", "z_ens"),
    [
        # Sample 0 is right at steps 0 and 2; sample 1 never is, and its target is uniform.
        ("correct", [0, 1], [[1.5, -0.25, -0.25], [0.0, 0.0, 0.0]]),
        ("correct", [2, 0], [[0.0, 0.3, 1.0], [1.5, 1.0, 0.0]]),
        ("all", [0, 1], averaged()),
    ],
)
def test_twd(ensemble, labels, z_ens):
    found = terms_of(f"twd:alpha=0.4,beta=0.7,temperature=2,ensemble={ensemble}", batch_of(labels=labels))
    by_hand = mean(kl(softmax(z_ens[b], 2), softmax(STEPS[t][b], 2)) for t, b in CASES)
    assert found["cross_entropy"] == pytest.approx(step_ce(labels=labels), rel=1e-5)
    assert found["distillation"] == pytest.approx(0.4 * 4 * step_kl(2), rel=1e-5)
    assert found["ensemble"] == pytest.approx(0.7 * 4 * by_hand, rel=1e-5)


def test_seal_levels_the_wrong_answer_with_the_label():
    # By (t, b): what student and teacher become where the answer c is wrong, z[c] = z[y] and z_A[c] = z_A[y] = min.
    levelled = {
        (0, 0): (STEPS[0][0], TEACHER[0]),
        (1, 0): ([0.0, 0.3, 0.0], [-1.0, 0.0, -1.0]),
        (2, 0): (STEPS[2][0], TEACHER[0]),
        (0, 1): ([1.0, 1.0, 0.0], [0.0, 0.0, 1.0]),
        (1, 1): ([-0.5, 0.2, 0.2], [0.0, 1.0, 1.0]),
        (2, 1): ([0.1, 0.3, 0.3], [0.0, 1.0, 1.0]),
    }
    by_hand = mean(kl(softmax(teacher, 3), softmax(student, 3)) for student, teacher in levelled.values())
    found = terms_of("seal-kd:alpha=0.6,temperature=3")
    assert found["distillation"] == pytest.approx(0.6 * 9 * by_hand, rel=1e-5)
    assert found["cross_entropy"] == pytest.approx(step_ce(), rel=1e-5)


def test_seal_steps_learn_from_sure_and_similar_ones():
    def weights(t, b):
        scores = []
        for s in (s for s in range(3) if s != t):
            dot = sum(x * y for x, y in zip(STEPS[t][b], STEPS[s][b], strict=True))
            norms = math.hypot(*STEPS[t][b]) * math.hypot(*STEPS[s][b])
            confidence = (math.log(3) - entropy(softmax(STEPS[s][b]))) / math.log(3)
            scores.append((s, confidence * dot / norms))
        whole = sum(math.exp(score) for _, score in scores)
        return [(s, math.exp(score) / whole) for s, score in scores]

    targets = {(t, b): [sum(w * STEPS[s][b][k] for s, w in weights(t, b)) for k in range(3)] for t, b in CASES}
    by_hand = mean(kl(softmax(z, 2), softmax(STEPS[t][b], 2)) for (t, b), z in targets.items())
    assert terms_of("seal-kd:beta=0.15,temperature=2")["steps"] == pytest.approx(0.15 * 4 * by_hand, rel=1e-5)


def head_tail(teacher, student, tau, mass):
    p, q = softmax(teacher, tau), softmax(student, tau)
    order = sorted(range(3), key=lambda k: -p[k])
    head = [order[0]]
    while sum(p[k] for k in head) < mass:
        head.append(order[len(head)])
    g_head = sum(abs(p[k] - q[k]) for k in head)
    g_tail = sum(abs(p[k] - q[k]) for k in range(3) if k not in head)
    return (g_head * kl(p, q) + g_tail * kl(q, p)) / (g_head + g_tail)


@pytest.mark.parametrize("mass", [0.2, 0.5, 0.9])
def test_hta_kl(mass):
    """Sample 1's likeliest class is its second: a mask left in sorted order would give other values."""
    options = f"alpha=0.6,temperature=2,mass={mass}"
    by_hand = mean(head_tail(TEACHER[b], averaged()[b], 2, mass) for b in range(2))
    found = terms_of(f"hta-kl:{options}")
    assert found["distillation"] == pytest.approx(0.6 * 4 * by_hand, rel=1e-5)
    assert found["cross_entropy"] == pytest.approx(0.4 * mean_ce(), rel=1e-5)
    by_step = mean(head_tail(TEACHER[b], STEPS[t][b], 2, mass) for t, b in CASES)
    assert terms_of(f"hta-kl:{options},time=steps")["distillation"] == pytest.approx(0.6 * 4 * by_step, rel=1e-5)


def test_the_weights_of_hta_kl_are_constants():
    """Gradient of w KL(p || q) + (1 - w) KL(q || p) at fixed w: w (q - p) + (1 - w) q (log q/p - KL(q || p))."""
    logits = tensor(averaged(), requires_grad=True)
    terms = parse_spec("method", "hta-kl:alpha=1,temperature=1,mass=0.9", METHODS).terms(batch_of(logits=logits))
    terms["distillation"].backward()
    for b, found in enumerate(logits.grad.tolist()):
        p, q = softmax(TEACHER[b]), softmax(averaged()[b])
        gaps = [abs(x - y) for x, y in zip(p, q, strict=True)]
        w = 1 - gaps[p.index(min(p))] / sum(gaps)  # of each sample the two likeliest classes are the head
        forward, reverse = [y - x for x, y in zip(p, q, strict=True)], kl(q, p)
        backward = [y * (math.log(y / x) - reverse) for x, y in zip(p, q, strict=True)]
        by_hand = [(w * f + (1 - w) * r) / 2 for f, r in zip(forward, backward, strict=True)]
        assert found == pytest.approx(by_hand, rel=1e-4)


def step_to_step(teacher, learner, tau):
    return mean(kl(softmax(STEPS[teacher][b], tau), softmax(STEPS[learner][b], tau)) for b in range(2))


@pytest.mark.parametrize(
    ("options", "pairs"),
    [
        ("direction=strong-to-weak", [(2, 1)]),
        ("direction=weak-to-strong", [(1, 2)]),
        ("direction=strong-to-weak,pairs=cascade", [(2, 0), (0, 1)]),
        ("direction=weak-to-strong,pairs=cascade", [(0, 2), (1, 0)]),
    ],
)
def test_strong2weak(options, pairs):
    sure = [mean(max(softmax(STEPS[t][b])) for b in range(2)) for t in range(3)]
    assert sorted(range(3), key=lambda t: -sure[t]) == [2, 0, 1]
    found = terms_of(f"strong2weak:weight=0.8,temperature=2,{options}", batch_of(teacher=None))
    assert found["steps"] == pytest.approx(0.8 * mean(step_to_step(a, b, 2) for a, b in pairs), rel=1e-5)
    assert found["cross_entropy"] == pytest.approx(mean_ce(), rel=1e-5)


def test_steps_that_are_equally_sure_keep_their_order():
    """The first teaches the last; torch's sort changes such an order from 17 steps on, unless it is told not to."""
    steps = [[[0.0, 1.0]], *[[[1.0, 0.0]]] * 39]
    found = terms_of("strong2weak:temperature=1", batch_of(steps, None, labels=[0]))
    assert found["steps"] == pytest.approx(kl(softmax([0.0, 1.0]), softmax([1.0, 0.0])), rel=1e-5)


@pytest.mark.parametrize("constant", [True, False])
def test_the_teaching_step_learns_only_where_it_is_asked_to(constant):
    steps = tensor(STEPS, requires_grad=True)
    method = parse_spec("method", f"strong2weak:constant_teacher={constant}", METHODS)
    method.terms(batch_of(steps, None))["steps"].backward()
    reached = [bool(steps.grad[t].any()) for t in range(3)]
    assert reached == [False, True, not constant]


def noisy_by_hand(form, noise, tau, drawn):
    answers = []
    for row, xi in zip(averaged(), drawn, strict=True):
        variance = sum((z - mean(row)) ** 2 for z in row) / (len(row) - 1)
        if form == "logits":
            q = softmax([z + noise * math.sqrt(variance) * x for z, x in zip(row, xi, strict=True)], tau)
        else:
            random = softmax([mean(row) + variance * x for x in xi], tau)
            q = [(1 - noise) * a + noise * b for a, b in zip(softmax(row, tau), random, strict=True)]
        answers.append(q)
    return mean(kl(softmax(z, tau), q) for z, q in zip(TEACHER, answers, strict=True))


@pytest.mark.parametrize("form", ["logits", "probabilities"])
def test_nld(form):
    torch.manual_seed(3)
    drawn = torch.randn(2, 3).tolist()
    torch.manual_seed(3)
    found = terms_of(f"nld:gamma=0.9,temperature=2,noise=0.3,form={form}")
    assert found["distillation"] == pytest.approx(0.9 * 4 * noisy_by_hand(form, 0.3, 2, drawn), rel=1e-5)
    assert found["cross_entropy"] == pytest.approx(mean_ce(), rel=1e-5)


@pytest.mark.parametrize("form", ["logits", "probabilities"])
def test_the_noise_follows_the_seed_of_the_training_and_can_be_left_out(form):
    def drawn():
        return terms_of(f"nld:form={form}")["distillation"]

    torch.manual_seed(7)
    first, second = drawn(), drawn()
    torch.manual_seed(7)
    assert (drawn(), drawn()) == (first, second)
    assert first != second
    by_hand = mean(kl(softmax(z, 2), softmax(row, 2)) for z, row in zip(TEACHER, averaged(), strict=True))
    assert terms_of(f"nld:noise=0,form={form}")["distillation"] == pytest.approx(4 * by_hand, rel=1e-5)


def test_kdsnn_is_conventional_distillation_with_its_own_defaults():
    given = batch_of()
    assert terms_of("kdsnn", given) == terms_of("kd:alpha=0.9,temperature=4", given)
    by_hand = mean(kl(softmax(z, 4), softmax(row, 4)) for z, row in zip(TEACHER, averaged(), strict=True))
    assert terms_of("kdsnn:form=response")["distillation"] == pytest.approx(0.9 * 16 * by_hand, rel=1e-5)


@pytest.mark.parametrize("name", ["tser", "twd"])
def test_the_divergence_of_the_steps_is_not_below_that_of_their_mean(name):
    torch.manual_seed(0)
    for _ in range(20):
        steps, teacher = 3 * torch.randn(4, 5, 6), 3 * torch.randn(5, 6)
        given = batch_of(steps, teacher, [0, 1, 2, 3, 4])
        by_step = terms_of(f"{name}:alpha=1,temperature=3", given)["distillation"]
        of_mean = terms_of("kd:alpha=1,temperature=3", given)["distillation"]
        assert by_step > of_mean


def equal_to_the_teacher(labels):
    teacher = tensor(TEACHER)
    steps = teacher.expand(3, 2, 3).clone().requires_grad_()
    return steps, batch_of(steps, teacher, labels)


@pytest.mark.parametrize("time", ["mean", "steps"])
@pytest.mark.parametrize("name", ["kdsnn", "tser", "twd", "seal-kd", "hta-kl", "cist", "nld"])
def test_a_student_that_equals_its_teacher_learns_nothing_from_it(name, time):
    steps, given = equal_to_the_teacher(LABELS)
    options = {"nld": "noise=0", "hta-kl": f"time={time}", "cist": f"time={time}"}.get(name, "")
    terms = parse_spec("method", f"{name}:{options}", METHODS).terms(given)
    learnt = torch.stack([v for k, v in terms.items() if k not in ("cross_entropy", "entropy")]).sum()
    learnt.backward()
    assert learnt.item() == pytest.approx(0, abs=1e-5)
    assert steps.grad.abs().max() < 1e-5


def test_steps_that_agree_learn_nothing_from_each_other():
    steps, given = equal_to_the_teacher(LABELS)
    parse_spec("method", "strong2weak:pairs=cascade", METHODS).terms(given)["steps"].backward()
    assert steps.grad.abs().max() < 1e-6


@pytest.mark.parametrize("name", ["kd", "kdsnn", "tser", "twd", "seal-kd", "hta-kl", "nld"])
def test_the_squared_temperature_keeps_the_gradient_for_small_logits(name):
    norms = []
    for temperature in (2.0, 4.0, 8.0):
        torch.manual_seed(1)
        steps = (0.01 * tensor(STEPS)).requires_grad_()
        method = parse_spec("method", f"{name}:temperature={temperature}", METHODS)
        method.terms(batch_of(steps, 0.01 * tensor(TEACHER)))["distillation"].backward()
        norms.append(float(steps.grad.norm()))
    assert min(norms) > 0
    assert max(norms) / min(norms) == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("name", WITH_TEACHER)
def test_gradients_reach_the_student_and_not_the_teacher(name):
    steps, teacher = tensor(STEPS, requires_grad=True), tensor(TEACHER, requires_grad=True)
    terms = parse_spec("method", name, METHODS).terms(batch_of(steps, teacher))
    for term in terms.values():
        term.backward(retain_graph=True)
        assert teacher.grad is None
        assert torch.isfinite(steps.grad).all() and steps.grad.any()
        steps.grad = None


@pytest.mark.parametrize("name", OURS)
def test_a_single_step_and_a_silent_readout_are_no_trouble(name):
    """Also where no spike came out: equal logits have no deviation, no direction and a tie for the answer."""
    for steps in (tensor(STEPS[:1]), torch.zeros(1, 2, 3), torch.zeros(3, 2, 3)):
        steps.requires_grad_()
        terms = parse_spec("method", name, METHODS).terms(batch_of(steps))
        torch.stack(list(terms.values())).sum().backward()
        assert all(torch.isfinite(term) for term in terms.values())
        assert torch.isfinite(steps.grad).all() and steps.grad.any()


def test_a_single_step_has_no_other_to_learn_from():
    """As where ``--shorten`` leaves one in mid training; a student of one step is refused."""
    single = batch_of(STEPS[:1])
    assert terms_of("strong2weak", single)["steps"] == 0
    assert terms_of("strong2weak:pairs=cascade", single)["steps"] == 0
    assert terms_of("seal-kd", single)["steps"] == 0
