"""Types of all packages: arrays, and the encoding and readout of a network."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
Weights = npt.NDArray[np.integer[Any]]
"""Integer weights in as few bits as hold them: whoever computes with them makes them wider first."""
Drive = npt.NDArray[np.integer[Any]]
"""The integers that drive the input of a network, ``(timesteps or 1, samples, *input shape)``."""

Encoding = Literal["direct", "current", "rate", "latency", "events"]
"""The encoding of a sample: graded values in each timestep, a constant current, spikes by rate or by time, events."""
Readout = Literal["membrane", "count"]
"""The output of a network: the membrane potentials of its last layer, or the number of spikes of this layer."""
Reset = Literal["zero", "subtract", "subtract-late"]
"""What a spike does to the membrane potential: sets it to zero, takes the threshold off at once, or one step late."""

Norm = Literal["batch", "threshold", "none"]
"""What stands between weights and neurons of a named architecture: batch norms that begin with a gain of 1, or with the
threshold; or nothing, neither norm nor bias, with weights that are balanced on data before the first step."""
OptimizerName = Literal["adamw", "sgd"]
"""What trains a student: AdamW, or stochastic gradient descent with momentum."""

ENCODINGS: tuple[Encoding, ...] = ("direct", "current", "rate", "latency", "events")
INPUT_BITS: dict[Encoding, int] = {"direct": 6, "current": 8}
"""Width of graded input where none is asked for. A graded payload multiplies the weights and not the bias of the first
layer, whose 13 bits then bound the scale of both: two bits less of input are two bits more of weights."""
RESETS: tuple[Reset, ...] = ("zero", "subtract", "subtract-late")
NORMS: tuple[Norm, ...] = ("batch", "threshold", "none")
READOUTS: tuple[Readout, ...] = ("membrane", "count")
