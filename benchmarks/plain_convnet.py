"""The named ``convnet`` without batch norms, whose hidden layers then feel how large the logits must become.

    spikewright compare --architecture benchmarks/plain_convnet.py:build ...

See docs/laboratory/temperatures.md.
"""

from __future__ import annotations

from torch import nn

from spikewright.base.types import Readout
from spikewright.student.architectures import Shape
from spikewright.student.neuron_settings import NeuronSettings
from spikewright.student.neurons import integrator, spiking

SIDES = 4
"""Two strides of 2."""


def build(shape: Shape, classes: int, width: int, settings: NeuronSettings, readout: Readout) -> nn.Module:
    """Three convolutions, the first two strided, and one hidden dense layer; drives start as large as a threshold."""
    pixels = -(-shape[1] // SIDES) * -(-shape[2] // SIDES)
    weights = [
        nn.Conv2d(shape[0], width, 3, 2, padding=1),
        nn.Conv2d(width, 2 * width, 3, 2, padding=1),
        nn.Conv2d(2 * width, 2 * width, 3, padding=1),
        nn.Linear(2 * width * pixels, 8 * width),
    ]
    for layer in weights:
        nn.init.kaiming_normal_(layer.weight)
    conv1, conv2, conv3, dense = weights
    return nn.Sequential(
        *(conv1, spiking(settings), conv2, spiking(settings), conv3, spiking(settings)),
        *(nn.Flatten(), dense, spiking(settings), nn.Linear(8 * width, classes)),
        integrator() if readout == "membrane" else spiking(settings),
    )
