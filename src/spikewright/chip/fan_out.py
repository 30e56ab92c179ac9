"""How many synapses one spike visits, exactly, borders included."""

from __future__ import annotations

import numpy as np

from ..base.types import IntArray
from .network import ChipNetwork, Connection, Population, output_shape


def fan_out(chip: ChipNetwork, connection: Connection) -> IntArray:
    """Synapses that a spike of each source neuron visits.

    Dense: the number of target neurons, whatever the weights (a zero weight occupies the table). Convolution:
    ``out channels / groups x taps(row) x taps(column)``, the transposed convolution of ones.

    Returns:
        int64 counts, shape of the source population.
    """
    source, targets = chip.by_name[connection.source], connection.shape[0]
    if connection.conv is None:
        return np.full(source.shape, targets, dtype=np.int64)
    rows, columns = (_taps(connection, source, axis).sum(axis=1) for axis in (0, 1))
    return np.broadcast_to(targets // connection.conv.groups * np.outer(rows, columns), source.shape).copy()


def fan_out_of_weights(chip: ChipNetwork, connection: Connection) -> IntArray:
    """As :func:`fan_out`, synapses whose weight is zero left out."""
    source, stored = chip.by_name[connection.source], connection.packed.values != 0
    if connection.conv is None:
        return np.count_nonzero(stored, axis=0).reshape(source.shape).astype(np.int64)
    by_group = stored.reshape(connection.conv.groups, -1, *stored.shape[1:]).sum(axis=1)
    by_channel = by_group.reshape(source.shape[0], *stored.shape[2:])
    rows, columns = (_taps(connection, source, axis) for axis in (0, 1))
    counts: IntArray = rows @ by_channel @ columns.T
    return counts


def _taps(connection: Connection, source: Population, axis: int) -> IntArray:
    return taps(source.shape[1 + axis], output_shape(connection, source)[1 + axis], *connection.axis(axis))


def taps(size: int, outputs: int, kernel: int, stride: int, padding: int, dilation: int) -> IntArray:
    """Which taps k of a kernel touch each input position i along one axis.

    Those for which an output o exists with ``o*stride + k*dilation - padding = i``.

    Returns:
        int64, 0 and 1, shape ``(size, kernel)``.
    """
    output = np.arange(size)[:, None] + padding - np.arange(kernel) * dilation  # times the stride
    return ((output % stride == 0) & (0 <= output) & (output < outputs * stride)).astype(np.int64)
