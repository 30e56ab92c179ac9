"""MNIST-1D: ten patterns of a line over time, made by a program, and what they are as events.

A sample is a signal of 40 points: the pattern of its class, padded, stretched, scaled, moved, sheared and made noisy.
It is kept as bytes, ``floor(256 (x + RANGE) / (2 RANGE))``, held within 0..255; the data set is standardised, and 1.2 %
of its points lie outside.

As events a signal has one frame for each point, a row of 16 lines that stand for equal parts of the range, and of these
lines that of the point's value is 1: a population code that gives the signal back up to a sixteenth of the range. With
fewer frames than points, a frame stands for the mean of its points.

Source: S. Greydanus and D. Kobak 2020, arXiv 2011.14439; samples from the authors' package mnist1d with its default
settings.
"""

from __future__ import annotations

import random
from functools import lru_cache
from pathlib import Path

import numpy as np

from .dataset import Dataset, as_events, official, steps_within
from .download import missing_package, reads_no_folder
from .split import Images, Pixels, Samples

NAME = "mnist1d"
CLASSES = 10
POINTS = 40
RANGE = 3.0
LEVELS = 16


def load_mnist1d(data_dir: Path | None, timesteps: int | None) -> Dataset:
    """The signals as events, with the signals themselves, images of one row, as the twin.

    Raises:
        InputError: a folder was given, mnist1d is not installed, or timesteps are out of range.
    """
    if data_dir is not None:
        raise reads_no_folder(data_dir, NAME, "the package of that name")
    steps = steps_within(NAME, timesteps, POINTS, POINTS, "the points of a signal")
    twin = official(NAME, *_made(), CLASSES)

    def frames(images: Images) -> Pixels:
        return levels(np.rint(images[:, 0, 0] * 255).astype(np.uint8), steps)

    return as_events(NAME, twin, (1, 1, LEVELS), steps, frames)


def levels(signals: Pixels, timesteps: int) -> Pixels:
    """One frame for each step, in which the line of the signal's level is 1.

    Step ``s`` takes the points ``k`` with ``s <= k T / P < s + 1``, and the mean of their bytes, rounded down.

    Args:
        signals: bytes, ``(n, P)``; T is at most P.

    Returns:
        uint8 of 0 and 1, ``(n, T, 1, 1, 16)``.
    """
    step_of = np.arange(signals.shape[1]) * timesteps // signals.shape[1]
    starts = np.searchsorted(step_of, np.arange(timesteps))
    means = np.add.reduceat(signals, starts, axis=1, dtype=np.int64) // np.bincount(step_of)
    level = means * LEVELS // 256
    return (level[:, :, None, None, None] == np.arange(LEVELS)).astype(np.uint8)


@lru_cache(maxsize=1)
def _made() -> tuple[Samples, Samples]:
    """The official training and test parts, 4000 and 1000 signals as images of one row."""
    try:
        from mnist1d.data import make_dataset
    except ModuleNotFoundError as error:
        raise missing_package(NAME, "mnist1d", "data") from error
    state, numpys = random.getstate(), np.random.get_state()
    try:
        made = make_dataset()
    finally:  # the package seeds both generators of the process with 42
        random.setstate(state)
        np.random.set_state(numpys)
    train, test = ((_as_bytes(made[f"x{part}"]), made[f"y{part}"].astype(np.int64)) for part in ("", "_test"))
    return train, test


def _as_bytes(signals: Images) -> Pixels:
    scaled = np.floor((signals + RANGE) * 256 / (2 * RANGE))
    return np.clip(scaled, 0, 255).astype(np.uint8)[:, None, None]
