"""What is measured of a student in training, and the record of each epoch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor

from ..base.threads import student_threads
from ..data.quality import Quality
from ..data.split import Split
from ..profile.schema import CostUnit
from ..profile.units import quantity
from ..student.accuracy import quality_of_answers
from ..student.integers.limits import WRAPS
from ..student.neurons import StudentOutput
from ..student.student import Student
from .cost import SpikeCost
from .limits import Constraint

TIMES = ("seconds", "processor_seconds")
"""Fields of a record that differ between equal trainings."""


@dataclass(frozen=True)
class EpochRecord:
    """One epoch of a training; spikes, operations and cost are per inference, on the validation split.

    Attributes:
        train_accuracy, validation_accuracy: from 0 to 1; None of a regression.
        loss: by term, its mean over the batches.
        cost: in joules, or in relative operations of a chip without published energies.
        spikes, synaptic_ops: by layer; input events under the input's name.
        student_logit_range, teacher_logit_range: mean difference between the largest and the smallest logit of a
            sample; None without a teacher.
        on_integers: whether the forward pass used the chip's integers at the end of the epoch.
        bounded: by constraint, the quantity that it limits.
        multipliers: by constraint, the multiplier of its controller.
        targets: by constraint, the target of its controller.
        dead: by layer, the number of silent neurons, which never spiked.
        seconds: duration of the epoch, its measurement included; None if it was not measured.
        processor_seconds: processor time of all threads; None if it was not measured.
        quality: by name, how good the answers on the validation split are: ``accuracy``, ``balanced_accuracy`` and
            ``f1``, or ``r2`` and ``mae``, means over the values.
        train_r2: of the values that were answered while the epoch's steps were made, their mean; None of classes.
    """

    epoch: int
    loss: dict[str, float]
    train_accuracy: float | None
    validation_accuracy: float | None
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
    quality: dict[str, float] = field(default_factory=dict)
    train_r2: float | None = None

    @property
    def facts(self) -> dict[str, Any]:
        """The record as a JSON object, equal for equal trainings: its times stand in :attr:`times`."""
        return {name: value for name, value in asdict(self).items() if name not in TIMES}

    @property
    def times(self) -> dict[str, float | None]:
        """How long the epoch took, by field."""
        return {name: getattr(self, name) for name in TIMES}

    @property
    def in_words(self) -> str:
        """Accuracy, or R^2, on both splits."""
        if self.validation_accuracy is None or self.train_accuracy is None:
            return f"validation R^2 {self.quality['r2']:.3f}  train R^2 {self.train_r2:.3f}"
        return f"validation {self.validation_accuracy:.2%}  train {self.train_accuracy:.2%}"


def summary(record: EpochRecord, epochs: int, unit: CostUnit) -> str:
    """A line about an epoch, for people.

    Args:
        epochs: of the training without further rounds.
        unit: of the cost.
    """
    terms = " ".join(f"{name} {value:.3f}" for name, value in record.loss.items())
    target = f" (target {quantity(record.targets['budget'], unit)})" if "budget" in record.targets else ""
    integers = "  on integers" if record.on_integers else ""
    return (
        f"epoch {record.epoch + 1}/{max(epochs, record.epoch + 1)}{integers}  {record.in_words}  "
        f"{quantity(record.cost, unit)}{target}  spikes {sum(record.spikes.values()):.0f}  {terms}"
    )


class Means:
    """Running means by name."""

    def __init__(self) -> None:
        self._sums: dict[str, float] = {}
        self._weights: dict[str, float] = {}

    def add(self, values: dict[str, float], weight: float = 1) -> None:
        """Add values, each the mean over ``weight`` samples."""
        for name, value in values.items():
            self._sums[name] = self._sums.get(name, 0.0) + value * weight
            self._weights[name] = self._weights.get(name, 0) + weight

    def mean(self, name: str) -> float:
        """The mean of the values added under this name."""
        return self._sums[name] / self._weights[name]

    def of(self, prefix: str) -> dict[str, float]:
        """The means of all values whose names begin with ``prefix``, by the rest of their names."""
        return {name.removeprefix(prefix): self.mean(name) for name in self._sums if name.startswith(prefix)}


def logit_range(logits: Tensor) -> float:
    """Mean distance between the largest and the smallest logit of a sample."""
    return float((logits.detach().amax(1) - logits.detach().amin(1)).mean())


BATCH = 500


@dataclass(frozen=True, eq=False)
class Measurement:
    """Means of a student over one split, per inference.

    Attributes:
        quality: how good the answers are.
        bounded: by constraint, the quantity that it limits.
        counts: by hidden layer and readout, spikes of each neuron, ``(*shape)``, in an arbitrary scale.
        overflows: currents that wrapped and readouts that were reset.
    """

    quality: Quality
    cost: float
    spikes: dict[str, float]
    synaptic_ops: dict[str, float]
    bounded: dict[str, float]
    counts: dict[str, Tensor]
    overflows: int = 0

    @property
    def dead(self) -> dict[str, int]:
        """By layer, the number of neurons that never spiked."""
        return {name: int((counts == 0).sum()) for name, counts in self.counts.items()}

    def facts(self) -> dict[str, Any]:
        """The fields of an :class:`EpochRecord` that are measured on the validation split."""
        same = {name: getattr(self, name) for name in ("cost", "spikes", "synaptic_ops", "bounded")}
        return same | {"validation_accuracy": self.accuracy, "dead": self.dead, "quality": self.quality.facts}

    @property
    def accuracy(self) -> float | None:
        """The share of right answers, in [0, 1]; None of values."""
        return None if self.quality.confusion is None else self.quality.accuracy

    @property
    def silent(self) -> list[str]:
        """Layers in which no neuron spiked."""
        return [name for name, counts in self.counts.items() if not counts.any()]

    def silent_channels(self) -> dict[str, Tensor]:
        """By layer with such channels, which channels (dense: neurons) never spiked, bool, ``(C,)``."""
        masks = {name: counts.reshape(len(counts), -1).sum(1) == 0 for name, counts in self.counts.items()}
        return {name: mask for name, mask in masks.items() if mask.any()}


@student_threads()
@torch.no_grad()
def measure(
    student: Student, split: Split, cost: SpikeCost, constraints: Sequence[Constraint] = (), seed: int = 0
) -> Measurement:
    """Measure the quality of the answers, cost and the limited quantities over a split.

    Args:
        seed: of the rate code.
    """
    student.eval()
    answers, overflows, weighted = [], 0, Means()
    counts: dict[str, Tensor] = {}
    batch = split.at_once(student.config.at_once(BATCH))
    for first in range(0, len(split), batch):
        images = torch.from_numpy(split.samples[first : first + batch]).to(student.device)
        output = student(images, seed, first)
        answers.append(student.answers(output))
        reading = cost.read(output)
        weighted.add({"cost": float(reading.total)}, len(images))
        weighted.add({f"spikes/{name}": value for name, value in reading.spikes.items()}, len(images))
        weighted.add({f"ops/{name}": value for name, value in reading.synaptic_ops.items()}, len(images))
        weighted.add({f"bounded/{c.name}": float(c.value(output, reading)) for c in constraints}, len(images))
        overflows += harmful_overflows(output)
        for name, mean in output.mean_counts.items():
            counts[name] = counts[name] + mean.cpu() if name in counts else mean.cpu()
    counts.pop("encoder", None)
    return Measurement(
        quality=quality_of_answers(answers, split),
        cost=weighted.mean("cost"),
        spikes=weighted.of("spikes/"),
        synaptic_ops=weighted.of("ops/"),
        bounded=weighted.of("bounded/"),
        counts=counts,
        overflows=overflows,
    )


def harmful_overflows(output: StudentOutput) -> int:
    """Currents that wrapped and readouts that were reset in a forward pass; none of a student in floats."""
    wraps = sum(int(counts[..., WRAPS].sum()) for counts in (output.overflows or {}).values())
    return wraps + sum(int(resets.sum()) for resets in (output.resets or {}).values())
