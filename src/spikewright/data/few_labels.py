"""Few labels: which samples of the training part keep theirs, and samples without labels after them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from ..base.errors import InputError, arg
from ..base.types import IntArray
from ..sources.rows import Rows, chunks
from .dataset import Dataset
from .recipe import Recipe
from .split import Split

REST = "rest"
"""Instead of a number of samples without labels: all of the training part whose labels are not used."""


def with_few_labels(
    whole: Dataset, samples: int | None, fraction: float | None, unlabelled: int | str | None = None
) -> Dataset:
    """The data set that a student learns from: some samples of the training part with their labels, others without.

    Args:
        samples: the first so many of the training part are taken, in its fixed order; None: all.
        fraction: of these, the share in (0, 1] that keeps its labels, the first of each class; None: all.
        unlabelled: how many samples are taken without their labels, the first of those that are left: of the first
            ``samples`` where there is a fraction, else of the whole training part; :data:`REST` for all of them.

    Raises:
        InputError: the training part has fewer samples.
    """
    if fraction is None and unlabelled is None:
        return whole.with_train_samples(samples)
    whole.with_train_samples(samples)  # refuses more samples than there are
    train = whole.train
    pool = len(train) if samples is None or fraction is None else samples
    keeps = np.arange(pool) < (samples or pool)
    if fraction is not None:
        keeps = first_of_each_class(train.first(pool), fraction)
    rows, rest = np.flatnonzero(keeps), np.flatnonzero(~keeps)
    if unlabelled is None:
        return _of_rows(whole, rows)
    count = len(rest) if unlabelled == REST else int(unlabelled)
    if not 1 <= count <= len(rest):
        raise InputError(
            f"{arg('unlabelled', unlabelled)}: {whole.name} has {len(rest)} training samples besides the "
            f"{len(rows)} whose labels are used; give fewer labels by {arg('train_samples')} or "
            f"{arg('label_fraction')}, ask for fewer samples, or give a path with others"
        )
    return _of_rows(whole, rows, rest[:count])


def _of_rows(whole: Dataset, rows: IntArray, without: IntArray | None = None) -> Dataset:
    """The data set with these rows of its training part, and others without their labels."""
    train = whole.train.of(rows)
    if without is not None:
        train = train.followed_by(whole.train.of(without).without_labels())
    twin = None if whole.twin is None else _of_rows(whole.twin, rows, without)
    return replace(whole, train=train, twin=twin)


def first_of_each_class(split: Split, fraction: float) -> npt.NDArray[np.bool_]:
    """Which samples keep their labels: of each class the first ``fraction``, rounded, at least one.

    Of the windows of a recording all do, or none. A smaller fraction is part of a larger one.
    """
    count = len(split)
    first, unit = np.arange(count), np.arange(count)
    if split.recordings is not None:
        _, first, unit = np.unique(split.recordings, return_index=True, return_inverse=True)
    classes = split.labels[first] if split.labels.ndim == 1 else np.zeros(len(first), np.int64)
    keeps = np.zeros(len(first), bool)
    for each in np.unique(classes):
        places = np.flatnonzero(classes == each)
        keeps[places[: max(1, round(fraction * len(places)))]] = True
    return np.asarray(keeps[unit])


def followed_by_unlabelled(dataset: Dataset, more: Split, more_of_twin: Split | None) -> Dataset:
    """The data set with further training samples, which have no labels.

    Epochs and batch of the recipe are chosen for the samples that there are then; the teacher's stay.

    Args:
        more_of_twin: the same samples as the teacher takes them, where the data set has a twin.
    """
    twin, recipe = dataset.twin, dataset.recipe
    if twin is not None:
        if more_of_twin is None:
            raise ValueError("the data set has a twin, and its samples without labels are missing")
        twin = replace(twin, train=twin.train.followed_by(more_of_twin))
    train = dataset.train.followed_by(more)
    if dataset.raw is not None and dataset.raw.recipe is None and dataset.input_rule is not None:
        made = Recipe.for_samples(len(train), dataset.raw.layout, dataset.input_rule.view)
        recipe = replace(made, teacher=recipe.teacher)
    return replace(dataset, train=train, twin=twin, recipe=recipe)


def known_from_elsewhere(dataset: Dataset) -> dict[str, int]:
    """By part, validation and test, how many of the training samples without labels are also in it."""
    without = dataset.train.of(np.flatnonzero(~dataset.train.is_labelled)).samples
    found = {}
    for name, part in (("validation", dataset.validation), ("test", dataset.test)):
        held = set(_digests(part.samples))
        found[name] = sum(each in held for each in _digests(without))
    return found


def _digests(samples: Rows) -> Iterator[bytes]:
    for chunk in chunks(samples):
        for sample in chunk:
            yield hashlib.blake2b(np.ascontiguousarray(sample).data, digest_size=16).digest()
