"""Which limits of the chip's registers a layer may reach, the arithmetic that they ask for, and how often it did."""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor

from ...chip.law import FIXED_POINT, STATE_LIMIT, Constant, Law, State, gathered, largest, wrapped_to_32_bits
from ...chip.registers import BIAS_EXP, LAVA_WIDTHS, STATE_UNIT

WRAPS, CLIPS = range(2)
"""What is counted, by its place in the last axis of the counts."""
_BIAS = (LAVA_WIDTHS.bias_max + 1) << BIAS_EXP


@dataclass(frozen=True)
class Limits:
    """What bounds leave open.

    Attributes:
        wraps: whether a current may leave its 24 bits.
        clips: whether a membrane potential may, or an integrator reach its largest threshold.
    """

    wraps: bool
    clips: bool

    @staticmethod
    def of(law: Law, arriving: Tensor, timesteps: int, most: float | None) -> Limits:
        """Limits of a law in the chip's units.

        Args:
            arriving: looked at only where ``most`` leaves something open.
            most: a bound of the magnitude of ``arriving``; None for none.
        """
        found = None if most is None else Limits._at(law, most, timesteps)
        return Limits._at(law, largest(arriving), timesteps) if found is None or found.clips else found

    @staticmethod
    def _at(law: Law, most: float, timesteps: int) -> Limits:
        """Limits for inputs of at most this magnitude; the cut of decay products only makes states smaller."""
        current = STATE_UNIT * most * gathered(_most(law.keep_u), timesteps)
        potential = law.reach * (current + _BIAS) * gathered(_most(law.keep_v), timesteps)
        return Limits(current >= STATE_LIMIT, potential >= LAVA_WIDTHS.unreached)

    def law(self, chip: Law, ceiling: int | None) -> Law:
        """The law with the arithmetic and, for an integrator, the threshold that the limits ask for."""
        if self.wraps:
            chip = replace(chip, arithmetic=FIXED_POINT)
        return replace(chip, threshold=ceiling) if self.clips and ceiling is not None else chip

    def exact(self, arriving: Tensor) -> Tensor:
        """The input in a type that holds every sum of a step: float64 where a current may leave its 24 bits."""
        return arriving.double() if self.wraps else arriving.float()

    def count(self, chip: Law, into: Tensor, arriving: Tensor, before: State, u: Tensor, potential: Tensor) -> None:
        """Count the wraps and clips of one step.

        Args:
            into: counts of the step, ``(B, 2)``.
            before: state before the step.
            u: current after it.
            potential: after it, before the reset.
        """
        if self.wraps:
            free = replace(chip, arithmetic=replace(chip.arithmetic, wraps=False))
            sums = wrapped_to_32_bits(free.current(before.u, arriving))
            into[:, WRAPS] = ((sums > STATE_LIMIT) | (sums <= -STATE_LIMIT)).flatten(1).sum(1)
        if self.clips and largest(potential) >= STATE_LIMIT - 1:
            free = replace(chip, arithmetic=replace(chip.arithmetic, saturates=False))
            into[:, CLIPS] = (free.potential(before.v, u).abs() >= STATE_LIMIT).flatten(1).sum(1)


def _most(keep: Constant | None) -> float:
    """The largest share of a state that a step leaves in any neuron."""
    return largest(keep) if isinstance(keep, Tensor) else float(keep or 0.0)
