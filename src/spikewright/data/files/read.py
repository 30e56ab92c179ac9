"""Data from a path: which reader takes it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

from ...base.errors import InputError, did_you_mean
from ..options import DataOptions
from ..raw import RawData
from .arrays import read_npy, read_npz

READERS: dict[str, Callable[[Path, DataOptions], RawData]] = {".npz": read_npz, ".npy": read_npy}
"""By the end of a file's name, its reader."""


def read(path: str | Path, options: DataOptions, names: Collection[str] = ()) -> RawData:
    """The data of a path.

    Args:
        path: of a file or a folder.
        options: how they are read.
        names: of data sets, for the message where there is no such path.

    Raises:
        InputError: no such path, a kind of file that is not read, or data that cannot be learned from.
    """
    file = Path(path)
    if not file.exists():
        if file.suffix or len(file.parts) > 1:
            raise InputError(f"{path}: there is no such file or folder")
        raise InputError(f"{path}: there is no such data set; {did_you_mean(str(path), names)}")
    reader = READERS.get(file.suffix.lower())
    if reader is None:
        raise InputError(f"{path}: is of a kind that is not read; may be {', '.join(READERS)}")
    return reader(file, options)
