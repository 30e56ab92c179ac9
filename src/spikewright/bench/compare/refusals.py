"""Rows that cannot be trained on these data or within a budget: said once, before any work."""

from __future__ import annotations

from collections.abc import Sequence

from ...base.errors import BelowFloor, InputError, with_flags
from ...data.dataset import Dataset
from ...profile.profile import HardwareProfile
from ...profile.units import parse_budget
from ...training.objects import teaching_of
from ...training.prepare import prepared, student_plan, unmet
from ...training.settings import DistillSettings
from ...training.trainer import Trainer
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
        plain = _plain(settings, budget, dataset, profile)
        for row in rows:
            why = plain if isinstance(plain, str) else _refusal(row, settings, dataset, plain)
            if why:
                found[row, budget] = why
    return found


def _plain(settings: DistillSettings, budget: str | None, dataset: Dataset, profile: HardwareProfile) -> Trainer | str:
    """A training without a teacher, whose student every row has; or why there is none within the budget."""

    plain = settings.within(budget).changed({"method": "none", "regularize": (), "assistant": ()})
    try:
        return prepared(plain, dataset, profile, None if budget is None else parse_budget(budget, profile))
    except BelowFloor as error:
        return with_flags(error, {})


def _refusal(row: Row, settings: DistillSettings, dataset: Dataset, plain: Trainer) -> str:
    """Why a row cannot be trained; empty where it can."""
    teaching = teaching_of(settings, row.terms)
    if faults := [*unmet(settings, row.terms, dataset), *teaching.faults()]:
        return with_flags(InputError("; ".join(faults)), {})
    try:
        teaching.check(dataset, plain.student, student_plan(plain))
    except InputError as error:
        return with_flags(error, {})
    return ""
