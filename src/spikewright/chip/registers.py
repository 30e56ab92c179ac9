"""Widths, units and grids of a chip's integers, for lowering, integer training and simulation."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil, floor, log10
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, ValidationError

from ..base.errors import InputError, arg
from ..base.types import FloatArray, IntArray
from ..profile.profile import HardwareProfile
from ..profile.schema import Limits

STATE_SHIFT = 6
STATE_UNIT = 2**STATE_SHIFT
"""Lava's LIF shifts synaptic input and thresholds by 6 bits."""
BIAS_EXP = 6
"""The only bias exponent that lava-dl's netx files can hold; a layer whose biases need more range gives up weight
resolution, and says so."""
BIAS_EXP_MAX = 7
DECAY_ONE = 4096
"""Decays are 12-bit products: a register d leaves ``(4096 - d) / 4096``."""
FULL_WEIGHT_BITS = 8
MANY_LEVELS = 32
"""With at least this many steps up to the largest weight no weight is clipped. With fewer, clipping the rare large
weights costs less than the finer grid gains for all others."""
GRID_KEY = "integer"
"""Key of the grid in the metadata of a graph that was trained on integers."""
PEAK_SAMPLES = 256
QUANTILE = 1.0
MARGIN = 1.5
"""Samples on which peaks are measured, the quantile of theirs that is taken, and the room beyond it, where nothing else
is asked for: chosen by `python benchmarks/long_recordings.py margins`."""
_CLIPPING = np.geomspace(1, 12, 100)
_DIGITS = 3


@dataclass(frozen=True)
class StateWidths:
    """Widths in bits of the registers that the law of a neuron reads and writes.

    Attributes:
        threshold_bits: of the threshold mantissa, which has no sign.
        bias_mantissa_bits: of a bias mantissa, sign included.
        state_bits: of the synaptic current and the membrane potential, sign included.
    """

    threshold_bits: Annotated[int, Field(ge=1, le=17)]  # the bounds hold where a file is read into it
    bias_mantissa_bits: Annotated[int, Field(ge=1, le=13)]
    state_bits: Annotated[int, Field(ge=8, le=24)]

    @property
    def vth_max(self) -> int:
        """The largest mantissa that a threshold register holds, ``2^bits - 1``."""
        return int(2**self.threshold_bits - 1)

    @property
    def bias_max(self) -> int:
        """Largest bias mantissa; the smallest is ``-bias_max - 1``."""
        return int(2 ** (self.bias_mantissa_bits - 1) - 1)

    @property
    def state_limit(self) -> int:
        """Currents from here on wrap around, and potentials are clipped to one less."""
        return int(2 ** (self.state_bits - 1))

    @property
    def unreached(self) -> int:
        """Largest potential that does not fire at the largest threshold (the comparison is strict)."""
        return self.vth_max << STATE_SHIFT


LAVA_WIDTHS = StateWidths(threshold_bits=17, bias_mantissa_bits=13, state_bits=24)
"""Registers of Lava's fixed-point LIF, which every simulator here computes with."""


@dataclass(frozen=True)
class Registers(StateWidths):
    """Widths of weights and registers, as a profile's limits give them.

    Attributes:
        weight_bits: of a stored weight, sign included; at most what the chip has.
        mixed_weights_even: weights of mixed sign are even numbers (their lowest bit is the sign's).
        always_signed: weights of one sign lose that bit too.
    """

    weight_bits: Annotated[int, Field(ge=2, le=8)]
    mixed_weights_even: bool
    always_signed: bool = False

    @staticmethod
    def of(limits: Limits, weight_bits: int | None = None) -> Registers:
        """What a chip has, with narrower weights where ``weight_bits`` asks for them.

        Raises:
            InputError: more weight bits than the chip has, or too few to hold both signs.
        """
        bits = limits.weight_bits if weight_bits is None else weight_bits
        if not 2 <= bits <= limits.weight_bits:
            raise InputError(f"{arg('weight_bits', bits)}: may be 2..{limits.weight_bits} on this chip")
        widths = (limits.threshold_bits, limits.bias_mantissa_bits, limits.state_bits)
        return Registers(*widths, bits, limits.mixed_weights_even, bool(limits.always_signed))

    def grid(self, mixed: bool) -> tuple[int, int]:
        """Step between the integers that weights may take, and the largest of them.

        Weights of both signs lose their lowest bit to the sign where the chip says so, and all of them where it always
        keeps one; fewer bits widen the step.
        """
        has_sign_bit = self.always_signed or (mixed and self.mixed_weights_even)
        step = 2 ** (FULL_WEIGHT_BITS - self.weight_bits) * (2 if has_sign_bit else 1)
        return step, 255 // step * step


def is_mixed(weight: FloatArray | IntArray) -> bool:
    """Whether ``weight`` holds weights of both signs."""
    return bool((weight > 0).any() and (weight < 0).any())


def weight_scale(weights: Sequence[FloatArray], registers: Registers) -> float:
    """Integer units per float unit for the weights of one population.

    With many levels the largest weight becomes the largest integer. With fewer than :data:`MANY_LEVELS`, the scale at
    or above that one with the smallest sum of squared errors, larger weights being clipped.

    Raises:
        ValueError: every weight is zero.
    """
    grids = [registers.grid(is_mixed(weight)) for weight in weights]
    unclipped = min(top / float(np.abs(w).max()) for w, (_, top) in zip(weights, grids, strict=True) if np.any(w))
    if max(top // step for step, top in grids) >= MANY_LEVELS:
        return unclipped

    def error(scale: float) -> float:
        found = 0.0
        for weight, (step, top) in zip(weights, grids, strict=True):
            rounded = np.clip(np.rint(scale * weight / step), -top // step, top // step) * step / scale
            found += float(np.square(rounded - weight).sum())
        return found

    return min((float(unclipped * more) for more in _CLIPPING), key=error)


class Peaks(BaseModel):
    """How far the registers of a population go, in float units: ``register / (64 x scale)``.

    Attributes:
        current: largest magnitude of the synaptic current.
        potential: largest magnitude of the membrane potential; of neurons that are reset to zero, below zero alone,
            since above their threshold they are reset.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    current: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    potential: Annotated[float, Field(ge=0, allow_inf_nan=False)]

    def times(self, margin: float) -> Peaks:
        """Both peaks, multiplied by ``margin``."""
        return Peaks(current=self.current * margin, potential=self.potential * margin)

    def and_of(self, other: Peaks) -> Peaks:
        """The larger of both currents, and of both potentials."""
        return Peaks(current=max(self.current, other.current), potential=max(self.potential, other.potential))

    def rounded_up(self) -> Peaks:
        """Both to three digits, so that the rounding of a sum on another machine does not change a scale."""
        return Peaks(current=_rounded_up(self.current), potential=_rounded_up(self.potential))


def _rounded_up(value: float) -> float:
    if value == 0:
        return 0.0
    unit = 10.0 ** (floor(log10(value)) + 1 - _DIGITS)
    return float(f"{ceil(value / unit * (1 - 1e-9)) * unit:.{_DIGITS}g}")


class Calibration(BaseModel):
    """The peaks that were measured on data, and what scales are chosen by them.

    Attributes:
        quantile: of the peaks of single samples; 1 takes the largest.
        margin: factor by which registers may go beyond the peaks.
        samples: that were measured.
        peaks: by population, of a network that was trained on integers by layer; for those that are not named, the
            worst case of all inputs counts.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    quantile: Annotated[float, Field(gt=0, le=1)]
    margin: Annotated[float, Field(ge=1, allow_inf_nan=False)]
    samples: Annotated[int, Field(ge=1)]
    peaks: dict[str, Peaks]

    def bounds(self, margin: float | None = None) -> dict[str, Peaks]:
        """By population, the peaks times the margin, or times another one."""
        return {name: each.times(margin or self.margin) for name, each in self.peaks.items()}


@dataclass(frozen=True)
class Grid:
    """What is known of the integers before rounding.

    Attributes:
        weight_bits: of the weights, None for the chip's own width.
        scales: by layer, of a network that was trained on integers: its weights, biases and thresholds are whole
            numbers at this scale already. Layers that are not named get the largest scale that fits.
        peaks: by population or layer, the registers that its scale has to leave room for; for those that are not
            named, and where that is less, the worst case of all inputs.
    """

    weight_bits: int | None = None
    scales: Mapping[str, float] = field(default_factory=dict)
    peaks: Mapping[str, Peaks] = field(default_factory=dict)


class TrainedGrid(BaseModel):
    """The metadata of a graph that was trained on integers.

    Attributes:
        profile: name or path of the profile it was trained for, ``profile_sha256`` its content.
        registers: the widths it was trained within.
        scales: by neuron node, integer units per float unit: ``scale x weight`` is a whole number of the chip.
        calibration: what some of the scales were chosen by; None where all of them hold in the worst case.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    profile: str
    profile_sha256: str
    registers: Registers
    scales: dict[str, Annotated[PositiveFloat, Field(allow_inf_nan=False)]]
    calibration: Calibration | None = None

    def as_json(self) -> dict[str, Any]:
        """The grid as a JSON-able dictionary; without a calibration, as files had it before there was one."""
        return self.model_dump(mode="json", exclude=None if self.calibration else {"calibration"})

    @property
    def as_metadata(self) -> str:
        """The text that goes into a graph."""
        return json.dumps(self.as_json(), sort_keys=True)


def trained_grid(metadata: Mapping[str, Any]) -> TrainedGrid | None:
    """The grid in the metadata of a graph; None for a graph that was trained in floats.

    Raises:
        InputError: the entry is damaged; every fault at once.
    """
    said = metadata.get(GRID_KEY)
    if said is None:
        return None
    try:
        return TrainedGrid.model_validate_json(said if isinstance(said, str | bytes) else str(said))
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'entry'}: {e['msg']}" for e in error.errors())
        raise InputError(f"NIR graph: its metadata {GRID_KEY!r} cannot be read ({faults}); export it again") from error


def grid_for(trained: TrainedGrid | None, profile: HardwareProfile, weight_bits: int | None) -> tuple[Grid, list[str]]:
    """The grid to lower a graph onto, and what had to be assumed.

    A graph that was trained on integers keeps them on every chip whose registers are as wide; elsewhere, or where other
    weights are asked for, it is rounded anew, with the room that its calibration asks for.
    """
    if trained is None:
        return Grid(weight_bits), []
    asked = weight_bits or min(trained.registers.weight_bits, profile.limits.weight_bits)
    measured = trained.calibration
    if Registers.of(profile.limits, asked) == trained.registers:
        return Grid(asked, trained.scales, {} if measured is None else measured.peaks), []
    was = f"{trained.profile} with {trained.registers.weight_bits}-bit weights"
    remark = f"weights are rounded anew: the graph was trained on the integers of {was}"
    return Grid(asked, peaks={} if measured is None else measured.bounds()), [remark]
