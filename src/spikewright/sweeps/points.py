"""The points of a sweep: which budgets, which seeds, and how they are named."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..budget_text import parse_budget, spelled
from ..errors import InputError
from ..hardware_profiles.schema import CostUnit, HardwareProfile

LOWEST = 1.25
"""The lowest budget that `--points` chooses, in floors: a fifth of it is left for spikes."""
DIGITS = 3
"""Significant digits of a budget that `--points` chooses."""


@dataclass(frozen=True)
class Point:
    """One student of a sweep.

    Attributes:
        budget: spelled as :func:`spikewright.budget_text.spelled` does; None: no budget.
    """

    budget: str | None
    seed: int

    @property
    def name(self) -> str:
        """What its folder is called."""
        return f"{self.budget or 'no-budget'}-seed{self.seed}"

    def __str__(self) -> str:
        return f"{self.budget or 'no budget'}, seed {self.seed}"


def points_of(budgets: Iterable[str], seeds: Sequence[int]) -> list[Point]:
    """All points in the order of work: seed after seed, and for each the student without a budget first."""
    kept = list(budgets)
    return [Point(budget, seed) for seed in seeds for budget in (None, *kept)]


def read_budgets(texts: Sequence[str], profile: HardwareProfile) -> tuple[list[str], list[str]]:
    """Budgets from the largest down, each once and in its one spelling; and every fault of ``texts``."""
    values, faults = set(), []
    for text in texts:
        try:
            budget = parse_budget(text, profile, "--budgets")
        except InputError as error:
            faults.append(str(error))
        else:
            values.add(spelled(budget.value, budget.unit))
    return sorted(values, key=lambda text: -parse_budget(text, profile).value), faults


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
