"""Rows that cannot be trained on these data or within a budget: said once, before any work."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import BelowFloor, InputError
from ..hardware_profiles.profile import HardwareProfile
from ..train.data import Dataset
from ..train.distill import prepared
from ..train.refusals import require_shapes, unmet
from ..train.settings import DistillSettings
from ..train.student import Student
from .rows import Row

Refusals = dict[tuple[Row, str | None], str]
"""By row and budget, one sentence."""


def refusals_of(
    rows: Sequence[Row],
    budgets: Sequence[str | None],
    settings: DistillSettings,
    dataset: Dataset,
    profile: HardwareProfile,
) -> Refusals:
    """What of a comparison cannot be trained, and why.

    Args:
        settings: what all trainings have in common; the student is sized as for the first seed.

    Raises:
        InputError: settings with which nothing can be trained.
    """
    found: Refusals = {}
    for budget in budgets:
        student = _student(settings, budget, dataset, profile)
        for row in rows:
            why = student if isinstance(student, str) else _refusal(row, settings, dataset, student)
            if why:
                found[row, budget] = why
    return found


def _student(
    settings: DistillSettings, budget: str | None, dataset: Dataset, profile: HardwareProfile
) -> Student | str:
    """The student before training, which is the same for every row; or why there is none within the budget."""
    from ..energy import parse_budget

    plain = settings.model_copy(update={"method": "none", "regularize": (), "energy_budget": budget})
    try:
        return prepared(plain, dataset, profile, None if budget is None else parse_budget(budget, profile)).student
    except BelowFloor as error:
        return str(error)


def _refusal(row: Row, settings: DistillSettings, dataset: Dataset, student: Student) -> str:
    """Why a row cannot be trained; empty where it can."""
    mine = settings.model_copy(update={"method": row.method})
    if faults := list(unmet(mine, row.terms, dataset)):
        return "; ".join(faults)
    try:
        require_shapes(mine, row.terms, dataset, student)
    except InputError as error:
        return str(error)
    return ""
