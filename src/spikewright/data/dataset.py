"""A data set: three parts of samples and labels, and the rule that makes them."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ..base.errors import InputError, arg
from .recipe import Recipe

SPLIT_SEED = 20240229
VALIDATION_SHARE = 0.1
DIGITS_SHARE = 0.2

Pixels = npt.NDArray[np.uint8]
Images = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]
Samples = tuple[Pixels, Labels]


@dataclass(frozen=True, eq=False)
class Split:
    """One part of a data set.

    Attributes:
        samples: intensities in [0, 1], float32, shape ``(n, channels, height, width)``; of event data, frames of 0 and
            1, uint8, shape ``(n, timesteps, channels, height, width)``.
        labels: classes, int64, shape ``(n,)``.
    """

    samples: Images | Pixels
    labels: Labels

    def __post_init__(self) -> None:
        wanted = {4: np.float32, 5: np.uint8}
        if wanted.get(self.samples.ndim) != self.samples.dtype.type or self.labels.shape != self.samples.shape[:1]:
            raise ValueError(f"samples {self.samples.shape} and labels {self.labels.shape} do not belong together")

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def images(self) -> Images | Pixels:
        """The former name of :attr:`samples`."""
        warnings.warn("`images` will be removed in 0.3; use `samples`", DeprecationWarning, stacklevel=2)
        return self.samples

    def first(self, samples: int) -> Split:
        """The same part, its later samples left out."""
        return Split(self.samples[:samples], self.labels[:samples])

    @cached_property
    def sha256(self) -> str:
        """The SHA-256 of shape, samples and labels."""
        digest = hashlib.sha256(repr(self.samples.shape).encode())
        digest.update(np.ascontiguousarray(self.samples, dtype=self.samples.dtype.newbyteorder("<")).data)
        digest.update(np.ascontiguousarray(self.labels, dtype="<i8").data)
        return digest.hexdigest()


@dataclass(frozen=True, eq=False)
class Dataset:
    """A data set with its fixed split.

    Attributes:
        name: a name of :data:`spikewright.data.load.DATASETS`, or any other of data of your own.
        train: what weights are fitted on.
        validation: what choices are made on.
        test: what the final report is made on, and nothing else.
        classes: number of classes K; labels are 0..K-1.
        shape: ``(channels, height, width)`` of one image or frame.
        timesteps: frames of each sample of event data, None for images.
        twin: the static images that events were made from, sample for sample, on which a teacher is trained; None
            where there are none.
        recipe: how students and teachers are trained on it where nothing else is asked for.
    """

    name: str
    train: Split
    validation: Split
    test: Split
    classes: int
    shape: tuple[int, int, int]
    timesteps: int | None = None
    twin: Dataset | None = None
    recipe: Recipe = field(default_factory=Recipe)

    def with_train_samples(self, samples: int | None) -> Dataset:
        """The same data set with only the first ``samples`` of its training part, whose order is fixed; None: all.

        Raises:
            InputError: the training part has fewer.
        """
        if samples is None:
            return self
        if samples > len(self.train):
            raise InputError(
                f"{arg('train_samples', samples)}: {self.name} has {len(self.train)} to train on; ask for no more, or "
                "leave it out"
            )
        twin = None if self.twin is None else self.twin.with_train_samples(samples)
        return replace(self, train=self.train.first(samples), twin=twin)


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


def official(name: str, train: Samples, test: Samples, classes: int) -> Dataset:
    """Cut the validation part out of the official training part; the official test part stays as it is.

    Pixels are 0..255, of shape ``(n, channels, height, width)``, labels of shape ``(n,)``.
    """
    parts = [(train[0][rows], train[1][rows]) for rows in official_split(len(train[1]))]
    return _scaled(name, [*parts, test], 255, classes)


def three_way(name: str, images: Pixels, labels: Labels, full_scale: int, classes: int) -> Dataset:
    """Cut a data set without an official test part into 60 % train, 20 % validation and 20 % test.

    Pixels are 0..``full_scale``, of shape ``(n, channels, height, width)``, labels of shape ``(n,)``.
    """
    order = permutation(len(labels))
    part = round(DIGITS_SHARE * len(order))
    rows = order[2 * part :], order[part : 2 * part], order[:part]
    return _scaled(name, [(images[part], labels[part]) for part in rows], full_scale, classes)


def _scaled(name: str, parts: Sequence[Samples], full_scale: int, classes: int) -> Dataset:
    """The data set of a training, a validation and a test part."""
    train, validation, test = (
        Split(pixels.astype(np.float32) / np.float32(full_scale), labels.astype(np.int64)) for pixels, labels in parts
    )
    _, channels, height, width = train.samples.shape
    return Dataset(name, train, validation, test, classes, (channels, height, width))


def as_events(
    name: str, twin: Dataset, shape: tuple[int, int, int], timesteps: int, frames: Callable[[Images], Pixels]
) -> Dataset:
    """Make a static data set into events, part by part and sample by sample.

    Args:
        twin: the static data set; its split is kept.
        frames: makes images ``(n, channels, height, width)`` into frames of events ``(n, T, *shape)``.
    """
    train, validation, test = (
        Split(frames(np.asarray(part.samples, np.float32)), part.labels)
        for part in (twin.train, twin.validation, twin.test)
    )
    return Dataset(name, train, validation, test, twin.classes, shape, timesteps, twin)


def steps_within(name: str, timesteps: int | None, default: int, most: int, what: str) -> int:
    """The number of frames of a sample: ``timesteps``, or ``default`` where that is None.

    Args:
        what: what a sample has ``most`` of, for the message.

    Raises:
        InputError: fewer than one, or more than ``most``.
    """
    steps = default if timesteps is None else timesteps
    if not 1 <= steps <= most:
        raise InputError(f"{name}: timesteps is {steps}; may be 1 to {most}, {what}")
    return steps
