"""One optimiser step of small students by every method, in floats and on integers; what a method leaves behind."""

from contextlib import nullcontext
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from spikewright.base.errors import InputError
from spikewright.data.load import load
from spikewright.distillation.base import BatchOutputs, shapes_of
from spikewright.distillation.methods import METHODS, REGULARIZERS, parse_spec
from spikewright.profile.profile import load_profile
from spikewright.student.architectures import ARCHITECTURES
from spikewright.student.config import StudentConfig
from spikewright.student.integers.form import become_integer
from spikewright.student.neuron_settings import NeuronSettings
from spikewright.student.student import Student
from spikewright.student.to_nir import to_nir
from spikewright.teachers.ann import build
from spikewright.teachers.outputs import batch_outputs, outputs_of
from spikewright.teachers.torch_teacher import LOGITS, TorchTeacher
from spikewright.training.distill import distill_with
from spikewright.training.settings import DistillSettings

PROFILE = "loihi2-assumed"
# What these need besides a teacher that is a network, their own tests give them.
APART = frozenset({"static twins", "spiking teacher"})
METHODS_HERE = [name for name, method in METHODS.items() if not method.needs & APART]
FORMS = (
    *("kdsnn:form=feature", "kdsnn:form=both", "samd:map=mean", "samd-nld:form=probabilities,normalise=batch"),
    *("bkd:blur=pixels,clip=true,reduction=sum,alpha=0.002", "hdkd:project=conv,reduction=numel"),
    "cist:time=steps,logits=centred,student=teacher,factor=none",
)
ON_MAPS = ("samd", "samd-nld", "bkd", "kdsnn:form", "hdkd")
READOUTS = ("membrane", "count")


@pytest.fixture(scope="module")
def batch():
    split = load("digits").train
    return torch.from_numpy(split.samples[:32]), torch.from_numpy(split.labels[:32])


@pytest.fixture(scope="module")
def teacher():
    torch.manual_seed(0)
    return TorchTeacher(build("convnet", (1, 8, 8), 10), (1, 8, 8), "convnet")


def student_of(architecture, readout, on_integers, samples, encoding="direct", width=8):
    torch.manual_seed(0)
    neuron = NeuronSettings(threshold=0.3)  # low, so that spikes of untrained weights get to the last layer
    student = Student(StudentConfig(architecture, width, (1, 8, 8), 10, 2, encoding, readout, neuron=neuron))
    if not on_integers:
        return student
    for _ in range(30):  # batch norms take in the data before they are folded
        student(samples)
    return become_integer(student, load_profile(PROFILE), PROFILE)


@pytest.fixture(
    scope="module",
    params=[(a, r, i) for a in ARCHITECTURES if a != "temporal" for r in READOUTS for i in (False, True)],
)
def made(request, batch):
    """A student and the weights that it starts from."""
    student = student_of(*request.param, batch[0])
    return student, {name: tensor.clone() for name, tensor in student.state_dict().items()}


def lesson_of(method, student, teacher, samples, labels):
    """What an untrained teacher's features are, beside answers that are right and not too sure."""
    unsure = torch.randn(len(labels), 10, generator=torch.Generator().manual_seed(1))
    if not method.needs_teacher():
        return None, None
    shapes = shapes_of(student, teacher.shapes)
    lesson = outputs_of(teacher, method.requested_values(shapes), samples)
    lesson.logits.copy_(4.0 * F.one_hot(labels, 10) + unsure)
    torch.manual_seed(3)
    return lesson, method.auxiliary(shapes)


def loss_of(method, student, lesson, auxiliary, samples, labels):
    torch.manual_seed(2)  # of noise and blur
    outputs = batch_outputs(student, method, labels, samples, teacher=lesson, auxiliary=auxiliary, progress=0.5)
    return torch.stack(list(method.terms(replace(outputs, synaptic_ops=torch.zeros(()))).values())).sum()


def a_step_lowers_the_loss(text, student, teacher, samples, labels):
    """Down the gradient of all weights, those of the method's own modules among them.

    Surrogate gradients are no slopes: through the seven spiking layers of vgg they lead down too seldom to be asked to.
    """
    method = parse_spec("method", text, METHODS)
    student.train()
    lesson, auxiliary = lesson_of(method, student, teacher, samples, labels)
    before = loss_of(method, student, lesson, auxiliary, samples, labels)
    before.backward()
    own = [p for p in student.network.parameters() if p.requires_grad]
    assert all(torch.isfinite(p.grad).all() for p in own)
    assert all(p.grad.any() for p in own if p.ndim > 1)
    behind = [] if auxiliary is None else list(auxiliary.parameters())
    assert all(torch.isfinite(p.grad).all() and p.grad.any() for p in behind if p.ndim > 1)
    norm = sum(float(p.grad.square().sum()) for p in (*own, *behind))
    with torch.no_grad():
        for parameter in (*own, *behind):
            parameter -= 0.05 / norm**0.5 * parameter.grad
    student.zero_grad()
    after = loss_of(method, student, lesson, auxiliary, samples, labels).item()
    assert after < before.item() if student.config.architecture != "vgg" else after != before.item()


@pytest.mark.parametrize("text", [*METHODS_HERE, "kdsnn:form=feature", "hdkd:project=conv"])
def test_one_step_changes_the_weights_and_lowers_the_loss(text, made, teacher, batch):
    student, weights = made
    student.load_state_dict(weights)
    refused = "maps" if text.startswith(ON_MAPS) and student.config.architecture == "mlp" else None
    refused = "channels" if text == "hdkd" and not refused else refused  # at this width no stage is shared
    words = {"maps": "height and width of a layer of the student", "channels": "let it learn through convolutions"}
    with pytest.raises(InputError, match=words[refused]) if refused else nullcontext():
        a_step_lowers_the_loss(text, student, teacher, *batch)


@pytest.mark.parametrize("on_integers", [False, True])
@pytest.mark.parametrize("text", FORMS)
def test_other_forms_of_them(text, on_integers, teacher, batch):
    a_step_lowers_the_loss(text, student_of("convnet", "membrane", on_integers, batch[0]), teacher, *batch)


@pytest.mark.parametrize("readout", READOUTS)
@pytest.mark.parametrize("on_integers", [False, True])
def test_stages_that_are_shared(readout, on_integers, teacher, batch):
    student = student_of("convnet", readout, on_integers, batch[0], width=32)
    a_step_lowers_the_loss("hdkd", student, teacher, *batch)


@pytest.mark.parametrize("encoding", ["events", "current"])
@pytest.mark.parametrize("on_integers", [False, True])
@pytest.mark.parametrize("text", ["samd-nld", "bkd", "kdsnn:form=both", "hdkd:project=conv"])
def test_maps_of_events_and_of_neurons_that_encode(text, on_integers, encoding, teacher, batch):
    """A teacher sees the mean frame; the encoder's spikes, which are no feature, lie beside the others."""
    images, labels = batch
    frames = (torch.rand(32, 2, 1, 8, 8, generator=torch.Generator().manual_seed(4)) < images[:, None]).to(torch.uint8)
    samples = frames if encoding == "events" else images
    student = student_of("convnet", "membrane", on_integers, samples, encoding)
    assert ("encoder" in student(samples).spikes) == (encoding == "current")
    a_step_lowers_the_loss(text, student, teacher, samples, labels)


@pytest.mark.parametrize("regularizer", REGULARIZERS)
@pytest.mark.parametrize("text", [*METHODS_HERE, *FORMS])
def test_every_method_goes_with_every_regularizer(text, regularizer, teacher, batch):
    samples, labels = batch
    student = student_of("convnet", "membrane", False, samples, width=32 if text == "hdkd" else 8)
    method, term = parse_spec("method", text, METHODS), parse_spec("regularizer", regularizer, REGULARIZERS)
    lesson, auxiliary = lesson_of(method, student, teacher, samples, labels)
    done = batch_outputs(student, method, labels, samples, teacher=lesson, auxiliary=auxiliary, progress=0.5)
    operations = torch.stack([spikes.sum() for spikes in done.student.spikes.values()]).sum() / len(labels)
    terms = method.terms(replace(done, synaptic_ops=operations))
    added = term.terms(BatchOutputs(labels, done.student, None, operations))
    assert not terms.keys() & added.keys()
    torch.stack([*terms.values(), *added.values()]).sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in student.network.parameters())


def test_the_steps_of_a_membrane_readout_make_up_its_logits(made, batch):
    """Per-step methods train the very logits that the answer is read from."""
    student, weights = made
    student.load_state_dict(weights)
    with torch.no_grad():
        output = student.eval()(batch[0])
    of_steps = output.step_logits.mean(0) if student.config.readout == "membrane" else output.step_logits.sum(0)
    assert torch.allclose(of_steps, output.logits, atol=1e-5)


def test_heads_that_differ_average_to_the_answer_that_is_deployed(teacher, batch):
    """The readout is linear in the rates of the last hidden layer, and so are both heads."""
    student = student_of("convnet", "membrane", False, batch[0]).eval()
    with torch.no_grad():
        output = student(batch[0])
    rates = output.spikes["lif4"].mean(0)
    assert torch.allclose(student.network.head(rates), output.logits, atol=1e-5)


def distilled(method):
    return distill_with(
        DistillSettings.of(data="digits", width=4, timesteps=2, epochs=1, teacher_epochs=1, method=method)
    )


@pytest.fixture(scope="module")
def plain():
    return distilled("none").student


@pytest.mark.parametrize("text", ["bkd", "hdkd:project=conv", "kdsnn:form=feature,norm=true"])
def test_what_helps_in_training_is_left_behind(text, plain):
    """The student has the weights of one that learnt from labels alone, and its graph the nodes."""
    taught = distilled(text).student
    assert {n: t.shape for n, t in taught.state_dict().items()} == {n: t.shape for n, t in plain.state_dict().items()}
    assert list(to_nir(taught).nodes) == list(to_nir(plain).nodes)


@pytest.mark.parametrize("text", [name for name in METHODS_HERE if METHODS[name].needs_teacher()])
def test_the_teacher_stays_what_it_is(text, teacher, batch):
    before = teacher.state_dict()
    student = student_of("convnet", "membrane", False, batch[0], width=32)
    a_step_lowers_the_loss(text, student, teacher, *batch)
    assert all(torch.equal(value, before[name]) for name, value in teacher.state_dict().items())
    assert not teacher.features(batch[0], [LOGITS])[LOGITS].requires_grad
