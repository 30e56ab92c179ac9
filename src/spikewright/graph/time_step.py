"""NIR has no time step: where a graph's comes from, and how to say which convention was assumed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import nir
import numpy as np

from ..base.errors import InputError
from .wiring import Wiring

# What snnTorch 1.0 writes and what the NIR paper's experiments use (export_nir.py; paper/nir_to_lava.py).
CUSTOMARY_DT_S = 1e-4
_AGREE = 1e-3  # published files hold time constants in float32 and worse


@dataclass(frozen=True)
class TimeStep:
    """A time step and the reason for it.

    Attributes:
        dt_s: seconds per algorithmic step.
        why: a clause for the user.
        assumed: False where the file or the user says so.
    """

    dt_s: float
    why: str
    assumed: bool = True


def resolve_dt(wiring: Wiring, metadata: Mapping[str, Any], dt_s: float | None = None) -> TimeStep:
    """The time step of a graph: the user's, the metadata's, or what the producer's convention implies.

    ``r * dt / tau = 1`` is solved where the producer normalises (snnTorch, rockpool); an IF's ``r = 1/dt`` is
    spikingjelly's and ours, ``r = 1`` is sinabs' (time counted in steps), a LIF's ``r = 1`` is norse's.

    Raises:
        InputError: nodes imply different time steps, or nothing does.
    """
    if dt_s is not None:
        return _positive(TimeStep(dt_s, "as given with --dt", assumed=False))
    if "dt_s" in metadata:
        said = metadata["dt_s"]
        if not isinstance(said, int | float):
            raise InputError(f"NIR graph: its metadata give the time step as {said!r}; must be a number of seconds")
        return _positive(TimeStep(float(said), "as the file's metadata says", assumed=False))
    steps = [(name, found) for name in wiring.neurons for found in _implied(wiring.nodes[name]) if found is not None]
    if not steps:
        return TimeStep(CUSTOMARY_DT_S, "customary where r = 1 (norse), since nothing in the file implies one")
    first = steps[0][1]
    if any(abs(found.dt_s - first.dt_s) > _AGREE * first.dt_s for _, found in steps):
        listed = ", ".join(f"{name!r} {found.dt_s:g} s" for name, found in steps)
        raise InputError(f"NIR graph: its neurons imply different time steps ({listed}); say which with --dt SECONDS")
    return TimeStep(float(f"{first.dt_s:.6g}"), first.why)


def _positive(step: TimeStep) -> TimeStep:
    if not (step.dt_s > 0 and np.isfinite(step.dt_s)):
        raise InputError(f"time step {step.dt_s:g} s ({step.why}): must be a positive number of seconds")
    return step


def _implied(node: nir.NIRNode) -> list[TimeStep | None]:
    """Time steps that a neuron node implies; None for one that implies none."""
    if isinstance(node, nir.IF | nir.I):
        r = _single(node.r)
        if r is None or r <= 0:
            return [None]
        if abs(r - 1) < _AGREE:
            return [TimeStep(1.0, "IF nodes have r = 1, sinabs' convention: time is counted in steps")]
        return [TimeStep(1 / r, "IF nodes have r = 1/dt, spikingjelly's convention")]
    if isinstance(node, nir.CubaLIF | nir.CubaLI):
        return [_normalised(node.tau_mem, node.r), _normalised(node.tau_syn, node.w_in)]
    return [_normalised(node.tau, node.r)]


def _normalised(tau: object, gain: object) -> TimeStep | None:
    """``dt = tau / gain`` of a node whose gain per step is 1; None where the gain is 1 per time constant."""
    taus, gains = np.asarray(tau, np.float64), np.asarray(gain, np.float64)
    if np.all(np.abs(gains - 1) < _AGREE) and np.all(np.abs(taus / CUSTOMARY_DT_S - 1) > _AGREE):
        return None
    if np.any(gains <= 0):
        return None
    dt = _single(taus / gains)
    return None if dt is None else TimeStep(dt, "r = tau/dt, snnTorch's convention: the gain per step is 1")


def _single(values: object) -> float | None:
    """The one value of an array, None where it holds several."""
    array = np.asarray(values, np.float64).reshape(-1)
    if np.any(np.abs(array - array[0]) > _AGREE * abs(array[0])):
        return None
    return float(array[0])
