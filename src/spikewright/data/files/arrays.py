"""Arrays of NumPy: ``.npz`` with samples and labels, and ``.npy`` with a file of labels beside it."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ...base.errors import InputError, arg
from ..options import DataOptions
from ..own import raw_from_arrays
from ..raw import PARTS, RawData

SHORT = {"train": "train", "validation": "val", "test": "test"}
"""By part, the end of its arrays' names: ``x_train``, ``y_val``."""
EXPECTED = "x and y; or x_train, y_train and, where there are such parts, x_val, y_val, x_test, y_test"


def read_npz(path: Path, options: DataOptions) -> RawData:
    """The data in an ``.npz`` file.

    Arrays: ``x``, ``y``, or one pair for each part, as ``x_train``, ``y_train``; besides, where they are there,
    ``groups`` (of the training samples) and ``names`` (of the classes or values).

    Raises:
        InputError: no such arrays, pickled objects, or a damaged file.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (OSError, ValueError, zipfile.BadZipFile, EOFError) as error:
        if "pickle" in str(error):
            raise InputError(
                f"{path}: holds pickled objects, which are not read; save plain arrays, recordings of unequal lengths "
                "padded with NaN"
            ) from error
        raise InputError(f"{path}: cannot be read as .npz ({error}); save it again with numpy.savez") from error
    parts = parts_of(path, arrays)
    groups, names = arrays.get("groups"), arrays.get("names")
    return raw_from_arrays(path.stem, parts, options, groups=groups, names=None if names is None else names.tolist())


def parts_of(path: Path, arrays: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """By part, samples and labels of arrays that are named so.

    Raises:
        InputError: no training samples, or samples without labels.
    """
    found: dict[str, tuple[Any, Any]] = {}
    for part in PARTS:
        ends = [f"_{SHORT[part]}", f"_{part}"] + ([""] if part == "train" else [])
        for end in ends:
            x, y = arrays.get(f"x{end}", arrays.get(f"X{end}")), arrays.get(f"y{end}")
            if x is None and y is None:
                continue
            if x is None or y is None:
                lacking = f"x{end}" if x is None else f"y{end}"
                raise InputError(f"{path}: has no array {lacking}; expected {EXPECTED}")
            found[part] = x, y
            break
    if "train" not in found:
        held = ", ".join(sorted(arrays)) or "none"
        raise InputError(f"{path}: its arrays are {held}; expected {EXPECTED}")
    return found


def read_npy(path: Path, options: DataOptions) -> RawData:
    """The samples in an ``.npy`` file, with the labels of ``NAME_y.npy`` or ``NAME-labels.npy`` beside it.

    Samples stay in the file and are read when they are asked for.

    Raises:
        InputError: no labels, pickled objects, or a damaged file.
    """
    beside = [path.with_name(f"{path.stem}{end}.npy") for end in ("_y", "-labels")]
    if path.stem.startswith("x"):
        beside.insert(0, path.with_name(f"y{path.stem[1:]}.npy"))
    labels = next((file for file in beside if file.is_file()), None)
    if labels is None:
        listed = " or ".join(file.name for file in beside)
        raise InputError(f"{path}: has no labels beside it; save them as {listed}, or both in one .npz ({arg('data')})")
    try:
        return raw_from_arrays(
            path.stem, {"train": (np.load(path, mmap_mode="r"), np.load(labels, allow_pickle=False))}, options
        )
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{path}: cannot be read as .npy ({error}); save it again with numpy.save") from error
