"""Training on a GPU: the same integers as on the CPU."""

import pytest
import torch

from spikewright.base.errors import InputError
from spikewright.profile.profile import load_profile
from spikewright.student.config import StudentConfig
from spikewright.student.integers.form import become_integer
from spikewright.student.neuron_settings import NeuronSettings
from spikewright.student.student import Student
from spikewright.student.train_settings import device_of
from spikewright.training.distill import distill_with
from spikewright.training.settings import DistillSettings

WITHOUT = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
WITH = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


@WITHOUT
def test_a_gpu_that_is_not_there_is_refused():
    with pytest.raises(InputError, match="device=cuda: torch finds no CUDA device here; use device=cpu"):
        device_of("cuda")
    assert device_of("auto") == device_of("cpu") == torch.device("cpu")


@WITH
@pytest.mark.gpu
@pytest.mark.parametrize("kind", ["lif", "cubalif"])
@pytest.mark.parametrize("architecture", ["mlp", "convnet", "vgg", "skipnet"])
def test_integers_on_a_gpu_are_those_of_the_cpu(architecture, kind):
    torch.manual_seed(0)
    neuron = NeuronSettings(kind, beta=0.7, alpha=0.6, threshold=0.4)
    config = StudentConfig(architecture, 8, (1, 16, 16), 10, 4, "direct", "membrane", 6, neuron)
    student = become_integer(Student(config).eval(), load_profile("loihi2-assumed"), "loihi2-assumed")
    images = torch.rand(16, 1, 16, 16)
    here, _ = student.registers(images)
    there, _ = student.to("cuda").registers(images.to("cuda"))
    for name, states in here.items():
        assert torch.equal(states.u, there[name].u.cpu())
        assert torch.equal(states.v, there[name].v.cpu())


@WITH
@pytest.mark.gpu
def test_a_student_is_trained_on_a_gpu():
    settings = DistillSettings.of(data="digits", width=8, timesteps=2, epochs=4, teacher_epochs=3, device="cuda")
    result = distill_with(settings)
    assert result.student.device == torch.device("cpu")
    assert result.provenance["certificate"]["accuracy"] > 0.3
