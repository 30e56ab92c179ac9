"""A network that was imported from another tool computes the same as its student, its integers and on Lava."""

from __future__ import annotations

from typing import Any

import pytest
import snntorch as snn
import torch
from torch import Tensor, nn

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
    student = Student.from_module(network, samples)
    chip = lower(to_nir(student), load_profile("loihi2-assumed"))
    codes = encode("direct", samples.numpy(), STEPS, student.config.input_bits, 0, 0)
    ours, theirs = (backend(name)(chip, codes, record_states=True) for name in ("integer", "lava"))
    assert not compare(ours, theirs)
    assert int(ours.spikes["lif1"].sum()) > 50
    assert int(ours.spikes["lif2"].sum()) > 5
