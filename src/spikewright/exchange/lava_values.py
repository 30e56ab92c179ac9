"""A chip network's integers as Lava's processes take them.

The child that runs Lava imports this module; it loads no torch, which takes longer than a small simulation.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..base.types import IntArray
from ..chip.network import ChipNetwork, Connection
from ..chip.registers import is_mixed

SUBTRACTING = {"lif-subtract": False, "lif-subtract-late": True}
"""Neuron models that Lava's LIF does not have and ours does; whether the threshold is taken off a step late."""


def lava_faults(chip: ChipNetwork) -> Iterator[str]:
    """Why Lava's processes would not compute ``chip``; nothing where they do."""
    yield from model_faults(chip)
    for connection in chip.connections:
        name, apart = f"connection {connection.name}", chip.depth[connection.target] - chip.depth[connection.source]
        if apart != 1 and connection.source != connection.target:
            yield f"{name} spans {apart} steps and Lava's take one; lower the network again, which adds relays"
        if connection.conv is None and not np.array_equal(dense_weight(connection), connection.weight):
            yield f"{name}: Lava would change its weights; dense weights of mixed sign must be even"


def model_faults(chip: ChipNetwork) -> Iterator[str]:
    """Populations of another neuron model than Lava's LIF and our process that subtracts."""
    for population in chip.populations:
        neuron = population.neuron
        if neuron is not None and neuron.law != "lif" and neuron.law not in SUBTRACTING:
            yield f"population {population.name!r}: Lava's LIF does not compute the neuron model {neuron.law!r}"


def dense_weight(connection: Connection) -> IntArray:
    """What Lava's Dense process makes of the weights, ``w' = (clip(|w| or w) >> s) << s``.

    All of one sign: clipped to 255 in magnitude, ``s = 8 - bits``; mixed: clipped to -256..255, ``s = 9 - bits``.
    """
    weight, mixed = connection.weight.astype(np.int64), is_mixed(connection.weight)
    sign = -1 if weight.max() <= 0 and weight.min() < 0 else 1
    shift = 8 - weight_bits(connection) + mixed
    return sign * ((np.clip(sign * weight, -256 if mixed else 0, 255) >> shift) << shift)


def weight_bits(connection: Connection) -> int:
    """The width to tell Lava: 8 as on the chip; 9 only for a network whose weights of mixed sign were given 9."""
    return 9 if is_mixed(connection.weight) and connection.weight_bits > 8 else 8


def lava_order(values: IntArray) -> IntArray:
    """Values of a population, (channel, row, column), in Lava's order (column, row, channel); a flat shape stays."""
    return np.ascontiguousarray(values.T)


def lava_kernel(weight: IntArray) -> IntArray:
    """A cross-correlation (out, in, rows, columns) as a kernel of Lava's convolution (out, columns, rows, in)."""
    return np.ascontiguousarray(weight[:, :, ::-1, ::-1].transpose(0, 3, 2, 1))
