"""Samples that come one by one, put together as rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..base.errors import InputError, a_kind
from .array_file import Spool
from .rows import Recordings, Rows


class Collected:
    """Samples that come one by one: of one shape, or recordings ``(steps, channels)`` of unequal lengths.

    They are kept as they came, in memory or, where they are many, in a file of the cache folder.
    """

    def __init__(self, where: str) -> None:
        self._where = where
        self._spool: Spool | None = None
        self._shape: tuple[int, ...] = ()
        self._dtype: np.dtype[Any] = np.dtype(np.float32)
        self._lengths: list[int] = []

    def __len__(self) -> int:
        return len(self._lengths)

    def add(self, sample: object) -> None:
        """Append a sample.

        Raises:
            InputError: no numbers, or another shape or type than the samples before.
        """
        made: npt.NDArray[Any] = np.asarray(sample)
        if made.dtype.kind not in "uifb":
            raise InputError(
                f"{self._where}: sample {len(self)} is {a_kind(type(sample).__name__)}, no array of numbers"
            )
        if self._spool is None:
            self._shape = made.shape[1:] if made.ndim == 2 else made.shape
            self._dtype = made.dtype if made.dtype.kind != "f" else np.dtype(np.float32)
            self._spool = Spool(self._shape, self._dtype, self._where)
        if (made.shape[1:] if made.ndim == 2 else made.shape) != self._shape:
            before = f"(steps, {self._shape[0]})" if len(self._shape) == 1 and made.ndim == 2 else str(self._shape)
            raise InputError(
                f"{self._where}: sample {len(self)} has shape {made.shape}, those before {before}; only recordings "
                "(steps, channels) may be of unequal lengths"
            )
        if not np.can_cast(made.dtype, self._dtype, "same_kind"):
            raise InputError(f"{self._where}: sample {len(self)} is of type {made.dtype}, those before {self._dtype}")
        self._spool.add(made if made.ndim == 2 else made[None])
        self._lengths.append(len(made) if made.ndim == 2 else 0)

    def finish(self) -> Rows:
        """All samples, ``(n, *sample shape)``.

        Raises:
            InputError: there are none.
        """
        if self._spool is None:
            raise InputError(f"{self._where}: holds no samples")
        lengths = set(self._lengths)
        if lengths == {0}:
            return self._spool.finish()
        if len(lengths) == 1:
            return self._spool.finish(len(self), *lengths)
        return Recordings(self._spool.finish(), np.array(self._lengths, np.int64))
