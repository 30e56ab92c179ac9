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

CHUNK_BYTES = 64 * 1024**2
"""Samples that are read at once where all are read one after the other."""


class Rows(Protocol):
    """Samples of one shape, of which some are read at a time. A NumPy array is one."""

    @property
    def shape(self) -> tuple[int, ...]:
        """``(n, *sample shape)``."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the numbers."""

    @property
    def ndim(self) -> int:
        """The number of dimensions, that of the samples included."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: Any) -> Any:
        """The samples of a slice or of indices, ``(rows, *sample shape)``."""


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
        """``(n, *sample shape)``."""
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
        """``(n, *sample shape)``."""
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
    """Recordings of unequal lengths in memory, each ``(steps, channels)``, padded with NaN to the longest when read.

    Attributes:
        lengths: steps of each recording.
    """

    def __init__(self, recordings: Sequence[Array]) -> None:
        self._all = [np.asarray(recording, np.float32) for recording in recordings]
        self.lengths = np.array([len(each) for each in self._all], np.int64)
        self.shape = (len(self._all), int(self.lengths.max(initial=0)), *self._all[0].shape[1:])
        self.dtype: np.dtype[Any] = np.dtype(np.float32)
        self.ndim = len(self.shape)

    def __len__(self) -> int:
        return len(self._all)

    def __getitem__(self, rows: Chosen) -> Array:
        indices = indices_of(rows, len(self))
        made = np.full((len(indices), *self.shape[1:]), np.nan, np.float32)
        for place, index in enumerate(indices):
            made[place, : self.lengths[index]] = self._all[index]
        return made


def indices_of(rows: Chosen, count: int) -> IntArray:
    """The indices that a slice or an array of indices means, of ``count`` rows."""
    if isinstance(rows, slice):
        return np.arange(count, dtype=np.int64)[rows]
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


def chunks(rows: Rows) -> Iterator[Array]:
    """All samples in order, some at a time, so that memory stays bounded."""
    each = max(1, int(np.prod(rows.shape[1:])) * rows.dtype.itemsize)
    step = max(1, CHUNK_BYTES // each)
    for first in range(0, len(rows), step):
        yield np.asarray(rows[first : first + step])
