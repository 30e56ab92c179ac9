"""The timestep of a NIR graph, which the format has no field for: given, in the metadata, or implied by parameters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import nir
import numpy as np

from ..base.errors import InputError, arg
from .wiring import Wiring

# What snnTorch 1.0 writes and what the NIR paper's experiments use (export_nir.py; paper/nir_to_lava.py).
CUSTOMARY_DT_S = 1e-4
_AGREE = 1e-3  # published files hold time constants in float32 and worse


@dataclass(frozen=True)
class TimeStep:
    """The duration of a timestep and the reason for it.

    Attributes:
        dt_s: seconds per timestep.
        why: the reason, as a clause for messages.
        assumed: whether it is inferred; False if the file or the caller gives it.
    """

    dt_s: float
    why: str
    assumed: bool = True


def resolve_dt(wiring: Wiring, metadata: Mapping[str, Any], dt_s: float | None = None) -> TimeStep:
    """The timestep of a graph: the caller's, else that of the metadata, else what the producer's convention implies.

    Of a LIF, ``r * dt / tau = 1`` is solved for dt where the producer normalises the gain (snnTorch, rockpool);
    ``r = 1`` is norse's convention and implies no dt. Of an IF, ``r = 1/dt`` is spikingjelly's convention and ours, and
    ``r = 1`` that of sinabs, where time is counted in timesteps.

    Args:
        metadata: of the graph; ``dt_s`` is read.
        dt_s: seconds per timestep; takes precedence over the graph.

    Raises:
        InputError: nodes imply different timesteps, or the given one is no positive number.
    """
    if dt_s is not None:
        return _positive(TimeStep(dt_s, "as given", assumed=False))
    if "dt_s" in metadata:
        said = metadata["dt_s"]
        if not isinstance(said, int | float):
            raise InputError(f"NIR graph: its metadata give the time step as {said!r}; must be a number of seconds")
        return _positive(TimeStep(float(said), "as the file's metadata says", assumed=False))
    steps = [(name, found) for name in wiring.neurons for found in _implied(wiring.nodes[name])]
    if not steps:
        return TimeStep(CUSTOMARY_DT_S, "customary where r = 1 (norse), since nothing in the file implies one")
    first = steps[0][1]
    if any(abs(found.dt_s - first.dt_s) > _AGREE * first.dt_s for _, found in steps):
        listed = ", ".join(f"{name!r} {found.dt_s:g} s" for name, found in steps)
        raise InputError(f"NIR graph: its neurons imply different time steps ({listed}); give {arg('dt_s', 'SECONDS')}")
    return TimeStep(float(f"{first.dt_s:.6g}"), first.why)


def _positive(step: TimeStep) -> TimeStep:
    if not (step.dt_s > 0 and np.isfinite(step.dt_s)):
        raise InputError(f"time step {step.dt_s:g} s ({step.why}): must be a positive number of seconds")
    return step


def _implied(node: nir.NIRNode) -> Iterator[TimeStep]:
    """The timesteps that the parameters of a neuron node imply."""
    if isinstance(node, nir.IF | nir.I):
        r = _common_value(node.r)
        if r is not None and abs(r - 1) < _AGREE:
            yield TimeStep(1.0, "IF nodes have r = 1, sinabs' convention: time is counted in steps")
        elif r is not None and r > 0:
            yield TimeStep(1 / r, "IF nodes have r = 1/dt, spikingjelly's convention")
    elif isinstance(node, nir.CubaLIF | nir.CubaLI):
        yield from _normalized(node.tau_mem, node.r)
        yield from _normalized(node.tau_syn, node.w_in)
    else:
        yield from _normalized(node.tau, node.r)


def _normalized(tau: object, gain: object) -> Iterator[TimeStep]:
    """``dt = tau / gain`` of a node whose gain per timestep is 1; nothing if the gain is 1 per time constant."""
    taus, gains = np.asarray(tau, np.float64), np.asarray(gain, np.float64)
    if np.all(np.abs(gains - 1) < _AGREE) and np.all(np.abs(taus / CUSTOMARY_DT_S - 1) > _AGREE):
        return
    if not np.any(gains <= 0) and (dt := _common_value(taus / gains)) is not None:
        yield TimeStep(dt, "r = tau/dt, snnTorch's convention: the gain per step is 1")


def _common_value(values: object) -> float | None:
    """The value of an array whose elements are equal; None if they differ."""
    array = np.asarray(values, np.float64).reshape(-1)
    return None if np.any(np.abs(array - array[0]) > _AGREE * abs(array[0])) else float(array[0])
