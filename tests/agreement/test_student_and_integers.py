"""Student, graph and integers: one network, the same spikes where nothing is rounded and the same rates where it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from spikewright.chip.chip_file import load_chip, save_chip
from spikewright.chip.encoding import encode
from spikewright.chip.network import ChipNetwork
from spikewright.lowering.lower import lower
from spikewright.simulation import integer
from spikewright.simulation.lava import backend as on_lava
from spikewright.simulation.recording import compare
from spikewright.student.config import StudentConfig
from spikewright.student.neurons import NeuronSettings, integrator, spiking
from spikewright.student.student import Student
from spikewright.student.to_nir import to_nir

MakeStudent = Callable[[str, str, str, str], Student]
SHAPE = (1, 12, 12)


def images(count: int) -> np.ndarray:
    return np.random.default_rng(2).random((count, *SHAPE), dtype=np.float32)


def agreement(made: Student, chip: ChipNetwork, count: int = 24) -> dict[str, float]:
    """Share of equal spikes by layer."""
    samples = images(count)
    config = made.config
    recording = integer.run(chip, encode(config.encoding, samples, config.timesteps, config.input_bits))
    with torch.no_grad():
        expected = made(torch.from_numpy(samples)).spikes
    assert all(0.005 < spikes.mean() < 0.99 for spikes in expected.values()), {n: s.mean() for n, s in expected.items()}
    return {name: float((spikes.numpy() == recording.spikes[name]).mean()) for name, spikes in expected.items()}


@pytest.mark.parametrize("architecture", ["mlp", "convnet", "vgg", "skipnet"])
@pytest.mark.parametrize(
    ("encoding", "readout", "kind", "profile"),
    [
        ("direct", "membrane", "lif", "loihi2-assumed"),
        ("current", "count", "lif", "loihi1-davies"),
        ("rate", "membrane", "cubalif", "loihi1-davies"),
        ("latency", "count", "cubalif", "loihi2"),
    ],
)
def test_first_layers_agree_nearly_everywhere_and_names_are_kept(
    untrained: MakeStudent, architecture: str, encoding: str, readout: str, kind: str, profile: str
) -> None:
    made = untrained(architecture, encoding, readout, kind)
    chip = lower(to_nir(made), profile)
    assert list(on_lava.lava_faults(chip)) == []
    shares = agreement(made, chip)
    first, *later = shares.values()
    assert first > 0.97
    assert all(share > 0.75 for share in later), "untrained layers decorrelate; see the reference"


def test_an_encoder_spikes_exactly_as_in_the_student(untrained: MakeStudent) -> None:
    made = untrained("convnet", "current", "membrane", "lif")
    assert agreement(made, lower(to_nir(made), "loihi1-davies"))["encoder"] == 1.0


class Exact(nn.Module):
    """Weights that are even numbers of 254ths, and thresholds that are odd ones: rounding changes nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.lif1 = nn.Conv2d(1, 4, 3, stride=2, padding=1), self.neurons(151 / 254)
        self.pool, self.inner, self.lif2 = nn.AvgPool2d(2), nn.Conv2d(4, 4, 3, padding=1), self.neurons(401 / 1016)
        self.same, self.lif3 = nn.Conv2d(4, 4, 2, stride=2), self.neurons(201 / 254)
        self.head, self.readout = nn.Linear(36, 5), integrator()
        random = torch.Generator().manual_seed(0)
        for layer in (self.conv, self.inner, self.same, self.head):
            layer.weight.data = torch.randint(-127, 128, layer.weight.shape, generator=random) / 127
            layer.weight.data.view(-1)[:2] = torch.tensor([1.0, -1.0])
            layer.bias.data = torch.randint(-20, 20, layer.bias.shape, generator=random) / 127

    @staticmethod
    def neurons(threshold: float) -> nn.Module:
        return spiking(NeuronSettings(beta=1.0, threshold=threshold))

    def forward(self, value: torch.Tensor) -> torch.Tensor:
        first = self.lif1(self.conv(value))
        inner = self.lif2(self.inner(self.pool(first)))
        short = self.lif3(self.same(first))
        result: torch.Tensor = self.readout(self.head(torch.flatten(inner + short, 1)))
        return result


def test_where_every_constant_is_an_integer_nothing_differs(tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = StudentConfig("own", 1, SHAPE, 5, 6, "rate", "membrane", 8)
    made = Student(config, Exact()).eval()
    save_chip(lower(to_nir(made), "loihi2"), tmp_path / "chip.h5")
    chip = load_chip(tmp_path / "chip.h5")
    samples = images(16)
    recording = integer.run(chip, encode("rate", samples, 6, 8))
    with torch.no_grad():
        expected = made(torch.from_numpy(samples))
    for name, spikes in expected.spikes.items():
        np.testing.assert_array_equal(recording.spikes[name], spikes.numpy(), err_msg=name)
    scale = chip.provenance["scales"][chip.output.name]
    np.testing.assert_allclose(recording.scores / (64 * scale), expected.scores.numpy(), atol=1e-5)


@pytest.mark.lava
@pytest.mark.parametrize(
    ("architecture", "encoding", "kind", "profile", "added"),
    [
        ("skipnet", "current", "cubalif", "loihi1-davies", {"relay", "bias"}),
        ("skipnet", "rate", "lif", "loihi2", {"relay"}),
        ("vgg", "direct", "lif", "loihi2-assumed", set()),
    ],
)
def test_what_lowering_adds_runs_in_lava_bit_for_bit(
    lava: None, untrained: MakeStudent, architecture: str, encoding: str, kind: str, profile: str, added: set[str]
) -> None:
    """Relays, always-on bias neurons and folded pooling, next to the connections that a student has itself."""
    made = untrained(architecture, encoding, "membrane", kind)
    chip = lower(to_nir(made), profile)
    assert {p.role for p in chip.populations} == {"input", "hidden", "readout"} | added
    drive = encode(encoding, images(2), 4, 4)
    ours, theirs = integer.run(chip, drive, record_states=True), on_lava.run(chip, drive, record_states=True)
    assert [str(mismatch) for mismatch in compare(ours, theirs)] == []
    assert np.array_equal(ours.scores, theirs.scores)
