"""Types that every room speaks: arrays, and the words for how samples enter a network and how it answers."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

Encoding = Literal["direct", "current", "rate", "latency", "events"]
"""How a sample enters a network: graded values at each step, a constant current, spikes by rate or by time, events."""
Readout = Literal["membrane", "count"]
"""How a network answers: by the membrane potentials of its last layer, or by the spikes that this layer fires."""

ENCODINGS: tuple[Encoding, ...] = ("direct", "current", "rate", "latency", "events")
READOUTS: tuple[Readout, ...] = ("membrane", "count")
