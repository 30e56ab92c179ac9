"""What part of a population takes of one core: axons and synapse memory.

The rules are those that nengo-loihi 1.1 published for Loihi 1 (``block.py``, ``conv.py``); their numbers come from the
profile's synapse format.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from math import ceil, log2, prod

import numpy as np

from ..base.types import IntArray
from ..chip.network import ChipNetwork, Connection
from ..profile.schema import SynapseFormat
from .blocks import Block, Range, sizes
from .visits import Visits, axis_of

Sizes = tuple[int, ...]


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
    down = _pattern_sizes(axis_of(connection, 0), source.shape[1], *rows)
    across = _pattern_sizes(axis_of(connection, 1), source.shape[2], *columns)
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
