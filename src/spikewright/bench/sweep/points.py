"""The points of a sweep: which budgets, which seeds."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from ...base.errors import InputError
from ...profile.schema import CostUnit
from ...profile.units import spelled
from ..point import Point

LOWEST = 1.25
"""The lowest budget that `--points` chooses, in floors: a fifth of it is left for spikes."""
DIGITS = 3
"""Significant digits of a budget that `--points` chooses."""


def points_of(budgets: Iterable[str], seeds: Sequence[int]) -> list[Point]:
    """All points in the order of work: seed after seed, and for each the student without a budget first."""
    kept = list(budgets)
    return [Point(budget, seed) for seed in seeds for budget in (None, *kept)]


def spaced(floor: float, without_budget: float, count: int, unit: CostUnit) -> list[str]:
    """Budgets evenly spaced on the log scale, from the largest down.

    ``b_i = low (high / low)^(i / count), i = 0 .. count - 1`` with ``low = LOWEST x floor`` and ``high`` the energy
    without a budget, which is a point of its own and left out.

    Args:
        floor: of the smallest candidate, in the profile's unit.
        without_budget: deployed energy of the student that was trained without a budget.

    Raises:
        InputError: nothing lies between the two.
    """
    low = LOWEST * floor
    if low >= without_budget:
        raise InputError(
            f"--points {count}: the student without a budget costs {spelled(without_budget, unit)}, and {LOWEST} times "
            f"the floor of the smallest candidate is {spelled(low, unit)}; leave --width and --timesteps free, or "
            "give --budgets"
        )
    values = [low * (without_budget / low) ** (i / count) for i in range(count)]
    return list(dict.fromkeys(spelled(_rounded(value), unit) for value in reversed(values)))


def _rounded(value: float) -> float:
    return round(value, DIGITS - 1 - math.floor(math.log10(value)))
