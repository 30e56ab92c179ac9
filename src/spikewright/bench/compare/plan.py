"""The plan of a comparison: its rows, budgets and seeds, and which of them cannot be trained."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from ...base.errors import BelowFloor, InputError, arg, refuse
from ...data.dataset import Dataset
from ...data.load import load
from ...profile.profile import HardwareProfile, load_profile
from ...profile.units import parse_budget
from ...training.distill import prepared, pupil_of, train_settings
from ...training.refusals import unmet
from ...training.settings import DistillSettings
from ...training.teaching import check_teaching, unsuited
from ...training.trainer import Training
from ..point import read_budgets
from ..road import OF_MACHINE
from .jobs import OWN, TrainingJob, TrainingResult, jobs_of
from .result import ComparisonResult
from .rows import Refusals, Row, read_rows
from .teachers import TeacherFacts


@dataclass(frozen=True, eq=False)
class Plan:
    """A comparison before its first training.

    Attributes:
        settings: what all trainings have in common.
        dataset: with the whole training part.
        facts: JSON-able; a folder that holds a comparison must have the same.
        budgets: None stands for no budget.
    """

    settings: DistillSettings
    profile: HardwareProfile
    dataset: Dataset
    facts: dict[str, object]
    rows: tuple[Row, ...]
    budgets: tuple[str | None, ...]
    seeds: tuple[int, ...]
    refusals: Refusals

    @cached_property
    def jobs(self) -> list[TrainingJob]:
        """The trainings that are possible, in the order of work."""
        jobs = jobs_of(self.rows, self.budgets, self.seeds)
        return [job for job in jobs if (job.row, job.point.budget) not in self.refusals]

    def result(self, results: Iterable[TrainingResult], teachers: Sequence[TeacherFacts]) -> ComparisonResult:
        """The result as far as there is one; trainings without a result are unfinished."""
        known = {result.job: result for result in results}
        return ComparisonResult(
            self.profile,
            self.settings.data,
            self.facts,
            self.rows,
            self.budgets,
            self.seeds,
            tuple(known.get(job, TrainingResult(job, "unfinished")) for job in self.jobs),
            self.refusals,
            tuple(teachers),
        )


def plan_of(
    settings: DistillSettings,
    methods: Sequence[str],
    regularize: Sequence[str],
    budgets: Sequence[str],
    free: bool,
    seeds: int,
) -> Plan:
    """Find out what can be trained; all arguments are as :func:`spikewright.bench.compare.compare.compare` takes them.

    Raises:
        InputError: unusable rows, budgets or settings, or nothing that can be trained.
    """
    profile = load_profile(settings.profile)
    rows = read_rows(methods, regularize, _own_row(settings))
    chosen = _budgets(settings, budgets, free, seeds, profile)
    dataset = load(settings.data, settings.data_dir, settings.timesteps)
    learnt = dataset.with_train_samples(settings.train_samples)
    plan = Plan(
        settings=settings,
        profile=profile,
        dataset=dataset,
        facts=_facts(settings, profile, learnt),
        rows=tuple(rows),
        budgets=tuple(chosen),
        seeds=tuple(range(settings.seed, settings.seed + seeds)),
        refusals=_refusals(rows, chosen, settings, learnt, profile),
    )
    if not plan.jobs:
        refuse("compare: nothing of it can be trained", list(dict.fromkeys(plan.refusals.values())))
    return plan


def _facts(settings: DistillSettings, profile: HardwareProfile, learnt: Dataset) -> dict[str, object]:
    """What all trainings have in common, with the data set's values for settings that were left out."""
    training = train_settings(settings)
    return {
        **settings.model_dump(mode="json", exclude=OWN | OF_MACHINE),
        **{name: getattr(training, name) for name in ("epochs", "batch", "augmentation")},
        "profile_sha256": profile.sha256,
        "train_split_sha256": learnt.train.sha256,
    }


def _own_row(settings: DistillSettings) -> list[Row]:
    """The row that a preset names."""
    named = settings.model_fields_set & {"method", "regularize"}
    return [Row(settings.method, settings.regularize)] if named else []


def _budgets(
    settings: DistillSettings, budgets: Sequence[str], free: bool, seeds: int, profile: HardwareProfile
) -> list[str | None]:
    """No budget first, then from the largest down, each in its one spelling; refuses with every fault at once."""
    own = [] if settings.energy_budget is None else [settings.energy_budget]
    texts, faults = read_budgets([*budgets, *own], profile, "budgets")
    if not free and not budgets and not own:
        faults.append(f"without free students and without budgets there is nothing to compare; give {arg('budgets')}")
    if seeds < 1:
        faults.append(f"{arg('seeds', seeds)}: must be at least 1")
    refuse("compare", faults)
    return [*([None] if free else []), *texts]


def _refusals(
    rows: Sequence[Row],
    budgets: Sequence[str | None],
    settings: DistillSettings,
    dataset: Dataset,
    profile: HardwareProfile,
) -> Refusals:
    """Why rows cannot be trained within a budget; the student is sized as for the first seed."""
    found: Refusals = {}
    for budget in budgets:
        plain = _plain(settings, budget, dataset, profile)
        for row in rows:
            why = plain if isinstance(plain, str) else _refusal(row, settings, dataset, plain)
            if why:
                found[row, budget] = why
    return found


def _plain(settings: DistillSettings, budget: str | None, dataset: Dataset, profile: HardwareProfile) -> Training | str:
    """A training without a teacher, whose student all rows have; or why there is none within the budget."""
    plain = settings.within(budget).model_copy(update={"method": "none", "regularize": (), "assistant": ()})
    try:
        return prepared(plain, dataset, profile, None if budget is None else parse_budget(budget, profile))
    except BelowFloor as error:
        return str(error)


def _refusal(row: Row, settings: DistillSettings, dataset: Dataset, plain: Training) -> str:
    """Why a row cannot be trained; empty if it can."""
    mine = settings.model_copy(update={"method": row.method})
    if faults := [*unmet(mine, row.terms, dataset), *unsuited(mine, row.terms)]:
        return "; ".join(faults)
    try:
        check_teaching(mine, row.terms, dataset, plain.student, pupil_of(mine, plain))
    except InputError as error:
        return str(error)
    return ""
