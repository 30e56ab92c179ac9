"""The numbers by which compiled loops and their callers name a choice; importing them does not import numba."""

from __future__ import annotations

ZERO, SUBTRACT, SUBTRACT_LATE = range(3)
"""What a spike does to the membrane potential."""
GIVEN, ATAN, FAST_SIGMOID = range(3)
"""Surrogate gradients: part already of what arrives at the spikes, or one of snnTorch's."""
TO_KEEP_V, TO_KEEP_U, TO_THRESHOLD, TO_BIAS = range(4)
"""Rows of the gradients that are summed over timesteps and samples."""
GROUP = 16
"""Samples whose gradients are summed first, by one thread: the sums do not depend on how many threads there are."""
