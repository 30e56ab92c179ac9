"""A network with a shortcut, a concatenation and max pooling, trained on integers, through every command."""

from __future__ import annotations

from pathlib import Path

import pytest

from spikewright.chip.chip_file import load_chip
from spikewright.commands.cli import main

NETWORK = """
import torch
from torch import nn

from spikewright.student.neurons import integrator, spiking


class Network(nn.Module):
    def __init__(self, shape, classes, width, settings):
        super().__init__()
        self.stem, self.inner = nn.Conv2d(shape[0], width, 3, padding=1), nn.Conv2d(width, width, 3, padding=1)
        self.norm, self.pool, self.pool2 = nn.BatchNorm2d(width), nn.MaxPool2d(2), nn.MaxPool2d(2)
        self.one, self.two, self.three = (spiking(settings) for _ in range(3))
        self.last, self.head = nn.Conv2d(2 * width, 4, 2, stride=2), nn.Linear(16, classes)
        self.readout = integrator()

    def forward(self, image):
        spikes = self.one(self.stem(image))
        joined = self.two(self.norm(self.inner(spikes)) + spikes)
        pooled = torch.cat([self.pool(joined), self.pool2(spikes)], 1)
        return self.readout(self.head(self.three(self.last(pooled)).view(image.size(0), -1)))


def build(shape, classes, width, settings, readout):
    return Network(shape, classes, width, settings)
"""
QUICK = (
    *("--data", "digits", "--train-samples", "100", "--epochs", "2", "--width", "4", "-T", "3", "--teacher", "mlp"),
    *("--teacher-epochs", "1", "--integer-from", "0.5", "--threshold", "0.5"),
)


def did(*words: object) -> None:
    assert main([str(word) for word in words]) == 0


def test_a_network_of_ones_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    network = f"{tmp_path / 'network.py'}:build"
    (tmp_path / "network.py").write_text(NETWORK.replace("nn.BatchNorm2d(width)", "nn.GroupNorm(1, width)"))
    assert main(["distill", *QUICK, "--architecture", network, "-o", str(tmp_path / "s.pt")]) == 2
    assert "module 'norm' is a GroupNorm, whose mean and variance are those of each sample" in capsys.readouterr().err
    (tmp_path / "network.py").write_text(NETWORK)
    student, nir_file, chip, activity = (tmp_path / name for name in ("s.pt", "s.nir", "chip.h5", "activity.json"))
    did("distill", *QUICK, "--architecture", network, "-o", student)
    did("to-nir", student, "--network", network, "--samples", "8", "-o", nir_file)
    did("lower", nir_file, "-o", chip)
    did("simulate", chip, "--data", "digits", "--samples", "20", "-o", activity)
    did("report", activity, chip)
    scale = load_chip(chip).provenance["scales"]["two"]
    assert scale == int(scale), "a shortcut is a weight of exactly the scale"
