"""What the inputs of a chip network can reach at most: which registers may overflow, and which cannot."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..chip.law import INT32_LIMIT, STATE_LIMIT
from ..chip.network import ChipNetwork, Connection, Neuron, Population
from ..chip.neuron_models import LAWS
from ..chip.registers import DECAY_ONE, LAVA_WIDTHS, STATE_UNIT


def range_of(chip: ChipNetwork) -> tuple[int, int]:
    """The least and the largest number that may drive the network's input."""
    population = chip.input
    if population.neuron is not None:
        return -LAVA_WIDTHS.bias_max - 1, LAVA_WIDTHS.bias_max
    return 0, 2 ** max(1, population.payload_bits) - 1


@dataclass(frozen=True)
class Reach:
    """Which of a population's limits its input can touch at all.

    Attributes:
        wraps: whether a current could leave its 24 bits.
        clips: whether a membrane potential could.
        overflows: whether a sum could leave 32 bits.
    """

    wraps: bool
    clips: bool
    overflows: bool

    @staticmethod
    def of(chip: ChipNetwork, population: Population, neuron: Neuron) -> Reach:
        """What a population can reach within the timesteps of a sample, whatever the input within its range."""
        arriving = sum(most_delivered(chip, c) for c in chip.into(population.name))
        mantissa = int(np.abs(neuron.bias).max(initial=0))
        bias = (LAVA_WIDTHS.bias_max + 1 if population.role == "input" else mantissa) << neuron.bias_exp
        current = arriving * STATE_UNIT * (chip.timesteps if neuron.du < DECAY_ONE - 1 else 1)
        reach = LAWS[neuron.law].reach
        return Reach(
            wraps=current >= STATE_LIMIT,
            clips=reach * chip.timesteps * (current + bias) >= STATE_LIMIT,
            overflows=reach * STATE_LIMIT + current + bias >= INT32_LIMIT,
        )


def most_delivered(chip: ChipNetwork, connection: Connection) -> int:
    """The largest magnitude that a connection delivers in one step, partial sums included."""
    source = chip.by_name[connection.source]
    payload = range_of(chip)[1] if source.neuron is None else 1
    return int(connection.packed.sums_of_magnitudes().max(initial=0)) * payload
