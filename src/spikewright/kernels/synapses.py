"""Events and what they deliver: the weights of those that arrive, summed for each neuron.

Indices are unsigned where loops are short: numba looks at the sign of others each time.
"""

from __future__ import annotations

import numpy as np

from .jit import compiled


@compiled
def listed(first, at, values, own, events, payloads):
    """List what is not zero of ready-made events; returns how many.

    Args:
        first: of the population's neurons.
        at: where the list begins.
        values: of the events, in canonical order.
        own: of all neurons, their index in a population by canonical order.
        events: the list of indices.
        payloads: the list of values.
    """
    begin, end, step = np.uint64(at), np.uint64(len(values)), np.uint64(8)
    whole, j, at = end - end % step, np.uint64(0), np.uint64(at)
    while j < end:
        stop = j + step if j < whole else end
        any_ = values[j]
        for i in range(j, stop):
            any_ |= values[i]
        if any_ != 0:
            for i in range(j, stop):
                value = values[i]
                events[at] = own[np.uint64(first) + i]
                payloads[at] = value
                at += np.uint64(value != 0)
        j = stop
    return np.int64(at - begin)


@compiled
def deliver(connection, source, count, synapses, events, payloads, sums, at):
    """Add the weights of a connection's events to the synaptic input of its target.

    Args:
        connection: its row.
        source: row of the population that sends the events.
        count: of the events.
        synapses: a tuple as :class:`~spikewright.kernels.tables.Synapses`.
        events: lists of all populations.
        payloads: likewise.
        sums: int32, synaptic input of all neurons.
        at: where that of the target begins.
    """
    weights, place, origin, shift, starts, tap_weight, tap_target = synapses
    block, graded, payload = np.uint64(connection.block), source.is_graded, connection.factor
    is_scaled = graded or connection.factor != 1
    first_row, first_tap = np.uint64(connection.synapses), np.uint64(connection.taps)
    for e in range(np.uint64(source.listed), np.uint64(source.listed + count)):
        row = first_row + np.uint64(events[e])
        start, end = np.uint64(connection.weights + origin[row]), np.uint64(at + shift[row])
        here = np.uint64(connection.starts + place[row])
        if graded:
            payload = np.int32(payloads[e] * connection.factor)
        for j in range(first_tap + np.uint64(starts[here]), first_tap + np.uint64(starts[here + np.uint64(1)])):
            from_, to = start + np.uint64(tap_weight[j]), end + np.uint64(tap_target[j])
            if is_scaled:
                for k in range(block):
                    sums[to + k] += np.int32(weights[from_ + k] * payload)
            else:
                for k in range(block):
                    sums[to + k] += weights[from_ + k]


@compiled
def arrive(one, is_first, is_same, populations, connections, counts, synapses, events, payloads, fixed, sums):
    """Sum the synaptic input of population ``one`` in a step.

    What ready-made events that are the same at every step deliver is summed in the first step, in ``fixed``.
    """
    flat_fixed, flat_sums = fixed.reshape(-1), sums.reshape(-1)
    first, last = np.uint64(one.first), np.uint64(one.first + one.count)
    if is_first and is_same:
        for i in range(first, last):
            flat_fixed[i] = 0
        for c in range(one.first_connection, one.first_connection + one.connections):
            source, count = populations[connections[c].source], counts[connections[c].source]
            if not source.has_neurons:
                deliver(connections[c], source, count, synapses, events, payloads, flat_fixed, one.first)
    for i in range(first, last):
        flat_sums[i] = flat_fixed[i] if is_same else 0
    for c in range(one.first_connection, one.first_connection + one.connections):
        source, count = populations[connections[c].source], counts[connections[c].source]
        if not is_same or source.has_neurons:
            deliver(connections[c], source, count, synapses, events, payloads, flat_sums, one.first)
