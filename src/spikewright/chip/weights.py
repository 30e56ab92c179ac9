"""The weights of a connection in the least memory: whole numbers of few bits, times a factor.

Weights of both signs are even on most chips, so that their halves fit eight bits, and so do weights of one sign without
it. What lies in memory is what lies in the file. Arithmetic is never done in so few bits, where it would wrap without a
word: whoever adds or multiplies weights reads them as int64, or widens what is added.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import prod
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from ..base.types import IntArray, Weights

FORMS: tuple[tuple[type[np.int8 | np.uint8 | np.int16], int], ...] = (
    (np.int8, 1),
    (np.uint8, 1),
    (np.int8, 2),
    (np.uint8, -1),
    (np.int16, 1),
)
"""Types of numbers and their factors, in the order in which they are tried; the last holds all that a chip has."""
AT_ONCE = 2**20
"""Weights that are worked on at once where a copy of all would take too much memory."""

_Array = TypeVar("_Array", bound=npt.NDArray[np.integer[Any]])


def read_only(values: _Array) -> _Array:
    """The same memory as an array that cannot be written to."""
    seen = values.view()
    seen.flags.writeable = False
    return seen


def row_slices(shape: tuple[int, ...]) -> Iterator[slice]:
    """Slices of the first axis, together all of it, each with about :data:`AT_ONCE` numbers."""
    rows = max(1, AT_ONCE // max(1, prod(shape[1:])))
    for start in range(0, shape[0] if shape else 0, rows):
        yield slice(start, min(start + rows, shape[0]))


@dataclass(frozen=True, eq=False)
class PackedWeights:
    """Weights as numbers of few bits.

    Attributes:
        values: of one of :data:`FORMS`, or what they were where none holds them, which a network refuses.
        factor: by which each is multiplied.
    """

    values: Weights
    factor: int = 1

    @staticmethod
    def of(weight: Weights) -> PackedWeights:
        """``weight`` in the first of :data:`FORMS` that holds it; the same memory where it is that already."""
        if not np.issubdtype(weight.dtype, np.integer):
            return PackedWeights(weight)
        if _is_one_number(weight):
            one = PackedWeights.of(np.array([weight[(0,) * weight.ndim]]))
            return PackedWeights(np.broadcast_to(one.values[0], weight.shape), one.factor)
        form = _form_of(weight)
        if form is None or form == (weight.dtype, 1):
            return PackedWeights(weight)
        values = np.empty(weight.shape, form[0])
        for rows in row_slices(weight.shape):
            values[rows] = weight[rows] // form[1]
        return PackedWeights(values, form[1])

    @property
    def wide(self) -> IntArray:
        """The weights themselves, int64, a new array."""
        if _is_one_number(self.values):
            return np.broadcast_to(self.values[(0,) * self.values.ndim].astype(np.int64) * self.factor, self.shape)
        return self.values.astype(np.int64) * self.factor

    def in_floats(self, kind: type[np.float32 | np.float64]) -> npt.NDArray[Any]:
        """The weights themselves as floats, which hold them exactly, a new array."""
        made: npt.NDArray[Any] = self.values.astype(kind)
        made *= self.factor
        return made

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the weights."""
        return self.values.shape

    @property
    def extent(self) -> tuple[int, int]:
        """The smallest and the largest weight; 0 and 0 where there are none."""
        if not self.values.size:
            return 0, 0
        ends = int(self.values.min()) * self.factor, int(self.values.max()) * self.factor
        return min(ends), max(ends)

    def sums_of_magnitudes(self) -> IntArray:
        """The sum of ``|weight|`` for each entry of the first axis, int64."""
        found = np.zeros(self.values.shape[0], np.int64)
        for rows in row_slices(self.values.shape):
            part = self.values[rows].reshape(rows.stop - rows.start, -1)
            found[rows] = np.abs(part, dtype=np.int64).sum(axis=1)
        return found * abs(self.factor)


class PackedField:
    """A field of a frozen dataclass: set to integers of any width, held packed in ``packed``, read as int64."""

    def __set__(self, owner: object, weight: Weights | PackedWeights) -> None:
        packed = weight if isinstance(weight, PackedWeights) else PackedWeights.of(weight)
        vars(owner)["packed"] = replace(packed, values=read_only(packed.values))

    def __get__(self, owner: object | None, _: type) -> IntArray:
        if owner is None:
            raise AttributeError  # a field without a default
        held: PackedWeights = vars(owner)["packed"]
        return read_only(held.wide)


PACKED = PackedField()
"""The field."""


def _form_of(weight: Weights) -> tuple[np.dtype[np.integer], int] | None:  # type: ignore[type-arg]
    """The first of :data:`FORMS` that holds all weights; None where none does."""
    low, high = PackedWeights(weight).extent
    for kind, factor in FORMS:
        info = np.iinfo(kind)
        least, most = sorted((info.min * factor, info.max * factor))
        if least <= low and high <= most and (factor in (1, -1) or _are_even(weight)):
            return np.dtype(kind), factor
    return None


def _is_one_number(weight: Weights) -> bool:
    """Whether an array is one number that stands everywhere and takes no memory."""
    return weight.size > 1 and not any(weight.strides)


def _are_even(weight: Weights) -> bool:
    return not any(np.any(weight[rows] & 1) for rows in row_slices(weight.shape))
