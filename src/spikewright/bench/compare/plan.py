"""The plan of a comparison: its rows, budgets and seeds, and which of them cannot be trained."""

from __future__ import annotations

from collections.abc import Sequence

from ...base.errors import BelowFloor, InputError, arg, refuse, with_flags
from ...data.dataset import Dataset
from ...profile.profile import HardwareProfile, load_profile
from ...profile.units import parse_budget
from ...training.objects import GivenTerms, dataset_of, object_hashes, teaching_of
from ...training.prepare import prepared, student_plan, train_settings, unmet
from ...training.settings import DistillSettings
from ...training.trainer import Trainer
from ..point import read_budgets
from ..road import OF_MACHINE
from .jobs import OWN
from .result import ComparisonResult
from .rows import Refusals, Variant, read_rows


def plan_of(
    settings: DistillSettings,
    methods: Sequence[GivenTerms],
    regularize: Sequence[GivenTerms],
    budgets: Sequence[str],
    free: bool,
    seeds: int,
) -> tuple[ComparisonResult, Dataset]:
    """A comparison without results, and its data set; arguments are as :func:`~.compare.compare_with` takes them.

    Raises:
        InputError: unusable rows, budgets or settings, or nothing that can be trained.
    """
    profile = load_profile(settings.limits.profile)
    named = settings.method.model_fields_set  # by a preset
    rows = read_rows(methods, regularize, [Variant(settings.method.name, settings.method.regularize)] if named else [])
    chosen = _budgets(settings, budgets, free, seeds, profile)
    dataset = dataset_of(settings, settings.student.timesteps)
    learnt = dataset.with_train_samples(settings.data.train_samples)
    training = train_settings(settings.training, learnt.recipe)
    plan = ComparisonResult(
        profile=profile,
        data=settings.data.name,
        settings={
            **settings.flat(without=OWN | OF_MACHINE),
            # The data set's values for settings that were left out.
            **{name: getattr(training, name) for name in ("epochs", "batch", "augmentation")},
            **object_hashes(settings),
            "profile_sha256": profile.sha256,
            "train_split_sha256": learnt.train.sha256,
        },
        rows=tuple(rows),
        budgets=tuple(chosen),
        seeds=tuple(range(settings.training.seed, settings.training.seed + seeds)),
        results=(),
        refusals=_refusals(rows, chosen, settings, learnt, profile),
        teachers=(),
    )
    if not plan.jobs:
        refuse("compare: nothing of it can be trained", list(dict.fromkeys(plan.refusals.values())))
    return plan, dataset


def _budgets(
    settings: DistillSettings, budgets: Sequence[str], free: bool, seeds: int, profile: HardwareProfile
) -> list[str | None]:
    """No budget first, then from the largest down, each in its one spelling; refuses with every fault at once."""
    own = [] if settings.limits.energy_budget is None else [settings.limits.energy_budget]
    texts, faults = read_budgets([*budgets, *own], profile, "budgets")
    if not free and not budgets and not own:
        faults.append(f"without free students and without budgets there is nothing to compare; give {arg('budgets')}")
    if seeds < 1:
        faults.append(f"{arg('seeds', seeds)}: must be at least 1")
    refuse("compare", faults)
    return [*([None] if free else []), *texts]


def _refusals(
    rows: Sequence[Variant],
    budgets: Sequence[str | None],
    settings: DistillSettings,
    dataset: Dataset,
    profile: HardwareProfile,
) -> Refusals:
    """Why rows cannot be trained within a budget; the student, which all rows share, is sized as for the first seed.

    The sentences stand in files, and speak of flags as all files do.
    """
    found: Refusals = {}
    for budget in budgets:
        alone = settings.within(budget).changed({"method": "none", "regularize": (), "assistant": ()})
        try:
            plain = prepared(alone, dataset, profile, None if budget is None else parse_budget(budget, profile))
        except BelowFloor as error:
            found.update({(row, budget): with_flags(error, {}) for row in rows})
        else:
            whys = {row: _refusal(row, settings, dataset, plain) for row in rows}
            found.update({(row, budget): why for row, why in whys.items() if why})
    return found


def _refusal(row: Variant, settings: DistillSettings, dataset: Dataset, plain: Trainer) -> str:
    """Why a row cannot be trained; empty if it can."""
    teaching = teaching_of(settings, row.terms, dataset)
    try:
        if faults := [*unmet(settings, row.terms, dataset), *teaching.faults()]:
            raise InputError("; ".join(faults))
        teaching.check(dataset, plain.student, student_plan(plain))
    except InputError as error:
        return with_flags(error, {})
    return ""
