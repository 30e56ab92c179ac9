"""What became of one point of a sweep, as its study keeps it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..outcome import Outcome
from ..point import Point

State = Literal["done", "infeasible", "failed", "unfinished"]


@dataclass(frozen=True)
class PointResult:
    """A point and what became of it.

    Attributes:
        sentence: why there is no outcome; empty where there is one.
    """

    point: Point
    state: State
    outcome: Outcome | None = None
    sentence: str = ""
