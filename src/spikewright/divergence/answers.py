"""The answers of two levels of one network, classes or values, counted side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..base.types import FloatArray
from ..data.output_rule import CLASSES, OutputRule


@dataclass(frozen=True)
class ValueErrors:
    """Values of both levels, in their own unit: sums over the samples, one for each value.

    Attributes:
        apart: of the distances between the two levels.
        furthest: the largest of these distances.
        reference, chip: of each level's distances from the labels; empty without labels.
    """

    apart: tuple[float, ...]
    furthest: tuple[float, ...]
    reference: tuple[float, ...] = ()
    chip: tuple[float, ...] = ()

    @staticmethod
    def of(reference: FloatArray, chip: FloatArray, labels: npt.NDArray[Any] | None) -> ValueErrors:
        """Count values ``(samples, D)`` of both levels."""
        apart = np.abs(reference - chip)
        errors = [] if labels is None else [np.abs(each - labels).sum(0).tolist() for each in (reference, chip)]
        return ValueErrors(tuple(apart.sum(0).tolist()), tuple(apart.max(0).tolist()), *map(tuple, errors))

    def __add__(self, other: ValueErrors) -> ValueErrors:
        def added(mine: tuple[float, ...], theirs: tuple[float, ...]) -> tuple[float, ...]:
            return tuple(a + b for a, b in zip(mine, theirs, strict=False))

        furthest = tuple(map(max, self.furthest, other.furthest))
        sums = (added(self.reference, other.reference), added(self.chip, other.chip))
        return ValueErrors(added(self.apart, other.apart), furthest, *sums)

    def as_json(self, samples: int) -> dict[str, object]:
        """Means over the samples, value by value."""
        sums = {"apart": self.apart, "mae_reference": self.reference, "mae_chip": self.chip}
        means = {name: [each / samples for each in values] for name, values in sums.items()}
        return {**means, "furthest": list(self.furthest)}


@dataclass(frozen=True)
class Answers:
    """The answers of both levels.

    Attributes:
        samples: number compared.
        agreeing: samples to which both levels give the same class; of values none is counted.
        correct_reference: samples that the reference classifies correctly; None without labels, and of values.
        correct_chip: samples that the chip classifies correctly, likewise.
        score: largest difference of a score, in float units (spikes, where the readout counts them).
        low: the reference's smallest score of all; ``high``: its largest.
    """

    samples: int
    agreeing: int
    correct_reference: int | None
    correct_chip: int | None
    score: float
    low: float
    high: float
    values: ValueErrors | None = None

    @staticmethod
    def of(
        reference: FloatArray,
        chip: FloatArray,
        labels: npt.NDArray[Any] | None,
        outputs: OutputRule = CLASSES,
        timesteps: int = 1,
    ) -> Answers:
        """Count the scores of some samples, ``(samples, outputs)``, in float units.

        Args:
            labels: classes ``(samples,)``, or values ``(samples, D)``; None without labels.
            outputs: what they mean.
            timesteps: by which potentials are divided to be logits of values.
        """
        values, agreeing = None, 0
        right: tuple[int | None, int | None] = (None, None)
        if outputs.is_classes:
            mine, theirs = (outputs.by_class(each).argmax(axis=1) for each in (reference, chip))
            agreeing = int((mine == theirs).sum())
            if labels is not None:
                right = (int((mine == labels).sum()), int((theirs == labels).sum()))
        else:
            values = ValueErrors.of(outputs.values(reference / timesteps), outputs.values(chip / timesteps), labels)
        return Answers(
            samples=len(reference),
            agreeing=agreeing,
            correct_reference=right[0],
            correct_chip=right[1],
            score=float(np.abs(reference - chip).max()),
            low=float(reference.min()),
            high=float(reference.max()),
            values=values,
        )

    def __add__(self, other: Answers) -> Answers:
        samples, agreeing = self.samples + other.samples, self.agreeing + other.agreeing
        correct_reference = _sum(self.correct_reference, other.correct_reference)
        correct_chip = _sum(self.correct_chip, other.correct_chip)
        score, low, high = max(self.score, other.score), min(self.low, other.low), max(self.high, other.high)
        values = self.values + other.values if self.values and other.values else None
        return Answers(samples, agreeing, correct_reference, correct_chip, score, low, high, values)

    @property
    def spread(self) -> float:
        """Difference of the reference's largest score from its smallest, to measure ``score`` by."""
        return self.high - self.low

    def as_json(self) -> dict[str, object]:
        """JSON-able, with what follows from the counts."""
        names = ("samples", "agreeing", "correct_reference", "correct_chip", "score", "spread")
        if self.values is not None:
            same = {"samples": self.samples, "score": self.score, "spread": self.spread}
            return {**same, **self.values.as_json(self.samples)}
        right = {"accuracy_reference": self.correct_reference, "accuracy_chip": self.correct_chip}
        return {
            **{name: getattr(self, name) for name in names},
            "prediction_agreement": self.agreeing / self.samples,
            **{name: None if count is None else count / self.samples for name, count in right.items()},
        }


def _sum(one: int | None, other: int | None) -> int | None:
    """The sum, None where either is unknown."""
    return None if one is None or other is None else one + other
