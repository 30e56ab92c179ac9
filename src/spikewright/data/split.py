"""One part of a data set, and the one rule by which data are cut into parts."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from ..base.shown import Brief
from ..base.types import IntArray
from ..sources.rows import Rows, at_once, chunks, joined, picked
from .output_rule import NO_LABEL

SPLIT_SEED = 20240229
VALIDATION_SHARE = 0.1
DIGITS_SHARE = 0.2

Pixels = npt.NDArray[np.uint8]
Images = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]
Samples = tuple[Pixels, Labels]
_TYPES = {4: (np.float32,), 5: (np.uint8, np.float32)}


@dataclass(frozen=True, eq=False, repr=False)
class Split(Brief):
    """One part of a data set.

    Attributes:
        samples: by row, an array or one that is computed when it is asked for: intensities in [0, 1], float32, of shape
            ``(n, channels, height, width)``; where samples change from step to step, frames ``(n, timesteps, channels,
            height, width)``, of 0 and 1, uint8, for events, and else of intensities, float32.
        labels: classes, int64, ``(n,)``, :data:`~spikewright.data.output_rule.NO_LABEL` of a training sample without
            a label; or values of a regression, float32, ``(n, D)``, then NaN.
        recordings: of windows, the number of the recording that each is of, ``(n,)``, ascending; its windows have one
            answer. None where each sample has its own.
    """

    samples: Rows
    labels: npt.NDArray[Any]
    recordings: IntArray | None = None

    def __post_init__(self) -> None:
        known = _TYPES.get(len(self.samples.shape), ())
        if self.samples.dtype.type not in known or self.labels.shape[:1] != self.samples.shape[:1]:
            raise ValueError(f"samples {self.samples.shape} and labels {self.labels.shape} do not belong together")

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def images(self) -> Rows:
        """The former name of :attr:`samples`."""
        warnings.warn("`images` will be removed in 0.3; use `samples`", DeprecationWarning, stacklevel=2)
        return self.samples

    def at_once(self, most: int) -> int:
        """How many samples a network is given at once: ``most``, or fewer of large ones."""
        return at_once(self.samples, most)

    def first(self, samples: int) -> Split:
        """The same part, its later samples left out."""
        return self.of(np.arange(min(samples, len(self)), dtype=np.int64))

    def of(self, rows: IntArray) -> Split:
        """The same part with these samples alone."""
        recordings = None if self.recordings is None else self.recordings[rows]
        return replace(self, samples=picked(self.samples, rows), labels=self.labels[rows], recordings=recordings)

    @cached_property
    def is_labelled(self) -> npt.NDArray[np.bool_]:
        """Which samples have a label, ``(n,)``."""
        if self.labels.ndim == 1:
            return np.asarray(self.labels != NO_LABEL)
        return ~np.isnan(self.labels).any(1)

    @property
    def labelled(self) -> int:
        """The number of samples with a label."""
        return int(self.is_labelled.sum())

    @property
    def unlabelled(self) -> int:
        """The number of samples without a label."""
        return len(self) - self.labelled

    def without_labels(self) -> Split:
        """The same samples, their labels forgotten."""
        missing = NO_LABEL if self.labels.ndim == 1 else np.nan
        return replace(self, labels=np.full_like(self.labels, missing))

    def followed_by(self, other: Split) -> Split:
        """These samples, and those of another part after them."""
        recordings = None
        if self.recordings is not None and other.recordings is not None:
            recordings = np.concatenate([self.recordings, other.recordings + self.recordings.max(initial=-1) + 1])
        labels = np.concatenate([self.labels, other.labels])
        return Split(joined(self.samples, other.samples), labels, recordings)

    @cached_property
    def sha256(self) -> str:
        """The SHA-256 of shape, samples and labels, and of the recordings of windows."""
        digest = hashlib.sha256(repr(tuple(self.samples.shape)).encode())
        for chunk in chunks(self.samples):
            digest.update(np.ascontiguousarray(chunk, dtype=chunk.dtype.newbyteorder("<")).data)
        digest.update(np.ascontiguousarray(self.labels, dtype="<i8" if self.labels.ndim == 1 else "<f4").data)
        if self.recordings is not None:
            digest.update(np.ascontiguousarray(self.recordings, dtype="<i8").data)
        return digest.hexdigest()


def permutation(count: int) -> npt.NDArray[np.int64]:
    """The fixed order of ``count`` samples in which parts are cut.

    NumPy promises that the legacy generator's stream never changes, which it does not promise for the newer ones.
    """
    return np.random.RandomState(SPLIT_SEED).permutation(count).astype(np.int64)


def official_split(count: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Which of ``count`` official training samples are for training, and which for validation."""
    order = permutation(count)
    held_out = round(VALIDATION_SHARE * count)
    return order[held_out:], order[:held_out]


def split_off(labels: npt.NDArray[np.generic], groups: IntArray | None, share: float) -> tuple[IntArray, IntArray]:
    """Rows that stay, and about ``share`` of the rows, at least one, that are split off; both in the fixed order.

    Each class is split in proportion, and a class of two samples or more keeps at least one. Rows of one group stay
    together.

    Args:
        labels: classes, ``(n,)``, or values, ``(n, D)``, which are not stratified.
        groups: the group of each row, ``(n,)``; None where each row is its own.
    """
    order = permutation(len(labels))
    classes = labels[order].astype(np.int64) if labels.ndim == 1 else np.zeros(len(order), np.int64)
    if groups is None:
        off = np.zeros(len(order), bool)
        for each in np.unique(classes):
            places = np.flatnonzero(classes == each)
            off[places[: min(round(share * len(places)), len(places) - 1)]] = True
        if not off.any() and len(order) > 1:
            off[0] = True
        return order[~off], order[off]
    off = _groups_off(classes, groups[order], share)
    return order[~off], order[off]


def three_parts(labels: npt.NDArray[np.generic], groups: IntArray | None) -> tuple[IntArray, IntArray, IntArray]:
    """Rows of training (60 %), validation (20 %) and test (20 %)."""
    rest, test = split_off(labels, groups, DIGITS_SHARE)
    train, validation = split_off(
        labels[rest], None if groups is None else groups[rest], DIGITS_SHARE / (1 - DIGITS_SHARE)
    )
    return rest[train], rest[validation], test


def train_and_validation(labels: npt.NDArray[np.generic], groups: IntArray | None) -> tuple[IntArray, IntArray]:
    """Rows of training (90 %) and validation (10 %), where the test part is given."""
    return split_off(labels, groups, VALIDATION_SHARE)


def _groups_off(classes: IntArray, groups: IntArray, share: float) -> npt.NDArray[np.bool_]:
    """Whole groups, the largest first, each to the side where the counts of its classes are missing most."""
    names, group_of = np.unique(groups, return_inverse=True)
    _, class_of = np.unique(classes, return_inverse=True)
    counts = np.zeros((len(names), class_of.max(initial=0) + 1))
    np.add.at(counts, (group_of, class_of), 1)
    wanted, taken = share * counts.sum(0), np.zeros(counts.shape[1])
    off: list[int] = []
    first_seen = {int(g): i for i, g in reversed(list(enumerate(group_of)))}
    for group in sorted(range(len(names)), key=lambda g: (-counts[g].sum(), first_seen[g])):
        with_it = np.square(wanted - taken - counts[group]).sum()
        if len(off) < len(names) - 1 and with_it < np.square(wanted - taken).sum():
            off.append(group)
            taken += counts[group]
    if not off:
        off = [min(range(len(names)), key=lambda g: (counts[g].sum(), first_seen[g]))]
    return np.isin(group_of, off)


def as_numbers(values: Sequence[object] | npt.NDArray[np.generic]) -> IntArray:
    """Groups of any kind (names, numbers) as numbers, in the order of their names."""
    _, numbers = np.unique(np.asarray(values).astype(str), return_inverse=True)
    return numbers.astype(np.int64)
