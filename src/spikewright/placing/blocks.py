"""Blocks, the parts of a population that lie on one core each, and how many synapses every source has in them.

Synapses are counted from shapes and kernel geometry alone: no weight is read, and no array is as large as the weights.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise, product
from math import prod

import numpy as np
import numpy.typing as npt

from ..base.types import IntArray
from ..chip.network import ChipNetwork, Connection, output_shape

BoolArray = npt.NDArray[np.bool_]
Float32Array = npt.NDArray[np.float32]
Range = tuple[int, int]
Shape = tuple[int, ...]
Blocks = tuple["Block", ...]
CHUNK = 256
"""Kinds of blocks whose synapses are counted at a time, which limits the memory that counting takes."""


@dataclass(frozen=True)
class Block:
    """A box of channels x rows x columns of a population.

    A range of the population's flat (row-major) order is a box of a population with the shape ``(1, 1, size)``.

    Attributes:
        shape: ``(channels, height, width)`` of the population, or ``(1, 1, size)`` for a range.
        channels, rows, columns: half-open ranges ``(start, stop)``.
    """

    shape: Shape
    channels: Range
    rows: Range
    columns: Range

    @property
    def size(self) -> int:
        return prod(stop - start for start, stop in (self.channels, self.rows, self.columns))

    @property
    def is_range(self) -> bool:
        """Whether the block is a range of the flat order."""
        return self.shape[:2] == (1, 1)

    @cached_property
    def members(self) -> IntArray:
        """Flat indices of the block's compartments in the population, int64, ascending."""
        bounds = (self.channels, self.rows, self.columns)
        channels, rows, columns = (np.arange(start, stop, dtype=np.int64) for start, stop in bounds)
        _, height, width = self.shape
        flat = (channels[:, None, None] * height + rows[:, None]) * width + columns
        return np.asarray(flat.reshape(-1))


def ranges(size: int, parts: int) -> Blocks:
    """Divide the flat order of ``size`` compartments into ``parts`` ranges of equal length (within one)."""
    return boxes((1, 1, size), (1, 1, parts))


def boxes(shape: Shape, parts: Shape) -> Blocks:
    """Divide feature maps into equal boxes, so many along channels, rows and columns; channels vary fastest."""
    channels, rows, columns = (
        list(pairwise(size * part // count for part in range(count + 1)))
        for size, count in zip(shape, parts, strict=True)
    )
    return tuple(Block(shape, c, r, w) for r, w, c in product(rows, columns, channels))


def sizes(blocks: Sequence[Block]) -> IntArray:
    """Number of compartments of each block, int64 ``(blocks,)``."""
    return np.array([block.size for block in blocks], dtype=np.int64)


@dataclass(frozen=True, eq=False)
class SynapseCounts:
    """How many synapses of one connection a spike of each source meets in each block of the target.

    Equal counts are stored once. All channels of a group have the same counts at a pixel, and blocks are of one *kind*
    where they have the same shape at the same place of the feature maps, whichever channels they contain. A dense
    connection has one group of sources with a single pixel.

    Attributes:
        counts: int64 ``(kinds, groups, pixels)``.
        kind: int64 ``(blocks,)``, the row of ``counts`` that belongs to each block.
        of_source: int64 ``(source size,)``, the flat index into ``groups x pixels`` that belongs to each source.
    """

    counts: IntArray
    kind: IntArray
    of_source: IntArray

    @cached_property
    def reached(self) -> BoolArray:
        """Whether a source has any synapse in a kind of block, ``(kinds, groups, pixels)``."""
        return np.asarray(self.counts > 0)

    @cached_property
    def blocks_of_kind(self) -> IntArray:
        """Number of blocks of each kind, int64 ``(kinds,)``."""
        return np.bincount(self.kind, minlength=len(self.counts)).astype(np.int64)

    @property
    def sources_each(self) -> int:
        """Number of sources that share one entry of ``groups x pixels``."""
        return len(self.of_source) // prod(self.counts.shape[1:])

    @cached_property
    def blocks_reached(self) -> IntArray:
        """Number of blocks in which a source has synapses, int64 ``(groups x pixels,)``."""
        flat = self.reached.reshape(len(self.counts), -1)
        return np.asarray(np.rint(self.blocks_of_kind.astype(np.float64) @ flat).astype(np.int64))

    @cached_property
    def destinations(self) -> IntArray:
        """Number of blocks that a spike of each source is sent to, int64 ``(source size,)``."""
        return self.blocks_reached[self.of_source]

    @property
    def messages(self) -> int:
        """Number of messages when every source spikes once."""
        return int(np.sum(self.blocks_reached)) * self.sources_each


def count_synapses(chip: ChipNetwork, connection: Connection, blocks: Sequence[Block]) -> SynapseCounts:
    """Count the synapses of ``connection`` in each of ``blocks``, which divide its target.

    In a convolution, a source of channel group g at row i and column j has in block b

    ``n[b, g, i, j] = sum over output rows o and columns w of members[b, g, o, w] * R[o, i] * C[w, j]``

    synapses. ``members`` is the number of the block's compartments at an output position in the output channels of the
    group. ``R[o, i]`` and ``C[w, j]`` are 1 where a tap of the kernel at that output row or column lies on that source
    row or column.
    """
    source = chip.by_name[connection.source]
    rows: dict[Hashable, int] = {}
    kind = np.array([rows.setdefault(_kind_of(chip, connection, block), len(rows)) for block in blocks], dtype=np.int64)
    of_kind = [blocks[first] for first in np.unique(kind, return_index=True)[1]]
    if connection.conv is None:
        return SynapseCounts(sizes(of_kind).reshape(-1, 1, 1), kind, np.zeros(source.size, dtype=np.int64))
    groups, pixels = connection.conv.groups, prod(source.shape[1:])
    group = np.arange(source.shape[0]) // (source.shape[0] // groups)
    of_source = (group[:, None] * pixels + np.arange(pixels)).reshape(-1)
    counted = [_convolution_counts(chip, connection, of_kind[i : i + CHUNK]) for i in range(0, len(of_kind), CHUNK)]
    return SynapseCounts(np.concatenate(counted).reshape(len(of_kind), groups, pixels), kind, of_source)


def _kind_of(chip: ChipNetwork, connection: Connection, block: Block) -> Hashable:
    """Equal for blocks whose synapse counts are equal."""
    if connection.conv is None:
        return block.size
    if block.is_range:
        start, stop = block.columns
        pixels = prod(chip.by_name[connection.target].shape[1:])
        return (start % pixels if connection.conv.groups == 1 else start, stop - start)
    first, last = block.channels
    return (last - first if connection.conv.groups == 1 else block.channels, block.rows, block.columns)


def _convolution_counts(chip: ChipNetwork, connection: Connection, blocks: Sequence[Block]) -> IntArray:
    """Synapses of a convolution, int64 ``(blocks, groups, source height, source width)``.

    For boxes the sum separates: ``n[b, g, i, j] = channels[b, g] * rows[b, i] * columns[b, j]``.
    """
    assert connection.conv is not None
    source, groups = chip.by_name[connection.source], connection.conv.groups
    channels, height, width = output_shape(connection, source)
    rows, columns = (_taps(connection, axis, source.shape[1 + axis], (height, width)[axis]) for axis in (0, 1))
    per_group = channels // groups
    if not blocks[0].is_range or (channels, height) == (1, 1):
        starts = np.arange(groups) * per_group
        first, last = np.array([block.channels for block in blocks]).T
        held = np.clip(np.minimum(last[:, None], starts + per_group) - np.maximum(first[:, None], starts), 0, None)
        down = _sums_within(rows, [block.rows for block in blocks])
        across = _sums_within(columns, [block.columns for block in blocks])
        return held[:, :, None, None] * (down[:, :, None] * across[:, None, :])[:, None]
    members = np.zeros((len(blocks), groups * height * width), dtype=np.float32)
    for found, block in zip(members, blocks, strict=True):
        channel, pixel = np.divmod(block.members, height * width)
        found[:] = np.bincount(channel // per_group * (height * width) + pixel, minlength=found.size)
    members = members.reshape(len(blocks), groups, height, width)
    return np.rint(rows.T @ members @ columns).astype(np.int64)


def _taps(connection: Connection, axis: int, size: int, outputs: int) -> Float32Array:
    """1 where a kernel tap of output position o (row) lies on source position i (column), else 0."""
    kernel, stride, padding, dilation = connection.axis(axis)
    offset = np.arange(size)[None, :] + padding - np.arange(outputs)[:, None] * stride
    return ((offset >= 0) & (offset <= dilation * (kernel - 1)) & (offset % dilation == 0)).astype(np.float32)


def _sums_within(taps: Float32Array, bounds: Sequence[Range]) -> IntArray:
    """Sum of the rows of ``taps`` within each range, int64 ``(ranges, source positions)``."""
    upto = np.concatenate([np.zeros((1, taps.shape[1])), np.cumsum(taps, axis=0)]).astype(np.int64)
    first, last = np.array(bounds).T
    return np.asarray(upto[last] - upto[first])
