"""How good the answers of a network are: accuracy and its kin for classes, errors for values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..base.shown import Shown
from ..base.types import FloatArray, IntArray
from .output_rule import OutputRule


@dataclass(frozen=True, eq=False, repr=False)
class Quality(Shown):
    """How good answers are.

    Attributes:
        samples: answers that were compared; recordings where several windows have one answer.
        confusion: of classes, how often class ``row`` was answered with class ``column``, int64, ``(K, K)``; None for
            values.
        mae: of values, the mean absolute error of each, in its own unit; empty for classes.
        r2: of values, the coefficient of determination of each, NaN where all are equal; empty for classes.
    """

    samples: int
    confusion: IntArray | None = None
    mae: tuple[float, ...] = ()
    r2: tuple[float, ...] = ()

    @property
    def main(self) -> float:
        """The number that a choice is made by, the higher the better: the accuracy, or the mean of R^2."""
        return self.accuracy if self.confusion is not None else float(np.mean(self.r2))

    @property
    def correct(self) -> int:
        """Right answers, of classes."""
        assert self.confusion is not None
        return int(np.trace(self.confusion))

    @property
    def accuracy(self) -> float:
        """The share of right answers, in [0, 1], of classes."""
        return self.correct / max(1, self.samples)

    @property
    def recalls(self) -> FloatArray:
        """By class, the share of its samples that were answered right; NaN for a class without samples."""
        assert self.confusion is not None
        with np.errstate(invalid="ignore"):
            return np.diag(self.confusion) / self.confusion.sum(1)

    @property
    def balanced_accuracy(self) -> float:
        """The mean of the recalls of the classes that have samples."""
        return float(np.nanmean(self.recalls))

    @property
    def f1(self) -> float:
        """The mean over classes of ``2 TP / (2 TP + FP + FN)``, of the classes that have samples or answers."""
        assert self.confusion is not None
        right = np.diag(self.confusion)
        either = self.confusion.sum(0) + self.confusion.sum(1)
        return float(np.mean(2 * right[either > 0] / either[either > 0]))

    @property
    def facts(self) -> dict[str, float]:
        """The numbers by name: accuracy, balanced_accuracy and f1, or r2 and mae (means over the values)."""
        if self.confusion is None:
            return {"r2": float(np.mean(self.r2)), "mae": float(np.mean(self.mae))}
        return {"accuracy": self.accuracy, "balanced_accuracy": self.balanced_accuracy, "f1": self.f1}

    def __repr__(self) -> str:
        told = ", ".join(f"{name} {value:.4g}" for name, value in self.facts.items())
        return f"Quality({self.samples:,} samples: {told})"

    def __str__(self) -> str:
        return f"{self.main:.2%}" if self.confusion is not None else f"R^2 {self.main:.3f}"


def quality_of(
    rule: OutputRule,
    logits: npt.NDArray[np.generic],
    labels: npt.NDArray[np.generic],
    recordings: IntArray | None = None,
) -> Quality:
    """Compare what a network answers with what is right.

    Args:
        rule: what the outputs mean.
        logits: ``(n, outputs)``; of classes any scores will do, the first of equals wins.
        labels: classes, ``(n,)``, or values in their own unit, ``(n, D)``.
        recordings: of windows, the number of the recording that each belongs to, ``(n,)``, ascending; its windows then
            have one answer, that of the mean of their logits. None: each sample has its own.
    """
    if recordings is not None:
        first = np.flatnonzero(np.diff(recordings, prepend=recordings[0] - 1)) if len(recordings) else np.zeros(0, int)
        counts = np.diff(np.append(first, len(recordings)))
        sums = np.add.reduceat(logits, first, axis=0) if len(first) else logits
        logits, labels = sums / counts[:, None], labels[first]
    if rule.is_classes:
        scores = rule.by_class(logits)
        classes = scores.shape[1]
        pairs = labels.astype(np.int64) * classes + scores.argmax(1)
        confusion = np.bincount(pairs, minlength=classes**2).reshape(classes, classes).astype(np.int64)
        return Quality(len(labels), confusion)
    values, right = rule.values(logits), labels.astype(np.float64)
    error = values - right
    spread = np.square(right - right.mean(0)).sum(0)
    r2 = 1 - np.square(error).sum(0) / np.where(spread > 0, spread, np.nan)
    return Quality(len(right), None, tuple(np.abs(error).mean(0).tolist()), tuple(r2.tolist()))
