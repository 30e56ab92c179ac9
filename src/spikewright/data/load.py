"""Data sets by name."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from sklearn import datasets

from ..base.errors import InputError, did_you_mean
from .camera import load_filmed
from .cifar import load_cifar10
from .dataset import Dataset, three_way
from .events import load_nmnist
from .mnist1d import load_mnist1d
from .mnist_5k import load_mnist_5k
from .mnist_like import FASHION_MNIST, MNIST, load_mnist_like

DIGITS_FULL_SCALE = 16  # pixels of scikit-learn's digits count the set pixels of a 4 x 4 block


def load_digits(data_dir: Path | None) -> Dataset:
    """The 1797 handwritten digits of 8 x 8 pixels that come with scikit-learn.

    Raises:
        InputError: a folder was given, which this data set does not have.
    """
    if data_dir is not None:
        raise InputError(f"{data_dir}: digits come with scikit-learn and read no folder; leave --data-dir out")

    bunch = datasets.load_digits()
    images = bunch.images.astype(np.uint8)[:, None]
    return three_way("digits", images, bunch.target.astype(np.int64), DIGITS_FULL_SCALE, classes=10)


LOADERS: dict[str, Callable[[Path | None], Dataset]] = {
    "digits": load_digits,
    "mnist-5k": load_mnist_5k,
    "mnist": partial(load_mnist_like, MNIST),
    "fashion-mnist": partial(load_mnist_like, FASHION_MNIST),
    "cifar10": load_cifar10,
}
FILMED = ("digits", "mnist-5k", "mnist", "fashion-mnist")
"""Whose images a virtual camera makes into events."""
EVENT_LOADERS: dict[str, Callable[[Path | None, int | None], Dataset]] = {
    "nmnist": load_nmnist,
    "mnist1d": load_mnist1d,
    **{f"{name}-events": partial(load_filmed, f"{name}-events", LOADERS[name]) for name in FILMED},
}
NAMES = (*LOADERS, *EVENT_LOADERS)


def load(name: str, data_dir: Path | None = None, timesteps: int | None = None) -> Dataset:
    """The data set called ``name``.

    Args:
        name: one of :data:`NAMES`.
        data_dir: folder that holds the data set's standard files; None: look in the cache and in the system's
            folder, else download.
        timesteps: frames of each sample of events, None for the data set's default; images have none.

    Raises:
        InputError: no such data set, files missing or damaged, or a download that failed.
    """
    if name in EVENT_LOADERS:
        return EVENT_LOADERS[name](data_dir, timesteps)
    loader = LOADERS.get(name)
    if loader is None:
        raise InputError(f"{name}: there is no such data set; {did_you_mean(name, NAMES)}")
    return loader(data_dir)
