"""A picture of a network with a skip connection and a recurrent layer, and of how busy it is.

    python examples/draw_network.py network.svg

The same from files: ``spikewright draw chip.h5 --activity activity.json -o network.svg``.
"""

import sys

import snntorch as snn
import torch
from torch import nn

import spikewright as sw
from spikewright.student.neurons import integrator


class Residual(nn.Module):
    """Two convolutions with a skip connection over the second, a recurrent layer and a dense readout."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.lif1 = (
            nn.Conv2d(1, 8, 3, stride=2, padding=1),
            snn.Leaky(0.9, reset_mechanism="zero", init_hidden=True),
        )
        self.conv2, self.lif2 = nn.Conv2d(8, 8, 3, padding=1), snn.Leaky(0.9, reset_mechanism="zero", init_hidden=True)
        self.flat, self.dense = nn.Flatten(), nn.Linear(128, 32)
        self.loop = snn.RLeaky(0.9, linear_features=32, reset_mechanism="zero", init_hidden=True, reset_delay=False)
        self.head, self.readout = nn.Linear(32, 10), integrator()

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        first = self.lif1(self.conv1(image))
        second = self.lif2(self.conv2(first))
        return self.readout(self.head(self.loop(self.dense(self.flat(first + second)))))


def main(out: str) -> None:
    training = sw.Training(epochs=2, integer_from=1)
    student = sw.distill("digits", student=Residual(), method="none", training=training).student
    chip = sw.lower(sw.to_nir(student), profile="loihi2-assumed")
    activity = sw.simulate(chip, "digits", samples=100)
    print(sw.draw(chip, activity).save(out))


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "network.svg")
