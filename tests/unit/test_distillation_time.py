"""TSSD: the losses by hand, what learns and what is constant, every student that it is for, and its own modules."""

import math

import pytest
import torch
from torch import tensor

from spikewright.base.errors import InputError
from spikewright.data.dataset import Dataset
from spikewright.data.load import load
from spikewright.data.split import Split
from spikewright.distillation.base import BatchOutputs, NetworkShapes, shapes_of
from spikewright.distillation.methods import METHODS, parse_spec
from spikewright.profile.profile import load_profile
from spikewright.student.config import StudentConfig
from spikewright.student.integers.form import become_integer
from spikewright.student.neurons import NeuronTrace
from spikewright.student.student import Student, output_of
from spikewright.student.to_nir import to_nir
from spikewright.teachers.outputs import batch_outputs
from spikewright.training.distill import distill_with
from spikewright.training.settings import DistillSettings
from spikewright.training.trainer import Trainer

PROFILE = "loihi2-assumed"
QUICK = DistillSettings.of(data="digits", width=4, timesteps=2, epochs=3, method="tssd:long_labels=0.5")

# (4, B=2, K=2): the student runs over the first two steps.
CURRENTS = [[[2.0, 0.0], [1.0, -1.0]], [[0.0, 1.0], [3.0, 0.0]], [[1.0, 4.0], [0.0, 2.0]], [[5.0, 0.0], [1.0, 1.0]]]
COUNTS = [[[1.0, 0.0], [1.0, 0.0]], [[0.0, 1.0], [1.0, 0.0]], [[1.0, 1.0], [0.0, 0.0]], [[1.0, 0.0], [0.0, 1.0]]]
# Two channels of 1 x 2 pixels: over two steps and all pixels they fire at rates (1/2, 0) and (1, 1/4).
MAPS = [
    [[[[1.0, 0.0]], [[0.0, 0.0]]], [[[1.0, 1.0]], [[0.0, 1.0]]]],
    [[[[0.0, 1.0]], [[0.0, 0.0]]], [[[1.0, 1.0]], [[0.0, 0.0]]]],
    [[[[1.0, 1.0]], [[1.0, 1.0]]], [[[1.0, 1.0]], [[1.0, 1.0]]]],
    [[[[1.0, 1.0]], [[1.0, 1.0]]], [[[1.0, 1.0]], [[1.0, 1.0]]]],
]
LABELS = tensor([0, 1])


def tssd(options=""):
    return parse_spec("method", f"tssd:{options}", METHODS)


def head(weight=((1.0, 0.0), (0.0, 2.0)), bias=(0.5, 0.0)):
    """The weak classifier with known weights."""
    module = tssd("stage=lif1").auxiliary(NetworkShapes({"lif1": (2, 1, 2)}, {}, 2, 2))
    with torch.no_grad():
        module.linear.weight.copy_(tensor(weight))
        module.linear.bias.copy_(tensor(bias))
    return module


def batch_of(readout, steps=None, auxiliary=None):
    """What a longer pass of which every number is known amounts to, with the leaves that gradients end in."""
    steps = tensor(steps or {"membrane": CURRENTS, "count": COUNTS}[readout], requires_grad=True)
    spikes = tensor(MAPS, requires_grad=True)
    fired = steps if readout == "count" else None
    traces = {"lif1": NeuronTrace(spikes, spikes, spikes), "readout": NeuronTrace(steps, fired, steps.cumsum(0))}
    longer = output_of(torch.zeros(1, 2, 1), traces, 4)
    return BatchOutputs(LABELS, longer.first(2), None, longer=longer, auxiliary=auxiliary), steps, spikes


def softmax(row, tau=1.0):
    powers = [math.exp(z / tau) for z in row]
    return [p / sum(powers) for p in powers]


def mean(values):
    values = list(values)
    return sum(values) / len(values)


def kl(p, q):
    return sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))


def squared(p, q):
    return sum((a - b) ** 2 for a, b in zip(p, q, strict=True))


def distance(teachers, students, tau, between):
    return tau**2 * mean(between(softmax(a, tau), softmax(z, tau)) for a, z in zip(teachers, students, strict=True))


def ce(rows):
    return -mean(math.log(softmax(row)[y]) for row, y in zip(rows, LABELS.tolist(), strict=True))


@pytest.mark.parametrize(("divergence", "between"), [("kl", kl), ("mse", squared)])
@pytest.mark.parametrize(
    ("readout", "short", "long"),
    [
        # Means of the currents of two and of four steps.
        ("membrane", [[1.0, 0.5], [2.0, -0.5]], [[2.0, 1.25], [1.25, 0.5]]),
        # Spikes of two steps, and those of four for each two.
        ("count", [[1.0, 1.0], [2.0, 0.0]], [[1.5, 1.0], [1.0, 0.5]]),
    ],
)
def test_every_term_by_hand(readout, short, long, divergence, between):
    weak = [[0.5 + 0.5, 0.0], [0.5 + 1.0, 2 * 0.25]]
    given, *_ = batch_of(readout, auxiliary=head())
    method = tssd(f"alpha=0.3,beta=0.7,temperature=3,divergence={divergence},long_labels=0.2,weak_labels=0.4")
    assert {name: term.item() for name, term in method.terms(given).items()} == pytest.approx(
        {
            "cross_entropy": ce(short),
            "temporal": 0.3 * distance(long, short, 3, between),
            "long_labels": 0.2 * ce(long),
            "spatial": 0.7 * distance(short, weak, 3, between),
            "weak_labels": 0.4 * ce(weak),
        },
        rel=1e-5,
    )


def test_labels_of_the_longer_run_and_of_the_weak_head_are_terms_only_where_they_weigh():
    given, *_ = batch_of("membrane", auxiliary=head())
    assert set(tssd().terms(given)) == {"cross_entropy", "temporal", "spatial"}


@pytest.mark.parametrize("divergence", ["kl", "mse"])
def test_steps_that_repeat_teach_nothing(divergence):
    given, steps, _ = batch_of("membrane", CURRENTS[:2] * 2)
    term = tssd(f"divergence={divergence}").terms(given)["temporal"]
    term.backward()
    assert term.item() == pytest.approx(0, abs=1e-6)
    assert steps.grad.abs().max() < 1e-6


def test_a_weak_head_that_agrees_learns_nothing():
    agreeing = head(((0.0, 0.0), (0.0, 0.0)), (0.5, 0.5))
    given, *_ = batch_of("count", [[[1.0, 1.0]] * 2] * 4, agreeing)
    term = tssd().terms(given)["spatial"]
    term.backward()
    assert term.item() == pytest.approx(0, abs=1e-6)
    assert agreeing.linear.weight.grad.abs().max() < 1e-6


@pytest.mark.parametrize("divergence", ["kl", "mse"])
def test_who_teaches_is_constant(divergence):
    """The longer run has no gradient of its own, nor has the readout one from the weak head."""
    module = head()
    given, steps, spikes = batch_of("membrane", auxiliary=module)
    terms = tssd(f"divergence={divergence}").terms(given)
    terms["temporal"].backward(retain_graph=True)
    assert steps.grad[:2].any() and not steps.grad[2:].any()
    assert spikes.grad is None
    steps.grad = None
    terms["spatial"].backward()
    assert steps.grad is None
    assert spikes.grad[:2].any() and not spikes.grad[2:].any()
    assert module.linear.weight.grad.any()


def test_the_labels_of_the_longer_run_reach_all_its_steps():
    given, steps, _ = batch_of("membrane")
    tssd("long_labels=1").terms(given)["long_labels"].backward()
    assert all(step.any() for step in steps.grad)


@pytest.mark.parametrize("divergence", ["kl", "mse"])
def test_the_squared_temperature_keeps_the_gradient_for_small_logits(divergence):
    """Of the divergence; the squared distance of answers is itself of second order in 1/tau."""
    norms = []
    for temperature in (2.0, 4.0, 8.0):
        small = [[[0.01 * z for z in row] for row in step] for step in CURRENTS]
        given, steps, _ = batch_of("membrane", small)
        tssd(f"temperature={temperature},divergence={divergence}").terms(given)["temporal"].backward()
        norms.append(float(steps.grad.norm()))
    assert max(norms) / min(norms) == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize(
    ("options", "timesteps", "horizon"),
    [("", 4, 8), ("factor=1.5", 4, 6), ("factor=1.1", 2, 3), ("alpha=0", 4, 4), ("alpha=0,long_labels=1", 4, 8)],
)
def test_the_horizon(options, timesteps, horizon):
    assert tssd(options).training_timesteps(timesteps) == horizon


@pytest.mark.parametrize("readout", ["membrane", "count"])
@pytest.mark.parametrize(
    ("architecture", "layer", "features"), [("mlp", "lif1", 4), ("convnet", "lif2", 8), ("vgg", "lif4", 8)]
)
def test_the_weak_head_reads_the_middle_layer(architecture, layer, features, readout):
    student = Student(StudentConfig(architecture, 4, (1, 8, 8), 10, 2, readout=readout))
    module = tssd().auxiliary(shapes_of(student, None))
    assert (module.layer, module.linear.in_features, module.linear.out_features) == (layer, features, 10)
    assert tssd("stage=lif1").auxiliary(shapes_of(student, None)).layer == "lif1"
    assert tssd("beta=0").auxiliary(shapes_of(student, None)) is None
    assert tssd("beta=0,weak_labels=0.1").auxiliary(shapes_of(student, None)) is not None


def test_a_stage_that_there_is_not_is_refused_before_training():
    with pytest.raises(InputError) as refusal:
        distill_with(QUICK.changed({"method": "tssd:stage=lif9"}))
    assert str(refusal.value) == (
        "method tssd: the student has no spiking layer 'lif9'; did you mean 'lif4'? may be: lif1, lif2, lif3, lif4"
    )


def test_no_longer_run_where_samples_have_an_end(monkeypatch):
    """Events and latency codes cannot go on; with alpha = 0 nothing has to."""
    split = Split(torch.zeros(8, 2, 1, 8, 8, dtype=torch.uint8).numpy(), torch.arange(8).numpy() % 2)
    events = Dataset("made-up", split, split, split, 2, (1, 8, 8), timesteps=2)
    monkeypatch.setattr("spikewright.training.objects.load", lambda *_: events)
    on_events = QUICK.changed({"data": "made-up", "timesteps": None, "batch": 4, "epochs": 1})
    with pytest.raises(InputError, match="method=tssd: runs samples beyond T, as events cannot be"):
        distill_with(on_events)
    result = distill_with(on_events.changed({"method": "tssd:alpha=0"}))
    assert set(result.history[0].loss) == {"cross_entropy", "spatial"}
    monkeypatch.undo()
    with pytest.raises(InputError, match="method=tssd: runs samples beyond T, as a latency code cannot be"):
        distill_with(QUICK.changed({"encoding": "latency"}))


@pytest.fixture(scope="module")
def digits():
    split = load("digits").train
    return torch.from_numpy(split.samples[:64]), torch.from_numpy(split.labels[:64])


@pytest.mark.parametrize("on_integers", [False, True])
@pytest.mark.parametrize("readout", ["membrane", "count"])
@pytest.mark.parametrize("architecture", ["mlp", "convnet", "vgg", "skipnet"])
def test_one_step_lowers_the_loss(architecture, readout, on_integers, digits):
    images, labels = digits
    torch.manual_seed(0)
    student = Student(StudentConfig(architecture, 4, (1, 8, 8), 10, 2, readout=readout))
    if on_integers:
        with torch.no_grad():
            for _ in range(80):  # batch norms take in the data before they are folded, so that no layer is silent
                student(images)
        student = become_integer(student, load_profile(PROFILE), PROFILE)
    method = tssd("long_labels=0.5,weak_labels=0.5")
    auxiliary = method.auxiliary(shapes_of(student, None))
    learning = [*student.network.parameters(), *auxiliary.parameters()]

    def loss():
        given = batch_outputs(student.train(), method, labels, images, auxiliary=auxiliary)
        assert len(given.student.step_logits) == 2 and len(given.longer.step_logits) == 4
        return torch.stack(list(method.terms(given).values())).sum()

    before = loss()
    before.backward()
    gradients = [p.grad for p in learning if p.requires_grad and p.ndim > 1]
    assert all(torch.isfinite(gradient).all() and gradient.any() for gradient in gradients)
    norm = sum(float(gradient.square().sum()) for gradient in gradients) ** 0.5
    with torch.no_grad():
        for parameter in (p for p in learning if p.requires_grad):
            parameter -= 0.1 / norm * parameter.grad
    assert loss().item() < before.item()


@pytest.mark.parametrize("dies_at", [40, 80])
def test_killed_and_resumed_ends_in_the_same_weights(tmp_path, monkeypatch, dies_at, killed):
    """In floats and on integers; the weak head and the optimiser's memory of it come back too."""
    found = []
    original_meet = Trainer.set_teacher

    def meet(self, teacher, seed):
        found.append(self)
        original_meet(self, teacher, seed)

    monkeypatch.setattr(Trainer, "set_teacher", meet)
    distill_with(QUICK)
    checkpoint = tmp_path / "checkpoint"
    with killed("train_on", dies_at):
        distill_with(QUICK, checkpoint)
    distill_with(QUICK, checkpoint, resume=True)
    whole, _, resumed = found
    for part in ("student", "auxiliary"):
        first, second = getattr(whole, part).state_dict(), getattr(resumed, part).state_dict()
        assert first.keys() == second.keys()
        assert all(torch.equal(first[name], second[name]) for name in first)


def test_the_weak_head_is_left_behind_and_its_steps_are_not_counted():
    taught = distill_with(QUICK.changed({"epochs": 1, "integer_from": 1.0}))
    alone = distill_with(QUICK.changed({"epochs": 1, "integer_from": 1.0, "method": "none"}))
    assert taught.student.state_dict().keys() == alone.student.state_dict().keys()
    assert to_nir(taught.student).nodes.keys() == to_nir(alone.student).nodes.keys()
    assert taught.student.config == alone.student.config
    assert taught.history[0].synaptic_ops["input"] == alone.history[0].synaptic_ops["input"]
