"""Samples without labels from a path."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..base.errors import InputError
from .arrays import ALONE, samples_alone
from .event_file import holds_events
from .folders import list_without_classes
from .options import ReadingOptions
from .read import IN_FOLDERS, read
from .rows import Rows
from .table_files import read_features

TABLES = (".csv", ".tsv", ".parquet", ".pq")


def read_samples(path: str | Path, reading: Mapping[str, Any]) -> object:
    """The samples of a path, read as others were read before; labels beside them are not looked at.

    Of a file or folder with official parts they are those of training. A folder needs no class folders, a table no
    column of labels, an array no other.

    Args:
        reading: of the data with labels; see :class:`~spikewright.sources.found.Found`.

    Raises:
        InputError: no such path, a kind of file that is not read, or no samples in it.
    """
    file = Path(path)
    if not file.exists():
        raise InputError(f"{path}: there is no such file or folder")
    ending = file.suffix.lower()
    if file.is_dir():
        kind, listing = list_without_classes(file, {kind: reader.suffixes for kind, reader in IN_FOLDERS.items()})
        heeded = IN_FOLDERS[kind].options
        known = {name: value for name, value in reading.items() if name in heeded and name != "group"}
        return IN_FOLDERS[kind].read(listing, ReadingOptions(**known)).parts["train"][0]
    if ending in TABLES and "columns" in reading:
        return read_features(file, reading)
    if ending == ".npy" or (ending == ".npz" and not holds_events(file)):
        found: Rows | None = samples_alone(file)
        if found is not None:
            return found
    parts = read(path, ReadingOptions(), reading=reading).parts
    if "train" not in parts:
        raise InputError(f"{path}: has no training part and no array {' or '.join(ALONE)}; give samples without labels")
    return parts["train"][0]
