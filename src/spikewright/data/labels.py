"""Labels of one's own data: names or numbers of classes, or values; and what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..base.errors import InputError, arg, refuse
from ..sources.found import Task
from ..sources.rows import as_float32
from .output_rule import NO_LABEL, OutputRule

MOST_CLASS = 2**31 - 1
"""Largest whole number that may stand for a class."""

Labels = npt.NDArray[Any]


def read_labels(
    where: str, parts: Mapping[str, object], task: Task | None, names: Sequence[str] | None = None
) -> tuple[OutputRule, dict[str, Labels]]:
    """What labels mean, and the labels of each part as numbers: classes int64 ``(n,)``, values float32 ``(n, D)``.

    Args:
        where: what the labels belong to, for messages.
        parts: by part, its labels; ``train`` is one of them.
        task: None: integers and names are classes, and of floats it is asked what they are.
        names: of the classes 0, 1, ..., or of the values; None: the names or numbers in the labels.

    Raises:
        InputError: labels that cannot be learned, all faults at once.
    """
    found = {part: label_array(labels) for part, labels in parts.items()}
    kind = task or _task_of(where, found["train"])
    if kind == "regression":
        return _values(where, found, names)
    return _classes(where, found, names)


def label_array(labels: object) -> Labels:
    """Labels as an array, a column of classes as one row."""
    if hasattr(labels, "detach"):  # a torch tensor
        labels = labels.detach().cpu().numpy()
    made = np.asarray(labels)
    return made[:, 0] if made.ndim == 2 and made.shape[1] == 1 and made.dtype.kind != "f" else made


def _task_of(where: str, labels: Labels) -> Task:
    if labels.dtype.kind == "f":
        raise InputError(
            f"{where}: its labels are {labels.dtype}; give {arg('task', 'regression')} where they are values to learn, "
            f"or {arg('task', 'classification')} where they are whole numbers of classes"
        )
    return "classification"


def _classes(
    where: str, parts: Mapping[str, Labels], names: Sequence[str] | None
) -> tuple[OutputRule, dict[str, Labels]]:
    refuse(where, [fault for part, labels in parts.items() for fault in _form_faults(part, labels)])
    whole = {part: labels.astype(np.int64) if labels.dtype.kind == "f" else labels for part, labels in parts.items()}
    if names is not None and whole["train"].dtype.kind in "iu":
        numbers = {part: labels.astype(np.int64) for part, labels in whole.items()}
        refuse(where, [f for part, labels in numbers.items() for f in _range_faults(part, labels, len(names))])
        return _checked(where, OutputRule(names=tuple(map(str, names))), numbers)
    known = np.unique(whole["train"])
    if known.dtype.kind == "i" and len(known) and known[0] < 0:
        raise InputError(
            f"{where}: training labels reach {known[0]}; classes are 0 or more: leave samples without a label out, and "
            f"give them as {arg('unlabelled')}"
        )
    strange = {part: np.setdiff1d(labels, known) for part, labels in whole.items()}
    refuse(
        where,
        [
            f"its {part} part has classes that training has no sample of: {', '.join(map(str, more[:5]))}; add samples "
            "of them to training, or leave them out"
            for part, more in strange.items()
            if len(more)
        ],
    )
    rule = OutputRule(names=tuple(map(str, names if names is not None else known)))
    return _checked(where, rule, {part: np.searchsorted(known, labels) for part, labels in whole.items()})


def _checked(where: str, rule: OutputRule, parts: dict[str, Labels]) -> tuple[OutputRule, dict[str, Labels]]:
    present = np.unique(parts["train"])
    if len(present) < 2:
        raise InputError(
            f"{where}: its training part holds one class, {rule.name_of(int(present[0]))}; give samples of two or more"
        )
    return rule, {part: labels.astype(np.int64) for part, labels in parts.items()}


def _form_faults(part: str, labels: Labels) -> Iterator[str]:
    if labels.ndim != 1:
        hint = "for one-hot rows give their argmax" if labels.ndim == 2 else "give one class for each sample"
        yield f"labels of {part} have shape {labels.shape}; must be (n,): {hint}"
    elif not len(labels):
        yield f"its {part} part is empty"
    elif labels.dtype.kind == "f" and not np.array_equal(labels, np.rint(labels)):
        some = ", ".join(f"{each:g}" for each in labels[labels != np.rint(labels)][:3])
        yield f"labels of {part} are no whole numbers ({some}, ...); give {arg('task', 'regression')} to learn values"
    elif labels.dtype.kind == "f" and np.abs(labels).max() > MOST_CLASS:
        yield f"labels of {part} reach {np.abs(labels).max():g}; classes may be up to {MOST_CLASS:g}"
    elif labels.dtype.kind == "O" and (fault := _of_several_types(part, labels)):
        yield fault
    elif labels.dtype.kind not in "iufUSOb":
        yield f"labels of {part} are {labels.dtype}; may be whole numbers or names"


def _of_several_types(part: str, labels: Labels) -> str | None:
    """What is wrong with labels that are objects: names alone, or whole numbers alone, are right."""
    given = labels.tolist()
    for row, label in enumerate(given):
        if label is None or (isinstance(label, float) and np.isnan(label)):
            return (
                f"labels of {part} hold {label}, first at sample {row}; leave samples without a label out, and give "
                f"them as {arg('unlabelled')}"
            )
    if any(all(isinstance(label, kind) for label in given) for kind in (str, int | np.integer)):
        return None
    kinds = sorted({type(label).__name__ for label in given})
    return f"labels of {part} are objects ({', '.join(kinds)}); give whole numbers alone, or names alone"


def _range_faults(part: str, labels: Labels, classes: int) -> Iterator[str]:
    if len(labels) and not (0 <= labels.min() and labels.max() < classes):
        least, most = labels.min(), labels.max()
        yield f"labels of {part} reach {least}..{most}; with {classes} classes they may be 0..{classes - 1}"


def _values(
    where: str, parts: Mapping[str, Labels], names: Sequence[str] | None
) -> tuple[OutputRule, dict[str, Labels]]:
    faults: list[str] = []
    made: dict[str, Labels] = {}
    for part, labels in parts.items():
        if labels.dtype.kind not in "iuf" or labels.ndim not in (1, 2):
            faults.append(f"labels of {part} are {labels.dtype} of shape {labels.shape}; values must be numbers (n, D)")
            continue
        if not labels.size:
            faults.append(f"its {part} part is empty")
            continue
        made[part] = as_float32(labels.reshape(len(labels), -1))
        if not np.isfinite(made[part]).all():
            bad = np.flatnonzero(~np.isfinite(made[part]).all(1))
            faults.append(f"labels of {part} hold NaN or infinity, first at sample {bad[0]}; leave such samples out")
    if not faults:
        sizes = {part: labels.shape[1] for part, labels in made.items()}
        if len(set(sizes.values())) > 1:
            faults.append(f"labels have different numbers of values: {sizes}")
        faults += [
            f"value {index} is the same in every training sample; leave it out"
            for index in np.flatnonzero(made["train"].min(0) == made["train"].max(0))
        ]
    refuse(where, faults)
    train = made["train"].astype(np.float64)
    rule = OutputRule(
        "regression", tuple(map(str, names or ())), center=tuple(train.mean(0)), spread=tuple(train.std(0))
    )
    return rule, made


def part_faults(parts: Mapping[str, Labels], rule: OutputRule, classes: int) -> Iterator[str]:
    """What is wrong with the labels of a data set that a network is to be trained on.

    Args:
        parts: by part, its labels; ``train`` is one of them, whose samples may be without a label.
        rule: what the labels mean.
        classes: K, or D values.
    """
    for part, labels in parts.items():
        known = labels
        if part == "train" and rule.is_classes:
            known = labels[labels != NO_LABEL]
        elif part == "train" and labels.ndim == 2 and labels.dtype.kind == "f":
            known = labels[~np.isnan(labels).all(1)]
        if not len(known):
            yield f"its {part} part is empty; give samples with labels"
            continue
        faults = list(label_faults(known, rule, classes))
        yield from (f"labels of {part} {fault}" for fault in faults)
        if not faults:
            yield from _all_alike(part, known, rule)


def _all_alike(part: str, labels: Labels, rule: OutputRule) -> Iterator[str]:
    """One class alone to learn from, or a value that never changes, of which R^2 is not defined."""
    if rule.is_classes:
        if part == "train" and len(np.unique(labels)) < 2:
            yield f"its {part} part holds one class, {rule.name_of(int(labels[0]))}; give samples of two or more"
        return
    for index in np.flatnonzero(labels.min(0) == labels.max(0)):
        name = rule.name_of(int(index))
        yield f"value {name} is the same in every sample of {part}; leave it out, or give more samples"


def label_faults(labels: Labels, rule: OutputRule, classes: int) -> Iterator[str]:
    """What is wrong with labels that are to be compared with a network's outputs.

    Args:
        labels: classes ``(n,)``, or values ``(n, D)``.
        rule: what the outputs mean.
        classes: K, or D values.
    """
    if not rule.is_classes:
        if labels.ndim != 2 or labels.shape[1] != classes or labels.dtype.kind not in "iuf":
            yield f"are {labels.dtype} of shape {labels.shape}; {classes} values need numbers of shape (n, {classes})"
        elif not np.isfinite(labels).all():
            bad = np.flatnonzero(~np.isfinite(labels).all(1))
            yield f"hold NaN or infinity, first at sample {bad[0]}; leave such samples out"
        return
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        yield (
            f"are {labels.dtype} of shape {labels.shape}; classes must be whole numbers (n,): convert them, or, where "
            "they are values to learn, make the data set a regression"
        )
    elif len(labels) and not (0 <= labels.min() and labels.max() < classes):
        yield f"reach {labels.min()}..{labels.max()}; with {classes} classes they may be 0..{classes - 1}"
