"""What building a network out of Lava's processes gives, and Lava's order of axes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...base.types import IntArray
from ...chip.network import ChipNetwork
from ...chip.schedule import Schedule


@dataclass(frozen=True, eq=False)
class LavaNetwork:
    """Processes to be recorded and set; Lava has no types, hence ``Any``.

    Attributes:
        neurons: LIF process of each population that has neurons.
        ports: where each of them sends its spikes.
        in_flight: variables that hold synaptic input on its way, to be emptied between samples of a recurrent network.
    """

    neurons: dict[str, Any]
    ports: dict[str, Any]
    in_flight: tuple[Any, ...] = ()


def model_faults(chip: ChipNetwork) -> Iterator[str]:
    """Populations of another neuron model than Lava's LIF."""
    for population in chip.populations:
        neuron = population.neuron
        if neuron is not None and neuron.law != "lif":
            yield f"population {population.name!r}: Lava's LIF does not compute the neuron model {neuron.law!r}"


def lava_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """(channel, row, column) as Lava's (column, row, channel); a flat shape stays."""
    return shape[::-1]


def lava_order(values: IntArray) -> IntArray:
    """An array of one population's shape with its axes in Lava's order."""
    return np.ascontiguousarray(values.T)


def events(chip: ChipNetwork, drive: IntArray, schedule: Schedule) -> IntArray:
    """Input events at every chip step, time last as Lava's ring buffer wants it; nothing while the pipeline drains.

    Returns:
        int32, shape ``(*lava shape, chip steps)``.
    """
    population = chip.input
    stream = np.zeros((schedule.chip_steps, *population.shape), dtype=np.int32)
    stream[schedule.places(chip.depth[population.name])] = drive
    return np.ascontiguousarray(stream.T)


def flat(port: Any) -> Any:
    """A spike port as a vector in (channel, row, column) order."""
    return port if len(port.shape) == 1 else port.transpose([2, 1, 0]).flatten()


def unflattened(port: Any, shape: tuple[int, ...]) -> Any:
    """A vector's port in (channel, row, column) order as Lava's (column, row, channel)."""
    return port if len(shape) == 1 else port.reshape(shape).transpose([2, 1, 0])
