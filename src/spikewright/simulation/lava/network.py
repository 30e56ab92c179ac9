"""The chip network as Lava processes: LIFReset (or ours that subtracts), Dense, Conv and a ring buffer, fixed-point.

The child that runs Lava imports this module; it loads no torch, which takes longer than a small simulation.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import numpy as np

from ...base.types import Drive, IntArray
from ...chip.network import ChipNetwork, Connection, Population, Schedule
from ...exchange.lava_values import SUBTRACTING, dense_values, lava_kernel, lava_order

PROCESS = f"{__package__}.processes.subtracting:SubtractingLIF"
"""Ours, which needs Lava to be imported at all, as this module does not."""


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


def build(chip: ChipNetwork, drive: Drive, schedule: Schedule, folder: Path) -> LavaNetwork:  # noqa: ARG001
    """Make and connect the processes; called in the child.

    Every population starts, and is reset between samples, at its own depth: a bias acts from a population's first step,
    so shifting spike trains afterwards would not do.
    """
    from lava.proc.io.source import RingBuffer

    neurons: dict[str, Any] = {}
    ports: dict[str, Any] = {}
    for population in chip.populations:
        if population.neuron is None:
            ports[population.name] = RingBuffer(data=events(chip, drive, schedule)).s_out
        else:
            neurons[population.name] = _neurons(chip, population)
            ports[population.name] = neurons[population.name].s_out
    return LavaNetwork(neurons, ports, tuple(_connect(chip, c, neurons, ports) for c in chip.connections))


def _neurons(chip: ChipNetwork, population: Population) -> Any:
    from lava.proc.lif.process import LIF, LIFReset

    neuron = population.neuron
    assert neuron is not None
    settings = {name: getattr(neuron, name) for name in ("du", "dv", "vth", "bias_exp")}
    settings |= {"shape": population.shape[::-1], "bias_mant": lava_order(neuron.bias).astype(np.int32)}
    # Lava counts steps from 1.
    reset = {"reset_interval": chip.timesteps, "reset_offset": chip.depth[population.name] + 1}
    if neuron.law in SUBTRACTING:
        late = SUBTRACTING[neuron.law]
        return resolve_name(PROCESS)(late=late, **({} if chip.is_recurrent else reset), **settings)
    return LIF(**settings) if chip.is_recurrent else LIFReset(**reset, **settings)


def _connect(chip: ChipNetwork, connection: Connection, neurons: dict[str, Any], ports: dict[str, Any]) -> Any:
    """Make one connection; returns the variable that holds what it is about to deliver."""
    from lava.proc.dense.process import Dense

    source, target = chip.by_name[connection.source], chip.by_name[connection.target]
    a_in = neurons[target.name].a_in
    if connection.conv is None:
        values = dense_values(connection)
        assert values is not None
        dense = Dense(
            weights=values[0].astype(np.int32),
            num_weight_bits=values[1],
            weight_exp=values[2],
            num_message_bits=source.payload_bits,
        )
        flat(ports[source.name]).connect(dense.s_in)
        unflattened(dense.a_out, target.shape).connect(a_in)
        return dense.a_buff
    from lava.proc.conv.process import Conv  # takes a second to load

    geometry = connection.conv
    conv = Conv(
        weight=lava_kernel(connection.weight).astype(np.int32),
        input_shape=source.shape[::-1],
        stride=geometry.stride[::-1],
        padding=geometry.padding[::-1],
        dilation=geometry.dilation[::-1],
        groups=geometry.groups,
        num_message_bits=source.payload_bits,
    )
    ports[source.name].connect(conv.s_in)
    conv.a_out.connect(a_in)
    return conv.a_buf


def events(chip: ChipNetwork, drive: Drive, schedule: Schedule) -> IntArray:
    """What drives the input at every chip step, int32, ``(*lava shape, chip steps)``; 0 while the pipeline drains."""
    stream = np.zeros((schedule.chip_steps, *chip.input.shape), dtype=np.int32)
    stream[schedule.places(chip.depth[chip.input.name])] = drive
    return np.ascontiguousarray(stream.T)


def flat(port: Any) -> Any:
    """A spike port as a vector in (channel, row, column) order."""
    return port if len(port.shape) == 1 else port.transpose([2, 1, 0]).flatten()


def unflattened(port: Any, shape: tuple[int, ...]) -> Any:
    """A vector's port in (channel, row, column) order as Lava's (column, row, channel)."""
    return port if len(shape) == 1 else port.reshape(shape).transpose([2, 1, 0])
