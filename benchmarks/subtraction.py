"""A default network of snnTorch, which resets by subtraction a step late, trained by snnTorch and taken to the chip.

The network is written as snnTorch's tutorials write it: two layers of `Leaky(beta=0.9)`, a loop over time, spikes that
are counted. It is trained by its own forward pass in floats, imported, rounded, and trained on for two epochs of which
the second is on integers. Prints the accuracy of each on the test part:

    python benchmarks/subtraction.py digits --seeds 3
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import snntorch as snn
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import spikewright as sw
from spikewright.chip.encoding import encode
from spikewright.simulation import integer

TIMESTEPS = 10
HIDDEN = {"digits": 128}
EPOCHS = {"digits": 40}
BATCH = 128
HEAD = (
    "data",
    "seed",
    "its own",
    "imported",
    "rounded",
    "after two epochs",
    "spikes of the student that differ from the chip network",
)


class Net(nn.Module):
    """Two layers, each with snnTorch's default neurons."""

    def __init__(self, inputs: int, hidden: int, classes: int) -> None:
        super().__init__()
        self.fc1, self.lif1 = nn.Linear(inputs, hidden), snn.Leaky(beta=0.9)
        self.fc2, self.lif2 = nn.Linear(hidden, classes), snn.Leaky(beta=0.9)

    def forward(self, x: Tensor) -> Tensor:
        """Spikes of the last layer, ``(T, B, classes)``."""
        one, two, spikes = self.lif1.init_leaky(), self.lif2.init_leaky(), []
        for _ in range(TIMESTEPS):
            fired, one = self.lif1(self.fc1(x.flatten(1)), one)
            fired, two = self.lif2(self.fc2(fired), two)
            spikes.append(fired)
        return torch.stack(spikes)


def trained(name: str, data: sw.Dataset, seed: int) -> Net:
    """A network after Adam on the counts of its spikes."""
    torch.manual_seed(seed)
    samples, labels = torch.tensor(data.train.samples[:]).float(), torch.tensor(data.train.labels[:]).long()
    net = Net(samples[0].numel(), HIDDEN.get(name, 256), data.classes)
    optimizer = torch.optim.Adam(net.parameters(), 2e-3)
    for _ in range(EPOCHS.get(name, 5)):
        for rows in torch.randperm(len(samples)).split(BATCH):
            optimizer.zero_grad()
            F.cross_entropy(net(samples[rows]).sum(0), labels[rows]).backward()
            optimizer.step()
    return net


@torch.no_grad()
def accuracy(data: sw.Dataset, counts: Callable[[Tensor], Tensor]) -> float:
    """Of the largest count, on the test part."""
    samples, labels = torch.tensor(data.test.samples[:]).float(), torch.tensor(data.test.labels[:]).long()
    right = [counts(samples[i : i + 500]).argmax(1) == labels[i : i + 500] for i in range(0, len(samples), 500)]
    return float(torch.cat(right).float().mean())


def row(name: str, seed: int) -> tuple[str, ...]:
    """Accuracies of one network on its way to the chip."""
    data = sw.load(name)
    net = trained(name, data, seed)
    example = torch.tensor(data.train.samples[:4]).float()
    student = sw.Student.from_module(net, example, input_shape=tuple(example.shape[1:]), readout="count")
    found = [accuracy(data, lambda x: net(x).sum(0)), accuracy(data, lambda x: student(x).logits)]
    chip = sw.lower(sw.to_nir(student), profile="loihi2-assumed")
    found.append(sw.simulate(chip, data).accuracy)
    further = sw.Training(epochs=2, integer_from=0.5, learning_rate=3e-4, seed=seed)
    made = sw.distill(data, student=student, method="none", training=further).student
    activity = sw.simulate(sw.lower(sw.to_nir(made), profile="loihi2-assumed"), data)
    found.append(activity.accuracy)
    differing = sum(int((a != b).sum()) for a, b in zip(*_rasters(made, data), strict=True))
    return name, str(seed), *(f"{value:.2%}" for value in found), str(differing)


def _rasters(student: sw.Student, data: sw.Dataset) -> tuple[list[Tensor], list[Tensor]]:
    """Spikes of the student on integers and of the integer simulator, which is Lava's rules, on 200 samples."""
    images, config = torch.tensor(data.test.samples[:200]).float(), student.config
    with torch.no_grad():
        own = student(images).spikes
    chip = sw.lower(sw.to_nir(student), profile="loihi2-assumed")
    codes = encode(config.encoding, images.numpy(), config.timesteps, config.input_bits)
    theirs = integer.run(chip, codes).spikes
    return [each.bool() for each in own.values()], [torch.from_numpy(theirs[name]).bool() for name in own]


def main() -> None:
    """Print the table as Markdown."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", nargs="+")
    parser.add_argument("--seeds", type=int, default=1, help="networks of each, from seed 0 on")
    given = parser.parse_args()
    print(f"| {' | '.join(HEAD)} |")
    print(f"|{' --- |' * len(HEAD)}")
    for name in given.data:
        for seed in range(given.seeds):
            print(f"| {' | '.join(row(name, seed))} |", flush=True)


if __name__ == "__main__":
    main()
