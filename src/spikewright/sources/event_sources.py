"""Where recordings of events are read from: a file each, or many in one file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ..base.errors import InputError
from ..base.hdf5 import DAMAGED
from ..base.types import IntArray
from .aedat import read_aedat
from .event_arrays import (
    TO_US,
    Array,
    from_fields,
    h5_file,
    h5_recording,
    member,
    read_h5,
    read_mat,
    read_npy,
    read_npz,
)
from .event_binaries import read_bin, read_dat
from .options import ReadingOptions
from .recordings import Recording

FORMATS: dict[str, Callable[[Path, ReadingOptions], Recording]] = {
    ".bin": lambda path, _: read_bin(path),
    ".dat": lambda path, _: read_dat(path),
    ".aedat": lambda path, _: read_aedat(path),
    ".aedat4": lambda path, _: read_aedat(path),
    ".h5": read_h5,
    ".hdf5": read_h5,
    ".npy": read_npy,
    ".npz": read_npz,
    ".mat": read_mat,
}
"""By the end of a file's name, the reader of one recording."""
TRAINS = ("spikes/times", "spikes/units")
"""Lists in HDF5 of the Heidelberg data sets."""
ONLY_EVENTS = (".bin", ".dat", ".aedat", ".aedat4")
"""Ends of the names of files that hold nothing but the events of one recording."""


@dataclass(frozen=True)
class Files:
    """Recordings in a file each.

    Attributes:
        paths: of the files.
        options: how they are read.
    """

    paths: tuple[Path, ...]
    options: ReadingOptions

    @cached_property
    def names(self) -> Sequence[str]:
        """The path of each recording, for messages."""
        return list(map(str, self.paths))

    def read(self, recording: int) -> Recording:
        """The events of one file."""
        path = self.paths[recording]
        return FORMATS[path.suffix.lower()](path, self.options)


@dataclass(frozen=True, eq=False)
class Joined:
    """Recordings of several sources, one after the other."""

    sources: tuple[Any, ...]

    @cached_property
    def names(self) -> Sequence[str]:
        """The names of all recordings, source after source."""
        return [name for source in self.sources for name in source.names]

    @cached_property
    def _firsts(self) -> IntArray:
        return np.cumsum([0, *(len(source.names) for source in self.sources)])

    def read(self, recording: int) -> Recording:
        """The events of one recording."""
        which = int(np.searchsorted(self._firsts, recording, side="right")) - 1
        found: Recording = self.sources[which].read(recording - int(self._firsts[which]))
        return found


def train_faults(file: h5py.File) -> Iterator[str]:
    """Why the lists of times and units in a file cannot be those of spike trains that are stored in it."""
    for name in TRAINS:
        dataset = member(file, name)
        if not isinstance(dataset, h5py.Dataset) or dataset.is_virtual or dataset.external:
            yield f"{name} is no array that is stored in the file"
        elif dataset.ndim != 1 or h5py.check_vlen_dtype(dataset.dtype) is None:
            yield f"{name} has shape {dataset.shape} of {dataset.dtype}; must hold a list of numbers for each recording"


@dataclass(frozen=True, eq=False)
class SpikeTrains:
    """Recordings of a spiking cochlea in one HDF5 file: ``spikes/times`` in s and ``spikes/units``, a list each.

    Source: B. Cramer et al. 2022, IEEE Trans. Neural Netw. Learn. Syst. 33(7) (Spiking Heidelberg Digits).

    Attributes:
        path: of the file.
        count: recordings in it.
    """

    path: Path
    count: int

    @cached_property
    def names(self) -> Sequence[str]:
        """The path and a number."""
        return [f"{self.path}: recording {number}" for number in range(self.count)]

    @cached_property  # opening a file takes six times as long as reading a recording
    def _open(self) -> tuple[h5py.Dataset, h5py.Dataset]:
        file = h5py.File(self.path, "r")
        return file[TRAINS[0]], file[TRAINS[1]]

    def read(self, recording: int) -> Recording:
        """The spikes of one recording, in one row with a column for each unit."""
        try:
            t, x = (np.asarray(dataset[recording]) for dataset in self._open)
        except (*DAMAGED, ValueError, TypeError) as error:  # of h5py, on a list that leads nowhere
            raise InputError(f"{self.names[recording]}: cannot be read ({error}); get the file again") from error
        if len(t) != len(x) or t.dtype.kind not in "iuf" or x.dtype.kind not in "iu" or not np.isfinite(t).all():
            raise InputError(
                f"{self.names[recording]}: has {len(t)} times and {len(x)} units; each spike has one of both"
            )
        column = x.astype(np.int64)
        nothing = np.zeros(len(t), np.int64)
        times = np.rint(t.astype(np.float64) * TO_US["s"]).astype(np.int64)
        return Recording(times, column, nothing, nothing, starts_at_zero=True)


@dataclass(frozen=True, eq=False)
class Pieces:
    """Recordings one after the other in arrays of fields.

    Attributes:
        path: that the arrays are of.
        arrays: fields of all events.
        ends: of each recording, the event behind its last.
    """

    path: Path
    arrays: dict[str, Array]
    ends: IntArray
    options: ReadingOptions

    @cached_property
    def names(self) -> Sequence[str]:
        """The path and a number."""
        return [f"{self.path}: recording {number}" for number in range(len(self.ends))]

    def read(self, recording: int) -> Recording:
        """The events of one recording."""
        first = int(self.ends[recording - 1]) if recording else 0
        part = {name: array[first : self.ends[recording]] for name, array in self.arrays.items()}
        return from_fields(Path(self.names[recording]), part, self.options)


@dataclass(frozen=True, eq=False)
class Groups:
    """Recordings in a group each of one HDF5 file.

    Attributes:
        path: of the file.
        groups: their names.
    """

    path: Path
    groups: tuple[str, ...]
    options: ReadingOptions

    @cached_property
    def names(self) -> Sequence[str]:
        """The path and the name of the group."""
        return [f"{self.path}/{group}" for group in self.groups]

    def read(self, recording: int) -> Recording:
        """The events of one group."""
        with h5_file(self.path) as file:
            return h5_recording(Path(self.names[recording]), file[self.groups[recording]], self.options)
