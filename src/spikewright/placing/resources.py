"""What blocks need of a core: neurons, axons, synapse memory and whatever else a profile limits.

Axons and synapse memory follow the rules that nengo-loihi 1.1 published for Loihi 1 (``block.py``, ``conv.py``); the
numbers in them come from the profile's synapse format.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from math import prod
from typing import NamedTuple

import numpy as np

from ..base.types import IntArray
from ..chip.fan_out import fan_out
from ..chip.network import ChipNetwork, Connection
from ..profile.schema import Limits, SynapseFormat
from .blocks import Block, Blocks, Range, SynapseCounts, sizes

Sizes = tuple[int, ...]
NOT_ADDED = ("fan-in", "fan-out")
"""Resources of a single neuron: populations that share a core do not add these up."""


class Demand(NamedTuple):
    """What each block of a population needs of one resource.

    Attributes:
        limit: what a core has of it, None where the profile does not say.
        used: int64 ``(blocks,)``.
    """

    resource: str
    limit: int | None
    used: IntArray


def demands(
    chip: ChipNetwork, limits: Limits, population: str, blocks: Blocks, counts: Mapping[str, SynapseCounts]
) -> Iterator[Demand]:
    """What the blocks of a population need of each resource that the profile limits, and how many neurons they have.

    Args:
        counts: by name of each connection into or out of the population, its synapses in the blocks of its target.
    """
    form, into, out_of = limits.synapse_format, chip.into(population), chip.out_of(population)
    shared = form is not None and form.shared_kernels
    needs: dict[str, tuple[int | None, Callable[[], IntArray | int]]] = {
        "neurons": (limits.neurons_per_core, lambda: sizes(blocks)),
        "input axons": (limits.axons_in_per_core, lambda: sum(axons_in(c, counts[c.name], shared) for c in into)),
        "output axons": (
            limits.axons_out_per_core,
            lambda: sum(axons_out(c, counts[c.name], blocks, form) for c in out_of),
        ),
    }
    if form is not None:
        needs["synapse memory"] = (
            limits.synapse_bits_per_core,
            lambda: sum(synapse_bits(chip, c, counts[c.name], blocks, form) for c in into),
        )
    needs |= {
        "neuron configurations": (limits.neuron_configs_per_core, lambda: 1),
        "synapse formats": (limits.synapse_formats_per_core, lambda: _synapse_formats(into, blocks, form)),
        "fan-in": (limits.fan_in, lambda: sum(prod(c.shape[1:]) for c in into)),
        "fan-out": (limits.fan_out, lambda: sum(int(np.max(fan_out(chip, c))) for c in out_of)),
    }
    for resource, (limit, used) in needs.items():
        if limit is not None or resource == "neurons":
            yield Demand(resource, limit, used() + np.zeros(len(blocks), dtype=np.int64))


def axons_in(connection: Connection, counts: SynapseCounts, shared: bool) -> IntArray:
    """Input axons that each block of the target needs for one connection, int64 ``(blocks,)``.

    Args:
        shared: whether all channels of a source pixel share one axon; holds for convolutions only.
    """
    if connection.conv is not None and shared:
        axons = np.count_nonzero(counts.reached.any(axis=1), axis=1)
    else:
        axons = np.count_nonzero(counts.reached, axis=(1, 2)) * counts.sources_each
    return np.asarray(axons.astype(np.int64)[counts.kind])


def axons_out(
    connection: Connection, counts: SynapseCounts, blocks: Sequence[Block], form: SynapseFormat | None
) -> IntArray:
    """Output axon slots that each block of the source needs for one connection, int64 ``(blocks,)``.

    There is one slot for each axon and destination core, or ``shared_axon_slots`` where channels share an axon.

    Args:
        blocks: of the source population.
    """
    if connection.conv is None or form is None or not form.shared_kernels:
        return np.array([np.sum(counts.destinations[block.members]) for block in blocks], dtype=np.int64)
    return form.shared_axon_slots * np.array([_shared_axons_out(counts, block) for block in blocks], dtype=np.int64)


def synapse_bits(
    chip: ChipNetwork, connection: Connection, counts: SynapseCounts, blocks: Sequence[Block], form: SynapseFormat
) -> IntArray:
    """Synapse memory in bits that each block of the target needs for one connection, int64 ``(blocks,)``."""
    if connection.conv is None:
        return _list_bits(sizes(blocks), connection.weight_bits, form) * chip.by_name[connection.source].size
    of_kind = [blocks[first] for first in np.unique(counts.kind, return_index=True)[1]]
    if form.shared_kernels:
        lists = [_kernel_lists(chip, connection, block, form) for block in of_kind]
        known = {
            each: int(np.sum(_list_bits(np.outer(each[0], each[1]) * each[2], each[3], form))) for each in set(lists)
        }
        bits = [known[each] for each in lists]
    else:
        bits = [
            int(np.sum(_list_bits(number[number > 0], connection.weight_bits + _index_bits(block.size, form), form)))
            * counts.sources_each
            for number, block in zip(counts.counts, of_kind, strict=True)
        ]
    return np.array(bits, dtype=np.int64)[counts.kind]


def _synapse_formats(connections: Sequence[Connection], blocks: Blocks, form: SynapseFormat | None) -> IntArray:
    """Number of synapse layouts that the incoming connections of each block need, int64 ``(blocks,)``.

    A layout is told apart by the width of weights, the width of target indices, and dense or convolution.
    """

    def layouts(block: Block) -> int:
        index_bits = 0 if form is None else _index_bits(block.size, form)
        return len({(c.weight_bits, None if c.conv is None else index_bits) for c in connections})

    return np.array([layouts(block) for block in blocks], dtype=np.int64)


def _shared_axons_out(counts: SynapseCounts, block: Block) -> int:
    """Number of pairs of a target block and a pixel of ``block`` where some channel of the pixel reaches the block."""
    _, groups, pixels = counts.counts.shape
    if groups == 1 and not block.is_range:  # without a look at every compartment, which partitions would wait for
        reached = counts.blocks_reached.reshape(block.shape[1:])
        return int(np.sum(reached[slice(*block.rows), slice(*block.columns)]))
    present = np.zeros(groups * pixels, dtype=bool)
    present[counts.of_source[block.members]] = True
    if groups == 1:
        return int(np.sum(counts.blocks_reached[present]))
    reaching = (counts.reached & present.reshape(groups, pixels)).any(axis=1)
    return int(counts.blocks_of_kind @ np.count_nonzero(reaching, axis=1))


def _kernel_lists(
    chip: ChipNetwork, connection: Connection, block: Block, form: SynapseFormat
) -> tuple[Sizes, Sizes, int, int]:
    """The lists of a block's shared kernels: one for each pattern of taps that a source pixel has on the block.

    Returns:
        the numbers of taps of every pattern along the rows and along the columns, synapses for each pair of taps
        (``input channels * output channels of the block / groups``), and the bits of a synapse.
    """
    assert connection.conv is not None
    source = chip.by_name[connection.source]
    channels, rows, columns = _extent(block, chip.by_name[connection.target].shape)
    down = _pattern_sizes(connection.axis(0), source.shape[1], *rows)
    across = _pattern_sizes(connection.axis(1), source.shape[2], *columns)
    synapses = source.shape[0] * channels // connection.conv.groups
    return down, across, synapses, connection.weight_bits + _index_bits(block.size, form)


def _extent(block: Block, shape: tuple[int, ...]) -> tuple[int, Range, Range]:
    """Number of channels of feature maps of ``shape`` that a block touches, and the rows and columns in them.

    A range of the flat order that spans several channels counts as touching all their rows.
    """
    if not block.is_range or shape[:2] == (1, 1):
        return block.channels[1] - block.channels[0], block.rows, block.columns
    _, height, width = shape
    first, top = divmod(block.columns[0] // width, height)
    last, bottom = divmod((block.columns[1] - 1) // width, height)
    return last - first + 1, (top, bottom + 1) if first == last else (0, height), (0, width)


@cache
def _pattern_sizes(axis: tuple[int, int, int, int], size: int, first: int, stop: int) -> tuple[int, ...]:
    """Number of taps in each different set of taps that source positions have on the outputs ``first`` to ``stop``."""
    kernel, stride, padding, dilation = axis
    patterns = set()
    for position in range(size):
        taps = (position + padding - output * stride for output in range(first, stop))
        patterns.add(tuple(tap for tap in taps if 0 <= tap <= dilation * (kernel - 1) and tap % dilation == 0))
    return tuple(sorted(len(pattern) for pattern in patterns if pattern))


def _index_bits(compartments: int, form: SynapseFormat) -> int:
    """Narrowest target index of the format for so many compartments; what they need where even the widest is short."""
    needed = (compartments - 1).bit_length()
    return next((bits for bits in form.index_bits if bits >= needed), needed)


def _list_bits(synapses: IntArray, bits: int, form: SynapseFormat) -> IntArray:
    """Memory in bits of lists of so many ``synapses`` of ``bits`` each.

    A list is stored in groups of ``synapses_per_block`` and a shorter last group, each with a header and rounded up to
    words.
    """

    def stored(payload: IntArray | int) -> IntArray:
        return np.asarray(-(-(payload + form.header_bits) // form.word_bits) * form.word_bits)

    full, rest = np.divmod(np.asarray(synapses, dtype=np.int64), form.synapses_per_block)
    return np.asarray(full * stored(form.synapses_per_block * bits) + np.where(rest > 0, stored(rest * bits), 0))
