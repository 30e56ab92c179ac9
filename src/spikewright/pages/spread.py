"""Numbers over seeds, and which rows of a table no other beats."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean, stdev


@dataclass(frozen=True)
class Spread:
    """A number over seeds.

    Attributes:
        deviation: sample standard deviation, None for a single seed.
    """

    mean: float
    deviation: float | None
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """The spread of one or more values."""
        return cls(mean(values), stdev(values) if len(values) > 1 else None, min(values), max(values))


def pareto(points: Sequence[tuple[float, float]]) -> list[bool]:
    """Which of ``(energy, accuracy)`` no other beats by costing at most as much and being at least as accurate."""
    return [
        not any(other != point and other[0] <= point[0] and other[1] >= point[1] for other in points)
        for point in points
    ]
