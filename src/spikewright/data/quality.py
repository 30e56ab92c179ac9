"""How good the answers of a network are: accuracy and its kin for classes, errors for values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

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
        names: of the classes or values; empty where they have none, or are not known.
    """

    samples: int
    confusion: IntArray | None = None
    mae: tuple[float, ...] = ()
    r2: tuple[float, ...] = ()
    names: tuple[str, ...] = ()

    @property
    def main(self) -> float:
        """The number that a choice is made by, the higher the better: the accuracy, or the mean of R^2."""
        return self.accuracy if self.confusion is not None else _mean(self.r2)

    @property
    def correct(self) -> int:
        """The number of samples whose class is answered correctly; of classification only."""
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
        return _mean(self.recalls)

    @property
    def f1(self) -> float:
        """The mean over classes of ``2 TP / (2 TP + FP + FN)``, of the classes that have samples or answers."""
        assert self.confusion is not None
        right = np.diag(self.confusion)
        either = self.confusion.sum(0) + self.confusion.sum(1)
        return _mean(2 * right[either > 0] / either[either > 0])

    def padded(self, classes: int) -> Quality:
        """The same of classes, with rows and columns of zeros for classes that have neither samples nor answers."""
        if self.confusion is None or len(self.confusion) >= classes:
            return self
        return replace(self, confusion=np.pad(self.confusion, (0, classes - len(self.confusion))))

    @property
    def facts(self) -> dict[str, float]:
        """The numbers by name: accuracy, balanced_accuracy and f1, or r2 and mae (means over the values)."""
        if self.confusion is None:
            return {"r2": _mean(self.r2), "mae": _mean(self.mae)}
        return {"accuracy": self.accuracy, "balanced_accuracy": self.balanced_accuracy, "f1": self.f1}

    def __repr__(self) -> str:
        told = ", ".join(f"{name} {value:.4g}" for name, value in self.facts.items())
        return f"Quality({self.samples:,} samples: {told})"

    def as_json(self) -> dict[str, object]:
        """The numbers of classes or values as a JSON object; an R^2 that is not defined is null."""
        if self.confusion is not None:
            return {"samples": self.samples, **self.facts, "confusion": self.confusion.tolist()}
        r2 = [None if np.isnan(each) else each for each in self.r2]
        return {"samples": self.samples, "mae": list(self.mae), "r2": r2}

    def __str__(self) -> str:
        return f"{self.main:.2%}" if self.confusion is not None else f"R^2 {self.main:.3f}"


def _mean(values: Sequence[float] | FloatArray) -> float:
    """The mean of the values that are defined; NaN where none is."""
    known = np.asarray(values, np.float64)
    known = known[~np.isnan(known)]
    return float(known.mean()) if len(known) else float("nan")


def first_of(recordings: IntArray) -> IntArray:
    """The first window of each recording, of the numbers of recordings in ascending order, ``(windows,)``."""
    if not len(recordings):
        return np.zeros(0, np.int64)
    return np.flatnonzero(np.diff(recordings, prepend=recordings[0] - 1)).astype(np.int64)


def joined(scores: npt.NDArray[np.generic], recordings: IntArray | None) -> npt.NDArray[np.float64]:
    """The scores of each answer, ``(answers, outputs)``: the means over the windows of a recording.

    Args:
        scores: of each sample, ``(n, outputs)``.
        recordings: None: each sample has its own answer.
    """
    each: npt.NDArray[np.float64] = scores.astype(np.float64)
    if recordings is None or not len(recordings):
        return each
    first = first_of(recordings)
    sums: npt.NDArray[np.float64] = np.add.reduceat(each, first, axis=0)
    return sums / np.diff(np.append(first, len(recordings)))[:, None]


def answers_of(rule: OutputRule, logits: npt.NDArray[np.generic]) -> npt.NDArray[np.int64] | npt.NDArray[np.float64]:
    """Classes ``(n,)``, of equal scores the first, or values ``(n, D)`` in their own unit.

    Args:
        logits: ``(n, outputs)``; of classes any scores will do.
    """
    if rule.is_classes:
        return rule.by_class(logits).argmax(1).astype(np.int64)
    return rule.values(logits)


def confusion_of(
    right: npt.NDArray[np.generic], answered: npt.NDArray[np.generic], classes: int | None = None
) -> IntArray:
    """How often class ``row`` was answered with class ``column``, int64, ``(K, K)``.

    Args:
        right, answered: classes, ``(n,)``.
        classes: K; None: as many as the largest class needs.
    """
    row: IntArray = right.astype(np.int64)
    column: IntArray = answered.astype(np.int64)
    k = classes or int(max(row.max(initial=0), column.max(initial=0))) + 1
    return np.bincount(row * k + column, minlength=k**2).reshape(k, k).astype(np.int64)


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
        logits, labels = joined(logits, recordings), labels[first_of(recordings)]
    answers = answers_of(rule, logits)
    if rule.is_classes:
        confusion = confusion_of(labels, answers, logits.shape[1] // rule.population)
        return Quality(len(labels), confusion, names=rule.names)
    right = labels.astype(np.float64)
    error = answers - right
    spread = np.square(right - right.mean(0)).sum(0)
    r2 = 1 - np.square(error).sum(0) / np.where(spread > 0, spread, np.nan)
    return Quality(len(right), None, tuple(np.abs(error).mean(0).tolist()), tuple(r2.tolist()), rule.names)
