"""How good the answers of a network are: accuracy and its kin, the confusion of classes, or errors of values."""

from __future__ import annotations

import numpy as np

from ..energy.report import EnergyReport
from .measure import R2
from .numbers import Rows

MATRIX = 12
"""Up to so many classes are confusions a matrix; of more the most frequent ones are listed."""
LISTED = 10


def quality_rows(report: EnergyReport) -> Rows:
    """How good the answers are: of classes accuracy, balanced accuracy and F1, of values errors and R^2.

    Headings alone without labels.
    """
    quality, outputs = report.quality, report.outputs
    if quality is None:
        return [("measure", ">value")]
    if quality.confusion is None:
        pairs = enumerate(zip(quality.mae, quality.r2, strict=True))
        rows = [(outputs.name_of(index), f"{mae:.4g}", R2.say(r2)) for index, (mae, r2) in pairs]
        return [("value", ">mean absolute error", f">{R2.name}"), *rows]
    return [
        ("measure", ">value"),
        ("accuracy", f"{quality.accuracy:.2%}"),
        ("balanced accuracy, the mean of the classes' recalls", f"{quality.balanced_accuracy:.2%}"),
        ("F1, the mean of the classes'", f"{quality.f1:.3f}"),
    ]


def confusion_rows(report: EnergyReport) -> Rows:
    """Classes against answers, as a matrix or, of many classes, the most frequent mistakes; headings alone without."""
    quality = report.quality
    if quality is None or quality.confusion is None:
        return [("class",)]
    names = _names(report)
    if len(names) <= MATRIX:
        rows = [(name, *map(str, counts)) for name, counts in zip(names, quality.confusion.tolist(), strict=True)]
        return [("class", *(f">{index}" for index in range(len(names)))), *rows]
    wrong = quality.confusion.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:LISTED]
    found: Rows = [("class", "taken for", ">samples", ">of the class")]
    for right, answered in zip(*np.unravel_index(order, wrong.shape), strict=True):
        if count := int(wrong[right, answered]):
            share = count / int(quality.confusion[right].sum())
            found.append((names[int(right)], names[int(answered)], f"{count:,}", f"{share:.1%}"))
    return found


def confusion_title(report: EnergyReport) -> str:
    """The caption of :func:`confusion_rows`."""
    quality = report.quality
    classes = 0 if quality is None or quality.confusion is None else len(quality.confusion)
    if classes > MATRIX:
        return f"The most frequent mistakes among {classes} classes"
    return "Classes (rows) and how often each was answered (columns, by the number of the class)"


def quality_json(report: EnergyReport) -> dict[str, object] | None:
    """How good the answers are as a JSON object, with the names of classes or values; None without labels."""
    if report.quality is None:
        return None
    kind = "classes" if report.outputs.is_classes else "values"
    return {**report.quality.as_json(), kind: list(report.outputs.names)}


def _names(report: EnergyReport) -> list[str]:
    """The number of each class, and its name where it has another."""
    assert report.quality is not None
    assert report.quality.confusion is not None
    numbers = range(len(report.quality.confusion))
    names = {index: report.outputs.name_of(index) for index in numbers}
    return [str(index) if names[index] == str(index) else f"{index} {names[index]}" for index in numbers]
