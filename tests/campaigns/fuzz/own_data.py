"""Readers of data of one's own, events among them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from spikewright.data.dataset import Dataset
from spikewright.data.options import DataOptions
from spikewright.data.own import raw_of
from spikewright.sources import read as reading
from spikewright.sources.event_sources import Files
from spikewright.sources.options import ReadingOptions
from spikewright.sources.unlabelled import read_samples

from . import data_seeds, formats
from .reader import SMALL, Beside, Reader, Row, alone
from .seeds import Seeds

OPTIONS: Mapping[str, Sequence[Mapping[str, Any]]] = {
    ".npz": ({}, {}, {"layout": "series"}, {"task": "regression"}),
    ".npy": ({}, {}, {"layout": "series"}),
    ".csv": ({}, {"id_column": "id", "time_column": "time"}, {}),
    ".ts": ({}, {}),
    ".arff": ({"layout": "vectors"}, {}),
    ".parquet": ({},),
}


def own(
    suffix: str,
    valid: Sequence[bytes],
    change: formats.Change,
    kind: str,
    beside: Beside = alone,
    name: str = "data",
) -> Reader:
    """A file of data of one's own; samples without labels are read from it as well."""

    def read(path: Path) -> Any:
        return path, reading.read(path, DataOptions(), ())

    def step(found: Any, seed: int) -> None:
        path, _ = found
        options = DataOptions(**OPTIONS.get(suffix, ({},))[min(seed, len(OPTIONS.get(suffix, ({},))) - 1)])
        _prepare(path, options)
        if name != "many":  # recordings of events have classes
            read_samples(path, {})

    def read_with(path: Path) -> Any:
        return path, None

    return Reader(kind, f"{name}{suffix}", valid, change, read if suffix not in (".arff",) else read_with, step, beside)


def _prepare(path: Path, options: DataOptions) -> None:
    """The data as a student takes them, and some of the samples."""
    raw = raw_of(reading.read(path, options, ()), options)
    dataset = Dataset.of_raw(raw, options)
    if int(np.prod(dataset.shape)) * (dataset.timesteps or 1) > 50 * SMALL:
        return
    for part in (dataset.train, dataset.validation, dataset.test):
        np.asarray(part.samples[:2])
    repr(dataset)


def in_folders(kind: str, file: str, valid: bytes | Sequence[bytes], change: formats.Change) -> Reader:
    """A file in one of two class folders, whose other files are well."""
    kept = [valid] if isinstance(valid, bytes) else list(valid)
    suffix = Path(file).suffix
    others = [dict(data_seeds.in_class_folders(each, suffix)) for each in kept]

    def read(path: Path) -> Any:
        return path.parents[1], reading.read(path.parents[1], DataOptions(), ())

    def step(found: Any, _: int) -> None:
        _prepare(found[0], DataOptions())

    return Reader(kind, f"left/{file}", kept, change, read, step, lambda seed: others[seed])


def recording(suffix: str, change: formats.Change, file: str | None = None) -> Row:
    """A recording of events in a file of its own, read as the folder reader reads it."""

    def make(made: Seeds) -> Reader:
        def read(path: Path) -> Any:
            return Files((path,), ReadingOptions()).read(0)

        valid = data_seeds.event_arrays(made.folder)[suffix]
        return Reader("events", file or f"000{suffix}", valid, change, read)

    return Row(make, ("aedat",) if suffix == ".aedat4" else ())
