"""What a comparison is going to do: its rows, budgets and seeds, and what of that cannot be trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from ...base.errors import refuse
from ...data.dataset import Dataset
from ...profile.profile import HardwareProfile, load_profile
from ...training.objects import dataset_of
from ...training.prepare import train_settings
from ...training.settings import DistillSettings
from ..making import ELSEWHERE
from ..point import read_budgets
from .cells import OWN, Cell, cells_of
from .refusals import Refusals, refusals_of
from .result import ComparisonResult
from .rows import Row, read_rows
from .teachers import TeacherFacts
from .work import CellResult


@dataclass(frozen=True, eq=False)
class Plan:
    """A comparison before its first training.

    Attributes:
        settings: what all trainings have in common.
        dataset: the whole of it.
        facts: JSON-able; what a folder must agree with to be gone on with.
        budgets: None is the setting without one.
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
    def cells(self) -> list[Cell]:
        """What can be trained, in the order of work."""
        cells = cells_of(self.rows, self.budgets, self.seeds)
        return [cell for cell in cells if (cell.row, cell.point.budget) not in self.refusals]

    def result(self, results: Sequence[CellResult], teachers: Sequence[TeacherFacts]) -> ComparisonResult:
        """The answer, as far as there is one."""
        return ComparisonResult(
            self.profile,
            self.settings.data.name,
            self.facts,
            self.rows,
            self.budgets,
            self.seeds,
            tuple(results),
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
    """See what can be trained; all arguments as :func:`spikewright.bench.compare.compare.compare` takes them.

    Raises:
        InputError: unusable rows, budgets or settings, or nothing that can be trained.
    """
    profile = load_profile(settings.limits.profile)
    rows = read_rows(methods, regularize, _own_row(settings))
    chosen = _budgets(settings, budgets, free, seeds, profile)
    dataset = dataset_of(settings, settings.student.timesteps)
    learnt = dataset.with_train_samples(settings.data.train_samples)
    plan = Plan(
        settings=settings,
        profile=profile,
        dataset=dataset,
        facts=_facts(settings, profile, learnt),
        rows=tuple(rows),
        budgets=tuple(chosen),
        seeds=tuple(range(settings.training.seed, settings.training.seed + seeds)),
        refusals=refusals_of(rows, chosen, settings, learnt, profile),
    )
    if not plan.cells:
        refuse("compare: nothing of it can be trained", list(dict.fromkeys(plan.refusals.values())))
    return plan


def _facts(settings: DistillSettings, profile: HardwareProfile, learnt: Dataset) -> dict[str, object]:
    """What all trainings have in common, with what was left out and is filled in by data set."""
    training = train_settings(settings.training, settings.data.name)
    return {
        **settings.flat(without=OWN | ELSEWHERE),
        **{name: getattr(training, name) for name in ("epochs", "batch", "augmentation")},
        "profile_sha256": profile.sha256,
        "train_split_sha256": learnt.train.sha256,
    }


def _own_row(settings: DistillSettings) -> list[Row]:
    """The row that a preset names."""
    method = settings.method
    return [Row(method.name, method.regularize)] if method.model_fields_set else []


def _budgets(
    settings: DistillSettings, budgets: Sequence[str], free: bool, seeds: int, profile: HardwareProfile
) -> list[str | None]:
    """No budget first, then from the largest down, each in its one spelling; refuses with every fault at once."""
    own = [] if (text := settings.limits.energy_budget) is None else [text]
    texts, faults = read_budgets([*budgets, *own], profile, "--energy-budget")
    if not free and not budgets and not own:
        faults.append("--no-free: leaves nothing to compare; give --energy-budget, too")
    if seeds < 1:
        faults.append(f"--seeds {seeds}: must be at least 1")
    refuse("compare", faults)
    return [*([None] if free else []), *texts]
