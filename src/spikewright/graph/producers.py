"""The tools that write NIR: how each of them hides its time step and its gain in the parameters that NIR has.

:data:`PRODUCERS` is the table; to add a tool, add an entry. What is known of each was measured on its live exports,
spike by spike, Nengo excepted (docs/other-tools.md).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import nir
import numpy as np

from ..base.types import FloatArray, Reset
from .nodes import FILTERED

Implied: TypeAlias = Callable[[nir.NIRNode], FloatArray | None]
"""The time steps that a neuron node implies, in seconds; empty where it goes with any; None where no such tool writes
it."""
Equation: TypeAlias = Callable[[nir.NIRNode, float], nir.NIRNode]
"""The node whose forward Euler step at that time step is the tool's own step."""

Part: TypeAlias = Literal["all", "filtered", "loops", "flattened"]
"""Of a graph: all, neurons with a synaptic current, connections that close a loop, images that are flattened."""
Certainty: TypeAlias = Literal["always", "default"]

CUSTOMARY_DT_S = 1e-4
"""What snnTorch 1.0 writes and what the NIR paper's experiments use (export_nir.py; paper/nir_to_lava.py)."""
AGREE = 1e-3
"""Relative difference of equal time steps; published files hold time constants in float32 and worse."""
NEVER = 1e30
"""A threshold of neurons that never fire: tools that know no LI and no I take these for readouts."""
LONG, LONGEST = 99, 1000
"""Steps that a time constant has at most where the time step has to be guessed."""

_FLOAT32 = 2e-7  # relative error of a quotient of two of its numbers
_LEAKY = (nir.LIF, nir.LI)
_ANY = np.empty(0)


@dataclass(frozen=True)
class Producer:
    """A tool that writes NIR.

    Attributes:
        name: as one gives it for ``producer``.
        tool: as messages call it.
        writes: how it writes time and gain, as a clause.
        implied: the test of consistency, node by node.
        equation: what it means by a node.
        customary: time steps that it has where no node implies one, the most customary first, and for each how many
            steps a time constant has at most.
        only: the one time step that its files have, where there is one.
        reset: what a spike does in it.
        certainty: whether it always resets so, or unless it is told otherwise, which its files do not say.
        fires_at_threshold: whether it fires where the potential equals the threshold, too.
        era: versions of NIR that its files have; "1.x" stands for later ones, too, and for what is in no file.
        lacks: what of it a graph cannot hold, as sentences by the part of a graph that they are about.
        is_asked_for: whether it is taken only where one names it, because its files look like those of another entry.
    """

    name: str
    tool: str
    writes: str
    implied: Implied
    equation: Equation
    customary: tuple[tuple[float, int], ...] = ()
    only: float | None = None
    reset: Reset = "zero"
    certainty: Certainty = "always"
    fires_at_threshold: bool = False
    era: Literal["0.x", "1.x"] | None = None
    lacks: Mapping[Part, str] = field(default_factory=dict)
    is_asked_for: bool = False

    def read(self, node: nir.NIRNode, dt_s: float) -> nir.NIRNode:
        """The node whose forward Euler step at ``dt_s`` seconds is the step of this tool."""
        meant: Any = self.equation(node, dt_s)
        if hasattr(node, "v_threshold") and np.min(node.v_threshold) >= NEVER:
            meant = _readout(meant)
        elif self.fires_at_threshold and hasattr(node, "v_threshold"):
            meant = copy(meant)
            meant.v_threshold = np.nextafter(np.asarray(node.v_threshold, np.float32), np.float32(-np.inf))
        found: nir.NIRNode = meant
        return found


def _readout(node: Any) -> nir.NIRNode:
    """Neurons that never fire as what they are."""
    if isinstance(node, nir.IF):
        return nir.I(r=node.r)
    if isinstance(node, nir.LIF):
        return nir.LI(tau=node.tau, r=node.r, v_leak=node.v_leak)
    given = {name: getattr(node, name) for name in ("tau_mem", "tau_syn", "r", "v_leak", "w_in")}
    return nir.CubaLI(**given) if hasattr(nir, "CubaLI") else node


def _of_gain_one(node: nir.NIRNode) -> FloatArray | None:
    """``dt = tau / r`` of membranes whose gain per step is 1."""
    if isinstance(node, _LEAKY):
        return _ratio(node.tau, node.r)
    if isinstance(node, FILTERED):
        membrane, synapse = _ratio(node.tau_mem, node.r), _ratio(node.tau_syn, node.w_in)
        return None if membrane is None or synapse is None else np.concatenate([membrane, synapse])
    return None


def _of_ours(node: nir.NIRNode) -> FloatArray | None:
    return _of_integrator(node) if isinstance(node, nir.IF | nir.I) else _of_gain_one(node)


def _ratio(tau: object, gain: object) -> FloatArray | None:
    taus, gains = _values(tau), _values(gain)
    if np.any(gains <= 0) or (_is_one(gain) and np.any(np.abs(taus / CUSTOMARY_DT_S - 1) > AGREE)):
        return None  # a gain of 1 is that of a membrane without memory, whose tau is dt
    return np.asarray(taus / gains).reshape(-1)


def _of_integrator(node: nir.NIRNode) -> FloatArray | None:
    """``r = 1 / dt`` of an integrator; r = 1 says that time is counted in steps."""
    gains = _values(node.r) if isinstance(node, nir.IF | nir.I) else np.zeros(1)
    return None if np.any(gains <= 0) else np.asarray(1 / gains).reshape(-1)


def _of_spikingjelly(node: nir.NIRNode) -> FloatArray | None:
    if isinstance(node, nir.LIF):
        return _ANY if _is_one(node.r) else _ratio(node.tau, node.r)
    if isinstance(node, nir.CubaLIF):
        return _of_gain_one(node)
    return _of_integrator(node) if isinstance(node, nir.IF) else None


def _of_sinabs(node: nir.NIRNode) -> FloatArray | None:
    if isinstance(node, _LEAKY):
        return np.ones(1) if _is_one(node.r) and _values(node.tau).min() >= 1 else None
    return np.ones(1) if isinstance(node, nir.IF) and _is_one(node.r) else None


def _of_unit_gain(node: nir.NIRNode) -> FloatArray | None:
    """Nodes with r = 1 go with any time step: gain and decay are of the equation in time."""
    if isinstance(node, FILTERED):
        return _ANY if _is_one(node.r) and _is_one(node.w_in) else None
    return _ANY if isinstance(node, (*_LEAKY, nir.IF)) and _is_one(node.r) else None


def _of_rockpool(node: nir.NIRNode) -> FloatArray | None:
    if isinstance(node, _LEAKY):
        return _solved(node.tau, node.r)
    return _solved(node.tau_mem, node.r) if isinstance(node, FILTERED) and _is_one(node.w_in) else None


def _solved(tau: object, gain: object) -> FloatArray | None:
    """``dt`` in ``r = tau exp(-dt / tau) / dt``: ``y exp(y) = 1 / r`` for ``y = dt / tau``, by Newton's method."""
    taus, gains = np.broadcast_arrays(_values(tau), _values(gain))
    if np.any(gains <= 0):
        return None
    y = np.log1p(1 / gains)
    for _ in range(30):
        y = y - (y - np.exp(-y) / gains) / (1 + np.exp(-y) / gains)
    return np.asarray(y * taus).reshape(-1)


def _of_spyx(node: nir.NIRNode) -> FloatArray | None:
    if isinstance(node, _LEAKY):
        taus, betas = np.broadcast_arrays(_values(node.tau), _values(node.r))
        return None if np.any(betas >= 1) or np.any(betas < 0) else np.asarray(taus * (1 - betas)).reshape(-1)
    return _ANY if isinstance(node, nir.IF) and _is_one(node.r) else None


def _as_written(node: nir.NIRNode, dt_s: float) -> nir.NIRNode:  # noqa: ARG001
    return node


def _of_whole_steps(node: nir.NIRNode, dt_s: float) -> nir.NIRNode:
    """As written, with time constants that float32 has rounded as they were: potentials often equal the threshold."""
    if not isinstance(node, nir.LIF):
        return node
    steps = _values(node.tau) / dt_s
    short = np.vectorize(lambda value: float(f"{value:.6g}"))(steps)
    return _changed(node, tau=dt_s * np.where(np.abs(short - steps) <= _FLOAT32 * steps, short, steps))


def _exponential(node: nir.NIRNode, dt_s: float) -> nir.NIRNode:
    """``v = d v + (1 - d) r I`` with ``d = exp(-dt / tau)``."""
    if not isinstance(node, _LEAKY):
        return _changed(node, r=_values(node.r) / dt_s) if isinstance(node, nir.IF) else node
    return _changed(node, tau=dt_s / _lost(node.tau, dt_s))


def _exponential_unnormed(node: nir.NIRNode, dt_s: float) -> nir.NIRNode:
    """``v = d v + I``: what r says is not the gain."""
    if not isinstance(node, _LEAKY):
        return _exponential(node, dt_s)
    lost = _lost(node.tau, dt_s)
    return _changed(node, tau=dt_s / lost, r=1 / lost)


def _of_decayed_input(node: nir.NIRNode, dt_s: float) -> nir.NIRNode:
    """``v = d v + I``; with a synaptic filter ``u = e (u + I)``, ``v = d v + u``; d and e are ``exp(-dt / tau)``.

    An LI is the filter alone.
    """
    if isinstance(node, _LEAKY):
        lost = _lost(node.tau, dt_s)
        return _changed(node, tau=dt_s / lost, r=(1 / lost if isinstance(node, nir.LIF) else (1 - lost) / lost))
    membrane, synapse = _lost(node.tau_mem, dt_s), _lost(node.tau_syn, dt_s)
    parts = {"tau_syn": dt_s / synapse, "w_in": (1 - synapse) / synapse}
    return _changed(node, tau_mem=dt_s / membrane, r=1 / membrane, **parts)


def _of_whole_input(node: nir.NIRNode, dt_s: float) -> nir.NIRNode:
    """``v = beta v + I``: what r says is not the gain."""
    if isinstance(node, _LEAKY):
        return _changed(node, r=_values(node.tau) / dt_s)
    return _changed(node, r=np.ones_like(_values(node.r)) / dt_s)


def _of_norse(node: nir.NIRNode, dt_s: float) -> nir.NIRNode:
    """``u = e u + I`` in front of the membrane, whose gain the files lack; integrators add what arrives."""
    if isinstance(node, FILTERED):
        return _changed(node, w_in=_values(node.tau_syn) / dt_s)
    return _changed(node, r=_values(node.r) / dt_s) if isinstance(node, nir.IF) else node


def _changed(node: nir.NIRNode, **fields: FloatArray) -> nir.NIRNode:
    meant = copy(node)
    for name, values in fields.items():
        setattr(meant, name, values)
    return meant


def _lost(tau: object, dt_s: float) -> FloatArray:
    return np.asarray(-np.expm1(-dt_s / _values(tau)))


def _values(parameter: object) -> FloatArray:
    return np.asarray(parameter, np.float64)


def _is_one(parameter: object) -> bool:
    return bool(np.all(np.abs(_values(parameter) - 1) < AGREE))


_SEVERAL = "its neurons may fire several times in a step, and those of a graph fire once"

_UNNORMED = (
    "its files do not say whether norm_input was set; it is read as set, its default, and sinabs-unnormed is the other"
)
_LOST_INPUT = "where these reset to zero, what arrives in the step after a spike is lost, and a graph does not say it"

_TABLE = (
    Producer(
        "snntorch",
        "snnTorch",
        "r = tau/dt, snnTorch's convention: the gain per step is 1",
        _of_gain_one,
        _as_written,
        reset="subtract-late",
        certainty="default",
        lacks={"filtered": f"Synaptic neurons: {_LOST_INPUT}", "loops": f"recurrent neurons: {_LOST_INPUT}"},
    ),
    Producer(
        "lava",
        "Lava's scripts",
        "r = tau/dt and w_in = tau_syn/dt, the convention of Lava's scripts: the gain per step is 1",
        _of_gain_one,
        _as_written,
        only=CUSTOMARY_DT_S,
    ),
    Producer(
        "sinabs",
        "sinabs",
        "tau in steps and r = 1, sinabs' convention: time is counted in steps, and a membrane keeps exp(-1/tau)",
        _of_sinabs,
        _exponential,
        only=1.0,
        reset="subtract",
        certainty="default",
        fires_at_threshold=True,
        lacks={"all": f"{_SEVERAL}; {_UNNORMED}"},
    ),
    Producer(
        "sinabs-unnormed",
        "sinabs without norm_input",
        "tau in steps and r = 1, sinabs' convention; what arrives is added as it is",
        _of_sinabs,
        _exponential_unnormed,
        only=1.0,
        reset="subtract",
        certainty="default",
        fires_at_threshold=True,
        lacks={"all": _SEVERAL},
        is_asked_for=True,
    ),
    Producer(
        "spikingjelly",
        "SpikingJelly",
        "tau in steps times dt, with r = 1 or r = tau/dt, and IF nodes have r = 1/dt, spikingjelly's convention",
        _of_spikingjelly,
        _of_whole_steps,
        era="1.x",
        customary=((1e-4, LONGEST), (1e-3, LONGEST), (1e-2, LONG)),
        fires_at_threshold=True,
    ),
    Producer(
        "norse-paper",
        "Norse of the NIR paper",
        "customary where r = 1 (norse) in files of NIR 0.x: tau in seconds",
        _of_unit_gain,
        _as_written,
        customary=((CUSTOMARY_DT_S, LONGEST),),
        era="0.x",
    ),
    Producer(
        "norse",
        "Norse",
        "r = 1 and tau = dt/tau_mem_inv, norse's convention, which makes the step 1e-6 s for its dt of 1e-3 s",
        _of_unit_gain,
        _of_norse,
        era="1.x",
        customary=((1e-6, LONG), (1e-3, LONGEST)),
    ),
    Producer(
        "rockpool",
        "Rockpool",
        "r = tau exp(-dt/tau)/dt, Rockpool's convention: a membrane keeps exp(-dt/tau)",
        _of_rockpool,
        _of_decayed_input,
        reset="subtract",
        fires_at_threshold=True,
        lacks={"all": _SEVERAL, "filtered": "the recurrent weights of LIFTorch are not in its files"},
    ),
    Producer(
        "spyx",
        "Spyx",
        "r = beta and tau = dt/(1 - beta), Spyx's convention: time is counted in steps, and the gain per step is 1",
        _of_spyx,
        _of_whole_input,
        only=1.0,
        reset="subtract-late",
        lacks={
            "all": "its spikes come one step later in every layer",
            "loops": "its files lead what arrives through the recurrent weights, which its neurons do not",
            "flattened": "it flattens images with their channels last, and its files say channels first",
        },
    ),
    Producer(
        "nengo",
        "Nengo",
        "r = 1 and tau in seconds, Nengo's convention: a membrane keeps exp(-dt/tau)",
        _of_unit_gain,
        _exponential,
        era="1.x",
        customary=((1e-3, LONGEST),),
        lacks={"all": "its refractory time is not in the graph"},
    ),
    Producer(
        "spikewright",
        "spikewright",
        "r = tau/dt and r = 1/dt of integrators, spikewright's convention: the gain per step is 1",
        _of_ours,
        _as_written,
    ),
)
PRODUCERS: Mapping[str, Producer] = {producer.name: producer for producer in _TABLE}
"""By name, the tools that are known; where several mean the same by a file, the first is named."""
