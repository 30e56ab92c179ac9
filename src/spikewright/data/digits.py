"""The handwritten digits that come with scikit-learn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from sklearn import datasets

from ..base.errors import InputError, arg
from .dataset import Dataset, three_way

FULL_SCALE = 16
"""Pixels count the set pixels of a 4 x 4 block."""


def load_digits(data_dir: Path | None) -> Dataset:
    """The 1797 handwritten digits of 8 x 8 pixels that come with scikit-learn.

    Raises:
        InputError: a folder was given, which this data set does not have.
    """
    if data_dir is not None:
        raise InputError(f"{data_dir}: digits come with scikit-learn and read no folder; leave {arg('data_dir')} out")
    bunch = datasets.load_digits()
    images = bunch.images.astype(np.uint8)[:, None]
    return three_way("digits", images, bunch.target.astype(np.int64), FULL_SCALE, classes=10)
