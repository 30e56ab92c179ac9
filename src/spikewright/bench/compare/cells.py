"""The trainings of a comparison: each row within each budget, from each seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ...training.settings import DistillSettings
from ..point import Point
from .rows import Row

TRAININGS = "trainings"
OWN = {"method", "regularize", "energy_budget", "seed"}
"""Settings that a training has of its own."""


@dataclass(frozen=True)
class Cell:
    """One training."""

    row: Row
    point: Point

    def __str__(self) -> str:
        return f"{self.row}, {self.point}"

    def folder(self, out: Path) -> Path:
        """Where its files go."""
        return out / TRAININGS / self.row.name / self.point.name

    def settings(self, common: DistillSettings) -> DistillSettings:
        """What makes its student."""
        own = {"method": self.row.method, "regularize": self.row.regularize, "seed": self.point.seed}
        return common.within(self.point.budget).changed(own)


def cells_of(rows: Sequence[Row], budgets: Sequence[str | None], seeds: Sequence[int]) -> list[Cell]:
    """All trainings in the order of work: seed after seed, so that the table is whole from the first one on."""
    return [Cell(row, Point(budget, seed)) for seed in seeds for budget in budgets for row in rows]
