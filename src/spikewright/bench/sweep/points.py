"""The points of a sweep: which budgets, which seeds, and the work on each of them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from ...base.errors import InputError, arg
from ...base.progress import SILENT, Listeners
from ...profile.schema import CostUnit
from ...profile.units import spelled
from ...training.settings import DistillSettings
from ..outcome import Outcome
from ..point import Point
from ..road import make
from ..work import JobKind, JobResult

POINTS = "points"
LOWEST = 1.25
"""The lowest budget that ``points`` chooses, in floors: a fifth of it is left for spikes."""
DIGITS = 3
"""Significant digits of a budget that ``points`` chooses."""
PointResult = JobResult[Point, Outcome]


def points_of(budgets: Iterable[str], seeds: Sequence[int]) -> list[Point]:
    """All points in the order of work: seed after seed, and for each the student without a budget first."""
    kept = list(budgets)
    return [Point(budget, seed) for seed in seeds for budget in (None, *kept)]


def points_under(folder: Path) -> JobKind[Point, Outcome]:
    """How the points of a sweep, whose files lie in ``folder``, stand in its study."""
    return JobKind(
        noun="point",
        attributes_of=lambda point: {"budget": point.budget, "seed": point.seed},
        job_of=_point,
        folder_of=lambda point: folder / POINTS / point.name,
        result=Outcome,
        result_name="outcome",
        values_of=lambda outcome: (outcome.energy["validation"], outcome.accuracy["validation"]),
        is_required=lambda point: point.budget is None,  # all others are compared with it
    )


def _point(attributes: Mapping[str, object]) -> Point | None:
    budget, seed = attributes.get("budget"), attributes.get("seed")
    return Point(budget if isinstance(budget, str) else None, seed) if isinstance(seed, int) else None


def settings_of(point: Point, settings: DistillSettings) -> DistillSettings:
    """The settings that make the student of a point."""
    return settings.within(point.budget).changed({"seed": point.seed})


def work(point: Point, settings: DistillSettings, out: Path, listeners: Listeners = SILENT) -> Outcome:
    """Make the student of a point and measure what it does and costs on the chip.

    Args:
        settings: what all points have in common.
        out: the folder of the sweep.

    Raises:
        BelowFloor: no candidate is small enough for the budget.
        SpikewrightError: a step refused its input, or the network does not fit the profile.
    """
    return make(settings_of(point, settings), out / POINTS / point.name, out, listeners).outcome


def spaced(floor: float, without_budget: float, count: int, unit: CostUnit) -> list[str]:
    """Budgets evenly spaced on the log scale, from the largest down.

    ``b_i = low (high / low)^(i / count), i = 0 .. count - 1`` with ``low = LOWEST x floor`` and ``high`` the energy
    without a budget, which is a point of its own and left out.

    Args:
        floor: of the smallest candidate, in the profile's unit.
        without_budget: deployed energy of the student that was trained without a budget, in the same unit.

    Raises:
        InputError: nothing lies between the two.
    """
    low = LOWEST * floor
    if low >= without_budget:
        raise InputError(
            f"{arg('points', count)}: the student without a budget costs {spelled(without_budget, unit)}, and {LOWEST} "
            f"times the floor of the smallest candidate is {spelled(low, unit)}; leave {arg('width')} and "
            f"{arg('timesteps')} free, or give {arg('budgets')}"
        )
    values = [low * (without_budget / low) ** (i / count) for i in range(count)]
    return list(dict.fromkeys(spelled(_rounded(value), unit) for value in reversed(values)))


def _rounded(value: float) -> float:
    return round(value, DIGITS - 1 - math.floor(math.log10(value)))
