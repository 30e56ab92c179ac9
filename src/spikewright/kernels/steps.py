"""A layer of neurons through all its timesteps in training, by the law of :class:`spikewright.chip.law.Law`.

The neurons of a sample are taken in blocks that stay in the cache, each through all timesteps. A pass over a block
writes one array, so that the compiler makes vector instructions of it.
"""

from __future__ import annotations

import numpy as np

from .codes import SUBTRACT, SUBTRACT_LATE, ZERO
from .jit import compiled

WIDTH = 2048
"""Neurons of a block."""


@compiled
def fire(potential, threshold, fired):
    """Write 1 where neurons spike and 0 where they do not."""
    one, nothing = potential.dtype.type(1), potential.dtype.type(0)
    for i in range(len(potential)):
        fired[i] = one if potential[i] > threshold[i] else nothing


@compiled
def leave(potential, threshold, fired, reset, v):
    """Write the membrane potentials that a step leaves behind the reset."""
    nothing = potential.dtype.type(0)
    if reset == ZERO:
        for i in range(len(potential)):
            v[i] = potential[i] if fired[i] == nothing else nothing
    elif reset == SUBTRACT:
        for i in range(len(potential)):
            v[i] = potential[i] - fired[i] * threshold[i]
    else:
        for i in range(len(potential)):
            v[i] = potential[i]


@compiled
def owe(potential, threshold, v):
    """Take one threshold off the potentials of neurons whose state is above it: the spikes of the step before."""
    nothing = potential.dtype.type(0)
    for i in range(len(potential)):
        potential[i] -= threshold[i] if v[i] > threshold[i] else nothing


@compiled
def add_decayed(state, keep, arriving, out):
    """Write ``keep * state + arriving``, rounded after the product and after the sum."""
    for i in range(len(out)):
        out[i] = keep[i] * state[i] + arriving[i]


@compiled
def step_floats(arriving, keep_v, keep_u, threshold, reset, spikes, membranes, synaptics, begin, end):
    """Step the samples ``begin`` to ``end`` (not included) from rest in floating point.

    Args:
        arriving: ``(T or 1, B, neurons)``.
        keep_v: share of the membrane potential that a step leaves, ``(neurons,)``, and likewise ``keep_u`` of the
            synaptic current, and the ``threshold``; empty for none.
        reset: what a spike does, as in :mod:`.codes`.
        spikes: written, ``(T, B, neurons)``, as are ``membranes`` (before a reset) and ``synaptics``; empty for none.
        membranes: see ``spikes``.
        synaptics: see ``spikes``.
        begin: the first sample.
        end: behind the last sample.
    """
    timesteps, neurons, last = len(membranes), membranes.shape[2], len(arriving) - 1
    fires, filters = len(threshold) > 0, len(keep_u) > 0
    held_v, held_u = np.zeros(WIDTH, membranes.dtype), np.zeros(WIDTH, membranes.dtype)
    for b in range(begin, end):
        for low in range(0, neurons, WIDTH):
            high = min(low + WIDTH, neurons)
            v, u = held_v[: high - low], held_u[: high - low]
            v[:] = 0
            u[:] = 0
            for t in range(timesteps):
                potential = membranes[t, b, low:high]
                if filters:
                    current = synaptics[t, b, low:high]
                    add_decayed(u, keep_u[low:high], arriving[min(t, last), b, low:high], current)
                    copy(current, u)
                    add_decayed(v, keep_v[low:high], current, potential)
                else:
                    add_decayed(v, keep_v[low:high], arriving[min(t, last), b, low:high], potential)
                if not fires:
                    copy(potential, v)
                    continue
                if reset == SUBTRACT_LATE:
                    owe(potential, threshold[low:high], v)
                fired = spikes[t, b, low:high]
                fire(potential, threshold[low:high], fired)
                leave(potential, threshold[low:high], fired, reset, v)


@compiled
def count_busy(arriving, bias, v, u):
    """How many neurons have an input, a bias or a state that is left from the step before."""
    count = np.int32(0)
    for i in range(len(v)):
        count = np.int32(count + np.int32((arriving[i] != 0) | (bias[i] != 0) | (v[i] != 0) | (u[i] != 0)))
    return count


@compiled
def add_cut(state, keep, arriving, gain, out):
    """Write ``trunc(keep * state) + gain * arriving`` of whole numbers; the product is exact in 64 bits."""
    for i in range(len(out)):
        out[i] = np.trunc(state[i] * keep) + gain * arriving[i]


@compiled
def add_cut_by_neuron(state, keep, arriving, gain, out):
    """As :func:`add_cut`, with a share of each neuron."""
    for i in range(len(out)):
        out[i] = np.trunc(state[i] * keep[i]) + gain * arriving[i]


@compiled
def add(values, out):
    """Add ``values`` to ``out``, element by element and in place."""
    for i in range(len(out)):
        out[i] += values[i]


@compiled
def copy(values, out):
    """Write ``values`` to ``out``, element by element."""
    for i in range(len(out)):
        out[i] = values[i]


@compiled
def scale(values, factor, out):
    """Write ``factor * values`` to ``out``, element by element."""
    for i in range(len(out)):
        out[i] = factor * values[i]


@compiled
def clip(potential, limit):
    """Keep potentials within ``-limit .. limit``; returns how many were outside."""
    count = np.int32(0)
    for i in range(len(potential)):
        kept = min(max(potential[i], -limit), limit)
        count = np.int32(count + np.int32(kept != potential[i]))
        potential[i] = kept
    return count


@compiled
def step_integers(arriving, bias, constants, keeps, reset, units, spikes, membranes, synaptics, counts, begin, end):
    """Step the samples ``begin`` to ``end`` (not included) from rest on whole numbers that float32 holds.

    No current may leave its 24 bits.

    Args:
        arriving: ``(T or 1, B, neurons)``.
        bias: what each step adds to the potential, ``(T or 1, B or 1, neurons)``.
        constants: float64: share of the membrane potential that a step leaves, share of the current (0 for none), and
            the threshold.
        keeps: float64, ``(2, neurons)``: both shares of each neuron, in place of those in ``constants``; ``(2, 0)``
            for none.
        reset: what a spike does, as in :mod:`.codes`.
        units: float32: what an input of 1 adds to the current; what 1 is worth in ``membranes`` and ``synaptics``; and
            the magnitude to which potentials are clipped, 0 where none can reach it.
        spikes: written, ``(T, B, neurons)``, as are ``membranes`` (before a reset) and ``synaptics``; empty for none.
        membranes: see ``spikes``.
        synaptics: see ``spikes``.
        counts: added to, ``(2, T, B)``: how many neurons had something to do, and how many potentials were clipped.
        begin: the first sample.
        end: behind the last sample.
    """
    timesteps, neurons, last, last_bias = len(membranes), membranes.shape[2], len(arriving) - 1, len(bias) - 1
    fires, filters, last_row = len(spikes) > 0, len(synaptics) > 0, bias.shape[1] - 1
    keep_v, keep_u, gain, unit, most = constants[0], constants[1], units[0], units[1], units[2]
    one, differ = np.float32(1), keeps.shape[1] > 0
    limit = np.full(WIDTH, constants[2], np.float32)
    held = np.zeros((3, WIDTH), np.float32)
    for b in range(begin, end):
        for low in range(0, neurons, WIDTH):
            high = min(low + WIDTH, neurons)
            v, u, p = held[0, : high - low], held[1, : high - low], held[2, : high - low]
            threshold = limit[: high - low]
            v[:] = 0
            u[:] = 0
            for t in range(timesteps):
                a, steady = arriving[min(t, last), b, low:high], bias[min(t, last_bias), min(b, last_row), low:high]
                counts[0, t, b] += count_busy(a, steady, v, u)
                if filters:
                    if differ:
                        add_cut_by_neuron(u, keeps[1, low:high], a, gain, p)
                    else:
                        add_cut(u, keep_u, a, gain, p)
                    copy(p, u)
                    scale(u, unit, synaptics[t, b, low:high])
                into, factor = (u, one) if filters else (a, gain)
                if differ:
                    add_cut_by_neuron(v, keeps[0, low:high], into, factor, p)
                else:
                    add_cut(v, keep_v, into, factor, p)
                add(steady, p)
                if fires and reset == SUBTRACT_LATE:
                    owe(p, threshold, v)
                if most > 0:
                    counts[1, t, b] += clip(p, most)
                scale(p, unit, membranes[t, b, low:high])
                if fires:
                    fired = spikes[t, b, low:high]
                    fire(p, threshold, fired)
                    leave(p, threshold, fired, reset, v)
                else:
                    copy(p, v)
