"""A network that was imported from another tool computes the same as its student, its integers and on Lava."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import nir
import numpy as np
import pytest
import snntorch as snn
import torch
from torch import Tensor, nn

import spikewright as sw
from spikewright.chip.encoding import encode
from spikewright.lowering.lower import lower
from spikewright.profile.profile import load_profile
from spikewright.simulation.backends import backend
from spikewright.simulation.recording import compare
from spikewright.student.student import Student
from spikewright.student.to_nir import to_nir

STEPS = 5


class Looped(nn.Module):
    """A convolutional network with its own loop over time and states that are handed round."""

    def __init__(self, **settings: Any) -> None:
        super().__init__()
        self.conv, self.lif1 = nn.Conv2d(1, 4, 3), snn.Leaky(beta=0.9, **settings)
        self.pool, self.fc = nn.AvgPool2d(2), nn.Linear(4 * 9, 4)
        self.lif2 = snn.Leaky(beta=0.7, **settings)

    def forward(self, x: Tensor) -> Tensor:
        mem1, mem2 = self.lif1.reset_mem(), self.lif2.reset_mem()
        spikes = []
        for _ in range(STEPS):
            spk, mem1 = self.lif1(self.conv(x), mem1)
            spk, mem2 = self.lif2(self.fc(self.pool(spk).view(x.size(0), -1)), mem2)
            spikes.append(spk)
        return torch.stack(spikes)


@pytest.mark.lava
@pytest.mark.parametrize("settings", [{"reset_mechanism": "zero"}, {}])
def test_lava_computes_what_the_import_does(lava: None, settings: dict[str, Any]) -> None:
    torch.manual_seed(0)
    network = Looped(**settings)
    with torch.no_grad():
        for layer in (network.conv, network.fc):
            layer.weight *= 4
        network.fc.bias += 0.5
    samples = torch.rand(3, 1, 8, 8)
    _same_on_lava(Student.from_module(network, samples), samples, "loihi2-assumed", ("lif1", 50), ("lif2", 5))


def _same_on_lava(student: Student, samples: Tensor, profile: str, *spiking: tuple[str, int]) -> None:
    """Spikes, currents and potentials on Lava are those of the integers, and these layers spike so often."""
    config = student.config
    chip = lower(to_nir(student), load_profile(profile))
    codes = encode(config.encoding, samples.numpy(), config.timesteps, config.input_bits, 0, 0)
    ours, theirs = (backend(name)(chip, codes, record_states=True) for name in ("integer", "lava"))
    assert not compare(ours, theirs)
    for layer, least in spiking:
        assert int(ours.spikes[layer].sum()) > least, layer


@pytest.mark.lava
def test_lava_computes_what_a_student_of_a_nir_graph_does(lava: None) -> None:
    nodes = {
        "input": nir.Input(np.array([12])),
        "fc1": nir.Affine(_numbers(8, 12), _numbers(8)),
        "hidden": nir.LIF(np.full(8, 4e-4, np.float32), np.full(8, 4.0), np.zeros(8), np.full(8, 0.5)),
        "fc2": nir.Affine(_numbers(3, 8), _numbers(3)),
        "last": nir.LIF(np.full(3, 4e-4, np.float32), np.full(3, 4.0), np.zeros(3), np.full(3, 0.3)),
        "output": nir.Output(np.array([3])),
    }
    metadata = {"dt_s": 1e-4, "reset": "subtract", "encoding": "direct", "timesteps": STEPS, "input_bits": 6}
    graph = nir.NIRGraph(nodes, list(pairwise(nodes)), metadata=metadata, type_check=False)
    torch.manual_seed(0)
    samples = torch.rand(3, 12, 1, 1)
    _same_on_lava(Student.from_nir(graph), samples, "loihi2-assumed", ("hidden", 10), ("last", 3))


def _numbers(*shape: int) -> Any:
    values = np.sin(np.arange(np.prod(shape), dtype=np.float32) * 2.3)
    return values.reshape(shape)


@pytest.mark.lava
@pytest.mark.parametrize("integer_from", [0, 1])
def test_lava_computes_what_a_student_with_a_converted_reset_does(lava: None, integer_from: float) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(
        *(nn.Flatten(), nn.Linear(64, 12), snn.Leaky(beta=0.7, init_hidden=True)),
        *(nn.Linear(12, 10), snn.Leaky(beta=0.9, init_hidden=True, output=True)),
    )
    with torch.no_grad():
        network[1].weight *= 4
        network[3].weight *= 4
    before = Student.from_module(network, torch.rand(4, 1, 8, 8), timesteps=STEPS)
    made = sw.distill(
        sw.DataSettings(name="digits", train_samples=60),
        init=before,
        student=sw.StudentSpec(reset="zero"),
        within=sw.Budget("10uJ", chip="loihi2-assumed"),
        training=sw.Training(batch=30, epochs=1, rounds=0, integer_from=integer_from),
    ).student
    assert {str(each.reset_mechanism) for each in made.modules() if isinstance(each, snn.Leaky)} == {"zero"}
    assert (made.grid is not None) == (integer_from == 0)
    layers = made.spiking_layers
    _same_on_lava(made, torch.rand(3, 1, 8, 8), "loihi2-assumed", (layers[0], 10), (layers[1], 3))
