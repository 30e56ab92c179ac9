"""The tools that read NIR: with which parameters each computes a wanted step. The inverse of :mod:`.producers`.

:data:`READERS` is the table; to add a tool, add an entry. What is known of each importer was measured on it, spike by
spike (docs/compatibility.md).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeAlias

import nir
import numpy as np

from ..base.types import FloatArray, Reset
from .fields import NodeFault
from .nodes import NeuronConstants
from .producers import NEVER, PRODUCERS

WRITTEN_FOR, STEP_S = "written_for", "step_s"
"""Keys of the reader and of its time step in the metadata of a graph that was written for it."""
LONG = 2.0**30
"""Steps of a time constant by which nothing is lost in float32."""
BEYOND = "has constants beyond the range of 32-bit floating point"
_NO_FILTER = 24 * np.log(2)
"""Steps per time constant of a current that float32 does not see any more in the next step."""


@dataclass(frozen=True, eq=False)
class Wanted:
    """A population of neurons whose input has a gain of 1: ``u = (1 - leak_u) u + I``, ``v = (1 - leak_v) v + u``.

    Attributes:
        leak_u, leak_v: shares lost per step, of the population's shape.
        threshold: None for a readout that does not fire.
        reset: what a spike does.
        dt_s: seconds per timestep of the tool that is to compute it.
    """

    leak_u: FloatArray
    leak_v: FloatArray
    threshold: FloatArray | None
    reset: Reset
    dt_s: float

    @classmethod
    def of(cls, constants: NeuronConstants, dt_s: float) -> Wanted:
        """The same neurons with potentials counted in units of what an input of 1 adds.

        Raises:
            NodeFault: they have what no tool takes.
        """
        gain = constants.gain_u * constants.gain_v
        if np.any(gain <= 0):
            raise NodeFault("adds nothing of what arrives to its membrane, or takes it off")
        if np.any(constants.drift):
            raise NodeFault("has a leak potential or a bias on its membrane")
        if np.any(constants.v_reset):
            raise NodeFault("is reset to another potential than zero")
        threshold = None if constants.threshold is None else constants.threshold / gain
        return cls(constants.leak_u, constants.leak_v, threshold, constants.reset, dt_s)

    @property
    def is_filtered(self) -> bool:
        """Whether there is a synaptic current that lasts."""
        return bool(np.any(self.leak_u != 1))

    @property
    def fires_at(self) -> FloatArray:
        """The threshold, of readouts one that is never reached."""
        return np.full_like(self.leak_v, NEVER) if self.threshold is None else self.threshold

    @property
    def is_even(self) -> bool:
        """Whether all neurons have the same constants."""
        return all(np.unique(each).size == 1 for each in (self.leak_u, self.leak_v, self.fires_at))


@dataclass(frozen=True)
class Reader:
    """A tool that reads NIR.

    Attributes:
        name: as one gives it for ``reader``.
        tool: as messages call it.
        producer: whose convention it reads, a name of :data:`spikewright.graph.producers.PRODUCERS`.
        dt_s: the duration of a timestep, as its importer assumes it unless it is told another one; None: that of the
            graph.
        neuron: the node by which it computes neurons; None where they are written as they are.
        maps: linear maps that it takes.
        resets: what it does at a spike, and what one has to tell it for that; the first is what it does untold.
        says: what else is to be known of its importer.
        flattens_batch: whether its Flatten takes the batch for an axis.
        groups: whether it takes convolutions in groups.
        splits_loops: whether it reads a loop only where another map stands in it, too.
        knows_v_reset: whether its nir knows that field.
    """

    name: str
    tool: str
    producer: str
    dt_s: float | None
    neuron: Callable[[Wanted], nir.NIRNode] | None
    maps: tuple[type[nir.NIRNode], ...]
    resets: Mapping[Reset, str]
    says: tuple[str, ...] = ()
    flattens_batch: bool = False
    groups: bool = False
    splits_loops: bool = False
    knows_v_reset: bool = True

    @np.errstate(over="ignore", divide="ignore", invalid="ignore")
    def node(self, constants: NeuronConstants) -> nir.NIRNode:
        """The node by which the tool computes neurons.

        Raises:
            NodeFault: it has none that does, or constants that it cannot hold.
        """
        assert self.neuron is not None and self.dt_s is not None
        wanted = Wanted.of(constants, self.dt_s)
        made: Any = self.neuron(wanted)
        if wanted.threshold is not None and PRODUCERS[self.producer].fires_at_threshold:
            made.v_threshold = np.nextafter(made.v_threshold.astype(np.float32), np.float32(np.inf))
        for each in fields(made):
            if isinstance(values := getattr(made, each.name), np.ndarray):
                in_32_bits(values)
        found: nir.NIRNode = made
        return found


def _steps(leak: FloatArray) -> FloatArray:
    """Time constants in steps of forward Euler."""
    return np.where(leak > 0, 1 / np.where(leak > 0, leak, 1), LONG)


def _decaying_steps(leak: FloatArray, shortest: float) -> FloatArray:
    """Time constants in steps by which a membrane keeps ``exp(-1 / tau)``."""
    keep = np.clip(1 - leak, np.exp(-1 / shortest), None)
    return np.where(keep < 1, -1 / np.log(np.where(keep < 1, keep, 0.5)), LONG)


_Array: TypeAlias = "np.ndarray[Any, np.dtype[np.float32]]"


def _lif(tau: FloatArray, r: FloatArray, threshold: FloatArray) -> nir.LIF:
    return nir.LIF(tau=in_32_bits(tau), r=in_32_bits(r), v_leak=in_32_bits(0 * tau), v_threshold=in_32_bits(threshold))


def _cuba(tau_syn: FloatArray, tau_mem: FloatArray, r: FloatArray, w_in: FloatArray, fires_at: FloatArray) -> Any:
    constants = {"tau_syn": tau_syn, "tau_mem": tau_mem, "r": r, "w_in": w_in, "v_threshold": fires_at}
    return nir.CubaLIF(
        v_leak=in_32_bits(0 * tau_mem), **{name: in_32_bits(values) for name, values in constants.items()}
    )


def in_32_bits(values: FloatArray) -> _Array:
    """Constants as tools take them.

    Raises:
        NodeFault: larger ones than the type holds.
    """
    with np.errstate(over="ignore"):
        found = np.asarray(values, np.float32)
    if not np.all(np.isfinite(found)):
        raise NodeFault(BEYOND)
    return found


def _of_gain_one(wanted: Wanted) -> nir.CubaLIF:
    """CubaLIF by forward Euler with r = tau / dt; a readout never fires."""
    tau, synapse = _steps(wanted.leak_v), _steps(wanted.leak_u)
    return _cuba(synapse * wanted.dt_s, tau * wanted.dt_s, tau, synapse, wanted.fires_at)


def _for_snntorch(wanted: Wanted) -> nir.NIRNode:
    if np.unique(wanted.fires_at).size > 1:
        raise NodeFault("has several thresholds, and snnTorch's importer takes one for a layer")
    if wanted.is_filtered:
        return _of_gain_one(wanted)
    tau = _steps(wanted.leak_v)
    return _lif(tau * wanted.dt_s, tau, wanted.fires_at)


def _for_spikingjelly(wanted: Wanted) -> nir.NIRNode:
    """Float64, because time constants are compared with its dt; what forgets within a step is a CubaLIF of it."""
    if not wanted.is_even:
        raise NodeFault("has neurons with different constants, and SpikingJelly's importer takes one for a layer")
    dt, fires_at = wanted.dt_s, wanted.fires_at
    if not wanted.is_filtered and np.all(wanted.leak_v == 0):
        return nir.IF(r=np.full_like(fires_at, 1 / dt), v_threshold=fires_at)
    tau, synapse = _steps(wanted.leak_v), _steps(wanted.leak_u)
    if not wanted.is_filtered and np.all(tau > 1):
        return nir.LIF(tau=tau * dt, r=tau, v_leak=0 * tau, v_threshold=fires_at)
    given = {"tau_syn": synapse * dt, "tau_mem": tau * dt, "r": tau, "w_in": synapse}
    return nir.CubaLIF(**given, v_leak=0 * tau, v_threshold=fires_at)


def _for_sinabs(wanted: Wanted) -> nir.NIRNode:
    """Time in steps. Its importer adds what arrives as it is, whatever r says, and its IF clips the membrane."""
    if wanted.is_filtered:
        raise NodeFault("has a synaptic current, and sinabs' importer leaves CubaLIF out")
    tau = in_32_bits(_decaying_steps(wanted.leak_v, 2**-7)).astype(np.float64)
    if wanted.leak_v.ndim > 1:
        if not wanted.is_even:
            raise NodeFault("has neurons with different constants, which sinabs' importer cannot read behind a Conv2d")
        tau = tau.reshape(-1)[:1]
    if wanted.threshold is None:
        return nir.LI(tau=in_32_bits(tau), r=in_32_bits(0 * tau + 1), v_leak=in_32_bits(0 * tau))
    return _lif(tau, -1 / np.expm1(-1 / tau), wanted.threshold.reshape(-1)[: tau.size].reshape(tau.shape))


def _for_norse(wanted: Wanted) -> nir.NIRNode:
    """CubaLIF, because the gain of LIF is ignored; a current of one step is none."""
    ones = np.ones_like(wanted.leak_v)
    if not wanted.is_filtered and np.all(wanted.leak_v == 0) and wanted.reset == "zero":
        return nir.IF(r=in_32_bits(ones), v_threshold=in_32_bits(wanted.fires_at))
    return _of_gain_one(wanted)


def _for_rockpool(wanted: Wanted) -> nir.NIRNode:
    """CubaLIF, the only neuron that its importer reads; what arrives decays before it acts, and so does the threshold.

    The importer takes ``tau_mem / (1 + r)`` for the time step.
    """
    if wanted.leak_v.ndim > 1:
        raise NodeFault("has neurons along several axes; Rockpool's have one")
    tau = _decaying_steps(wanted.leak_v, 1e-2)
    filtered = _decaying_steps(wanted.leak_u, 1e-2)
    synapse = in_32_bits(np.where(wanted.leak_u < 1, filtered, 1 / _NO_FILTER) * wanted.dt_s)
    kept = np.exp(-np.float32(wanted.dt_s) / synapse).astype(np.float64)
    fires_at = wanted.fires_at if wanted.threshold is None else wanted.threshold * kept
    return _cuba(synapse.astype(np.float64), tau * wanted.dt_s, tau - 1, np.ones_like(tau), fires_at)


def never_firing(node: nir.NIRNode) -> nir.NIRNode:
    """The node itself, or a CubaLIF that never fires for a CubaLI, which nir 1.0.4 does not have."""
    if type(node).__name__ != "CubaLI":
        return node
    given = {f.name: getattr(node, f.name) for f in fields(node) if f.name not in ("metadata", *_TYPES)}
    return nir.CubaLIF(**given, v_threshold=np.full_like(given["r"], NEVER), metadata=dict(node.metadata))


_TYPES = "input_type", "output_type"
_SEVERAL = "its neurons fire several times in a step where a potential is several thresholds high"

_TABLE = (
    Reader(
        "snntorch", "snnTorch", "snntorch", 1e-4, _for_snntorch,
        (nir.Affine, nir.Linear, nir.Conv2d, nir.AvgPool2d, nir.Flatten),
        {
            "zero": "",
            "subtract-late": "put snn.Leaky(beta, threshold, init_hidden=True) in place of each of its neurons",
        },
        flattens_batch=True,
        splits_loops=True,
    ),
    Reader(
        "spikingjelly", "SpikingJelly", "spikingjelly", 1e-4, _for_spikingjelly,
        (nir.Affine, nir.Linear, nir.Conv1d, nir.Conv2d, nir.AvgPool2d, nir.Flatten),
        {"zero": "", "subtract": "set v_reset of its neurons to None"},
    ),
    Reader(
        "sinabs", "sinabs", "sinabs-unnormed", 1.0, _for_sinabs,
        (nir.Affine, nir.Conv2d, nir.SumPool2d, nir.Flatten),
        {"subtract": "", "zero": "set reset_fn of its neurons to MembraneReset()"},
        (f"{_SEVERAL}, unless spike_fn is SingleSpike",),
        knows_v_reset=False,
    ),
    Reader(
        "norse", "Norse", "norse", 1e-3, _for_norse,
        (nir.Affine, nir.Linear, nir.Conv2d, nir.SumPool2d, nir.Flatten),
        {"zero": "", "subtract": "give from_nir reset_method=reset_subtract"},
        flattens_batch=True,
    ),
    Reader(
        "rockpool", "Rockpool", "rockpool", 1e-3, _for_rockpool,
        (nir.Affine, nir.Linear),
        {"subtract": ""},
        (f"{_SEVERAL}, unless max_spikes_per_dt is 1",),
        knows_v_reset=False,
    ),
    Reader(
        "nir-1.0.4", "nir 1.0.4", "spikewright", None, None,
        (nir.Affine, nir.Linear, nir.Conv1d, nir.Conv2d, nir.AvgPool2d, nir.SumPool2d, nir.Flatten, nir.Scale),
        {"zero": "", "subtract": "", "subtract-late": ""},
        groups=True,
        knows_v_reset=False,
    ),
)  # fmt: skip
READERS: Mapping[str, Reader] = {reader.name: reader for reader in _TABLE}
"""By name, the tools that are known."""
