"""The only place where floats become integers: from a draft to the chip network.

Spikes are integers, so each population may take its own scale S: weights, biases and threshold are multiplied by it and
rounded. S is the largest that every register and every worst case allows and that leaves the threshold an integer.
Rules of the integers: Lava's fixed-point Dense, Conv and LIF.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor

import numpy as np

from ..chip import ChipNetwork, Connection, IntArray, Neuron, Population
from ..convert.nodes import FloatArray
from ..encoding import full_scale
from ..hardware_profiles.profile import HardwareProfile
from ..hardware_profiles.schema import Limits
from .draft import Draft, DraftConnection, DraftNeuron, DraftPopulation

# Lava's LIF shifts synaptic input and thresholds by 6 bits. Biases keep the exponent 6, the only one that lava-dl's
# netx files can hold; a layer whose biases need more range gives up weight resolution, and says so.
STATE_SHIFT = 6
BIAS_EXP = 6
_DECAY_ONE = 4096
_SHRINK = 0.999
_FLOAT_ROUNDING = 1e-6  # parameters come in float32


@dataclass(frozen=True)
class Scaling:
    """How one population was scaled.

    Attributes:
        scale: integer weight units per float unit (for a readout, ``float score = v / (64 * scale)``).
        limited_by: what kept the scale from being larger.
        threshold_error: relative rounding error of the threshold, 0 for a readout that does not fire.
        levels: by connection into it, steps between zero and the largest weight.
    """

    scale: float
    limited_by: str
    threshold_error: float
    levels: dict[str, int]


@dataclass(frozen=True, eq=False)
class _Quantized:
    population: Population
    connections: tuple[Connection, ...]
    scaling: Scaling


@dataclass(frozen=True, eq=False)
class _Site:
    """One population to be quantized, with all that arrives at it.

    Attributes:
        payloads: largest value of a spike, by source.
    """

    population: DraftPopulation
    neuron: DraftNeuron
    incoming: tuple[DraftConnection, ...]
    payloads: dict[str, int]
    timesteps: int
    limits: Limits

    @property
    def du(self) -> int:
        """Current decay register: 4096 dt / tau_syn - 1."""
        return round(_DECAY_ONE * float(self.neuron.leak_u.flat[0])) - 1

    @property
    def dv(self) -> int:
        """Voltage decay register: 4096 dt / tau."""
        return round(_DECAY_ONE * float(self.neuron.leak_v.flat[0]))

    @property
    def threshold(self) -> float | None:
        """The one threshold of the population, None for a readout that does not fire."""
        return None if self.neuron.threshold is None else float(self.neuron.threshold.flat[0])

    @property
    def vth_max(self) -> int:
        """Largest threshold mantissa."""
        return int(2**self.limits.threshold_bits - 1)

    @property
    def bias_max(self) -> int:
        """Largest bias mantissa."""
        return int(2 ** (self.limits.bias_mantissa_bits - 1) - 1)

    @property
    def state_limit(self) -> int:
        """u must stay below this, or it wraps around."""
        return int(2 ** (self.limits.state_bits - 1))


def quantize(draft: Draft, profile: HardwareProfile) -> ChipNetwork:
    """Round a draft that has gone through all passes and rules.

    Raises:
        InputError: the integers contradict themselves (a defect of the rules).
    """
    payloads = {population.name: population.payload for population in draft.populations}
    done = [_population(draft, population, payloads, profile.limits) for population in draft.populations]
    scaled = {q.population.name: q.scaling for q in done if q.population.neuron is not None}
    by_name = {connection.name: connection for q in done for connection in q.connections}
    return ChipNetwork(
        populations=tuple(q.population for q in done),
        connections=tuple(by_name[f"{c.source}->{c.target}"] for c in draft.connections),
        timesteps=draft.timesteps,
        encoding=draft.encoding,
        readout=draft.readout,
        profile=profile.name,
        profile_sha256=profile.sha256,
        provenance={
            **draft.facts,
            "input_bits": draft.input_bits,
            "scales": {name: s.scale for name, s in scaled.items()},
            "scale_limited_by": {name: s.limited_by for name, s in scaled.items()},
            "threshold_errors": {name: s.threshold_error for name, s in scaled.items()},
            "weight_levels": {name: levels for s in scaled.values() for name, levels in s.levels.items()},
        },
    )


def _population(draft: Draft, population: DraftPopulation, payloads: dict[str, int], limits: Limits) -> _Quantized:
    if population.neuron is None:
        bits = draft.input_bits if population.payload > 1 else 0
        made = Population(population.name, population.shape, population.role, None, bits)
        return _Quantized(made, (), Scaling(1.0, "", 0.0, {}))
    incoming = draft.into(population.name)
    site = _Site(population, population.neuron, incoming, payloads, draft.timesteps, limits)
    if population.role == "input":
        return _encoder(site, full_scale(draft.encoding, draft.input_bits))
    scale, limited_by = _largest_scale(site)
    while True:
        quantized = _rounded(site, _with_whole_threshold(site, scale), limited_by)
        excess = _excess(site, quantized)
        if excess <= 1:
            return quantized
        # Rounding up may carry a sum past a limit that the exact weights just keep.
        scale *= _SHRINK / excess


def _with_whole_threshold(site: _Site, scale: float) -> float:
    """The next smaller scale that makes the threshold an integer: its rounding would bias every neuron alike."""
    if not site.threshold or scale * site.threshold < 1:
        return scale
    return floor(scale * site.threshold * (1 + _FLOAT_ROUNDING)) / site.threshold


def _encoder(site: _Site, most: int) -> _Quantized:
    """Neurons driven by a bias that the host sets to the integer intensity: only the threshold has to be scaled.

    ``v > vth << 6`` is to say ``potential > threshold * most``. Without a leak the potential is a whole number, so the
    floor of the right side says exactly that; with one, the nearest integer is taken.
    """
    assert site.threshold is not None
    exact = site.threshold * most
    vth = int(exact) if site.dv == 0 else round(exact)
    error = 0.0 if site.dv == 0 or not exact else abs(vth - exact) / exact
    made = Neuron(site.du, site.dv, vth, np.zeros(site.population.shape, np.int64), BIAS_EXP)
    population = Population(site.population.name, site.population.shape, site.population.role, made)
    return _Quantized(population, (), Scaling(float(most), "the width of the input", error, {}))


def _largest_scale(site: _Site) -> tuple[float, str]:
    """The largest scale, and what limits it."""
    bounds: list[tuple[float, str]] = []
    for connection in site.incoming:
        largest = float(np.abs(connection.weight).max(initial=0.0))
        if largest > 0:
            bounds.append((_grid(connection.weight, site.limits)[1] / largest, f"weights from {connection.source}"))
    if site.threshold:
        bounds.append((site.vth_max / site.threshold, "the threshold register"))
    if site.incoming and (peak := _peak_current(site, [c.weight for c in site.incoming])) > 0:
        bounds.append((site.state_limit / peak, "the range of the current"))
        if site.threshold is None:
            bounds.append((_unreached(site) / _peak_potential(site, peak, _bias(site)), "the range of the readout"))
    largest_bias = float(np.abs(site.neuron.bias).max(initial=0.0))
    if largest_bias > 0:
        bounds.append((site.bias_max * 2.0 ** (BIAS_EXP - STATE_SHIFT) / largest_bias, "the bias register"))
    return min(bounds, default=(1.0, "nothing"))


def _rounded(site: _Site, scale: float, limited_by: str) -> _Quantized:
    connections = tuple(_weights(c, scale, site.limits) for c in site.incoming)
    vth, error = site.vth_max, 0.0
    if site.threshold is not None:
        vth = round(scale * site.threshold)
        error = abs(vth - scale * site.threshold) / (scale * site.threshold) if site.threshold else 0.0
    bias = np.rint(scale * site.neuron.bias * 2.0 ** (STATE_SHIFT - BIAS_EXP)).astype(np.int64)
    neuron = Neuron(site.du, site.dv, vth, bias, BIAS_EXP, fires=site.threshold is not None)
    levels = {
        made.name: int(np.abs(made.weight).max(initial=0)) // _grid(drawn.weight, site.limits)[0]
        for made, drawn in zip(connections, site.incoming, strict=True)
    }
    made = Population(site.population.name, site.population.shape, site.population.role, neuron)
    return _Quantized(made, connections, Scaling(scale, limited_by, error, levels))


def _grid(weight: FloatArray, limits: Limits) -> tuple[int, int]:
    """Step between the integers that these weights may take, and the largest of them.

    Weights of both signs lose their lowest bit to the sign where the chip says so; fewer weight bits widen the step.
    """
    mixed = bool((weight > 0).any() and (weight < 0).any())
    step = 2 ** (8 - limits.weight_bits) * (2 if mixed and limits.mixed_weights_even else 1)
    return step, 255 // step * step


def _weights(connection: DraftConnection, scale: float, limits: Limits) -> Connection:
    step, top = _grid(connection.weight, limits)
    integers = np.clip(np.rint(scale * connection.weight / step).astype(np.int64) * step, -top, top)
    return Connection(connection.source, connection.target, integers, limits.weight_bits, connection.conv)


def _peak_current(site: _Site, weights: Sequence[FloatArray | IntArray]) -> float:
    """Largest |u| that spikes can cause: ``64 * largest sum of weights of one sign x payloads * 4096 / (du + 1)``."""
    positive: FloatArray | float = 0.0
    negative: FloatArray | float = 0.0
    for connection, weight in zip(site.incoming, weights, strict=True):
        rows = weight.reshape(weight.shape[0], -1) * float(site.payloads[connection.source])
        shape = site.population.shape if connection.conv is None else (-1, 1, 1)
        positive = positive + np.clip(rows, 0, None).sum(1).reshape(shape)
        negative = negative - np.clip(rows, None, 0).sum(1).reshape(shape)
    worst = max(float(np.max(positive)), float(np.max(negative)))
    return 2**STATE_SHIFT * worst * _DECAY_ONE / (site.du + 1)


def _peak_potential(site: _Site, current: float, bias: float) -> float:
    """Largest |v| of a neuron that never fires, after all steps of a sample with the largest current and bias."""
    keep = 1 - site.dv / _DECAY_ONE
    steps = site.timesteps if keep == 1 else (1 - keep**site.timesteps) / (1 - keep)
    return steps * (current + bias)


def _bias(site: _Site) -> float:
    """Largest bias in units of v at a scale of 1."""
    return float(2**STATE_SHIFT * np.abs(site.neuron.bias).max(initial=0.0))


def _unreached(site: _Site) -> int:
    """Largest potential that does not fire at the largest threshold (the comparison is strict)."""
    return site.vth_max << STATE_SHIFT


def _excess(site: _Site, quantized: _Quantized) -> float:
    """How far the integers reach past the range of the current or of the readout; up to 1 is within."""
    neuron = quantized.population.neuron
    if not quantized.connections or neuron is None:
        return 0.0
    peak = _peak_current(site, [c.weight for c in quantized.connections])
    excess = peak / (site.state_limit - 1)
    if site.threshold is None:
        bias = float(np.abs(neuron.bias).max(initial=0) << neuron.bias_exp)
        excess = max(excess, _peak_potential(site, peak, bias) / _unreached(site))
    return excess
