"""The student for series that are taken at once, at several lengths, and what the named students refuse."""

from __future__ import annotations

import pytest
import torch

from spikewright.base.errors import InputError
from spikewright.chip.network import ChipNetwork
from spikewright.lowering.lower import lower
from spikewright.profile.profile import load_profile
from spikewright.student.architectures import STEPS_LEFT, Shape, builder_of
from spikewright.student.config import StudentConfig
from spikewright.student.integers.form import become_integer
from spikewright.student.neuron_settings import NeuronSettings
from spikewright.student.student import Student
from spikewright.student.to_nir import to_nir
from spikewright.student.verify import differences, verify_export
from spikewright.training.sizing import _widths


def student(shape: Shape, width: int = 4, timesteps: int = 4, encoding: str = "direct") -> Student:
    torch.manual_seed(0)
    neuron = NeuronSettings(threshold=0.3)
    return Student(StudentConfig("temporal", width, shape, 3, timesteps, encoding, "membrane", 6, neuron)).eval()


def samples(shape: Shape, count: int = 6) -> torch.Tensor:
    return torch.rand(count, *shape, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    ("steps", "convolutions"), [(2, 3), (7, 3), (26, 3), (64, 3), (65, 4), (100, 4), (250, 5), (1000, 7)]
)
def test_a_longer_recording_gets_more_convolutions(steps: int, convolutions: int) -> None:
    made = student((6, steps, 1))
    shapes = list(made.layer_shapes.values())
    assert len(shapes) == convolutions + 1
    assert shapes[-2][1] <= STEPS_LEFT
    assert [shape[0] for shape in shapes[:-1]] == [4, *[8] * (convolutions - 1)]
    assert shapes[-1] == (32,)
    assert made(samples((6, steps, 1))).logits.shape == (6, 3)


@pytest.mark.parametrize("timesteps", [1, 4, 10])
@pytest.mark.parametrize("steps", [5, 100])
def test_its_graph_and_its_chip_network_compute_the_same(steps: int, timesteps: int) -> None:
    shape = (4, steps, 1)
    made = student(shape, timesteps=timesteps)
    assert verify_export(made, to_nir(made), samples(shape)).ties == 0
    profile = load_profile("loihi2-assumed")
    exact = become_integer(made, profile, profile.name).eval()
    chip: ChipNetwork = lower(to_nir(exact), profile)
    assert [str(each) for each in differences(exact, chip, samples(shape))] == []


def test_it_learns_from_every_step() -> None:
    made, given = student((2, 100, 1)).train(), samples((2, 100, 1))
    given.requires_grad_()
    made.run(given[None]).logits.sum().backward()
    assert given.grad is not None
    assert (given.grad.abs().sum((0, 1, 3)) > 0).float().mean() > 0.9


def test_its_widths_are_those_of_convolutions() -> None:
    assert _widths("temporal", "direct") == _widths("convnet", "direct")
    assert _widths("temporal", "rate") == _widths("convnet", "rate")
    assert max(_widths("mlp", "direct")) > max(_widths("temporal", "direct"))


@pytest.mark.parametrize(
    ("architecture", "shape", "said"),
    [
        (
            "temporal",
            (8, 1, 1),
            "student architecture 'temporal': goes over the steps of recordings that are taken at once, and the input "
            "has shape (8, 1, 1); give view=channels, or architecture=mlp for single steps and vectors",
        ),
        (
            "vgg",
            (1, 30, 6),
            "student architecture 'vgg': halves its input 3 times and needs at least 8 x 8 pixels, found 30 x 6; "
            "choose architecture=convnet",
        ),
    ],
)
def test_an_input_that_does_not_suit_is_refused(architecture: str, shape: Shape, said: str) -> None:
    with pytest.raises(InputError) as refusal:
        builder_of(architecture)(shape, 3, 4, NeuronSettings(), "membrane")
    assert str(refusal.value) == said


@pytest.mark.parametrize("shape", [(26, 1, 1), (1, 1, 7), (12, 30, 1)], ids=str)
def test_a_dense_student_takes_vectors_and_steps(shape: Shape) -> None:
    made = Student(StudentConfig("mlp", 32, shape, 3, 4)).eval()
    assert made(samples(shape)).logits.shape == (6, 3)
    assert list(made.layer_shapes.values()) == [(32,), (32,)]
