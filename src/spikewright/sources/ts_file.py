"""Series in ``.ts`` files, the format of sktime and of the UEA and UCR archives."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..base.errors import InputError, refuse
from .array_file import Spool
from .found import PARTS, Found, Task
from .official import part_files
from .options import ReadingOptions
from .rows import Array, Recordings, as_float32

SHOWN = 5
"""Faults of lines that a message lists at most."""


def read_ts(path: Path, options: ReadingOptions) -> Found:
    """The recordings in a ``.ts`` file and in that of its other official part.

    Each line holds a recording: its channels with ``:`` between them, of each the values with ``,`` between them, and
    last its class or value.

    Raises:
        InputError: a damaged file, time stamps or missing values, all faulty lines at once.
    """
    name, files = part_files(path)
    parts: dict[str, tuple[Any, Any]] = {}
    for part in sorted(files, key=PARTS.index):
        parts[part] = _part(files[part], options.task)
    return Found(name, parts, layout="series")


@dataclass
class _Header:
    """What stands above the data."""

    label: str = ""
    classes: tuple[str, ...] = ()


def _part(path: Path, task: Task | None) -> tuple[Recordings, Array]:
    try:
        with path.open(encoding="utf-8") as file:
            lines = ((number, line.strip()) for number, line in enumerate(file, 1))
            stated = ((number, line) for number, line in lines if line and not line.startswith(("#", "%")))
            header = _header(path, stated)
            return _recordings(path, header, stated, task)
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is no text ({error.reason}); give a .ts file") from error


def _header(path: Path, lines: Iterator[tuple[int, str]]) -> _Header:
    """The lines up to ``@data``.

    Raises:
        InputError: time stamps, no labels, or no data.
    """
    header, faults = _Header(), []
    for _, line in lines:
        key, *words = line.lower().split()
        if key == "@data":
            if not header.label:
                faults.append("says neither @classLabel true nor @targetLabel true; recordings need a class or a value")
            refuse(str(path), faults)
            return header
        is_true = words[:1] == ["true"]
        if key in ("@classlabel", "@targetlabel") and is_true:
            header = _Header(key, tuple(line.split()[2:]))
        if key == "@timestamps" and is_true:
            faults.append("has time stamps, which are not read; write it without them, one value for each step")
        if not key.startswith("@"):
            break
    raise InputError(f"{path}: is no .ts file: it has no line @data after lines that begin with @")


def _recordings(
    path: Path, header: _Header, lines: Iterator[tuple[int, str]], task: Task | None
) -> tuple[Recordings, Array]:
    labels: list[str] = []
    lengths: list[int] = []
    faults: list[str] = []
    spool: Spool | None = None
    channels = 0
    for number, line in lines:
        *series, label = line.split(":")
        made = _values(number, series, channels, faults)
        if header.classes and label.strip() not in header.classes:
            faults.append(f"line {number}: {label.strip()!r} is none of the classes {', '.join(header.classes)}")
        if len(faults) >= SHOWN:
            break
        if made is None:
            continue
        channels = made.shape[1]
        spool = spool or Spool((channels,), np.float32, str(path))
        spool.add(made)
        lengths.append(len(made))
        labels.append(label.strip())
    if spool is None and not faults:
        faults.append("holds no recordings behind @data")
    refuse(str(path), faults)
    assert spool is not None
    recordings = Recordings(spool.finish(), np.array(lengths, np.int64))
    return recordings, as_labels(labels, header.label == "@targetlabel", task)


def _values(number: int, series: list[str], channels: int, faults: list[str]) -> Array | None:
    """The recording of a line, ``(steps, channels)``; None where there is a fault, which is noted."""
    if "?" in "".join(series):
        faults.append(f"line {number}: holds missing values (?); fill them in, or leave the recording out")
        return None
    try:
        found = [as_float32(channel.split(",")) for channel in series]
    except ValueError:
        faults.append(f"line {number}: holds what is no number")
        return None
    if not found or (channels and len(found) != channels):
        faults.append(f"line {number}: has {len(found)} channels, and others have {channels or 'at least 1'}")
        return None
    if len({len(channel) for channel in found}) > 1:
        lengths = ", ".join(sorted({str(len(channel)) for channel in found}))
        faults.append(f"line {number}: has channels of different lengths ({lengths}); all must have as many steps")
        return None
    return np.stack(found, 1)


def as_labels(labels: list[str], are_values: bool, task: Task | None) -> Array:
    """Labels as numbers where they are values or whole numbers, else as they are written."""
    made = np.array(labels, dtype=np.str_)
    try:
        return made.astype(np.float64) if are_values or task == "regression" else made.astype(np.int64)
    except ValueError:
        return made
