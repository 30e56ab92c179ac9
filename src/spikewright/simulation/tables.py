"""The tables of a network for the compiled loops: neurons channels last, and what a spike of each of them reaches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from ..base.types import IntArray, Weights
from ..chip.fan_out import fan_out, taps
from ..chip.law import STATE_LIMIT, Law
from ..chip.network import ChipNetwork, Connection, Population
from ..chip.neuron_models import LAWS
from ..chip.registers import DECAY_ONE, STATE_UNIT
from ..chip.subtraction import LateSubtractingLaw, SubtractingLaw
from ..chip.weights import PackedWeights, row_slices
from ..kernels.codes import SUBTRACT, SUBTRACT_LATE, ZERO
from ..kernels.tables import BLOCK, CONNECTION, POPULATION, Synapses, Tables

RESETS: dict[type[Law], int] = {Law: ZERO, SubtractingLaw: SUBTRACT, LateSubtractingLaw: SUBTRACT_LATE}
"""What the compiled loops call the laws that they know."""
MANY_WEIGHTS = 2**24
"""From so many weights on the tables hold them in a byte each, where they fit; numba compiles the loops once more for
that. Dense arithmetic, which holds them as floats, is taken for fewer only, where there is a choice."""


def tables_of(chip: ChipNetwork) -> Tables:
    """The tables of ``chip``, all of whose laws are in :data:`RESETS`."""
    orders = {population.name: _channels_last(population.shape) for population in chip.populations}
    into = [chip.into(population.name) for population in chip.populations]
    ordered = by_target(chip)
    weights = _Weights.of(ordered)
    synapses = [_Synapses.of(chip, connection, orders) for connection in ordered]
    return Tables(
        populations=_populations(chip, into),
        connections=_connections(chip, ordered, synapses, weights.factors),
        bias=_filled_up([_bias(population)[orders[population.name]] for population in chip.populations]),
        canonical=_filled_up(list(orders.values())),
        own=_filled_up([np.argsort(order) for order in orders.values()]),
        fan_out=np.concatenate([_fan_out(chip, each, orders) for each in ordered] or [np.zeros(0, np.int64)]),
        synapses=Synapses(
            weights=weights.joined(synapses),
            place=_joined(synapses, "place", np.int32),
            origin=_joined(synapses, "origin", np.int64),
            shift=_joined(synapses, "shift", np.int32),
            starts=_joined(synapses, "starts", np.int32),
            tap_weight=_joined(synapses, "tap_weight", np.int32),
            tap_target=_joined(synapses, "tap_target", np.int32),
        ),
    )


def hold_once(tables: Tables, chip: ChipNetwork) -> None:
    """Have the dense connections of a large network hold their weights where its tables do.

    They are the same weights as before, in the order of the tables: what a spike adds stands side by side.
    """
    ordered, weights = by_target(chip), tables.synapses.weights
    if not has_many_weights(ordered):
        return
    for row, connection in zip(tables.connections, ordered, strict=True):
        ends = chip.by_name[connection.source].shape, chip.by_name[connection.target].shape
        packed, first = connection.packed, int(row["weights"])
        is_alike = packed.values.dtype == weights.dtype and packed.factor == row["factor"]
        if connection.conv is None and is_alike and len(ends[0]) == len(ends[1]) == 1:
            there = weights[first : first + prod(packed.shape)].reshape(packed.shape[::-1]).T
            object.__setattr__(connection, "weight", PackedWeights(there, packed.factor))


def by_target(chip: ChipNetwork) -> tuple[Connection, ...]:
    """The connections in the order of the tables: those that lead to the first population first."""
    return tuple(connection for population in chip.populations for connection in chip.into(population.name))


def _fan_out(chip: ChipNetwork, connection: Connection, orders: Mapping[str, IntArray]) -> IntArray:
    return fan_out(chip, connection).ravel()[orders[connection.source]]


def _channels_last(shape: tuple[int, ...]) -> IntArray:
    """Indices of neurons in C order of ``shape``, channels running fastest."""
    indices = np.arange(prod(shape))
    return np.moveaxis(indices.reshape(shape), 0, -1).ravel() if len(shape) == 3 else indices


def _filled_up(parts: Sequence[npt.NDArray[Any]]) -> npt.NDArray[np.int32]:
    """One vector of the values of all neurons, with zeros up to whole blocks."""
    return np.concatenate([np.pad(part, (0, -len(part) % BLOCK)) for part in parts]).astype(np.int32)


def _bias(population: Population) -> npt.NDArray[np.int32]:
    """What every step adds, flat; zeros where there is nothing, or where the drive holds it."""
    if population.neuron is None or population.role == "input":
        return np.zeros(population.size, np.int32)
    return (population.neuron.bias.ravel() << population.neuron.bias_exp).astype(np.int32)


def reach(connection: Connection) -> int:
    """The largest absolute synaptic input that events of payload 1 could deliver, partial sums included."""
    return int(connection.packed.sums_of_magnitudes().max(initial=0))


def most_delivered(chip: ChipNetwork, connection: Connection) -> int:
    """:func:`reach` times the largest payload of the source."""
    return reach(connection) * (2 ** max(1, chip.by_name[connection.source].payload_bits) - 1)


def _populations(chip: ChipNetwork, into: Sequence[Sequence[Connection]]) -> npt.NDArray[np.void]:
    """One row for each population.

    Args:
        chip: the network.
        into: the connections that lead to each.
    """
    arriving = [len(each) for each in into]
    rows = np.zeros(len(chip.populations), POPULATION)
    rows["count"] = [population.size for population in chip.populations]
    rows["blocks"] = -(-rows["count"] // BLOCK)
    rows["first_block"] = _offsets(rows["blocks"])
    rows["first"] = rows["first_block"] * BLOCK
    rows["listed"] = rows["first"] + np.arange(len(rows))  # listing writes one more than there are
    rows["connections"] = arriving
    rows["first_connection"] = _offsets(arriving)
    for number, (row, population) in enumerate(zip(rows, chip.populations, strict=True)):
        row["is_input"], row["is_readout"] = population.role == "input", population.role == "readout"
        if (neuron := population.neuron) is None:
            row["is_graded"] = population.payload_bits > 0
            continue
        row["has_neurons"], row["fires"] = True, neuron.fires
        row["keep_u"], row["keep_v"] = 1 - (neuron.du + 1) / DECAY_ONE, 1 - neuron.dv / DECAY_ONE
        row["may_wrap"] = STATE_UNIT * sum(most_delivered(chip, each) for each in into[number]) >= STATE_LIMIT
        row["threshold"], row["bias_exp"] = neuron.vth * STATE_UNIT, neuron.bias_exp
        row["reset"] = RESETS[LAWS[neuron.law]]
    return rows


def _connections(
    chip: ChipNetwork, ordered: Sequence[Connection], synapses: Sequence[_Synapses], factors: Sequence[int]
) -> npt.NDArray[np.void]:
    index = {name: number for number, name in enumerate(chip.by_name)}
    rows = np.zeros(len(ordered), CONNECTION)
    rows["source"] = [index[connection.source] for connection in ordered]
    rows["block"] = [each.block for each in synapses]
    rows["weights"] = _offsets([prod(connection.shape) for connection in ordered])
    rows["factor"] = factors
    rows["synapses"] = _offsets([each.place.size for each in synapses])
    rows["starts"] = _offsets([each.starts.size for each in synapses])
    rows["taps"] = _offsets([each.tap_weight.size for each in synapses])
    return rows


@dataclass(frozen=True, eq=False)
class _Synapses:
    """One connection's part of the arrays of :class:`Tables`.

    Attributes:
        block: as in :data:`~spikewright.kernels.tables.CONNECTION`.
        write: writes numbers in the shape of its weights in the order of the tables, given where to, flat, and these.
    """

    block: int
    write: Callable[[npt.NDArray[Any], Weights], None]
    place: npt.NDArray[Any]
    origin: npt.NDArray[Any]
    shift: npt.NDArray[Any]
    starts: npt.NDArray[Any]
    tap_weight: npt.NDArray[Any]
    tap_target: npt.NDArray[Any]

    @staticmethod
    def of(chip: ChipNetwork, connection: Connection, orders: Mapping[str, IntArray]) -> _Synapses:
        source, target = chip.by_name[connection.source], chip.by_name[connection.target]
        if connection.conv is None:
            return _dense(orders[source.name], orders[target.name])
        return _convolution(connection, source, target)


@dataclass(frozen=True)
class _Weights:
    """How the tables hold the weights of all connections: int16, and of large networks as they are packed, int8.

    Attributes:
        packed: of the connections.
        is_narrow: whether all are int8, each times its factor.
    """

    packed: tuple[PackedWeights, ...]
    is_narrow: bool

    @staticmethod
    def of(ordered: Sequence[Connection]) -> _Weights:
        packed = tuple(connection.packed for connection in ordered)
        is_narrow = has_many_weights(ordered) and all(each.values.dtype == np.int8 for each in packed)
        return _Weights(packed, is_narrow)

    @property
    def factors(self) -> list[int]:
        return [each.factor if self.is_narrow else 1 for each in self.packed]

    def joined(self, synapses: Sequence[_Synapses]) -> npt.NDArray[Any]:
        """The weights of all connections, one after the other."""
        sizes = [prod(each.shape) for each in self.packed]
        made = np.empty(sum(sizes), np.int8 if self.is_narrow else np.int16)
        for start, size, packed, each in zip(_offsets(sizes), sizes, self.packed, synapses, strict=True):
            part: npt.NDArray[Any] = made[start : start + size]
            each.write(part, packed.values)
            if not self.is_narrow and packed.factor != 1:
                part *= np.int16(packed.factor)
        return made


def has_many_weights(connections: Iterable[Connection]) -> bool:
    """Whether memory for weights counts more than the time to load or compile loops."""
    return sum(prod(connection.shape) for connection in connections) >= MANY_WEIGHTS


def _dense(sources: IntArray, targets: IntArray) -> _Synapses:
    """All weights of a source neuron are one block, at one place with one tap."""
    count, nothing = len(sources), np.zeros(1, np.int64)

    def write(out: npt.NDArray[Any], weight: Weights) -> None:
        blocks = out.reshape(count, len(targets))
        for rows in row_slices(blocks.shape):
            blocks[rows] = weight[np.ix_(targets, sources[rows])].T

    return _Synapses(
        block=len(targets),
        write=write,
        place=np.zeros(count, np.int64),
        origin=np.arange(count) * len(targets),
        shift=np.zeros(count, np.int64),
        starts=np.array([0, 1]),
        tap_weight=nothing,
        tap_target=nothing,
    )


def _convolution(connection: Connection, source: Population, target: Population) -> _Synapses:
    """Weights of all channels of a group's output are one block; a place has a tap for each target that it reaches."""
    geometry = connection.conv
    assert geometry is not None
    (channels, *size), (outputs, *reached) = source.shape, target.shape
    each, block = channels // geometry.groups, outputs // geometry.groups

    def write(out: npt.NDArray[Any], weight: Weights) -> None:
        kernel = weight.reshape(geometry.groups, block, each, *connection.shape[2:]).transpose(0, 2, 3, 4, 1)
        out.reshape(kernel.shape)[...] = kernel

    axes = [taps(size[axis], reached[axis], *connection.axis(axis)) != 0 for axis in (0, 1)]
    rows, columns, down, right = np.nonzero(axes[0][:, None, :, None] & axes[1][None, :, None, :])
    at = [
        (index + geometry.padding[axis] - tap * geometry.dilation[axis]) // geometry.stride[axis]
        for axis, (index, tap) in enumerate([(rows, down), (columns, right)])
    ]
    place, channel = np.divmod(np.arange(source.size), channels)
    found = np.bincount(rows * size[1] + columns, minlength=size[0] * size[1])
    return _Synapses(
        block=block,
        write=write,
        place=place,
        origin=channel * (block * prod(connection.shape[2:])),
        shift=channel // each * block,
        starts=np.concatenate([[0], np.cumsum(found)]),
        tap_weight=(down * connection.shape[3] + right) * block,
        tap_target=(at[0] * reached[1] + at[1]) * outputs,
    )


def _offsets(sizes: Iterable[int]) -> list[int]:
    return [0, *accumulate(sizes)][:-1]


def _joined(synapses: Sequence[_Synapses], name: str, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    return np.concatenate([np.ravel(getattr(each, name)) for each in synapses] or [np.zeros(0)]).astype(dtype)
