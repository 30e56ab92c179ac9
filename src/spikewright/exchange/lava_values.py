"""A chip network's integers as Lava's processes take them.

The child that runs Lava imports this module; it loads no torch, which takes longer than a small simulation.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..base.types import IntArray
from ..chip.network import ChipNetwork, Connection, ConvGeometry
from ..chip.registers import is_mixed

SUBTRACTING = {"lif-subtract": False, "lif-subtract-late": True}
"""Neuron models that Lava's LIF does not have and ours does; whether the threshold is taken off a step late."""

_MOST_SIZE = 127
"""Lava's convolution keeps its geometry in 8 bits."""


def lava_faults(chip: ChipNetwork) -> Iterator[str]:
    """Why Lava's processes would not compute ``chip``; nothing where they do."""
    yield from model_faults(chip)
    for connection in chip.connections:
        name = f"connection {connection.name}"
        if connection.conv is None and dense_values(connection) is None:
            yield f"{name}: Lava would change its weights; those of mixed sign must be even, or within -128..127"
        if connection.conv is not None and max(connection.shape[2:] + _sizes(connection.conv)) > _MOST_SIZE:
            yield f"{name}: Lava holds sizes of kernels, strides, paddings, dilations and groups up to {_MOST_SIZE}"


def model_faults(chip: ChipNetwork) -> Iterator[str]:
    """Populations of another neuron model than Lava's LIF and our process that subtracts."""
    for population in chip.populations:
        neuron = population.neuron
        if neuron is not None and neuron.law != "lif" and neuron.law not in SUBTRACTING:
            yield f"population {population.name!r}: Lava's LIF does not compute the neuron model {neuron.law!r}"


def sum_faults(chip: ChipNetwork) -> Iterator[str]:
    """Convolutions whose sums may leave 32 bits: what Lava makes of them depends on the processor."""
    for connection in chip.connections:
        bits = chip.by_name[connection.source].payload_bits
        most = most_of(connection, bits)
        if connection.conv is not None and most >= 2**31:
            yield (
                f"connection {connection.name}: sums of its convolution may reach {most} with payloads of {bits} bits, "
                "and what Lava makes of more than 32 bits depends on the processor; lower the payloads of the input"
            )


def most_of(connection: Connection, payload_bits: int) -> int:
    """The largest magnitude that a connection can deliver to a neuron."""
    return int(connection.packed.sums_of_magnitudes().max(initial=0)) * (2**payload_bits - 1 or 1)


def dense_weight(connection: Connection) -> IntArray:
    """What Lava's Dense process makes of the weights, ``w' = (clip(|w| or w) >> s) << s``.

    All of one sign: clipped to 255 in magnitude, ``s = 8 - bits``; mixed: clipped to -256..255, ``s = 9 - bits``.
    """
    weight = connection.weight
    mixed = is_mixed(weight)
    sign = -1 if weight.max() <= 0 and weight.min() < 0 else 1
    shift = 8 - weight_bits(connection) + mixed
    return sign * ((np.clip(sign * weight, -256 if mixed else 0, 255) >> shift) << shift)


def dense_values(connection: Connection) -> tuple[IntArray, int, int] | None:
    """Weights, their width and the exponent by which Lava's Dense computes with these weights; None where none do.

    Odd weights of mixed sign are given as twice as much, and what arrives is halved (the exponent -1).
    """
    weight = connection.weight
    if np.array_equal(dense_weight(connection), weight):
        return weight, weight_bits(connection), 0
    if weight.min() >= -128 and weight.max() <= 127:
        return 2 * weight, 8, -1
    return None


def _sizes(geometry: ConvGeometry) -> tuple[int, ...]:
    return (*geometry.stride, *geometry.padding, *geometry.dilation, geometry.groups)


def weight_bits(connection: Connection) -> int:
    """The width to tell Lava: 8 as on the chip; 9 only for a network whose weights of mixed sign were given 9."""
    return 9 if is_mixed(connection.weight) and connection.weight_bits > 8 else 8


def lava_order(values: IntArray) -> IntArray:
    """Values of a population, (channel, row, column), in Lava's order (column, row, channel); a flat shape stays."""
    return np.ascontiguousarray(values.T)


def lava_kernel(weight: IntArray) -> IntArray:
    """A cross-correlation (out, in, rows, columns) as a kernel of Lava's convolution (out, columns, rows, in)."""
    return np.ascontiguousarray(weight[:, :, ::-1, ::-1].transpose(0, 3, 2, 1))
