"""What part of a population takes of one core: axons, synapse memory, and which sources reach it.

The rules are those that nengo-loihi 1.1 published for Loihi 1 (``block.py``, ``conv.py``); their numbers come from the
profile's synapse format.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from math import ceil, log2, prod

import numpy as np
import numpy.typing as npt

from ..chip import ChipNetwork, Connection, IntArray, output_shape
from ..hardware_profiles.schema import SynapseFormat

BoolArray = npt.NDArray[np.bool_]
Range = tuple[int, int]


def synapses_into(chip: ChipNetwork, connection: Connection, blocks: Sequence[Range]) -> IntArray:
    """Synapses that a spike of each source visits in each block of the target.

    Convolution: ``n[b, g, i, j] = sum_(o, w) members[b, g, o, w] R[o, i] C[w, j]``, with ``members`` the number of the
    block's compartments at an output position within a channel group, and R, C which output rows and columns a source
    row and column touches.

    Args:
        blocks: half-open ranges of flat target indices.

    Returns:
        int64, shape ``(blocks, *source shape)``.
    """
    source = chip.by_name[connection.source]
    sizes = np.array([stop - start for start, stop in blocks], dtype=np.int64)
    if connection.conv is None:
        one_each = sizes.reshape(-1, *[1] * len(source.shape))
        return np.asarray(np.broadcast_to(one_each, (len(blocks), *source.shape)))
    channels, height, width = output_shape(connection, source)
    groups = connection.conv.groups
    members = np.zeros((len(blocks), channels * height * width), dtype=np.float32)
    for row, (start, stop) in zip(members, blocks, strict=True):
        row[start:stop] = 1
    members = members.reshape(len(blocks), groups, channels // groups, height, width).sum(2)
    rows, columns = (_touches(connection, axis, source.shape[1 + axis], (height, width)[axis]) for axis in (0, 1))
    counts = np.rint(rows.T.astype(np.float32) @ members @ columns.astype(np.float32)).astype(np.int64)
    return np.asarray(np.repeat(counts, source.shape[0] // groups, axis=1))


def axons_in(connection: Connection, reached: BoolArray, shared: bool) -> IntArray:
    """Input axons that each block needs for one connection.

    Args:
        reached: which sources reach which block, shape ``(blocks, *source shape)``.
        shared: whether the channels of a pixel share an axon, which holds for convolutions alone.

    Returns:
        int64, shape ``(blocks,)``.
    """
    if connection.conv is not None and shared:
        reached = reached.any(axis=1)
    return np.asarray(np.count_nonzero(reached.reshape(len(reached), -1), axis=1), dtype=np.int64)


def axons_out(
    connection: Connection, reached: BoolArray, blocks: Sequence[Range], form: SynapseFormat | None
) -> IntArray:
    """Output axon slots that each block of the source needs for one connection: one for each axon and target core.

    Args:
        reached: which sources reach which target core, shape ``(target cores, *source shape)``.
        blocks: half-open ranges of flat source indices.

    Returns:
        int64, shape ``(blocks,)``.
    """
    flat = reached.reshape(len(reached), -1)
    if connection.conv is None or form is None or not form.shared_kernels:
        upto = np.concatenate([[0], np.cumsum(np.count_nonzero(flat, axis=0))])
        return np.array([upto[stop] - upto[start] for start, stop in blocks], dtype=np.int64)
    pixels = prod(reached.shape[2:])
    slots = [form.shared_axon_slots * _pixels_reaching(flat, start, stop, pixels) for start, stop in blocks]
    return np.array(slots, dtype=np.int64)


def synapse_bits(
    chip: ChipNetwork, connection: Connection, counts: IntArray, blocks: Sequence[Range], form: SynapseFormat
) -> IntArray:
    """Synapse memory that each block needs for one connection, in bits.

    Args:
        counts: synapses of each source in each block, as :func:`synapses_into` returns them.
        blocks: half-open ranges of flat target indices.

    Returns:
        int64, shape ``(blocks,)``.
    """
    if connection.conv is None:
        lists = _list_bits(np.array([stop - start for start, stop in blocks]), connection.weight_bits, form)
        return lists * chip.by_name[connection.source].size
    if form.shared_kernels:
        return np.array([_kernel_bits(chip, connection, block, form) for block in blocks], dtype=np.int64)
    per_source = counts.reshape(len(blocks), -1)
    widths = [connection.weight_bits + _index_bits(stop - start, form) for start, stop in blocks]
    bits = [np.sum(_list_bits(c[c > 0], width, form)) for c, width in zip(per_source, widths, strict=True)]
    return np.array(bits, dtype=np.int64)


def fan_in(chip: ChipNetwork, population: str) -> int:
    """Most synapses that one compartment of a population receives, borders not taken off."""
    return sum(prod(connection.weight.shape[1:]) for connection in chip.into(population))


def _touches(connection: Connection, axis: int, size: int, outputs: int) -> BoolArray:
    """Whether output position o (row) has a kernel tap on source position i (column)."""
    kernel, stride, padding, dilation = _axis(connection, axis)
    offset = np.arange(size)[None, :] + padding - np.arange(outputs)[:, None] * stride
    return np.asarray((offset >= 0) & (offset <= dilation * (kernel - 1)) & (offset % dilation == 0))


def _pixels_reaching(flat: BoolArray, start: int, stop: int, pixels: int) -> int:
    """Pairs of a target core and a pixel of ``start:stop`` in some channel of which a source reaches that core."""
    first, last = start // pixels, ceil(stop / pixels)
    inside = np.zeros((len(flat), (last - first) * pixels), dtype=bool)
    inside[:, start - first * pixels : stop - first * pixels] = flat[:, start:stop]
    return int(np.count_nonzero(inside.reshape(len(flat), last - first, pixels).any(axis=1)))


def _kernel_bits(chip: ChipNetwork, connection: Connection, block: Range, form: SynapseFormat) -> int:
    """Memory of shared kernels: one list for each pattern in which a source pixel meets the block's rows and columns.

    A list holds ``input channels x output channels of the block / groups x rows x columns`` synapses. Rows are taken
    apart only where the block lies within one channel.
    """
    assert connection.conv is not None
    source = chip.by_name[connection.source]
    _, height, width = output_shape(connection, source)
    (first, top), (last, bottom) = (divmod(index // width, height) for index in (block[0], block[1] - 1))
    if first != last:
        top, bottom = 0, height - 1
    rows = _pattern_sizes(_axis(connection, 0), source.shape[1], top, bottom)
    columns = _pattern_sizes(_axis(connection, 1), source.shape[2], 0, width - 1)
    synapses = np.outer(rows, columns).reshape(-1) * (source.shape[0] * (last - first + 1) // connection.conv.groups)
    bits = connection.weight_bits + _index_bits(block[1] - block[0], form)
    return int(np.sum(_list_bits(synapses, bits, form)))


def _axis(connection: Connection, axis: int) -> tuple[int, int, int, int]:
    """Kernel size, stride, padding and dilation along one axis."""
    assert connection.conv is not None
    geometry = connection.conv
    return connection.weight.shape[2 + axis], geometry.stride[axis], geometry.padding[axis], geometry.dilation[axis]


@cache
def _pattern_sizes(axis: tuple[int, int, int, int], size: int, first: int, last: int) -> tuple[int, ...]:
    """Taps in each different set of taps that the source positions of an axis have on outputs ``first..last``."""
    kernel, stride, padding, dilation = axis
    patterns = set()
    for position in range(size):
        taps = (position + padding - output * stride for output in range(first, last + 1))
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
