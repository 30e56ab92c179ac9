"""Blocks: what of a population lies on one core, and the ways to cut a population into them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise, product
from math import prod

import numpy as np

from ..base.types import IntArray

Range = tuple[int, int]
Shape = tuple[int, int, int]
Blocks = tuple["Block", ...]


@dataclass(frozen=True)
class Block:
    """Channels x rows x columns of a population that is seen as ``shape``.

    A range of the flat order is a box in the shape ``(1, 1, size)``.

    Attributes:
        shape: ``(channels, height, width)`` of the population, or ``(1, 1, its size)``.
        channels, rows, columns: half-open ranges.
    """

    shape: Shape
    channels: Range
    rows: Range
    columns: Range

    @property
    def size(self) -> int:
        """Number of compartments."""
        return prod(stop - start for start, stop in (self.channels, self.rows, self.columns))

    @property
    def is_range(self) -> bool:
        """Whether it was cut as a range of the flat order."""
        return self.shape[:2] == (1, 1)

    @cached_property
    def members(self) -> IntArray:
        """Flat indices of its compartments in the population, int64, ascending."""
        if self.is_range:
            return np.arange(*self.columns, dtype=np.int64)
        channels, rows, columns = (np.arange(*bounds, dtype=np.int64) for bounds in self._bounds)
        _, height, width = self.shape
        pixels = (rows[:, None] * width + columns).reshape(-1)
        return np.asarray((channels[:, None] * (height * width) + pixels).reshape(-1))

    @property
    def _bounds(self) -> tuple[Range, Range, Range]:
        return self.channels, self.rows, self.columns


def ranges(size: int, parts: int) -> Blocks:
    """``parts`` equal ranges of the flat order of ``size`` compartments."""
    return tuple(Block((1, 1, size), (0, 1), (0, 1), bounds) for bounds in _equal(size, parts))


def boxes(shape: Shape, parts: tuple[int, int, int]) -> Blocks:
    """Equal boxes of a population of feature maps: so many along channels, rows and columns; channels run fastest."""
    channels, rows, columns = (_equal(size, count) for size, count in zip(shape, parts, strict=True))
    return tuple(Block(shape, c, r, w) for r, w, c in product(rows, columns, channels))


def sizes(blocks: Sequence[Block]) -> IntArray:
    """Compartments of each block, int64."""
    return np.array([block.size for block in blocks], dtype=np.int64)


def _equal(size: int, parts: int) -> list[Range]:
    return list(pairwise(size * part // parts for part in range(parts + 1)))
