"""Neurons that feed themselves: snnTorch's own steps, the student's, the graph's, the chip's and Lava's."""

from __future__ import annotations

import pytest
import snntorch as snn
import torch
from torch import Tensor, nn

from spikewright.base.errors import InputError
from spikewright.chip.encoding import encode
from spikewright.lowering.lower import lower
from spikewright.profile.profile import load_profile
from spikewright.simulation import integer
from spikewright.simulation.backends import backend
from spikewright.simulation.recording import compare
from spikewright.student.config import StudentConfig
from spikewright.student.integers.form import become_integer
from spikewright.student.neurons import integrator
from spikewright.student.student import Student
from spikewright.student.to_nir import to_nir
from spikewright.student.verify import export

SHAPE = (2, 5, 5)
FIRES = {"init_hidden": True, "reset_mechanism": "zero", "reset_delay": False, "threshold": 0.5}
LATE = FIRES | {"reset_mechanism": "subtract", "reset_delay": True}
KINDS = ["all to all", "one to one", "convolutional", "synaptic", "subtracting late"]


def network(kind: str) -> nn.Module:
    torch.manual_seed(2)
    if kind == "convolutional":
        loop = snn.RLeaky(beta=0.75, conv2d_channels=3, kernel_size=3, **FIRES)
        layers: list[nn.Module] = [nn.Conv2d(2, 3, 3, padding=1), loop, nn.Flatten(), nn.Linear(75, 4)]
        return nn.Sequential(*layers, integrator())
    if kind == "one to one":
        loop = snn.RLeaky(beta=0.75, all_to_all=False, V=torch.linspace(-0.5, 0.5, 9), **FIRES)
    elif kind == "subtracting late":
        loop = snn.RLeaky(beta=0.75, linear_features=9, **LATE)
    elif kind == "synaptic":
        loop = snn.RSynaptic(alpha=0.5, beta=0.75, linear_features=9, **FIRES)
    else:
        loop = snn.RLeaky(beta=0.75, linear_features=9, **FIRES)
    return nn.Sequential(nn.Flatten(), nn.Linear(50, 9), loop, nn.Linear(9, 4), integrator())


def student(kind: str) -> Student:
    made = Student(StudentConfig("own", 4, SHAPE, 4, 6, "rate"), network(kind)).eval()
    with torch.no_grad():
        for name, value in made.network.named_parameters():
            if name.endswith("recurrent.weight"):
                value.mul_(2)
    return made


def images(count: int = 5) -> Tensor:
    return torch.rand(count, *SHAPE, generator=torch.Generator().manual_seed(1))


def by_hand(loop: nn.Module, currents: list[Tensor]) -> Tensor:
    """What snnTorch says of RSynaptic, whose own forward pass fails in version 1.0.0 with ``reset_delay=False``."""
    spikes = synaptic = membrane = torch.zeros_like(currents[0])
    found = []
    for current in currents:
        synaptic = loop.alpha * synaptic + current + loop.recurrent(spikes)
        membrane = loop.beta * membrane + synaptic
        spikes = (membrane > loop.threshold).float()
        membrane = membrane * (1 - spikes)
        found.append(spikes)
    return torch.stack(found)


@pytest.mark.parametrize("kind", KINDS)
def test_student_and_graph_step_as_snntorch_does(kind: str, tmp_path) -> None:
    made = student(kind)
    output = made(images())
    loop = next(module for module in made.network if isinstance(module, snn.RLeaky | snn.RSynaptic))
    before = made.network[: list(made.network).index(loop)]
    with torch.no_grad():
        currents = [before(frame) for frame in output.drive]
        theirs = by_hand(loop, currents) if kind == "synaptic" else torch.stack([loop(each) for each in currents])
    (name,) = output.spikes
    assert torch.equal(output.spikes[name], theirs)
    assert 0.02 < float(theirs.mean()) < 0.95
    silent = student(kind)
    for parameter in silent.network[int(name)].recurrent.parameters():
        parameter.data.zero_()
    assert not torch.equal(silent(images()).spikes[name], theirs), "the loop matters"
    assert export(made, tmp_path / "s.nir", images()).samples == 5


@pytest.mark.parametrize("kind", KINDS)
def test_a_loop_learns(kind: str) -> None:
    made = student(kind).train()
    made(images()).logits.square().sum().backward()
    loop = next(module for module in made.network if isinstance(module, snn.RLeaky | snn.RSynaptic))
    assert all(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in loop.recurrent.parameters())


def test_training_on_integers_refuses_a_loop_before_it_begins() -> None:
    with pytest.raises(InputError) as caught:
        become_integer(student("all to all"), load_profile("loihi2-assumed"), "loihi2-assumed")
    assert "2: feeds itself, which is trained in floats alone" in str(caught.value)


@pytest.mark.lava
@pytest.mark.parametrize("kind", KINDS)
def test_lava_computes_what_the_integers_do(lava: None, kind: str) -> None:
    chip = lower(to_nir(student(kind)), "loihi2-assumed")
    assert chip.is_recurrent
    drive = encode(chip.encoding, images(2).numpy(), chip.timesteps, 8)
    ours = integer.run(chip, drive, record_states=True)
    assert compare(ours, backend("lava")(chip, drive, record_states=True)) == []
    floats = student(kind)(images(2)).spikes
    for name, spikes in floats.items():
        assert (
            float(
                (torch.from_numpy(ours.spikes[name]) != spikes.reshape(6, 2, *chip.by_name[name].shape)).double().mean()
            )
            < 0.05
        )
