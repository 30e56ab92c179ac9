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

from ..base.types import FloatArray, IntArray
from ..chip.encoding import full_scale
from ..chip.network import ChipNetwork, Connection, Neuron, Population
from ..chip.registers import BIAS_EXP, DECAY_ONE, STATE_SHIFT, Registers, is_mixed, weight_scale
from ..chip.trained_grid import Grid
from ..profile.profile import HardwareProfile
from .draft import Draft, DraftConnection, DraftNeuron, DraftPopulation

_SHRINK = 0.999
_FLOAT_ROUNDING = 1e-6  # parameters come in float32


TRAINED = "training on integers"


@dataclass(frozen=True)
class Scaling:
    """How one population was scaled.

    Attributes:
        scale: integer weight units per float unit (for a readout, ``float score = v / (64 * scale)``).
        limited_by: what kept the scale from being larger.
        threshold_error: relative rounding error of the threshold, 0 for a readout that does not fire.
        levels: by connection into it, steps between zero and the largest weight.
        rounding: the farthest that a number was moved by rounding and clipping, in steps of its grid.
    """

    scale: float
    limited_by: str
    threshold_error: float
    levels: dict[str, int]
    rounding: float


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
    registers: Registers

    @property
    def du(self) -> int:
        """Current decay register: 4096 dt / tau_syn - 1."""
        return round(DECAY_ONE * float(self.neuron.leak_u.flat[0])) - 1

    @property
    def dv(self) -> int:
        """Voltage decay register: 4096 dt / tau."""
        return round(DECAY_ONE * float(self.neuron.leak_v.flat[0]))

    @property
    def threshold(self) -> float | None:
        """The one threshold of the population, None for a readout that does not fire."""
        return None if self.neuron.threshold is None else float(self.neuron.threshold.flat[0])


def quantize(draft: Draft, profile: HardwareProfile, grid: Grid | None = None) -> ChipNetwork:
    """Round a draft that has gone through all passes and rules.

    Args:
        grid: widths and scales that are not the profile's and the quantizer's own.

    Raises:
        InputError: more weight bits than the chip has, or integers that contradict themselves (a defect of the rules).
    """
    grid = grid or Grid()
    registers = Registers.of(profile.limits, grid.weight_bits)
    payloads = {population.name: population.payload for population in draft.populations}
    done = [
        _population(draft, population, payloads, registers, grid.scales.get(population.name))
        for population in draft.populations
    ]
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
            "rounding": {name: s.rounding for name, s in scaled.items()},
        },
    )


def _population(
    draft: Draft, population: DraftPopulation, payloads: dict[str, int], registers: Registers, given: float | None
) -> _Quantized:
    if population.neuron is None:
        bits = draft.input_bits if population.payload > 1 else 0
        made = Population(population.name, population.shape, population.role, None, bits)
        return _Quantized(made, (), Scaling(1.0, "", 0.0, {}, 0.0))
    incoming = draft.into(population.name)
    site = _Site(population, population.neuron, incoming, payloads, draft.timesteps, registers)
    if population.role == "input":
        return _encoder(site, full_scale(draft.encoding, draft.input_bits))
    if given is None:
        scale, limited_by = _largest_scale(site)
        scale = _with_whole_threshold(site, scale)
    else:
        scale, limited_by = given, TRAINED
    while True:
        quantized = _rounded(site, scale, limited_by)
        excess = _excess(site, quantized)
        if excess <= 1:
            return quantized
        # Rounding up may carry a sum past a limit that the exact weights just keep; so may training.
        scale = _with_whole_threshold(site, scale * _SHRINK / excess)


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
    return _Quantized(population, (), Scaling(float(most), "the width of the input", error, {}, 0.0))


def _largest_scale(site: _Site) -> tuple[float, str]:
    """The largest scale, and what limits it."""
    registers = site.registers
    bounds: list[tuple[float, str]] = []
    weights = [connection.weight for connection in site.incoming]
    if any(np.any(weight) for weight in weights):
        scale = weight_scale(weights, registers)
        bounds.append((scale, f"weights from {_largest_source(site)}"))
        weights = [np.clip(w, -registers.grid(is_mixed(w))[1] / scale, 255 / scale) for w in weights]
    if site.threshold:
        bounds.append((registers.vth_max / site.threshold, "the threshold register"))
    if weights and (peak := _peak_current(site, weights)) > 0:
        bounds.append((registers.state_limit / peak, "the range of the current"))
        if site.threshold is None:
            potential = _peak_potential(site, peak, _bias(site))
            bounds.append((registers.unreached / potential, "the range of the readout"))
    largest_bias = float(np.abs(site.neuron.bias).max(initial=0.0))
    if largest_bias > 0:
        bounds.append((registers.bias_max * 2.0 ** (BIAS_EXP - STATE_SHIFT) / largest_bias, "the bias register"))
    return min(bounds, default=(1.0, "nothing"))


def _largest_source(site: _Site) -> str:
    """Where the weights come from that fill their grid first."""

    def fill(connection: DraftConnection) -> float:
        return float(np.abs(connection.weight).max()) / site.registers.grid(is_mixed(connection.weight))[1]

    return max(site.incoming, key=fill).source


def _rounded(site: _Site, scale: float, limited_by: str) -> _Quantized:
    connections = tuple(_weights(c, scale, site.registers) for c in site.incoming)
    steps = [site.registers.grid(is_mixed(c.weight))[0] for c in site.incoming]
    vth, error = site.registers.vth_max, 0.0
    if site.threshold is not None:
        vth = round(scale * site.threshold)
        error = abs(vth - scale * site.threshold) / (scale * site.threshold) if site.threshold else 0.0
    exact_bias = scale * site.neuron.bias * 2.0 ** (STATE_SHIFT - BIAS_EXP)
    bias = np.rint(exact_bias).astype(np.int64)
    neuron = Neuron(site.du, site.dv, vth, bias, BIAS_EXP, fires=site.threshold is not None)
    pairs = list(zip(connections, site.incoming, steps, strict=True))
    levels = {made.name: int(np.abs(made.weight).max(initial=0)) // step for made, _, step in pairs}
    moved = [float(np.abs(made.weight - scale * drawn.weight).max(initial=0)) / step for made, drawn, step in pairs]
    moved += [float(np.abs(bias - exact_bias).max(initial=0)), *_register_errors(site, vth, scale)]
    made = Population(site.population.name, site.population.shape, site.population.role, neuron)
    return _Quantized(made, connections, Scaling(scale, limited_by, error, levels, max(moved)))


def _register_errors(site: _Site, vth: int, scale: float) -> tuple[float, ...]:
    """How far the threshold and the decays were moved by rounding."""
    of_threshold = 0.0 if site.threshold is None else abs(vth - scale * site.threshold)
    leak_u, leak_v = (DECAY_ONE * float(leak.flat[0]) for leak in (site.neuron.leak_u, site.neuron.leak_v))
    return of_threshold, abs(site.du + 1 - leak_u), abs(site.dv - leak_v)


def _weights(connection: DraftConnection, scale: float, registers: Registers) -> Connection:
    step, top = registers.grid(is_mixed(connection.weight))
    integers = np.clip(np.rint(scale * connection.weight / step).astype(np.int64) * step, -top, top)
    return Connection(connection.source, connection.target, integers, registers.weight_bits, connection.conv)


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
    return 2**STATE_SHIFT * worst * DECAY_ONE / (site.du + 1)


def _peak_potential(site: _Site, current: float, bias: float) -> float:
    """Largest |v| of a neuron that never fires, after all steps of a sample with the largest current and bias."""
    keep = 1 - site.dv / DECAY_ONE
    steps = site.timesteps if keep == 1 else (1 - keep**site.timesteps) / (1 - keep)
    return steps * (current + bias)


def _bias(site: _Site) -> float:
    """Largest bias in units of v at a scale of 1."""
    return float(2**STATE_SHIFT * np.abs(site.neuron.bias).max(initial=0.0))


def _excess(site: _Site, quantized: _Quantized) -> float:
    """How far the integers reach past the range of the current or of the readout; up to 1 is within."""
    neuron = quantized.population.neuron
    if not quantized.connections or neuron is None:
        return 0.0
    peak = _peak_current(site, [c.weight for c in quantized.connections])
    excess = peak / (site.registers.state_limit - 1)
    if site.threshold is None:
        bias = float(np.abs(neuron.bias).max(initial=0) << neuron.bias_exp)
        excess = max(excess, _peak_potential(site, peak, bias) / site.registers.unreached)
    return excess
