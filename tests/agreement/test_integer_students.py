"""What was trained is what the chip runs: a student on integers, its graph's chip network and Lava, bit for bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from spikewright.base.errors import AnswerIsNo, InputError
from spikewright.chip.encoding import encode
from spikewright.chip.network import ChipNetwork
from spikewright.graph.nir_io import read_graph
from spikewright.lowering.lower import lower
from spikewright.profile.profile import load_profile
from spikewright.simulation import integer
from spikewright.simulation.backends import BACKENDS, Run, backend
from spikewright.simulation.recording import compare
from spikewright.student.config import StudentConfig
from spikewright.student.integers.form import become_integer, settle
from spikewright.student.neuron_settings import NeuronSettings
from spikewright.student.neurons import integrator, spiking
from spikewright.student.student import Student
from spikewright.student.to_nir import to_nir
from spikewright.student.verify import differences, export, verify_export

SHAPE = (1, 12, 12)
WAYS = [
    ("direct", "membrane", "lif", "loihi2-assumed"),
    ("current", "count", "lif", "loihi1-davies"),
    ("rate", "membrane", "cubalif", "loihi1-davies"),
    ("latency", "count", "cubalif", "loihi2"),
]


def trained(architecture: str, encoding: str, readout: str, kind: str, profile: str, bits: int) -> Student:
    """A student on integers after one step of training, with decays and thresholds that no power of two divides."""
    torch.manual_seed(5)
    neuron = NeuronSettings(kind=kind, beta=0.7, alpha=0.6, threshold=0.5, learn_beta=True, learn_threshold=True)
    made = Student(StudentConfig(architecture, 6, SHAPE, 5, 4, encoding, readout, 4, neuron)).eval()
    for module in made.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.02, 0.1)
    target = load_profile(profile)
    student = become_integer(made, target, profile, bits)
    optimizer = torch.optim.SGD(student.parameters(), lr=0.05)
    output = student(images(16))
    rates = [spikes.mean() for spikes in output.spikes.values() if spikes.requires_grad]
    loss = F.cross_entropy(output.logits, torch.arange(16) % 5) + torch.stack(rates).sum()
    loss.backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in student.network.parameters())
    optimizer.step()
    settle(student, target)
    return student.eval()


def images(count: int) -> torch.Tensor:
    return torch.rand(count, *SHAPE, generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize("architecture", ["mlp", "convnet", "vgg", "skipnet"])
@pytest.mark.parametrize(("encoding", "readout", "kind", "profile"), WAYS)
def test_every_architecture_encoding_neuron_and_readout(
    architecture: str, encoding: str, readout: str, kind: str, profile: str
) -> None:
    student = trained(architecture, encoding, readout, kind, profile, 8)
    chip = lower(to_nir(student), profile)
    assert [str(d) for d in differences(student, chip, images(20), seed=3, first_index=7)] == []
    output = student(images(20))
    assert sum(0.005 < spikes.mean() < 0.99 for spikes in output.spikes.values()) >= len(output.spikes) - 1
    codes = encode(encoding, images(20).numpy(), 4, 4)
    scores = integer.run(chip, codes).scores
    assert np.array_equal(scores.argmax(1), output.scores.argmax(1).numpy())


@pytest.mark.parametrize("bits", [6, 4, 2])
@pytest.mark.parametrize(("encoding", "readout", "kind", "profile"), WAYS)
def test_narrow_weights(encoding: str, readout: str, kind: str, profile: str, bits: int) -> None:
    student = trained("skipnet", encoding, readout, kind, profile, bits)
    chip = lower(to_nir(student), profile)
    assert [str(d) for d in differences(student, chip, images(20))] == []
    assert all(np.unique(c.weight).size <= 2**bits for c in chip.connections)


class TwoConvolutions(nn.Module):
    """Two convolutions of the input, added in front of one layer of neurons."""

    def __init__(self, neuron: NeuronSettings) -> None:
        super().__init__()
        self.one, self.two = nn.Conv2d(1, 4, 3), nn.Conv2d(1, 4, 3)
        self.neurons = spiking(neuron)
        self.head = nn.Sequential(nn.Flatten(), nn.Linear(400, 5))
        self.readout = integrator()

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.readout(self.head(self.neurons(self.one(image) + self.two(image))))


@pytest.mark.parametrize("parameter", ["weight", "bias"])
def test_what_two_convolutions_add_up_to_keeps_within_the_registers(parameter: str) -> None:
    """The chip has one connection and one bias register where the student adds two convolutions."""
    torch.manual_seed(5)
    neuron, target = NeuronSettings(threshold=0.5), load_profile("loihi2-assumed")
    config = StudentConfig("own", 6, SHAPE, 5, 4, "direct", "membrane", 4, neuron)
    student = become_integer(Student(config, TwoConvolutions(neuron)).eval(), target, "loihi2-assumed", 8)
    before = student.grid.scales["neurons"]
    most = {"weight": 250 * 15, "bias": 4000}[parameter] / before  # an intensity of 1 is the integer 15
    with torch.no_grad():
        for convolution in (student.network.one, student.network.two):
            getattr(convolution, parameter)[0] = most
    assert settle(student, target)
    assert student.grid.scales["neurons"] < 0.6 * before
    chip = lower(to_nir(student.eval()), target)
    assert [str(d) for d in differences(student, chip, images(20), seed=3, first_index=7)] == []


def test_the_file_keeps_every_integer_and_rounds_none(tmp_path: Path) -> None:
    student = trained("skipnet", "current", "membrane", "cubalif", "loihi1-davies", 6)
    checked = export(student, tmp_path / "s.nir", images(8))
    assert checked.samples == 8
    chip = lower(read_graph(tmp_path / "s.nir"), "loihi1-davies")
    assert [str(d) for d in differences(student, chip, images(8))] == []
    assert student.grid is not None
    rounding = chip.provenance["rounding"]
    assert max(rounding[name] for name in student.grid.scales) < 1e-3
    same_registers = lower(read_graph(tmp_path / "s.nir"), "loihi1-sanafe")
    assert all(
        np.array_equal(a.weight, b.weight) for a, b in zip(chip.connections, same_registers.connections, strict=True)
    )


def test_fewer_bits_than_trained_are_rounded_anew_and_said() -> None:
    graph = to_nir(trained("mlp", "direct", "membrane", "lif", "loihi2-assumed", 8))
    chip = lower(graph, "loihi2-assumed", weight_bits=4)
    assert any("rounded anew" in sentence for sentence in chip.provenance["assumed"])
    assert {c.weight_bits for c in chip.connections} == {4}


def test_a_graph_that_only_claims_its_integers_is_refused() -> None:
    graph = to_nir(trained("mlp", "direct", "membrane", "lif", "loihi2-assumed", 8))
    graph.nodes["dense1"].weight[0, 0] += 0.3 / 3000
    with pytest.raises(InputError, match=r"trained_integers_stay.*lif1: the graph says it was trained on integers"):
        lower(graph, "loihi2-assumed")
    graph.metadata["integer"] = graph.metadata["integer"][:-5]
    with pytest.raises(InputError, match="its metadata 'integer' cannot be read"):
        lower(graph, "loihi2-assumed")


def test_an_export_that_differs_by_one_integer_is_refused() -> None:
    student = trained("mlp", "direct", "membrane", "lif", "loihi2-assumed", 8)
    graph = to_nir(student)
    assert student.grid is not None
    graph.nodes["dense1"].weight[:, 30] += 2 * 15 / student.grid.scales["lif1"]
    with pytest.raises(AnswerIsNo, match="the chip network is not what the student computes: lif1"):
        verify_export(student, graph, images(8))


@pytest.mark.lava
@pytest.mark.parametrize(("encoding", "readout", "kind", "profile"), WAYS)
def test_lava_runs_what_was_trained(lava: None, encoding: str, readout: str, kind: str, profile: str) -> None:
    student = trained("convnet", encoding, readout, kind, profile, 8)
    chip = lower(to_nir(student), profile)
    assert [str(d) for d in differences(student, chip, images(3))] == []
    drive = encode(encoding, images(3).numpy(), 4, 4)
    ours = integer.run(chip, drive, record_states=True)
    for run in simulators(chip):
        assert [str(mismatch) for mismatch in compare(ours, run(chip, drive, record_states=True))] == []


def simulators(chip: ChipNetwork) -> tuple[Run, ...]:
    from spikewright.exchange.netx import netx_faults

    left_out = {"integer"} if not netx_faults(chip) else {"integer", "netx"}
    return tuple(backend(name) for name, each in BACKENDS.items() if each.exact and name not in left_out)
