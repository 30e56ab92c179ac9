"""A student of your own: a torch module with snnTorch neurons, distilled, lowered and simulated like a named one.

    python examples/own_architecture.py

The module is written as for a single timestep; spikewright unrolls it. docs/layers.md lists the layers that it may
have; the only loops are those of a layer with itself (``snn.RLeaky``). On the command line the same network is
``spikewright distill --architecture examples/own_architecture.py:build``.
"""

from pathlib import Path

import torch
from torch import nn

import spikewright as sw
from spikewright.student.neuron_settings import NeuronSettings
from spikewright.student.neurons import integrator, spiking

PROFILE = "loihi2-assumed"


class Separable(nn.Module):
    """A convolution, a depthwise convolution and a pointwise one, each with neurons behind it; a dense readout."""

    def __init__(self, channels: int, size: int, classes: int, neuron: NeuronSettings) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(channels, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8))
        self.stem_neurons = spiking(neuron)
        self.depthwise = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=False), nn.BatchNorm2d(8))
        self.depthwise_neurons = spiking(neuron)
        self.pointwise = nn.Sequential(nn.Conv2d(8, 16, 1, bias=False), nn.BatchNorm2d(16))
        self.pointwise_neurons = spiking(neuron)
        self.head = nn.Sequential(nn.AvgPool2d(2), nn.Flatten(), nn.Linear(16 * (size // 2) ** 2, classes))
        self.readout = integrator()

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        spikes = self.stem_neurons(self.stem(image))
        spikes = self.depthwise_neurons(self.depthwise(spikes))
        spikes = self.pointwise_neurons(self.pointwise(spikes))
        return self.readout(self.head(spikes))


def build(shape: tuple[int, int, int], classes: int, width: int, neuron: NeuronSettings, readout: str) -> nn.Module:
    """What ``--architecture file.py:build`` calls; a network may ignore ``width`` and ``readout``, as this one does."""
    return Separable(shape[0], shape[1], classes, neuron)


def main() -> None:
    own = sw.StudentSpec(architecture=f"{Path(__file__).resolve()}:build", width=8, timesteps=4)
    budget, training = sw.Budget(profile=PROFILE), sw.Training(epochs=4)
    student = sw.distill("digits", student=own, within=budget, training=training).student
    chip = sw.lower(sw.to_nir(student), profile=PROFILE)
    activity = sw.simulate(chip, data="digits", on="integer")
    on_itself = sw.simulate(chip, data="digits", on=student)
    print(f"{activity.accuracy:.1%} on the chip's integers, {on_itself.accuracy:.1%} as the student counts itself")
    print(sw.report(activity, chip, profile=PROFILE))


if __name__ == "__main__":
    main()
