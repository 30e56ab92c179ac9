"""How many synapses one spike visits, exactly, borders included."""

from __future__ import annotations

import numpy as np

from ..base.types import IntArray
from .network import ChipNetwork, Connection, output_shape


def fan_out(chip: ChipNetwork, connection: Connection) -> IntArray:
    """Synapses that a spike of each source neuron visits.

    Dense: the number of target neurons, whatever the weights (a zero weight occupies the table). Convolution:
    ``out channels / groups x reach(row) x reach(column)``, the transposed convolution of ones.

    Returns:
        int64 counts, shape of the source population.
    """
    source = chip.by_name[connection.source]
    if connection.conv is None:
        return np.full(source.shape, connection.weight.shape[0], dtype=np.int64)
    out_channels, *outputs = output_shape(connection, source)
    geometry, kernel = connection.conv, connection.weight.shape[2:]
    rows, columns = (
        reach(source.shape[1 + axis], outputs[axis], kernel[axis], geometry.stride[axis], geometry.padding[axis],
              geometry.dilation[axis])
        for axis in (0, 1)
    )  # fmt: skip
    per_channel = (out_channels // geometry.groups) * np.outer(rows, columns)
    return np.broadcast_to(per_channel, source.shape).copy()


def fan_out_of_weights(chip: ChipNetwork, connection: Connection) -> IntArray:
    """As :func:`fan_out`, synapses whose weight is zero left out.

    Returns:
        int64 counts, shape of the source population.
    """
    source, stored = chip.by_name[connection.source], connection.weight != 0
    if connection.conv is None:
        return np.count_nonzero(stored, axis=0).reshape(source.shape).astype(np.int64)
    geometry, outputs = connection.conv, output_shape(connection, source)[1:]
    by_group = stored.reshape(geometry.groups, -1, *stored.shape[1:]).sum(axis=1)
    taps = by_group.reshape(source.shape[0], *stored.shape[2:])  # of each input channel
    counts = np.zeros(source.shape, dtype=np.int64)
    for row, column in np.ndindex(*stored.shape[2:]):
        ys, xs = (
            np.arange(outputs[axis]) * geometry.stride[axis] + tap * geometry.dilation[axis] - geometry.padding[axis]
            for axis, tap in ((0, row), (1, column))
        )
        ys, xs = (at[(at >= 0) & (at < size)] for at, size in ((ys, source.shape[1]), (xs, source.shape[2])))
        counts[:, ys[:, None], xs] += taps[:, row, column, None, None]
    return counts


def reach(size: int, outputs: int, kernel: int, stride: int, padding: int, dilation: int) -> IntArray:
    """Kernel taps along one axis that touch each input position: ``#{(o, k): o*stride + k*dilation - padding = i}``.

    Args:
        size: input positions along the axis.
        outputs: output positions along the axis.
        kernel: taps of the kernel along the axis.
        stride: step between outputs.
        padding: zeros on each side.
        dilation: step between taps.

    Returns:
        int64, shape ``(size,)``.
    """
    touched = np.arange(outputs)[:, None] * stride + np.arange(kernel)[None, :] * dilation - padding
    inside = touched[(touched >= 0) & (touched < size)]
    return np.bincount(inside, minlength=size).astype(np.int64)
