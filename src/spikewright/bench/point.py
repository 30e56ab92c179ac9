"""Budgets and seeds, and how they are written."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ..base.errors import InputError, arg
from ..profile.schema import HardwareProfile
from ..profile.units import parse_budget, spelled
from ..training.settings import DistillSettings


@dataclass(frozen=True)
class Point:
    """The energy budget within which a student is trained, and the seed.

    Attributes:
        budget: as :func:`spikewright.profile.units.spelled` writes it; None for no budget.
    """

    budget: str | None
    seed: int

    @property
    def name(self) -> str:
        """The name of its folder."""
        return f"{self.budget or 'no-budget'}-seed{self.seed}"

    def settings(self, common: DistillSettings) -> DistillSettings:
        """The settings that make its student, of those that all students have in common."""
        return common.within(self.budget).changed({"seed": self.seed})

    def __str__(self) -> str:
        return f"{self.budget or 'no budget'}, seed {self.seed}"


def read_budgets(texts: Sequence[str], profile: HardwareProfile, name: str) -> tuple[list[str], list[str]]:
    """Budgets from the largest down, each once and in its one spelling; and every fault of ``texts``.

    Args:
        name: of the argument that they were given as, for the faults.
    """
    values, faults = set(), []
    for text in [texts] if isinstance(texts, str) else texts:
        try:
            budget = parse_budget(str(text), profile, arg(name))
        except InputError as error:
            faults.append(error.message)
        else:
            values.add(spelled(budget.value, budget.unit))
    return sorted(values, key=lambda text: -limit_of(text, profile)), faults


def limit_of(budget: str | None, profile: HardwareProfile) -> float:
    """A budget in the profile's unit; infinite for no budget."""
    return math.inf if budget is None else parse_budget(budget, profile).value
