"""A network of integer neurons, one sample after the other, driven by its spikes."""

from __future__ import annotations

import numpy as np

from .jit import compiled
from .neurons import advance
from .synapses import arrive, listed
from .tables import BLOCK

WRAPS, CLIPS, RESETS = range(3)


@compiled
def count_events(p, one, t, s, count, connections, fan_out, events, by_neuron, sent, visits):
    """Count the events of population ``p`` in a step, and the synapses that they visit."""
    sent[p, t, s] = count
    begin, end, first = np.uint64(one.listed), np.uint64(one.listed + count), np.uint64(one.first)
    for e in range(begin, end):
        by_neuron[first + np.uint64(events[e])] += 1
    for c in range(len(connections)):
        if connections[c].source == p:
            reached, row = np.int64(0), np.uint64(connections[c].synapses)
            for e in range(begin, end):
                reached += fan_out[row + np.uint64(events[e])]
            visits[c, t, s] = reached


@compiled
def write_down(one, at, count, canonical, events, u, v, rasters, u_kept, v_kept):
    """Write down the spikes of a population of neurons in a step, and its states where they are asked for.

    Args:
        one: row of the population.
        at: where the step of the sample begins in ``rasters``, ``u_kept`` and ``v_kept``.
        count: of the spikes.
        canonical: as in :class:`~spikewright.kernels.tables.Tables`.
        events: lists of all populations.
        u: currents of all neurons, in blocks, and ``v`` their potentials.
        rasters: as in :class:`~spikewright.kernels.tables.Recorded`; ``u_kept`` and ``v_kept`` are its states.
    """
    first = np.uint64(one.first)
    for e in range(np.uint64(one.listed), np.uint64(one.listed + count)):
        rasters[at + np.uint64(canonical[first + np.uint64(events[e])])] = 1
    if len(v_kept):
        flat_u, flat_v = u.reshape(-1), v.reshape(-1)
        for i in range(first, first + np.uint64(one.count)):
            u_kept[at + np.uint64(canonical[i])] = flat_u[i]
            v_kept[at + np.uint64(canonical[i])] = flat_v[i]


@compiled
def score(one, s, is_last, count, counts_spikes, canonical, events, v, scores):
    """Add to the scores of a sample: spikes of the readout, or its membrane potentials after the last step."""
    first, flat_v = np.uint64(one.first), v.reshape(-1)
    if counts_spikes:
        for e in range(np.uint64(one.listed), np.uint64(one.listed + count)):
            scores[s, canonical[first + np.uint64(events[e])]] += 1
    elif is_last:
        for i in range(first, first + np.uint64(one.count)):
            scores[s, canonical[i]] = flat_v[i]


@compiled
def simulate(tables, drive, timesteps, begin, end, counts_spikes, recorded):
    """Simulate the samples ``begin`` to ``end`` (not included) into ``recorded``.

    Args:
        tables: a tuple as :class:`~spikewright.kernels.tables.Tables`, and so is its last entry. The cache of compiled
            loops must not know classes of ours: it could not be read once they have other names.
        drive: integers, ``(timesteps or 1, samples, inputs)``.
        timesteps: T.
        begin: the first sample.
        end: behind the last sample.
        counts_spikes: whether a score is the number of spikes of a readout's neuron, or its last membrane potential.
        recorded: a tuple as :class:`~spikewright.kernels.tables.Recorded`.

    Returns:
        int64: overflows, ``(populations, 3)``: currents that wrapped, potentials that were clipped, spikes of a
        readout; and events of each neuron or input.
    """
    populations, connections, steady, canonical, own, fan_out, synapses = tables
    rasters, starts, scores, updates, sent, visits, u_kept, v_kept = recorded
    blocks, samples, is_same = len(canonical) // BLOCK, drive.shape[1], len(drive) == 1
    u, v = np.zeros((blocks, BLOCK), np.int32), np.zeros((blocks, BLOCK), np.int32)
    sums, fixed = np.zeros((blocks, BLOCK), np.int32), np.zeros((blocks, BLOCK), np.int32)
    bias, fired = steady.copy().reshape(blocks, BLOCK), np.zeros(BLOCK, np.uint8)
    flat_bias = bias.reshape(-1)
    events = np.zeros(blocks * BLOCK + len(populations), np.int32)  # listing writes one more than there are
    payloads, by_neuron = np.zeros(len(events), np.int32), np.zeros(blocks * BLOCK, np.int64)
    counts, overflows = np.zeros(len(populations), np.int64), np.zeros((len(populations), 3), np.int64)
    for s in range(begin, end):
        u[:] = 0
        v[:] = 0
        counts[:] = 0
        for t in range(timesteps):
            for p in range(len(populations)):
                one = populations[p]
                if one.is_input and (t == 0 or not is_same):
                    if one.has_neurons:
                        for i in range(one.count):
                            flat_bias[one.first + own[one.first + i]] = np.int32(drive[t, s, i]) << one.bias_exp
                    else:
                        counts[p] = listed(one.first, one.listed, drive[t, s], own, events, payloads)
                if one.has_neurons:
                    arrive(one, t == 0, is_same, populations, connections, counts, synapses, events, payloads, fixed,
                           sums)  # fmt: skip
                    counts[p], active, wraps, clips = advance(one, sums, u, v, bias, fired, events, len(u_kept) > 0)
                    updates[p, t, s] = active
                    overflows[p, WRAPS] += wraps
                    overflows[p, CLIPS] += clips
                    overflows[p, RESETS] += 0 if one.fires else counts[p]
                    at = np.uint64(starts[p] + (t * samples + s) * one.count)
                    write_down(one, at, counts[p], canonical, events, u, v, rasters, u_kept, v_kept)
                    if one.is_readout:
                        score(one, s, t == timesteps - 1, counts[p], counts_spikes, canonical, events, v, scores)
                count_events(p, one, t, s, counts[p], connections, fan_out, events, by_neuron, sent, visits)
    return overflows, by_neuron
