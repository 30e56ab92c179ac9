"""A sweep's answer: for each budget what it bought, and which no other beats. Choices are made on validation."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from ...pages.spread import Spread, pareto
from ...profile.profile import HardwareProfile
from ...profile.units import parse_budget, quantity
from ..outcome import Outcome
from .outcome import PointResult

FORMAT = "spikewright sweep"
FORMAT_VERSION = 1


@dataclass(frozen=True)
class Row:
    """All seeds of one budget.

    Attributes:
        budget: None for the students that were trained without one.
        limit: the budget in the profile's unit; infinite without one.
        pareto: whether no other row costs at most as much and is at least as accurate, by means on validation.
        best: of all points that cost at most ``limit`` the most accurate one, both on validation.
    """

    budget: str | None
    limit: float
    results: tuple[PointResult, ...]
    pareto: bool = False
    best: PointResult | None = None

    @property
    def outcomes(self) -> list[Outcome]:
        """Of the seeds that have one."""
        return [result.outcome for result in self.results if result.outcome is not None]

    def energy(self, split: str) -> Spread | None:
        """In the profile's unit; None where no seed is done."""
        return self._spread(lambda outcome: outcome.energy[split])

    def accuracy(self, split: str) -> Spread | None:
        """From 0 to 1; None where no seed is done."""
        return self._spread(lambda outcome: outcome.accuracy[split])

    def share(self, split: str) -> float | None:
        """The largest energy of any seed, in budgets."""
        energy = self.energy(split)
        return None if energy is None or math.isinf(self.limit) else energy.high / self.limit

    def as_json(self) -> dict[str, object]:
        """The row as a JSON object."""
        spreads = {"energy": self.energy, "accuracy": self.accuracy}
        best = self.best
        return {
            "budget": self.budget,
            "limit": None if math.isinf(self.limit) else self.limit,
            "pareto": self.pareto,
            **{
                name: {split: vars(found) for split in ("validation", "test") if (found := spread(split))}
                for name, spread in spreads.items()
            },
            "best": None if best is None else {"budget": best.point.budget, "seed": best.point.seed},
            "points": [_point_json(result) for result in self.results],
        }

    def _spread(self, of: Callable[[Outcome], float]) -> Spread | None:
        return Spread.of([of(outcome) for outcome in self.outcomes]) if self.outcomes else None


@dataclass(frozen=True)
class SweepResult:
    """Accuracy against deployed energy, budget by budget.

    Attributes:
        study: where the points are kept: the study's name and its database, password left out.
        settings: what all points have in common.
    """

    profile: HardwareProfile
    data: str
    study: tuple[str, str]
    settings: dict[str, object]
    points: tuple[PointResult, ...]

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """No budget first, then from the largest budget down."""
        budgets = {result.point.budget for result in self.points}
        limits = {budget: self._limit(budget) for budget in budgets}
        rows = []
        for budget in sorted(budgets, key=lambda budget: -limits[budget]):
            mine = sorted((r for r in self.points if r.point.budget == budget), key=lambda r: r.point.seed)
            rows.append(Row(budget, limits[budget], tuple(mine), best=best_within(limits[budget], self.points)))
        return tuple(_marked(rows))

    @property
    def failures(self) -> list[str]:
        """Points that were refused for another reason than their budget."""
        return [f"{r.point}: {r.sentence}" for r in self.points if r.state == "failed"]

    def say(self, energy: float) -> str:
        """An energy in the profile's unit, for people."""
        return quantity(energy, self.profile.cost_unit)

    def as_json(self) -> dict[str, object]:
        """The object that ``sweep.json`` holds and ``--json`` prints; energies in ``unit``, per inference."""
        return {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "profile": self.profile.name,
            "profile_sha256": self.profile.sha256,
            "unit": self.profile.cost_unit,
            "data": self.data,
            "study": {"name": self.study[0], "database": self.study[1]},
            "settings": self.settings,
            "rows": [row.as_json() for row in self.rows],
        }

    def _limit(self, budget: str | None) -> float:
        return math.inf if budget is None else parse_budget(budget, self.profile).value


def best_within(limit: float, points: Sequence[PointResult]) -> PointResult | None:
    """The most accurate point that costs at most ``limit``, both on validation; of equals the one that costs less."""
    admitted = [
        (r.outcome.accuracy["validation"], -r.outcome.energy["validation"], -i)
        for i, r in enumerate(points)
        if r.outcome is not None and r.outcome.energy["validation"] <= limit
    ]
    return points[-max(admitted)[2]] if admitted else None


def _marked(rows: Sequence[Row]) -> list[Row]:
    """Rows with the Pareto mark of their means on validation."""

    means = [
        (energy.mean, accuracy.mean) if energy and accuracy else None
        for energy, accuracy in ((row.energy("validation"), row.accuracy("validation")) for row in rows)
    ]
    marks = iter(pareto([pair for pair in means if pair is not None]))
    return [replace(row, pareto=pair is not None and next(marks)) for row, pair in zip(rows, means, strict=True)]


def _point_json(result: PointResult) -> dict[str, object]:
    outcome = None if result.outcome is None else result.outcome.model_dump(mode="json")
    return {
        "budget": result.point.budget,
        "seed": result.point.seed,
        "state": result.state,
        "sentence": result.sentence,
        "outcome": outcome,
    }
