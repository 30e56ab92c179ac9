"""The simulator ``lava``, and what networks it would compute differently."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ...base.types import IntArray
from ...chip.network import ChipNetwork, Connection
from ...chip.registers import is_mixed
from .job import LavaSimulator
from .network import SUBTRACTING, weight_bits


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


run = LavaSimulator("lava", lava_faults)


def dense_weight(connection: Connection) -> IntArray:
    """What Lava's Dense process makes of the weights, ``w' = (clip(|w| or w) >> s) << s``.

    All of one sign: clipped to 255 in magnitude, ``s = 8 - bits``; mixed: clipped to -256..255, ``s = 9 - bits``.
    """
    weight, mixed = connection.weight.astype(np.int64), is_mixed(connection.weight)
    sign = -1 if weight.max() <= 0 and weight.min() < 0 else 1
    shift = 8 - weight_bits(connection) + mixed
    return sign * ((np.clip(sign * weight, -256 if mixed else 0, 255) >> shift) << shift)
