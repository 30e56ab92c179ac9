"""Samples without labels from a path."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

from ...base.errors import InputError

NAMES = ("x_unlabelled", "X_unlabelled", "x", "X", "x_train", "X_train")
"""Arrays of an ``.npz`` file that hold samples without labels; the first that is there is taken."""


def read_samples(path: str | Path) -> object:
    """The samples in an ``.npz`` or ``.npy`` file; labels beside them are not looked at.

    Raises:
        InputError: no such file, a kind that is not read, or no samples in it.
    """
    file = Path(path)
    if not file.is_file():
        raise InputError(f"{path}: there is no such file")
    try:
        if file.suffix.lower() == ".npy":
            return np.load(file, mmap_mode="r", allow_pickle=False)
        if file.suffix.lower() == ".npz":
            with np.load(file, allow_pickle=False) as arrays:
                name = next((name for name in NAMES if name in arrays.files), None)
                if name is None:
                    held = ", ".join(sorted(arrays.files)) or "none"
                    raise InputError(f"{path}: its arrays are {held}; samples without labels are {' or '.join(NAMES)}")
                return arrays[name]
    except (OSError, ValueError, zipfile.BadZipFile, EOFError) as error:
        if "pickle" in str(error):
            raise InputError(f"{path}: holds pickled objects, which are not read; save plain arrays") from error
        raise InputError(f"{path}: cannot be read ({error}); save it again with numpy") from error
    raise InputError(f"{path}: is of a kind that is not read for samples without labels; may be .npz, .npy")
