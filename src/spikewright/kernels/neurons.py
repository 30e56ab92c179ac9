"""Neurons updated block by block: the law of :class:`spikewright.chip.law.Law` in int32, whose sums wrap as Lava's do.

A block's loops have a length that the compiler knows, so that they become vector instructions.
"""

from __future__ import annotations

import numpy as np

from .codes import SUBTRACT_LATE, ZERO
from .jit import compiled
from .tables import BLOCK

HALF = np.int32(2**23)
LOW, HIGH = np.int32(1 - 2**23), np.int32(2**23 - 1)
STATE_SHIFT = 6


@compiled
def currents(b, sums, u, keep):
    """``u(t)`` of block ``b`` in place from ``u(t-1)`` and the synaptic input; returns how many left their 24 bits."""
    wraps = np.int32(0)
    for i in range(BLOCK):
        sum_ = np.int32(np.int32(sums[b, i] << STATE_SHIFT) + np.int32(u[b, i] * keep))
        over, under = np.int32(sum_ > HALF), np.int32(sum_ <= -HALF)
        u[b, i] = np.int32(sum_ + np.int32(np.int32(under - over) << 24))
        wraps = np.int32(wraps + np.int32(over + under))
    return wraps


@compiled
def busy(b, sums, v, bias):
    """How many neurons of block ``b`` have an input, a bias, or a membrane potential left from the step before."""
    count = np.int32(0)
    for i in range(BLOCK):
        count = np.int32(count + np.int32((sums[b, i] | v[b, i] | bias[b, i]) != 0))
    return count


@compiled
def busy_with_memory(b, sums, u, v, bias):
    """As :func:`busy`, or a current left from the step before."""
    count = np.int32(0)
    for i in range(BLOCK):
        count = np.int32(count + np.int32((sums[b, i] | v[b, i] | bias[b, i] | u[b, i]) != 0))
    return count


@compiled
def potentials(b, current, shift, v, bias, fired, keep, threshold, reset):
    """``v(t)`` of block ``b`` in place from ``v(t-1)`` and ``current << shift``, and who fires.

    Returns:
        how many were clipped.
    """
    clips = np.int32(0)
    late, zero = reset == SUBTRACT_LATE, reset == ZERO
    for i in range(BLOCK):
        state = v[b, i]
        sum_ = np.int32(np.int32(np.int32(state * keep) + np.int32(current[b, i] << shift)) + bias[b, i])
        if late:
            sum_ = np.int32(sum_ - (threshold if state > threshold else np.int32(0)))
        kept = min(max(sum_, LOW), HIGH)
        clips = np.int32(clips + np.int32(kept != sum_))
        fires = kept > threshold
        fired[i] = fires
        if zero:
            kept = np.int32(0) if fires else kept
        elif not late:
            kept = np.int32(kept - (threshold if fires else np.int32(0)))
        v[b, i] = kept
    return clips


@compiled
def advance(one, sums, u, v, bias, fired, events, keeps_currents):
    """One step of the neurons of population ``one``, whose spikes are listed in ``events`` from ``one.listed`` on.

    Blocks of neurons that have nothing to do stay as they are: their potential is 0, and no threshold is below it.

    Returns:
        how many spikes, neurons that had something to do, currents that wrapped, and potentials that were clipped.
    """
    spikes, active, wraps, clips = 0, 0, 0, 0
    has_memory = one.keep_u > 0
    needs_currents = one.may_wrap or has_memory or keeps_currents
    for b in range(one.first_block, one.first_block + one.blocks):
        found = busy_with_memory(b, sums, u, v, bias) if has_memory else busy(b, sums, v, bias)
        if needs_currents:
            wraps += currents(b, sums, u, one.keep_u)
        if found == 0:
            continue
        active += found
        if needs_currents:
            clips += potentials(b, u, 0, v, bias, fired, one.keep_v, one.threshold, one.reset)
        else:
            clips += potentials(b, sums, STATE_SHIFT, v, bias, fired, one.keep_v, one.threshold, one.reset)
        first, at = np.int32((b - one.first_block) * BLOCK), np.uint64(one.listed + spikes)
        for i in range(BLOCK):
            events[at] = first + i
            at += np.uint64(fired[i])
        spikes = np.int64(at) - one.listed
    return spikes, active, wraps, clips
