"""The record of a training: one entry for each epoch."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace

from torch import Tensor

from ..profile.schema import CostUnit
from ..profile.units import quantity


@dataclass(frozen=True)
class EpochRecord:
    """What one epoch showed; spikes, operations and cost are per inference, on the validation split.

    The cost is in joules, or in relative operations of a chip without published energies.

    Attributes:
        on_integers: whether the forward pass was the chip's by the end of the epoch.
        bounded: by constraint, what was measured on the validation split.
        multipliers: by constraint, of the controller that holds it.
        targets: by constraint, what training aims at.
        dead: by layer, neurons that never spiked on the validation split.
        seconds: that the epoch took, its measurement included; None where that was not noted.
        processor_seconds: likewise, of all threads together, whatever else the machine did.
    """

    epoch: int
    loss: dict[str, float]
    train_accuracy: float
    validation_accuracy: float
    cost: float
    spikes: dict[str, float]
    synaptic_ops: dict[str, float]
    student_logit_range: float
    teacher_logit_range: float | None
    on_integers: bool = False
    bounded: dict[str, float] = field(default_factory=dict)
    multipliers: dict[str, float] = field(default_factory=dict)
    targets: dict[str, float] = field(default_factory=dict)
    dead: dict[str, int] = field(default_factory=dict)
    seconds: float | None = field(default=None, compare=False)
    processor_seconds: float | None = field(default=None, compare=False)


class Clock:
    """Measures the time since it was made."""

    def __init__(self) -> None:
        self._began = time.perf_counter(), time.process_time()

    def noted(self, record: EpochRecord) -> EpochRecord:
        """The record of an epoch that began with this clock and ends now."""
        wall, processor = self._began
        return replace(record, seconds=time.perf_counter() - wall, processor_seconds=time.process_time() - processor)


def summary(record: EpochRecord, epochs: int, unit: CostUnit) -> str:
    """One line on an epoch."""
    terms = " ".join(f"{name} {value:.3f}" for name, value in record.loss.items())
    target = f" (target {quantity(record.targets['budget'], unit)})" if "budget" in record.targets else ""
    integers = "  on integers" if record.on_integers else ""
    return (
        f"epoch {record.epoch + 1}/{max(epochs, record.epoch + 1)}{integers}  validation "
        f"{record.validation_accuracy:.2%}  train {record.train_accuracy:.2%}  {quantity(record.cost, unit)}{target}  "
        f"spikes {sum(record.spikes.values()):.0f}  {terms}"
    )


class Means:
    """Running means by name."""

    def __init__(self) -> None:
        self._sums: dict[str, float] = {}
        self._weights: dict[str, int] = {}

    def add(self, values: dict[str, float], weight: int = 1) -> None:
        """Add values, each the mean over ``weight`` samples."""
        for name, value in values.items():
            self._sums[name] = self._sums.get(name, 0.0) + value * weight
            self._weights[name] = self._weights.get(name, 0) + weight

    def mean(self, name: str) -> float:
        """The mean of one value."""
        return self._sums[name] / self._weights[name]

    def of(self, prefix: str) -> dict[str, float]:
        """Means of all values whose names begin so, by the rest of their names."""
        return {name.removeprefix(prefix): self.mean(name) for name in self._sums if name.startswith(prefix)}


def logit_range(logits: Tensor) -> float:
    """Mean distance between the largest and the smallest logit of a sample."""
    return float((logits.detach().amax(1) - logits.detach().amin(1)).mean())
