"""The result of a sweep: energy and accuracy for each budget. All choices are made on validation."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from ...pages.numbers import Spread, pareto
from ...profile.profile import HardwareProfile
from ...profile.units import quantity
from ..outcome import SPLITS, Outcome
from ..point import Point, limit_of
from ..work import JobResult

PointResult = JobResult[Point, Outcome]
FORMAT = "spikewright sweep"
FORMAT_VERSION = 1


@dataclass(frozen=True)
class SweepRow:
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
        """Of the seeds that are done."""
        return [result.value for result in self.results if result.value is not None]

    def energy(self, split: str) -> Spread | None:
        """Of an inference over seeds, in the profile's unit; None if no seed is done."""
        return self._spread(lambda outcome: outcome.energy[split])

    def accuracy(self, split: str) -> Spread | None:
        """Of the integer network over seeds, from 0 to 1; None if no seed is done."""
        return self._spread(lambda outcome: outcome.accuracy[split])

    def share(self, split: str) -> float | None:
        """The largest energy of any seed as a share of the budget; None without a budget or a student."""
        energy = self.energy(split)
        return None if energy is None or math.isinf(self.limit) else energy.high / self.limit

    def as_json(self) -> dict[str, object]:
        """The row as a JSON object."""
        spreads = {"energy": self.energy, "accuracy": self.accuracy}
        return {
            "budget": self.budget,
            "limit": None if math.isinf(self.limit) else self.limit,
            "pareto": self.pareto,
            **{name: {s: vars(found) for s in SPLITS if (found := spread(s))} for name, spread in spreads.items()},
            "best": None if self.best is None else vars(self.best.job),
            "points": [
                {
                    **vars(result.job),
                    "state": result.state,
                    "sentence": result.sentence,
                    "outcome": result.value and result.value.model_dump(mode="json"),
                }
                for result in self.results
            ],
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
    def rows(self) -> tuple[SweepRow, ...]:
        """No budget first, then from the largest budget down."""
        limits = {r.job.budget: limit_of(r.job.budget, self.profile) for r in self.points}
        rows = []
        for budget in sorted(limits, key=lambda budget: -limits[budget]):
            mine = sorted((r for r in self.points if r.job.budget == budget), key=lambda r: r.job.seed)
            rows.append(SweepRow(budget, limits[budget], tuple(mine), best=best_within(limits[budget], self.points)))
        return tuple(_marked(rows))

    @property
    def failures(self) -> list[str]:
        """The points that failed, with the reason; one below the floor is infeasible and has not failed."""
        return [f"{r.job}: {r.sentence}" for r in self.points if r.state == "failed"]

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


def best_within(limit: float, points: Sequence[PointResult]) -> PointResult | None:
    """The most accurate point that costs at most ``limit``, both on validation; of equals the one that costs less."""
    admitted = [
        (r.value.accuracy["validation"], -r.value.energy["validation"], -i)
        for i, r in enumerate(points)
        if r.value is not None and r.value.energy["validation"] <= limit
    ]
    return points[-max(admitted)[2]] if admitted else None


def _marked(rows: Sequence[SweepRow]) -> list[SweepRow]:
    """Rows with the Pareto mark of their means on validation."""
    means = [
        (energy.mean, accuracy.mean) if energy and accuracy else None
        for energy, accuracy in ((row.energy("validation"), row.accuracy("validation")) for row in rows)
    ]
    marks = iter(pareto([pair for pair in means if pair is not None]))
    return [replace(row, pareto=pair is not None and next(marks)) for row, pair in zip(rows, means, strict=True)]
