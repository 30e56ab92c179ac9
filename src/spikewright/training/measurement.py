"""A student over one split, as it is after training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..base.threads import student_threads
from ..data.dataset import Split
from ..student.student import Student
from .constraints import Constraint
from .cost import SpikeCost
from .records import Means

BATCH = 500


@dataclass(frozen=True)
class Measurement:
    """A student over one split, per inference.

    Attributes:
        bounded: by constraint, what it bounds.
        counts: by layer that learns, spikes of each neuron, ``(*shape)``; only which are 0 has a meaning.
    """

    accuracy: float
    cost: float
    spikes: dict[str, float]
    synaptic_ops: dict[str, float]
    bounded: dict[str, float]
    counts: dict[str, Tensor]

    @property
    def dead(self) -> dict[str, int]:
        """By layer, neurons that never spiked."""
        return {name: int((counts == 0).sum()) for name, counts in self.counts.items()}

    def facts(self) -> dict[str, Any]:
        """What the record of an epoch says of this."""
        return {
            "validation_accuracy": self.accuracy,
            "cost": self.cost,
            "spikes": self.spikes,
            "synaptic_ops": self.synaptic_ops,
            "bounded": self.bounded,
            "dead": self.dead,
        }

    @property
    def silent(self) -> list[str]:
        """Layers in which not one neuron spiked."""
        return [name for name, counts in self.counts.items() if not counts.any()]

    def silent_channels(self) -> dict[str, Tensor]:
        """By layer that has some, which channels (of a dense layer: neurons) never spiked, bool, ``(C,)``."""
        masks = {name: counts.reshape(len(counts), -1).sum(1) == 0 for name, counts in self.counts.items()}
        return {name: mask for name, mask in masks.items() if mask.any()}


@student_threads()
@torch.no_grad()
def measure(
    student: Student, split: Split, cost: SpikeCost, constraints: Sequence[Constraint] = (), seed: int = 0
) -> Measurement:
    """Accuracy, cost and what is bounded, over a split.

    Args:
        seed: of the rate code.
    """
    student.eval()
    correct, weighted = 0, Means()
    counts: dict[str, Tensor] = {}
    for first in range(0, len(split), BATCH):
        images = torch.from_numpy(split.images[first : first + BATCH]).to(student.device)
        labels = torch.from_numpy(split.labels[first : first + BATCH]).to(student.device)
        output = student(images, seed, first)
        correct += int((output.scores.argmax(1) == labels).sum())
        reading = cost.read(output)
        weighted.add({"cost": float(reading.total)}, len(labels))
        weighted.add({f"spikes/{name}": value for name, value in reading.spikes.items()}, len(labels))
        weighted.add({f"ops/{name}": value for name, value in reading.synaptic_ops.items()}, len(labels))
        weighted.add({f"bounded/{c.name}": float(c.value(output, reading)) for c in constraints}, len(labels))
        for name, mean in output.mean_counts.items():
            counts[name] = counts[name] + mean.cpu() if name in counts else mean.cpu()
    hidden = {name: total for name, total in counts.items() if name != "encoder"}
    return Measurement(
        accuracy=correct / len(split),
        cost=weighted.mean("cost"),
        spikes=weighted.of("spikes/"),
        synaptic_ops=weighted.of("ops/"),
        bounded=weighted.of("bounded/"),
        counts=hidden,
    )
