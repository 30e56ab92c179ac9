"""What part of a population takes of one core: axons, synapse memory, and which sources reach it.

The rules are those that nengo-loihi 1.1 published for Loihi 1 (``block.py``, ``conv.py``); their numbers come from the
profile's synapse format. Nothing here looks at a weight, and nothing grows with the number of synapses.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from math import ceil, log2, prod

import numpy as np
import numpy.typing as npt

from ..chip import ChipNetwork, Connection, IntArray, output_shape
from ..hardware_profiles.schema import SynapseFormat
from .blocks import Block, Range, sizes

BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float32]
Sizes = tuple[int, ...]
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


def axons_in(connection: Connection, seen: Visits, shared: bool) -> IntArray:
    """Input axons that each block needs for one connection, int64, ``(blocks,)``.

    Args:
        shared: whether the channels of a pixel share an axon, which holds for convolutions alone.
    """
    if connection.conv is not None and shared:
        axons = np.count_nonzero(seen.reached.any(axis=1), axis=1)
    else:
        axons = np.count_nonzero(seen.reached, axis=(1, 2)) * seen.sources_each
    return np.asarray(axons.astype(np.int64)[seen.kind])


def axons_out(connection: Connection, seen: Visits, blocks: Sequence[Block], form: SynapseFormat | None) -> IntArray:
    """Output axon slots that each block of the source needs for one connection: one for each axon and target core.

    Args:
        blocks: of the source.

    Returns:
        int64, ``(blocks,)``.
    """
    if connection.conv is None or form is None or not form.shared_kernels:
        return np.array([np.sum(seen.destinations[block.members]) for block in blocks], dtype=np.int64)
    return form.shared_axon_slots * np.array([_pixels_reaching(seen, block) for block in blocks], dtype=np.int64)


def synapse_bits(
    chip: ChipNetwork, connection: Connection, seen: Visits, blocks: Sequence[Block], form: SynapseFormat
) -> IntArray:
    """Synapse memory that each block of the target needs for one connection, int64 bits, ``(blocks,)``."""
    if connection.conv is None:
        return _list_bits(sizes(blocks), connection.weight_bits, form) * chip.by_name[connection.source].size
    first: dict[int, Block] = {}
    for kind, block in zip(seen.kind.tolist(), blocks, strict=True):
        first.setdefault(kind, block)
    if form.shared_kernels:
        lists = [_kernel_lists(chip, connection, first[kind]) for kind in range(len(first))]
        known = {each: _kernel_bits(connection, *each, form) for each in set(lists)}
        bits = [known[each] for each in lists]
    else:
        bits = [_separate_bits(connection, seen, kind, first[kind], form) for kind in range(len(first))]
    return np.array(bits, dtype=np.int64)[seen.kind]


def synapse_formats(connections: Sequence[Connection], block: Block, form: SynapseFormat | None) -> int:
    """Different layouts of synapses that a block's incoming connections need: widths of weight and index, and kind."""
    return len(
        {
            (c.weight_bits, c.conv is not None, _index_bits(block.size, form) if c.conv and form else 0)
            for c in connections
        }
    )


def fan_in(chip: ChipNetwork, population: str) -> int:
    """Most synapses that one compartment of a population receives, borders not taken off."""
    return sum(prod(connection.weight.shape[1:]) for connection in chip.into(population))


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


def _counts_of_boxes(blocks: Sequence[Block], rows: FloatArray, columns: FloatArray, each: int) -> IntArray:
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


def _summed(touched: FloatArray, bounds: Sequence[Range]) -> IntArray:
    """Sum of the rows of ``touched`` within each range, int64."""
    upto = np.concatenate([np.zeros((1, touched.shape[1])), np.cumsum(touched, axis=0)]).astype(np.int64)
    first, last = np.array(bounds).T
    return np.asarray(upto[last] - upto[first])


def _touches(connection: Connection, axis: int, size: int, outputs: int) -> BoolArray:
    """Whether output position o (row) has a kernel tap on source position i (column)."""
    kernel, stride, padding, dilation = _axis(connection, axis)
    offset = np.arange(size)[None, :] + padding - np.arange(outputs)[:, None] * stride
    return np.asarray((offset >= 0) & (offset <= dilation * (kernel - 1)) & (offset % dilation == 0))


def _pixels_reaching(seen: Visits, block: Block) -> int:
    """Pairs of a target block and a pixel of ``block`` in some channel of which a source reaches it."""
    _, groups, pixels = seen.counts.shape
    if groups == 1 and not block.is_range:
        reaches = seen.each_reaches.reshape(block.shape[1:])
        return int(np.sum(reaches[slice(*block.rows), slice(*block.columns)]))
    present = np.zeros(groups * pixels, dtype=bool)
    present[seen.of_source[block.members]] = True
    if groups == 1:
        return int(np.sum(seen.each_reaches[present]))
    reaching = (seen.reached & present.reshape(groups, pixels)).any(axis=1)
    return int(seen.blocks_of_kind @ np.count_nonzero(reaching, axis=1))


def _kernel_lists(chip: ChipNetwork, connection: Connection, block: Block) -> tuple[Sizes, Sizes, int, int]:
    """What shared kernels of a block depend on: taps of each pattern down and across, synapses on a pair of taps
    (``input channels x output channels of the block / groups``), and the block's size."""
    assert connection.conv is not None
    source = chip.by_name[connection.source]
    channels, rows, columns = _extent(block, chip.by_name[connection.target].shape)
    down = _pattern_sizes(_axis(connection, 0), source.shape[1], *rows)
    across = _pattern_sizes(_axis(connection, 1), source.shape[2], *columns)
    return down, across, source.shape[0] * channels // connection.conv.groups, block.size


def _kernel_bits(connection: Connection, down: Sizes, across: Sizes, each: int, size: int, form: SynapseFormat) -> int:
    """Memory of shared kernels: one list for each pattern in which a source pixel meets the block's rows and columns.

    The arguments are those of :func:`_kernel_lists`.
    """
    synapses = np.outer(down, across).reshape(-1) * each
    return int(np.sum(_list_bits(synapses, connection.weight_bits + _index_bits(size, form), form)))


def _separate_bits(connection: Connection, seen: Visits, kind: int, block: Block, form: SynapseFormat) -> int:
    """Memory where every source has a list of its own."""
    counts = seen.counts[kind].reshape(-1)
    bits = connection.weight_bits + _index_bits(block.size, form)
    return int(np.sum(_list_bits(counts[counts > 0], bits, form))) * seen.sources_each


def _extent(block: Block, shape: tuple[int, ...]) -> tuple[int, Range, Range]:
    """How many channels a block of feature maps touches, and which rows and columns of them.

    Of a range of the flat order, rows are taken apart only where it lies within one channel.
    """
    if not block.is_range or shape[:2] == (1, 1):
        return block.channels[1] - block.channels[0], block.rows, block.columns
    _, height, width = shape
    (first, top), (last, bottom) = (
        divmod(index // width, height) for index in (block.columns[0], block.columns[1] - 1)
    )
    rows = (top, bottom + 1) if first == last else (0, height)
    return last - first + 1, rows, (0, width)


def _axis(connection: Connection, axis: int) -> tuple[int, int, int, int]:
    """Kernel size, stride, padding and dilation along one axis."""
    assert connection.conv is not None
    geometry = connection.conv
    return connection.weight.shape[2 + axis], geometry.stride[axis], geometry.padding[axis], geometry.dilation[axis]


@cache
def _pattern_sizes(axis: tuple[int, int, int, int], size: int, first: int, stop: int) -> tuple[int, ...]:
    """Taps in each different set of taps that the source positions of an axis have on outputs ``first`` to ``stop``."""
    kernel, stride, padding, dilation = axis
    patterns = set()
    for position in range(size):
        taps = (position + padding - output * stride for output in range(first, stop))
        patterns.add(tuple(tap for tap in taps if 0 <= tap <= dilation * (kernel - 1) and tap % dilation == 0))
    return tuple(sorted(len(pattern) for pattern in patterns if pattern))


def _index_bits(compartments: int, form: SynapseFormat) -> int:
    """Narrowest target index that the format has for a block; beyond the widest, what the block itself needs."""
    needed = ceil(log2(compartments)) if compartments > 1 else 0
    return next((bits for bits in form.index_bits if bits >= needed), needed)


def _list_bits(synapses: IntArray, bits: int, form: SynapseFormat) -> IntArray:
    """Memory of synapse lists of the given lengths: whole blocks, and a shorter last one, each rounded up to words."""
    full, rest = np.divmod(np.asarray(synapses, dtype=np.int64), form.synapses_per_block)
    return np.asarray(
        full * _words(form.synapses_per_block * bits, form) + np.where(rest > 0, _words(rest * bits, form), 0)
    )


def _words(payload: IntArray | int, form: SynapseFormat) -> IntArray:
    return np.asarray(-(-(payload + form.header_bits) // form.word_bits) * form.word_bits)
