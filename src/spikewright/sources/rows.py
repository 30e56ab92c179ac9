"""Samples by row, wherever they lie: in memory, in a file, or computed from others when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ..base.types import IntArray

Array = npt.NDArray[Any]
Chosen = slice | IntArray
"""Rows that are asked for: a slice, or their indices."""

NUMBERS_AT_ONCE = 2**24
"""Numbers of the samples that a network is given at once."""
CHUNK_BYTES = 64 * 1024**2
"""Samples that are read at once where all are read one after the other, as float64, the widest they may become."""


class Rows(Protocol):
    """Samples of one shape, of which some are read at a time. A NumPy array is one."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of samples, then the shape of one: ``(n, *sample shape)``."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the numbers."""

    @property
    def ndim(self) -> int:
        """The number of dimensions, that of the samples included."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: Any) -> Any:
        """The samples of a slice or of indices, ``(rows, *sample shape)``."""


def as_float32(values: Any) -> npt.NDArray[np.float32]:
    """Numbers of 32 bits, of others or of texts; what is beyond them becomes infinite, and is refused as that.

    Raises:
        ValueError: texts that are no numbers.
    """
    with np.errstate(over="ignore"):
        return np.asarray(values, np.float32)


@dataclass(frozen=True, eq=False)
class Computed:
    """Samples that are made of others when they are asked for.

    Attributes:
        source: the samples that they are made of, by row.
        make: from some rows of ``source`` and their indices to the same number of samples.
        shape: ``(n, *sample shape)``.
        dtype: of the made samples.
    """

    source: Rows
    make: Callable[[Array, IntArray], Array]
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def ndim(self) -> int:
        """The number of dimensions, that of the samples included."""
        return len(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Chosen) -> Array:
        indices = indices_of(rows, len(self))
        return self.make(np.asarray(self.source[indices]), indices)


@dataclass(frozen=True, eq=False)
class Picked:
    """Some rows of others, in an order of their own.

    Attributes:
        source: all samples.
        rows: indices into ``source``, one for each sample.
    """

    source: Rows
    rows: IntArray

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of samples, then the shape of one: ``(n, *sample shape)``."""
        return (len(self.rows), *self.source.shape[1:])

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the numbers."""
        return self.source.dtype

    @property
    def ndim(self) -> int:
        """The number of dimensions, that of the samples included."""
        return len(self.source.shape)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, rows: Chosen) -> Array:
        return np.asarray(self.source[self.rows[indices_of(rows, len(self))]])


@dataclass(frozen=True, eq=False)
class Joined:
    """The rows of one source after those of another, both of one shape and type.

    Attributes:
        first, second: the sources.
    """

    first: Rows
    second: Rows

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of samples, then the shape of one: ``(n, *sample shape)``."""
        return (len(self), *self.first.shape[1:])

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the numbers."""
        return self.first.dtype

    @property
    def ndim(self) -> int:
        """The number of dimensions, that of the samples included."""
        return len(self.first.shape)

    def __len__(self) -> int:
        return len(self.first) + len(self.second)

    def __getitem__(self, rows: Chosen) -> Array:
        indices = indices_of(rows, len(self))
        made = np.empty((len(indices), *self.shape[1:]), self.dtype)
        early = indices < len(self.first)
        for source, chosen, before in ((self.first, early, 0), (self.second, ~early, len(self.first))):
            if chosen.any():
                made[chosen] = source[indices[chosen] - before]
        return made


class Recordings:
    """Recordings of unequal lengths, each ``(steps, channels)``, padded with NaN to the longest when they are read.

    Attributes:
        lengths: steps of each recording.
    """

    def __init__(self, steps: Rows, lengths: IntArray) -> None:
        """Cut recordings out of all their steps.

        Args:
            steps: of all recordings, one recording after the other, ``(sum of lengths, channels)``.
            lengths: steps of each recording.
        """
        self._steps, self._ends = steps, np.cumsum(lengths)
        self.lengths = np.asarray(lengths, np.int64)
        self.shape = (len(self.lengths), int(self.lengths.max(initial=0)), *steps.shape[1:])
        self.dtype: np.dtype[Any] = np.dtype(np.float32)
        self.ndim = len(self.shape)

    @staticmethod
    def of(recordings: Sequence[Array]) -> Recordings:
        """Recordings in memory, each ``(steps, channels)``."""
        lengths = np.array([len(each) for each in recordings], np.int64)
        return Recordings(np.concatenate([as_float32(each) for each in recordings]), lengths)

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, rows: Chosen) -> Array:
        indices = indices_of(rows, len(self))
        made = np.full((len(indices), *self.shape[1:]), np.nan, np.float32)
        for place, index in enumerate(indices):
            length = int(self.lengths[index])
            made[place, :length] = as_float32(self._steps[self._ends[index] - length : self._ends[index]])
        return made


class Windows:
    """Equally long stretches of recordings; those of one recording are cut out of it in one go.

    Attributes:
        recordings: the recording that each window is of, ``(n,)``.
    """

    def __init__(self, source: Rows, recordings: IntArray, starts: IntArray, steps: int) -> None:
        """Describe windows.

        Args:
            source: the recordings, ``(recordings, steps, channels)``.
            starts: the first step of each window, ``(n,)``.
            steps: of each window.
        """
        self._source, self._starts, self.recordings = source, starts, recordings
        self.shape = (len(recordings), steps, *source.shape[2:])
        self.dtype, self.ndim = source.dtype, len(self.shape)

    def __len__(self) -> int:
        return len(self.recordings)

    def __getitem__(self, rows: Chosen) -> Array:
        indices = indices_of(rows, len(self))
        made = np.empty((len(indices), *self.shape[1:]), self.dtype)
        of = self.recordings[indices]
        for recording in np.unique(of):
            whole = np.asarray(self._source[int(recording) : int(recording) + 1])[0]
            for place in np.flatnonzero(of == recording):
                start = self._starts[indices[place]]
                made[place] = whole[start : start + self.shape[1]]
        return made


def indices_of(rows: Chosen, count: int) -> IntArray:
    """The indices that a slice or an array of indices means, of ``count`` rows."""
    if isinstance(rows, slice):
        return np.arange(*rows.indices(count), dtype=np.int64)
    return np.asarray(rows, np.int64)


def picked(source: Rows, rows: IntArray) -> Rows:
    """Some rows, copied where they lie in memory already, else read when they are asked for."""
    if type(source) is np.ndarray:
        return source[rows]
    return Picked(source, rows)


def joined(first: Rows, second: Rows) -> Rows:
    """The rows of both, copied where both lie in memory, else read when they are asked for."""
    if type(first) is np.ndarray and type(second) is np.ndarray:
        return np.concatenate([first, second])
    return Joined(first, second)


def first_rows(source: Rows, count: int | None) -> Rows:
    """The first samples, None for all; those that do not lie in memory are read when they are asked for."""
    if count is None or count >= len(source):
        return source
    if isinstance(source, np.ndarray):
        return source[:count]
    return Picked(source, np.arange(count, dtype=np.int64))


def at_once(rows: Any, most: int) -> int:
    """How many samples a network is given at once: ``most``, or fewer of large ones, so that memory stays bounded.

    Args:
        rows: an array, rows or a tensor of samples.
    """
    return max(1, min(most, NUMBERS_AT_ONCE // max(1, int(np.prod(tuple(rows.shape[1:]), dtype=np.int64)))))


def bounds(rows: Rows) -> tuple[float, float]:
    """The smallest and the largest number of all samples; NaN where there is one."""
    found = [(chunk.min(), chunk.max()) for chunk in chunks(rows) if chunk.size]
    least, most = np.array(found, np.float64).reshape(-1, 2).T
    return float(least.min(initial=np.inf)), float(most.max(initial=-np.inf))


def chunks(rows: Rows) -> Iterator[Array]:
    """All samples in order, some at a time, so that memory stays bounded."""
    each = max(1, int(np.prod(rows.shape[1:], dtype=np.int64)) * np.dtype(np.float64).itemsize)
    step = max(1, CHUNK_BYTES // each)
    for first in range(0, len(rows), step):
        yield np.asarray(rows[first : first + step])
