"""The tables that a compiled simulation reads: one row for each population and each connection."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

BLOCK = 64
"""Neurons that are updated together."""
POPULATION = np.dtype(
    [
        ("first", np.int64),  # of its neurons in vectors that hold those of all populations
        ("count", np.int64),  # neurons
        ("first_block", np.int64),  # of its neurons
        ("blocks", np.int64),  # of :data:`BLOCK` neurons, the last one filled up with some that are never driven
        ("listed", np.int64),  # where the list of its events begins
        ("has_neurons", np.bool_),  # or ready-made events
        ("is_graded", np.bool_),  # whether its events have payloads; else each counts once
        ("keep_u", np.float64),  # share of a current that a step leaves; a multiple of 1/4096
        ("keep_v", np.float64),  # share of a membrane potential that a step leaves, likewise
        ("may_wrap", np.bool_),  # whether a current could leave its 24 bits
        ("threshold", np.int32),
        ("bias_exp", np.int32),  # of an input population, whose bias mantissas the drive holds
        ("reset", np.int32),  # as in :mod:`.codes`
        ("fires", np.bool_),  # else a spike is a readout's that overflowed
        ("first_connection", np.int64),  # of those that lead here, which follow each other
        ("connections", np.int64),  # how many lead here
        ("is_input", np.bool_),
        ("is_readout", np.bool_),
    ]
)
CONNECTION = np.dtype(
    [
        ("source", np.int64),  # index of the population
        ("block", np.int64),  # weights that one tap adds, one after the other
        ("weights", np.int64),  # offset of its weights
        ("factor", np.int32),  # of its weights
        ("synapses", np.int64),  # offset of its source neurons' rows in `place`, `origin` and `shift`
        ("starts", np.int64),  # offset of its places' rows in `starts`
        ("taps", np.int64),  # offset of its taps
    ]
)


class Synapses(NamedTuple):
    """The synapses of all connections as flat arrays.

    A spike of source neuron i of connection c stands at the place ``p = place[c.synapses + i]``. Its taps j are those
    from ``starts[c.starts + p]`` to ``starts[c.starts + p + 1]``, counted from ``c.taps``. Each adds the ``c.block``
    weights from ``weights[c.weights + origin[c.synapses + i] + tap_weight[j]]`` on, times ``c.factor``, to the targets
    from ``shift[c.synapses + i] + tap_target[j]`` on. A dense connection has one place and one tap.
    """

    weights: npt.NDArray[np.int8] | npt.NDArray[np.int16]
    place: npt.NDArray[np.int32]
    origin: npt.NDArray[np.int64]
    shift: npt.NDArray[np.int32]
    starts: npt.NDArray[np.int32]
    tap_weight: npt.NDArray[np.int32]
    tap_target: npt.NDArray[np.int32]


class Tables(NamedTuple):
    """A network as flat arrays.

    The neurons of a population with channels stand channels last, so that a tap of a convolution adds one block of
    weights; in canonical order they stand as in its shape, (channel, row, column). Vectors of all neurons have entries
    for those that fill up a block, too.

    Attributes:
        populations: of :data:`POPULATION`, each behind those that feed it.
        connections: of :data:`CONNECTION`, sorted by target.
        bias: int32, of all neurons.
        canonical: int32, of all neurons: their index in canonical order.
        own: int32, by canonical order: their index here.
        fan_out: int64, as ``place``: how many synapses a spike of a source neuron visits.
        synapses: of all connections.
    """

    populations: npt.NDArray[np.void]
    connections: npt.NDArray[np.void]
    bias: npt.NDArray[np.int32]
    canonical: npt.NDArray[np.int32]
    own: npt.NDArray[np.int32]
    fan_out: npt.NDArray[np.int64]
    synapses: Synapses


class Recorded(NamedTuple):
    """What a compiled simulation fills in.

    Attributes:
        rasters: uint8, zeros: one population after the other, each ``(timesteps, samples, neurons)`` in C order of
            (channel, row, column); those of ready-made events have no entries.
        starts: int64, of each population: where its raster begins.
        scores: int64, zeros, ``(samples, outputs)``.
        active: int64, ``(populations, timesteps, samples)``: active updates.
        sent: int64, likewise: spikes or events.
        visits: int64, ``(connections, timesteps, samples)``: synapses that they visit; sorted by target.
        u: int32, as the rasters; empty unless states are recorded.
        v: int32, as the rasters; empty unless states are recorded.
    """

    rasters: npt.NDArray[np.uint8]
    starts: npt.NDArray[np.int64]
    scores: npt.NDArray[np.int64]
    active: npt.NDArray[np.int64]
    sent: npt.NDArray[np.int64]
    visits: npt.NDArray[np.int64]
    u: npt.NDArray[np.int32]
    v: npt.NDArray[np.int32]
