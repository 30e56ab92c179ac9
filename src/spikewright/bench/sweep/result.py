"""The result of a sweep: energy and accuracy for each budget. All choices are made on validation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from ...pages.anchors import AnchorTable
from ...profile.anchors import Anchors
from ..point import Outcome, Point, limit_of
from ..result import BenchResult, Seeds, by_split, with_marks
from ..work import JobResult

PointResult = JobResult[Point, Outcome]
FORMAT = "spikewright sweep"
FORMAT_VERSION = 1


@dataclass(frozen=True, repr=False)
class SweepRow(Seeds[Point, Outcome]):
    """All seeds of one budget.

    Attributes:
        best: of all points that cost at most ``limit`` the most accurate one, both on validation.
    """

    best: PointResult | None = None

    @property
    def outcomes(self) -> list[Outcome]:
        """Of the seeds that are done."""
        return [result.value for result in self.results if result.value is not None]

    def share(self, split: str) -> float | None:
        """The largest energy of any seed as a share of the budget; None without a budget or a student."""
        energy = self.energy(split)
        return None if energy is None or math.isinf(self.limit) else energy.high / self.limit

    def as_json(self) -> dict[str, object]:
        """The row as a JSON object."""
        return {
            "budget": self.budget,
            "limit": None if math.isinf(self.limit) else self.limit,
            "pareto": self.pareto,
            "energy": by_split(self.energy),
            "accuracy": by_split(self.accuracy),
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


@dataclass(frozen=True, repr=False)
class SweepResult(BenchResult):
    """Accuracy against deployed energy, budget by budget.

    Attributes:
        study: where the points are kept: the study's name and its database, password left out.
        anchors: published points to stand beside; None where none were asked for.
    """

    study: tuple[str, str]
    points: tuple[PointResult, ...]
    anchors: Anchors | None = None

    def __repr__(self) -> str:
        done = sum(point.state == "done" for point in self.points)
        return f"SweepResult({self.title}: {len(self.rows)} budgets, {done} of {len(self.points)} students done)"

    @cached_property
    def rows(self) -> tuple[SweepRow, ...]:
        """No budget first, then from the largest budget down."""
        limits = {r.job.budget: limit_of(r.job.budget, self.profile) for r in self.points}
        rows = []
        for budget, limit in sorted(limits.items(), key=lambda item: -item[1]):
            mine = sorted((r for r in self.points if r.job.budget == budget), key=lambda r: r.job.seed)
            rows.append(SweepRow(budget, limit, tuple(mine), best_within(limit, self.points)))
        return tuple(with_marks(rows))

    @property
    def outcomes(self) -> list[Outcome]:
        """Of all points that are done."""
        return [result.value for result in self.points if result.value is not None]

    @property
    def published(self) -> AnchorTable | None:
        """The published points beside this sweep; None where none were asked for."""
        return None if self.anchors is None else AnchorTable(self.anchors, self.profile, self.data, self.measure)

    @property
    def failures(self) -> list[str]:
        """The points that failed, with the reason; one below the floor is infeasible and has not failed."""
        return [f"{r.job}: {r.sentence}" for r in self.points if r.state == "failed"]

    def as_json(self) -> dict[str, object]:
        """The object that ``sweep.json`` holds and ``--json`` prints; energies in ``unit``, per inference."""
        return {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            **self.head(),
            "study": {"name": self.study[0], "database": self.study[1]},
            "settings": self.settings,
            "rows": [row.as_json() for row in self.rows],
            **({} if self.published is None else {"anchors": self.published.as_json()}),
        }


def best_within(limit: float, points: Sequence[PointResult]) -> PointResult | None:
    """The most accurate point that costs at most ``limit``, both on validation; of equals the one that costs less."""
    admitted = [r for r in points if r.value is not None and r.value.energy["validation"] <= limit]
    return min(admitted, key=_merit, default=None)


def _merit(result: PointResult) -> tuple[float, float]:
    assert result.value is not None
    return -result.value.accuracy["validation"], result.value.energy["validation"]
