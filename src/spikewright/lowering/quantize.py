"""Quantization: the only place where a network's floats become integers.

Spikes carry integers, so each population may have its own scale S, by which its weights, biases and threshold are
multiplied before they are rounded. S is the largest scale with which no register overflows, even for the worst input,
and with which the threshold is an integer. The integers are those of Lava's fixed-point Dense, Conv and LIF.

In the worst case every source spikes at every step. Where peaks were measured on data, S leaves room for these instead,
and an input beyond them overflows as it does on the chip.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from math import floor, log2
from typing import TypeAlias

import numpy as np

from ..base.errors import InputError
from ..base.types import FloatArray, IntArray
from ..chip.encoding import full_scale
from ..chip.law import gathered
from ..chip.network import SMALLEST_SCALE, ChipNetwork, Connection, Neuron, Population
from ..chip.neuron_models import OF_RESET
from ..chip.registers import (
    BIAS_EXP,
    DECAY_ONE,
    LAVA_WIDTHS,
    STATE_SHIFT,
    STATE_UNIT,
    Grid,
    Peaks,
    Registers,
    is_mixed,
    weight_scale,
)
from ..profile.profile import HardwareProfile
from .draft import Draft, DraftConnection, DraftNeuron, DraftPopulation
from .split import layers_of

_SHRINK = 0.999  # by which a scale is lowered until the rounded weights keep within the registers
_FLOAT_ROUNDING = 1e-6  # parameters come in float32

TRAINED = "training on integers"
"""What limits the scale of a network that was trained with integer arithmetic."""
CURRENT = "the range of the current"
READOUT = "the range of the readout"
CONVOLUTION = "the sum of a convolution"
POTENTIAL = "the range of the membrane potential"
"""What limits a scale: the 24 bits of a current, the threshold that a readout must not reach, the 24 bits in which Lava
sums up a convolution, and those of a potential from which thresholds are subtracted."""
CALIBRATION = "calibration"
"""Key in the provenance of a chip network: the peaks that scales were chosen by, absent where none were measured."""
MEASURED = "measured"
"""Likewise: populations whose registers have room for measured peaks alone, and not for the worst case."""
ENOUGH_BITS = 6.0
"""Bits of a weight, sign included, that the worst case has to leave; below, a scale from measured peaks gains most."""
NO_ROOM = Peaks(current=0.0, potential=0.0)
"""Peaks that no register has to have room for, so that weights get all the levels of their width."""


@dataclass(frozen=True, eq=False)
class _Quantized:
    """One population in integers, the connections into it, and how they were scaled.

    Attributes:
        scale: integer weight units per float unit (for a readout, ``float score = v / (64 * scale)``).
        limited_by: what kept the scale from being larger.
        threshold_error: relative rounding error of the threshold, 0 for a readout that does not fire.
        levels: by connection into the population, quantization levels from zero to the largest weight.
        rounding: largest change of a number by rounding and clipping, in steps of its grid.
        measured: whether only measured peaks, and not the worst case, fit the registers.
    """

    population: Population
    connections: tuple[Connection, ...] = ()
    scale: float = 1.0
    limited_by: str = ""
    threshold_error: float = 0.0
    levels: dict[str, int] = field(default_factory=dict)
    rounding: float = 0.0
    measured: bool = False


_BEYOND = 2.0**62
"""Beyond every register: a bias that a scale of a file makes so large is refused as one that is too large."""


@dataclass(frozen=True, eq=False)
class _Task:
    """One population to be quantized and the connections into it; ``payloads`` is the largest spike of each source.

    ``peaks`` is what its registers must have room for; None for the worst case.
    """

    population: DraftPopulation
    neuron: DraftNeuron
    incoming: tuple[DraftConnection, ...]
    payloads: dict[str, int]
    timesteps: int
    registers: Registers
    peaks: Peaks | None = None

    @property
    def du(self) -> int:  # 4096 * dt / tau_syn - 1
        return round(DECAY_ONE * float(self.neuron.leak_u.flat[0])) - 1

    @property
    def dv(self) -> int:  # 4096 * dt / tau
        return round(DECAY_ONE * float(self.neuron.leak_v.flat[0]))

    @property
    def threshold(self) -> float | None:
        return None if self.neuron.threshold is None else float(self.neuron.threshold.flat[0])


def quantize(draft: Draft, profile: HardwareProfile, grid: Grid | None = None) -> ChipNetwork:
    """Round a draft network that has passed all design rules and passes.

    Args:
        grid: bits and scales that replace the profile's and the quantizer's own.

    Raises:
        InputError: more weight bits than the chip has, or integers that a chip network cannot have (a defect of the
            rules).
    """
    grid = grid or Grid()
    registers = Registers.of(profile.limits, grid.weight_bits)
    layers = layers_of(draft.facts)
    done = []
    for each in draft.populations:
        layer = layers.get(each.name, each.name)
        peaks = grid.peaks.get(each.name, grid.peaks.get(layer))
        done.append(_population(draft, each, registers, grid.scales.get(layer), peaks))
    scaled = {q.population.name: q for q in done if q.population.neuron is not None}
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
            **({MEASURED: sorted(name for name, s in scaled.items() if s.measured)} if grid.peaks else {}),
        },
    )


def starved(draft: Draft, profile: HardwareProfile, weight_bits: int | None = None) -> tuple[str, ...]:
    """Populations to whose weights the worst case of current and membrane potential leaves too few bits.

    These are fewer than :data:`ENOUGH_BITS`, and at least one bit fewer than the width of the weights gives.

    Args:
        draft: after all passes.
        weight_bits: of a weight, sign included; None for as many as the chip has.
    """
    registers = Registers.of(profile.limits, weight_bits)
    found = []
    for population in draft.populations:
        worst, free = (_population(draft, population, registers, None, peaks) for peaks in (None, NO_ROOM))
        if worst.connections and _bits(worst) < min(ENOUGH_BITS, _bits(free) - 1):
            found.append(population.name)
    return tuple(found)


def _bits(quantized: _Quantized) -> float:
    """Bits that the connection with most levels uses, sign included."""
    return max(bits_of_levels(c, quantized.levels[c.name]) for c in quantized.connections)


def bits_of_levels(connection: Connection, levels: int) -> float:
    """Bits that weights use: log2 of the values between their extremes, of ``levels`` on each side of zero."""
    return log2((2 if is_mixed(connection.weight) else 1) * levels + 1)


def _population(
    draft: Draft, population: DraftPopulation, registers: Registers, given: float | None, peaks: Peaks | None
) -> _Quantized:
    if population.neuron is None:
        bits = draft.input_bits if population.payload > 1 else 0
        return _Quantized(Population(population.name, population.shape, population.role, None, bits))
    payloads = {each.name: each.payload for each in draft.populations}
    into = draft.into(population.name)
    task = _Task(population, population.neuron, into, payloads, draft.timesteps, registers, peaks)
    if population.role == "input":
        return _encoder(task, full_scale(draft.encoding, draft.input_bits))
    largest, limited_by = _largest_scale(task) if given is None else (given, TRAINED)
    quantized = _rounded(task, _with_whole_threshold(task, largest) if given is None else given, limited_by)
    # A sum of weights that were rounded up, or trained, may exceed a limit that the exact weights keep.
    while (excess := _excess(task, quantized)) > 1:
        quantized = _rounded(task, _with_whole_threshold(task, quantized.scale * _SHRINK / excess), limited_by)
    return replace(quantized, measured=peaks is not None and _excess(replace(task, peaks=None), quantized) > 1)


def _with_whole_threshold(task: _Task, scale: float) -> float:
    """The next smaller scale with an integer threshold, whose rounding error would affect every neuron alike."""
    if not task.threshold or scale * task.threshold < 1:
        return scale
    return floor(scale * task.threshold * (1 + _FLOAT_ROUNDING)) / task.threshold


def _encoder(task: _Task, most: int) -> _Quantized:
    """Neurons whose bias the host sets to the integer intensity, so that only the threshold has to be scaled.

    ``v > vth << 6`` must hold where ``potential > threshold * most``. Without a leak the potential is an integer, so
    rounding the right side down is exact; with a leak, or where the threshold is subtracted as well, it is rounded to
    the nearest integer.
    """
    assert task.threshold is not None
    exact = task.threshold * most
    is_only_compared = task.dv == 0 and task.neuron.reset == "zero"
    vth = int(exact) if is_only_compared else round(exact)
    error = 0.0 if is_only_compared or not exact else abs(vth - exact) / exact
    law, bias = OF_RESET[task.neuron.reset], np.zeros(task.population.shape, np.int64)
    made = Neuron(task.du, task.dv, vth, bias, BIAS_EXP, law=law)
    population = Population(task.population.name, task.population.shape, task.population.role, made)
    return _Quantized(population, (), float(most), "the width of the input", error)


def _largest_scale(task: _Task) -> tuple[float, str]:
    """The largest scale with which every register is wide enough, and what limits it.

    Raises:
        InputError: numbers so small that no scale makes integers of them.
    """
    registers = task.registers
    bounds: list[tuple[float, str]] = []
    weights = [connection.weight for connection in task.incoming]
    if any(np.any(weight) for weight in weights):
        scale, tops = weight_scale(weights, registers), [registers.grid(is_mixed(weight))[1] for weight in weights]
        fill = [float(np.abs(weight).max()) / top for weight, top in zip(weights, tops, strict=True)]
        bounds.append((scale, f"weights from {task.incoming[int(np.argmax(fill))].source}"))
        weights = [np.clip(w, -top / scale, 255 / scale) for w, top in zip(weights, tops, strict=True)]
    if task.threshold:
        bounds.append((registers.vth_max / task.threshold, "the threshold register"))
    if any(map(np.any, weights)):
        bias = float(2**STATE_SHIFT * np.abs(task.neuron.bias).max(initial=0.0))  # in units of v at a scale of 1
        bounds += [(limit / reach, what) for what, reach, limit in _reaches(task, weights, bias) if reach > 0]
    largest_bias = float(np.abs(task.neuron.bias).max(initial=0.0))
    if largest_bias > 0:
        bounds.append((registers.bias_max * 2.0 ** (BIAS_EXP - STATE_SHIFT) / largest_bias, "the bias register"))
    scale, limit = min(bounds, default=(1.0, "nothing"))
    if scale > 1 / SMALLEST_SCALE:
        raise InputError(
            f"population {task.population.name!r}: its numbers are too small for integers: {limit} allows a scale of "
            f"{scale:g}; at most {1 / SMALLEST_SCALE:g} can be computed with. Is the graph's time step right?"
        )
    return scale, limit


def _rounded(task: _Task, scale: float, limited_by: str) -> _Quantized:
    """The population and its connections in integers at this scale."""
    connections, levels, moved = [], {}, []
    for exact in task.incoming:
        step, top = task.registers.grid(is_mixed(exact.weight))
        integers = np.clip(np.rint(scale * exact.weight / step) * step, -top, top).astype(np.int64)
        made = Connection(exact.source, exact.target, integers, task.registers.weight_bits, exact.conv)
        connections.append(made)
        levels[made.name] = int(np.abs(integers).max(initial=0)) // step
        moved.append(float(np.abs(integers - scale * exact.weight).max(initial=0)) / step)
    vth, error = task.registers.vth_max, 0.0
    if task.threshold is not None:
        vth = round(scale * task.threshold)
        moved.append(abs(vth - scale * task.threshold))
        error = moved[-1] / (scale * task.threshold) if task.threshold else 0.0
    exact_bias = scale * task.neuron.bias * 2.0 ** (STATE_SHIFT - BIAS_EXP)
    bias = np.clip(np.rint(exact_bias), -_BEYOND, _BEYOND).astype(np.int64)
    fires, law = task.threshold is not None, OF_RESET[task.neuron.reset]
    neuron = Neuron(task.du, task.dv, vth, bias, BIAS_EXP, fires, law)
    leak_u, leak_v = (DECAY_ONE * float(leak.flat[0]) for leak in (task.neuron.leak_u, task.neuron.leak_v))
    moved += [float(np.abs(bias - exact_bias).max(initial=0)), abs(task.du + 1 - leak_u), abs(task.dv - leak_v)]
    population = Population(task.population.name, task.population.shape, task.population.role, neuron)
    return _Quantized(population, tuple(connections), scale, limited_by, error, levels, max(moved))


_Reach: TypeAlias = tuple[str, float, int]
"""A register, how far it goes, and the limit of its range."""


def _reaches(
    task: _Task, weights: Sequence[FloatArray | IntArray], bias: float, scale: float = 1.0
) -> Iterator[_Reach]:
    """How far the states of a population go: in the worst case, or where that is less, to the measured peaks.

    The membrane of neurons that fire is no limit: above the threshold it is reset, and so far below it a clip changes
    less than the coarser weights would. One from which thresholds are subtracted has room for one of them in each step,
    and one more: above that it fires in every step to the end, whatever is clipped. A convolution's sum of one step
    must stay below 24 bits whatever was measured, since Lava wraps it before the neurons see it.

    Args:
        weights: in units of ``1 / scale``: of the draft at a scale of 1, or integers at their own.
        bias: likewise, in units of v.
    """
    registers, peaks = task.registers, task.peaks
    reached = None if peaks is None else peaks.times(scale * STATE_UNIT)
    worst = _peak_current(task, weights)
    yield CURRENT, worst if reached is None else min(worst, reached.current), registers.state_limit
    if task.threshold is not None and task.neuron.reset != "zero":
        kept = (task.timesteps + 1) * task.threshold * scale * STATE_UNIT
        potential = min(kept, _peak_potential(task, worst, bias))
        yield POTENTIAL, potential if reached is None else min(potential, reached.potential), registers.state_limit
    if task.threshold is None:
        potential = _peak_potential(task, worst, bias)
        potential = potential if reached is None else min(potential, reached.potential)
        yield READOUT, potential, registers.unreached
    if reached is None:
        return
    fed = [float(_sums(task, c, w).max()) for c, w in zip(task.incoming, weights, strict=True) if c.conv is not None]
    yield CONVOLUTION, max(fed, default=0.0), LAVA_WIDTHS.state_limit


def _peak_current(task: _Task, weights: Sequence[FloatArray | IntArray]) -> float:
    """Largest |u| that spikes can cause, ``64 * 4096 / (du + 1) * max(sum of payload * weights of one sign)``."""
    sums: FloatArray | float = 0.0  # of each sign
    for connection, weight in zip(task.incoming, weights, strict=True):
        shape = task.population.shape if connection.conv is None else (-1, 1, 1)
        sums = sums + _sums(task, connection, weight).reshape(2, *shape)
    return 2**STATE_SHIFT * float(np.max(sums)) * DECAY_ONE / (task.du + 1)


def _sums(task: _Task, connection: DraftConnection, weight: FloatArray | IntArray) -> FloatArray:
    """Sums of ``payload * weights`` of each sign into each target (a convolution's channel), ``(2, targets)``."""
    rows = weight.reshape(weight.shape[0], -1) * float(task.payloads[connection.source])
    return np.stack([np.clip(rows, 0, None).sum(1), -np.clip(rows, None, 0).sum(1)])


def _peak_potential(task: _Task, current: float, bias: float) -> float:
    """Largest |v| of a neuron that never fires, after a sample with the largest current and bias in each timestep."""
    return gathered(1 - task.dv / DECAY_ONE, task.timesteps) * (current + bias)


def _excess(task: _Task, quantized: _Quantized) -> float:
    """The largest share that a number takes of the range of its register; up to 1 is allowed.

    Weights and biases can exceed their ranges at a trained scale only: training keeps each layer of a student within
    them, and parallel layers into one population add up.
    """
    neuron = quantized.population.neuron
    if not quantized.connections or neuron is None:
        return 0.0
    weights, bias = [c.weight for c in quantized.connections], int(np.abs(neuron.bias).max(initial=0))
    shares = [bias / task.registers.bias_max]
    for what, reach, limit in _reaches(task, weights, float(bias << neuron.bias_exp), quantized.scale):
        shares.append(reach / (limit if what == READOUT else limit - 1))
    for exact in task.incoming if quantized.limited_by == TRAINED else ():
        step, top = task.registers.grid(is_mixed(exact.weight))
        shares.append(step * float(np.rint(np.abs(quantized.scale * exact.weight).max(initial=0) / step)) / top)
    return max(shares)
