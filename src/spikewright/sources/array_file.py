"""Arrays whose rows stay in a file, and rows that are written once and read often."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from ..base.cache import cache_folder
from ..base.errors import InputError
from ..base.types import IntArray
from .rows import Array, Chosen, Rows, indices_of

IN_MEMORY = 256 * 1024**2
"""Samples that were read are kept in memory up to this size in bytes; larger ones stay in, or go to, a file."""


class OpenFile:
    """A file that is open as long as somebody refers to it."""

    def __init__(self, number: int) -> None:
        """Own a descriptor.

        Args:
            number: of the descriptor, as ``os.open`` returns it.
        """
        self.number = number

    def __del__(self) -> None:
        os.close(self.number)


class ArrayFile:
    """The rows of an array in a file, read when they are asked for.

    Nothing is mapped: memory holds the rows that were asked for and no others, whatever the size of the file.
    """

    def __init__(self, file: OpenFile, offset: int, shape: tuple[int, ...], dtype: np.dtype[Any], name: str) -> None:
        """Refer to an array in C order.

        Args:
            file: open for reading.
            offset: of the array's first byte.
            name: of the file, for messages.
        """
        self._file, self._offset, self._name = file, offset, name
        self.shape, self.dtype, self.ndim = shape, dtype, len(shape)
        self._row = prod(shape[1:]) * dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Chosen) -> Array:
        indices = indices_of(rows, len(self))
        made = np.empty((len(indices), *self.shape[1:]), self.dtype)
        if not made.nbytes:
            return made
        order = np.argsort(indices, kind="stable")
        is_sorted = bool((np.diff(indices) >= 0).all())
        to = made if is_sorted else np.empty_like(made)
        for first, last, row in _runs(indices[order]):
            self._read_into(to[first:last], int(row))
        if not is_sorted:
            made[order] = to
        return made

    def _read_into(self, rows: Array, first: int) -> None:
        """Fill an array with the rows from ``first`` on.

        Raises:
            InputError: the file has become shorter.
        """
        target, place = rows.reshape(-1).view(np.uint8).data, self._offset + first * self._row
        while target:
            count = os.preadv(self._file.number, [target], place)
            if not count:
                raise InputError(f"{self._name}: ends early, or was changed while it was read; make the file again")
            target, place = target[count:], place + count


def _runs(rows: IntArray) -> list[tuple[int, int, int]]:
    """Of sorted rows, the stretches without gaps: the places where each begins and ends, and its first row."""
    begins = np.flatnonzero(np.diff(rows, prepend=rows[0] - 2) != 1)
    ends = np.append(begins[1:], len(rows))
    return list(zip(begins.tolist(), ends.tolist(), rows[begins].tolist(), strict=True))


class Spool:
    """Rows that are written once and then read often: in memory, and beyond :data:`IN_MEMORY` in a file.

    The file lies in the cache folder, has no name, and is gone with the last who reads it.
    """

    def __init__(self, shape: Sequence[int], dtype: Any, name: str) -> None:
        """Begin without rows.

        Args:
            shape: of one row.
            name: of the data, for messages.
        """
        self._shape, self._dtype, self._name = tuple(shape), np.dtype(dtype), name
        self._parts: list[Array] = []
        self._file: OpenFile | None = None
        self._count = self._kept = 0

    def __len__(self) -> int:
        return self._count

    def add(self, rows: Array) -> None:
        """Append rows ``(n, *shape)``.

        Raises:
            InputError: the disk of the cache folder is full.
        """
        made = np.ascontiguousarray(rows, self._dtype)
        self._parts.append(made)
        self._count, self._kept = self._count + len(made), self._kept + made.nbytes
        if self._kept > IN_MEMORY:
            self._write()

    def finish(self, *first: int) -> Rows:
        """All rows, ``(n, *shape)``.

        Args:
            first: sizes in place of ``n`` whose product is the number of rows, such as samples and steps.
        """
        shape = (*(first or (self._count,)), *self._shape)
        if self._file is None:
            return (np.concatenate(self._parts) if self._parts else np.empty(shape, self._dtype)).reshape(shape)
        self._write()
        return ArrayFile(self._file, 0, shape, self._dtype, self._name)

    def _write(self) -> None:
        if self._file is None:
            with tempfile.TemporaryFile(dir=cache_folder("spool"), buffering=0) as file:
                self._file = OpenFile(os.dup(file.fileno()))
        try:
            for part in self._parts:
                left = part.reshape(-1).view(np.uint8).data
                while left:
                    left = left[os.write(self._file.number, left) :]
        except OSError as error:
            size = self._count * prod(self._shape) * self._dtype.itemsize / 2**30
            raise InputError(
                f"{self._name}: needs a file of {size:.1f} GiB or more in {cache_folder('spool')}, which cannot be "
                f"written ({error.strerror}); make room there, or name another folder in SPIKEWRIGHT_CACHE"
            ) from error
        self._parts, self._kept = [], 0
