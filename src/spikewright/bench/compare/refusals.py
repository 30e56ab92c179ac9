"""Rows that cannot be trained on these data or within a budget: said once, before any work."""

from __future__ import annotations

from collections.abc import Sequence

from ...base.errors import BelowFloor, InputError
from ...data.dataset import Dataset
from ...energy.estimate import parse_budget
from ...profile.profile import HardwareProfile
from ...training.distill import prepared, pupil_of
from ...training.refusals import unmet
from ...training.settings import DistillSettings
from ...training.teaching import check_teaching, unsuited
from ...training.trainer import Training
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


def _plain(settings: DistillSettings, budget: str | None, dataset: Dataset, profile: HardwareProfile) -> Training | str:
    """A training without a teacher, whose student every row has; or why there is none within the budget."""

    plain = settings.within(budget).model_copy(update={"method": "none", "regularize": (), "assistant": ()})
    try:
        return prepared(plain, dataset, profile, None if budget is None else parse_budget(budget, profile))
    except BelowFloor as error:
        return str(error)


def _refusal(row: Row, settings: DistillSettings, dataset: Dataset, plain: Training) -> str:
    """Why a row cannot be trained; empty where it can."""
    mine = settings.model_copy(update={"method": row.method})
    if faults := [*unmet(mine, row.terms, dataset), *unsuited(mine, row.terms)]:
        return "; ".join(faults)
    try:
        check_teaching(mine, row.terms, dataset, plain.student, pupil_of(mine, plain))
    except InputError as error:
        return str(error)
    return ""
