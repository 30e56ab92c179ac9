"""The chip network as real Lava processes: LIFReset, Dense, Conv and a ring buffer, in their fixed-point models."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...base.errors import arg, refuse
from ...base.types import IntArray
from ...chip.network import ChipNetwork, Connection, Population, Schedule
from ..drive import check_drive
from ..recording import Progress, Recording
from .job import SILENCE_LIMIT_S, require_lava, run_in_child


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


def run(
    chip: ChipNetwork,
    drive: IntArray,
    *,
    record_states: bool = False,
    progress: Progress | None = None,
    time_limit_s: float = SILENCE_LIMIT_S,
) -> Recording:
    """Run ``chip`` on Lava's processes; same arguments and same answer as :func:`spikewright.simulation.integer.run`.

    Args:
        chip: the network; paths that meet must have been balanced.
        drive: int64, shape ``(timesteps or 1, samples, *input shape)``.
        record_states: also keep currents and membrane potentials of all populations.
        progress: called with the number of samples done.
        time_limit_s: longest time that Lava may take to start, and then for any one sample.

    Raises:
        InputError: Lava is not installed, or cannot hold the network or the drive.
        SpikewrightError: Lava failed or hung.
    """
    require_lava("lava")
    check_drive(chip, drive)
    refuse(arg("on", "lava"), list(lava_faults(chip)))
    return run_in_child("lava", chip, drive, record_states=record_states, progress=progress, time_limit_s=time_limit_s)


def lava_faults(chip: ChipNetwork) -> Iterator[str]:
    """Why Lava's processes would not compute ``chip``; nothing where they do."""
    yield from model_faults(chip)
    for connection in chip.connections:
        apart = chip.depth[connection.target] - chip.depth[connection.source]
        if apart != 1 and connection.source != connection.target:
            yield (
                f"connection {connection.name} spans {apart} steps and Lava's take one; lower the network again, which "
                "adds relays"
            )
        if connection.conv is None and not np.array_equal(dense_weight(connection), connection.weight):
            yield (
                f"connection {connection.name}: Lava would change its weights; dense weights of mixed sign must be even"
            )


def dense_weight(connection: Connection) -> IntArray:
    """What Lava's Dense process makes of the weights, ``w' = (clip(|w| or w) >> s) << s``.

    All of one sign: clipped to 255 in magnitude, ``s = 8 - bits``; mixed: clipped to -256..255, ``s = 9 - bits``.
    """
    weight = connection.weight.astype(np.int64)
    mixed = bool(weight.min() < 0 < weight.max())
    sign = -1 if weight.max() <= 0 and weight.min() < 0 else 1
    shift = 8 - weight_bits(connection) + mixed
    return sign * ((np.clip(sign * weight, -256 if mixed else 0, 255) >> shift) << shift)


def weight_bits(connection: Connection) -> int:
    """The width to tell Lava: 8 as on the chip; 9 only for a network whose weights of mixed sign were given 9."""
    mixed = bool(connection.weight.min() < 0 < connection.weight.max())
    return 9 if mixed and connection.weight_bits > 8 else 8


def build(chip: ChipNetwork, drive: IntArray, schedule: Schedule, folder: Path) -> LavaNetwork:  # noqa: ARG001
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
            neurons[population.name] = _neuron(chip, population)
            ports[population.name] = neurons[population.name].s_out
    in_flight = [_connect(chip, connection, neurons, ports) for connection in chip.connections]
    return LavaNetwork(neurons, ports, tuple(in_flight))


def _neuron(chip: ChipNetwork, population: Population) -> Any:
    from lava.proc.lif.process import LIF, LIFReset

    neuron = population.neuron
    assert neuron is not None
    settings = {
        "shape": lava_shape(population.shape),
        "du": neuron.du,
        "dv": neuron.dv,
        "vth": neuron.vth,
        "bias_mant": lava_order(neuron.bias).astype(np.int32),
        "bias_exp": neuron.bias_exp,
    }
    if chip.is_recurrent:
        return LIF(**settings)
    # Lava counts steps from 1.
    return LIFReset(reset_interval=chip.timesteps, reset_offset=chip.depth[population.name] + 1, **settings)


def _connect(chip: ChipNetwork, connection: Connection, neurons: dict[str, Any], ports: dict[str, Any]) -> Any:
    """Make one connection; returns the variable that holds what it is about to deliver."""
    from lava.proc.conv.process import Conv
    from lava.proc.dense.process import Dense

    source, target = chip.by_name[connection.source], chip.by_name[connection.target]
    a_in = neurons[target.name].a_in
    if connection.conv is None:
        dense = Dense(
            weights=connection.weight.astype(np.int32),
            num_weight_bits=weight_bits(connection),
            num_message_bits=source.payload_bits,
        )
        flat(ports[source.name]).connect(dense.s_in)
        unflattened(dense.a_out, target.shape).connect(a_in)
        return dense.a_buff
    geometry = connection.conv
    conv = Conv(
        weight=lava_kernel(connection.weight).astype(np.int32),
        input_shape=lava_shape(source.shape),
        stride=geometry.stride[::-1],
        padding=geometry.padding[::-1],
        dilation=geometry.dilation[::-1],
        groups=geometry.groups,
        num_message_bits=source.payload_bits,
    )
    ports[source.name].connect(conv.s_in)
    conv.a_out.connect(a_in)
    return conv.a_buf


def lava_kernel(weight: IntArray) -> IntArray:
    """A cross-correlation kernel (out, in, rows, columns) as Lava's convolution kernel (out, columns, rows, in)."""
    return np.ascontiguousarray(weight[:, :, ::-1, ::-1].transpose(0, 3, 2, 1))


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
