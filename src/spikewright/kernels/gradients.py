"""The gradients of a layer of neurons through all its timesteps, from the last to the first.

Blocks of neurons and passes over them are as in :mod:`.steps`.
"""

from __future__ import annotations

import numpy as np

from .codes import (
    ATAN,
    FAST_SIGMOID,
    GROUP,
    SUBTRACT,
    SUBTRACT_LATE,
    TO_BIAS,
    TO_KEEP_U,
    TO_KEEP_V,
    TO_THRESHOLD,
    ZERO,
)
from .jit import compiled
from .steps import WIDTH, add, copy, scale


@compiled
def atan_slopes(potential, threshold, at_spikes, numbers, out):
    """Write the surrogate gradient of snnTorch's ``atan``; ``numbers`` are 1, ``pi / 2 * alpha`` and ``alpha / 2``."""
    one, steep, half = numbers[0], numbers[1], numbers[2]
    for i in range(len(out)):
        x = steep * (potential[i] - threshold[i])
        out[i] = one / (one + x * x) * half * at_spikes[i]


@compiled
def fast_sigmoid_slopes(potential, threshold, at_spikes, numbers, out):
    """Write the surrogate gradient of snnTorch's ``fast_sigmoid``; ``numbers`` are 1 and its slope."""
    one, steep = numbers[0], numbers[1]
    for i in range(len(out)):
        x = steep * abs(potential[i] - threshold[i]) + one
        out[i] = at_spikes[i] / (x * x)


@compiled
def slopes_of(kind, potential, threshold, at_spikes, numbers, out):
    """Write what the gradients at spikes are at the membrane potentials."""
    if kind == ATAN:
        atan_slopes(potential, threshold, at_spikes, numbers, out)
    elif kind == FAST_SIGMOID:
        fast_sigmoid_slopes(potential, threshold, at_spikes, numbers, out)
    else:
        copy(at_spikes, out)


@compiled
def add_later(later, keep, fired, reset, out):
    """Add what the next step passes back through the decay and the reset, with the spikes held fixed."""
    one = out.dtype.type(1)
    if reset == ZERO and len(fired):
        for i in range(len(out)):
            out[i] += keep[i] * later[i] * (one - fired[i])
    else:
        for i in range(len(out)):
            out[i] += keep[i] * later[i]


@compiled
def left_of(potential, fired, threshold, reset, i):
    """The potential that a step leaves in neuron ``i`` behind the reset."""
    if len(fired) and reset == ZERO:
        return potential[i] * (potential.dtype.type(1) - fired[i])
    if len(fired) and reset == SUBTRACT:
        return potential[i] - fired[i] * threshold[i]
    return potential[i]


@compiled
def sum_taken_off(later, keep, fired, reset, out):
    """Add ``dL/dthreshold`` of what a reset by subtraction takes off the next potential."""
    if reset == SUBTRACT:
        for i in range(len(out)):
            out[i] -= later[i] * keep[i] * fired[i]
    elif reset == SUBTRACT_LATE:
        for i in range(len(out)):
            out[i] -= later[i] * fired[i]


@compiled
def sum_constants(g, h, potential, fired, current, keep, threshold, reset, wanted, sums):
    """Add what the gradients at the next step are at the constants.

    Args:
        g: gradients at the next membrane potentials, and ``h`` at its currents.
        potential: of this step, likewise ``fired`` and, with a synaptic filter, ``current``.
        keep: share of the potential that a step leaves, and ``threshold``.
        reset: what a spike does.
        wanted: by row of ``sums``, whether it is.
        sums: of a group of samples, ``(4, neurons)``.
    """
    if wanted[TO_THRESHOLD] and len(fired):
        sum_taken_off(g, keep, fired, reset, sums[TO_THRESHOLD])
    if wanted[TO_KEEP_V]:
        for i in range(len(g)):
            sums[TO_KEEP_V, i] += g[i] * left_of(potential, fired, threshold, reset, i)
    if wanted[TO_KEEP_U] and len(current):
        for i in range(len(g)):
            sums[TO_KEEP_U, i] += h[i] * current[i]


@compiled
def begin_step(at_spikes, at_membranes, potential, threshold, kind, numbers, sums, g):
    """Write the gradients at the potentials of a step that come from its own spikes and potentials.

    Args:
        at_spikes: gradients at the spikes, and ``at_membranes`` at the potentials; empty for none.
        at_membranes: see ``at_spikes``.
        potential: of the step, and ``threshold``.
        threshold: see ``potential``.
        kind: of the surrogate, and its ``numbers``.
        numbers: see ``kind``.
        sums: from which they are taken, if a threshold learns; else empty.
        g: written.
    """
    if len(at_spikes):
        slopes_of(kind, potential, threshold, at_spikes, numbers, g)
        for i in range(len(sums)):
            sums[i] -= g[i]
    else:
        g[:] = 0
    if len(at_membranes):
        add(at_membranes, g)


@compiled
def to_currents(g, keep_u, gain, h, out):
    """Write the gradients at what arrived in a step, and at its current in place of those at the next one, ``h``."""
    if len(keep_u):
        for i in range(len(g)):
            h[i] = g[i] + keep_u[i] * h[i]
        scale(h, gain, out)
    else:
        scale(g, gain, out)


@compiled
def part_of(values, t, b, low, high, none):
    """Some neurons of a sample in a step; ``none`` where there are no values."""
    if len(values) == 0:
        return none
    return values[t, b, low:high]


@compiled
def block_backwards(at_spikes, at_membranes, past, law, surrogate, wanted, to_current, sums, where, held):
    """Gradients of some neurons of a sample; see :func:`backwards`.

    ``where`` is the sample, the first of its neurons and the end of them; ``held`` is for four values of each.
    """
    b, low, high = where
    spikes, membranes, synaptics = past
    keep, keep_u, limit, reset, gains = law
    kind, numbers = surrogate
    count, timesteps, has_current, learns = high - low, len(membranes), len(to_current) > 0, wanted.any()
    into = sums[b // GROUP, :, low:high] if learns else sums[0, :, :0]
    g, later, h, out = held[0, :count], held[1, :count], held[2, :count], held[3, :count]
    none = held[0, :0]
    held[:] = 0
    of_threshold = into[TO_THRESHOLD] if wanted[TO_THRESHOLD] else into[TO_THRESHOLD, :0]
    for t in range(timesteps - 1, -1, -1):
        potential, fired = membranes[t, b, low:high], part_of(spikes, t, b, low, high, none)
        from_spikes = part_of(at_spikes, t, b, low, high, none)
        from_membranes = part_of(at_membranes, t, b, low, high, none)
        begin_step(from_spikes, from_membranes, potential, limit, kind, numbers, of_threshold, g)
        if t + 1 < timesteps:
            if learns:
                current = part_of(synaptics, t, b, low, high, none)
                sum_constants(later, h, potential, fired, current, keep, limit, reset, wanted, into)
            add_later(later, keep, fired, reset, g)
        if wanted[TO_BIAS]:
            add(g, into[TO_BIAS])
        copy(g, later)
        to_currents(g, keep_u, gains[0], h, out)
        if has_current and len(to_current) < timesteps:
            add(out, to_current[0, b, low:high])
        elif has_current:
            copy(out, to_current[t, b, low:high])


@compiled
def backwards(at_spikes, at_membranes, past, law, surrogate, wanted, to_current, sums, begin, end):
    """Gradients of the samples ``begin`` to ``end`` (not included).

    Args:
        at_spikes: gradients at the spikes, ``(T, B, neurons)``, and likewise ``at_membranes``; empty for none.
        at_membranes: see ``at_spikes``.
        past: spikes, membrane potentials and synaptic currents, likewise; no spikes of an integrator.
        law: shares that a step leaves of the potential and of the current, and thresholds, each ``(neurons,)`` or
            empty; what a spike does; and what an input of 1 adds to the current, in an array of one.
        surrogate: as in :mod:`.codes`, and its numbers.
        wanted: by row of ``sums``, whether it is.
        to_current: written, ``(T, B, neurons)``; for the sum over timesteps ``(1, B, neurons)``, zeros; empty for none.
        sums: added to, float64, ``(groups of samples, 4, neurons)``; one group, unused, where nothing is wanted.
        begin: the first sample.
        end: behind the last sample.
    """
    keep, keep_u, limit, reset, gains = law
    neurons, held = past[1].shape[2], np.zeros((4, WIDTH), past[1].dtype)
    for b in range(begin, end):
        for low in range(0, neurons, WIDTH):
            high = min(low + WIDTH, neurons)
            here = keep[low:high], keep_u[low:high], limit[low:high], reset, gains
            where = b, low, high
            block_backwards(at_spikes, at_membranes, past, here, surrogate, wanted, to_current, sums, where, held)
