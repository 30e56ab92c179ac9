"""One optimiser step of a small student on digits, in floats and on integers, by every method of labels and logits."""

import pytest
import torch
import torch.nn.functional as F

from spikewright.hardware_profiles.profile import load_profile
from spikewright.train.data import load
from spikewright.train.distillation import METHODS, Evidence, parse_spec
from spikewright.train.quantized.form import become_integer
from spikewright.train.student import Student, StudentConfig

PROFILE = "loihi2-assumed"
OF_LOGITS = [name for name, method in METHODS.items() if method.needs <= {"teacher logits", "step logits"}]


@pytest.fixture(scope="module")
def batch():
    split = load("digits").train
    labels = torch.from_numpy(split.labels[:64])
    unsure = torch.randn(64, 10, generator=torch.Generator().manual_seed(1))
    teacher = 4.0 * F.one_hot(labels, 10) + unsure
    return torch.from_numpy(split.images[:64]), labels, teacher


@pytest.fixture(scope="module", params=[("membrane", False), ("membrane", True), ("count", False), ("count", True)])
def made(request, batch):
    """A student and the weights that it starts from."""
    readout, on_integers = request.param
    torch.manual_seed(0)
    student = Student(StudentConfig("mlp", 8, tuple(batch[0].shape[1:]), 10, 2, "direct", readout))
    if on_integers:
        for _ in range(30):  # batch norms take in the data before they are folded
            student(batch[0])
        student = become_integer(student, load_profile(PROFILE), PROFILE)
    return student, {name: tensor.clone() for name, tensor in student.state_dict().items()}


def loss_of(method, student, batch):
    images, labels, teacher = batch
    torch.manual_seed(2)  # of the noise
    output = student(images)
    return torch.stack(list(method.terms(Evidence(labels, output, teacher)).values())).sum()


@pytest.mark.parametrize("name", OF_LOGITS)
def test_one_step_changes_the_weights_and_lowers_the_loss(name, made, batch):
    student, weights = made
    student.load_state_dict(weights)
    student.train()
    method = parse_spec("method", name, METHODS)
    before = loss_of(method, student, batch)
    before.backward()
    gradients = [p.grad for p in student.network.parameters() if p.requires_grad]
    assert all(torch.isfinite(gradient).all() for gradient in gradients)
    assert all(gradient.any() for gradient in gradients if gradient.ndim > 1)
    norm = sum(float(gradient.square().sum()) for gradient in gradients)
    with torch.no_grad():
        for parameter in student.network.parameters():
            parameter -= 0.1 / norm**0.5 * parameter.grad
    student.zero_grad()
    assert loss_of(method, student, batch).item() < before.item()


def test_the_steps_of_a_membrane_readout_make_up_its_logits(made, batch):
    """Per-step methods train the very logits that the answer is read from."""
    student, weights = made
    student.load_state_dict(weights)
    with torch.no_grad():
        output = student.eval()(batch[0])
    of_steps = output.step_logits.mean(0) if student.config.readout == "membrane" else output.step_logits.sum(0)
    assert torch.allclose(of_steps, output.logits, atol=1e-6)
