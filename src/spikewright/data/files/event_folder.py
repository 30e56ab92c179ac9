"""Events from a folder: recordings in class folders, or the files of spike trains of its parts."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ...base.errors import InputError
from ..options import DataOptions
from ..raw import RawData
from .class_folders import PART_NAMES, Labelled, class_folders, natural
from .event_data import Scan, Usual, raw_recordings, scanned
from .event_file import is_spike_trains, read_spike_trains
from .event_sources import FORMATS, Files

NMNIST = Usual((34, 34), 315.0, words="its .bin files were read as N-MNIST's, which last 315 ms at 34 x 34 pixels")


def read_event_folder(folder: Path, options: DataOptions) -> RawData:
    """Recordings in class folders, below ``train``, ``test`` and ``val`` or without these; or spike trains in HDF5.

    Recordings are in the order of their names; those of one name in several classes stand side by side.

    Raises:
        InputError: no such folders, or recordings that are damaged; all of them at once.
    """
    if spikes := [file for file in sorted(folder.glob("*.h5")) if is_spike_trains(file)]:
        return read_spike_trains(folder.name, _by_part(folder, spikes), options)
    found = class_folders(folder, FORMATS)
    return labelled_recordings(folder.name, found, options)


def labelled_recordings(
    name: str, found: Mapping[str, Labelled], options: DataOptions, usual: Usual | None = None
) -> RawData:
    """Data of files and their classes, by part.

    Args:
        usual: of recordings of a known kind; None: as their files are.

    Raises:
        InputError: recordings that are damaged; all of them at once.
    """
    classes = sorted({label for files in found.values() for _, label in files}, key=natural)
    files = [entry for part in found.values() for entry in part]
    labels = np.array([classes.index(label) for _, label in files], np.int64)
    source = Files(tuple(path for path, _ in files), options)
    ends = np.cumsum([len(part) for part in found.values()])
    parts = {part: np.arange(end - len(found[part]), end) for part, end in zip(found, ends, strict=True)}
    scan = scanned(f"data {name}", source)
    if usual is None and _is_nmnist(source, scan):
        usual = NMNIST
    return raw_recordings(name, source, scan, parts, labels, classes, options, usual=usual)


def _is_nmnist(source: Files, scan: Scan) -> bool:
    return {path.suffix.lower() for path in source.paths} == {".bin"} and NMNIST.holds(scan)


def _by_part(folder: Path, files: Sequence[Path]) -> dict[str, Path]:
    """By part, the file whose name says it."""
    words = {file: set(re.split(r"[_\W]+", file.stem.lower())) for file in files}
    found = {part: file for part, names in PART_NAMES.items() for file in files if not words[file].isdisjoint(names)}
    if len(found) != len(files) or "train" not in found:
        listed = ", ".join(file.name for file in files)
        raise InputError(
            f"{folder}: holds {listed}; the names must say which is train, test and, if there is one, valid"
        )
    return found
