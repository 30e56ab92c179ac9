"""Which sources of a connection reach which blocks of its target, and over how many synapses.

Nothing here looks at a weight, and nothing grows with the number of synapses.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np
import numpy.typing as npt

from ..base.types import IntArray
from ..chip.network import ChipNetwork, Connection, output_shape
from .blocks import Block, Range, sizes

BoolArray = npt.NDArray[np.bool_]
Float32Array = npt.NDArray[np.float32]
CHUNK = 256
"""Kinds of blocks whose synapses are counted at a time; bounds memory, changes nothing else."""


@dataclass(frozen=True, eq=False)
class Visits:
    """Synapses that a spike of each source visits in each block of a target, kept once where they are the same.

    Sources of one pixel and channel group visit the same; blocks of one shape at one place of the feature maps are
    visited alike, whichever channels they hold. A dense connection has one group of sources and one "pixel".

    Attributes:
        counts: int64, ``(kinds of blocks, groups, pixels)``.
        kind: int64, ``(blocks,)``: which row of ``counts`` is each block's.
        of_source: int64, ``(source size,)``: each source's place among ``groups x pixels``.
    """

    counts: IntArray
    kind: IntArray
    of_source: IntArray

    @cached_property
    def reached(self) -> BoolArray:
        """Whether a source reaches a kind of block, ``(kinds, groups, pixels)``."""
        return np.asarray(self.counts > 0)

    @cached_property
    def blocks_of_kind(self) -> IntArray:
        """How many blocks there are of each kind, ``(kinds,)``."""
        return np.bincount(self.kind, minlength=len(self.counts)).astype(np.int64)

    @property
    def sources_each(self) -> int:
        """Sources that share a place among ``groups x pixels``."""
        return len(self.of_source) // prod(self.counts.shape[1:])

    @cached_property
    def each_reaches(self) -> IntArray:
        """Blocks that a source at each place reaches, int64, ``(groups x pixels,)``."""
        flat = self.reached.reshape(len(self.counts), -1)
        return np.asarray(np.rint(self.blocks_of_kind.astype(np.float64) @ flat).astype(np.int64))

    @cached_property
    def destinations(self) -> IntArray:
        """Blocks that a spike of each source reaches, int64, ``(source size,)``."""
        return self.each_reaches[self.of_source]

    @property
    def total(self) -> int:
        """Messages when every source spikes once."""
        return int(np.sum(self.each_reaches)) * self.sources_each

    def dense(self) -> IntArray:
        """All counts, int64, ``(blocks, source size)``."""
        return np.asarray(self.counts.reshape(len(self.counts), -1)[self.kind][:, self.of_source])


def visits(chip: ChipNetwork, connection: Connection, blocks: Sequence[Block]) -> Visits:
    """Which synapses of a connection lie in each of ``blocks`` of its target.

    Convolution: ``n[b, g, i, j] = sum_(o, w) members[b, g, o, w] R[o, i] C[w, j]``, with ``members`` the number of the
    block's compartments at an output position within a channel group, and R, C which output rows and columns a source
    row and column touches.
    """
    source = chip.by_name[connection.source]
    keys = [_key(chip, connection, block) for block in blocks]
    first: dict[Hashable, Block] = {}
    for key, block in zip(keys, blocks, strict=True):
        first.setdefault(key, block)
    number = {key: i for i, key in enumerate(first)}
    kind, of_kind = np.array([number[key] for key in keys], dtype=np.int64), list(first.values())
    if connection.conv is None:
        return Visits(sizes(of_kind).reshape(-1, 1, 1), kind, np.zeros(source.size, dtype=np.int64))
    groups, pixels = connection.conv.groups, prod(source.shape[1:])
    group = np.arange(source.shape[0]) // (source.shape[0] // groups)
    of_source = (group[:, None] * pixels + np.arange(pixels)).reshape(-1)
    counted = [_counts(chip, connection, of_kind[i : i + CHUNK]) for i in range(0, len(of_kind), CHUNK)]
    return Visits(np.concatenate(counted).reshape(len(of_kind), groups, pixels), kind, of_source)


def axis_of(connection: Connection, axis: int) -> tuple[int, int, int, int]:
    """Kernel size, stride, padding and dilation along one axis."""
    assert connection.conv is not None
    geometry = connection.conv
    return connection.weight.shape[2 + axis], geometry.stride[axis], geometry.padding[axis], geometry.dilation[axis]


def _key(chip: ChipNetwork, connection: Connection, block: Block) -> Hashable:
    """Equal for blocks that are visited alike."""
    if connection.conv is None:
        return block.size
    if block.is_range:
        start, stop = block.columns
        pixels = prod(chip.by_name[connection.target].shape[1:])
        return (start % pixels if connection.conv.groups == 1 else start, stop - start)
    first, last = block.channels
    return (last - first if connection.conv.groups == 1 else block.channels, block.rows, block.columns)


def _counts(chip: ChipNetwork, connection: Connection, blocks: Sequence[Block]) -> IntArray:
    """Synapses of a convolution, int64, ``(blocks, groups, source height, source width)``."""
    assert connection.conv is not None
    source = chip.by_name[connection.source]
    channels, height, width = output_shape(connection, source)
    touched = (
        _touches(connection, axis, source.shape[1 + axis], (height, width)[axis]).astype(np.float32) for axis in (0, 1)
    )
    rows, columns = touched
    each = channels // connection.conv.groups
    if not blocks[0].is_range or (channels, height) == (1, 1):
        return _counts_of_boxes(blocks, rows, columns, each)
    members = np.zeros((len(blocks), connection.conv.groups, height * width), dtype=np.float32)
    for found, block in zip(members, blocks, strict=True):
        channel, pixel = np.divmod(block.members, height * width)
        found[:] = np.bincount(channel // each * (height * width) + pixel, minlength=found.size).reshape(found.shape)
    members = members.reshape(len(blocks), connection.conv.groups, height, width)
    return np.rint(rows.T @ members @ columns).astype(np.int64)


def _counts_of_boxes(blocks: Sequence[Block], rows: Float32Array, columns: Float32Array, each: int) -> IntArray:
    """Of boxes the sum is a product: ``n[b, g, i, j] = channels[b, g] x rows[b, i] x columns[b, j]``.

    Args:
        rows, columns: which output positions touch which source positions, ``(outputs, sources)``.
        each: output channels of a group.
    """
    groups = np.arange(blocks[0].shape[0] // each) * each
    first, last = np.array([block.channels for block in blocks]).T
    held = np.clip(np.minimum(last[:, None], groups + each) - np.maximum(first[:, None], groups), 0, None)
    down, across = (
        _summed(touched, bounds)
        for touched, bounds in (
            (rows, [block.rows for block in blocks]),
            (columns, [block.columns for block in blocks]),
        )
    )
    return held[:, :, None, None] * (down[:, :, None] * across[:, None, :])[:, None]


def _summed(touched: Float32Array, bounds: Sequence[Range]) -> IntArray:
    """Sum of the rows of ``touched`` within each range, int64."""
    upto = np.concatenate([np.zeros((1, touched.shape[1])), np.cumsum(touched, axis=0)]).astype(np.int64)
    first, last = np.array(bounds).T
    return np.asarray(upto[last] - upto[first])


def _touches(connection: Connection, axis: int, size: int, outputs: int) -> BoolArray:
    """Whether output position o (row) has a kernel tap on source position i (column)."""
    kernel, stride, padding, dilation = axis_of(connection, axis)
    offset = np.arange(size)[None, :] + padding - np.arange(outputs)[:, None] * stride
    return np.asarray((offset >= 0) & (offset <= dilation * (kernel - 1)) & (offset % dilation == 0))
