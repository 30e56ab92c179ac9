"""Distillation methods side by side, free and at the same energy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from ...base.errors import BelowFloor, InputError, arg, refuse, with_flags
from ...base.progress import Callback, Listeners
from ...data.dataset import Dataset
from ...data.few_labels import REST, with_few_labels
from ...distillation.base import LossTerms
from ...profile.profile import HardwareProfile, load_profile
from ...profile.units import parse_budget
from ...training import objects
from ...training.again import OF_MACHINE
from ...training.early import contradictions, no_init
from ...training.given import check_given, seeds_faults
from ...training.objects import GivenData, GivenStudent, GivenTeacher, GivenTerms
from ...training.prepare import hold_faults, prepared, student_plan, train_settings, unmet
from ...training.settings import Budget, DistillSettings, MethodSpec, Training
from ...training.trainer import Trainer
from ..call import also_takes_settings, open_folder, study_name, write_result
from ..database import require_optuna
from ..point import read_budgets
from ..work import DATABASE, open_study
from .curves import write_curves
from .jobs import OWN, jobs_under, read_files, work
from .labels import Labels, labels_of, read_fractions, unlabelled_of
from .plot import write_plot
from .result import ComparisonResult
from .rows import Refusals, Variant, read_rows
from .teachers import known_teachers, prepare_teachers
from .text import markdown

WITHOUT_TEACHER: dict[str, object] = {
    "method": "none",
    "regularize": (),
    "assistant": (),
    "teacher_samples": None,
    "hold": "price",
}


def compare_with(
    settings: DistillSettings,
    methods: Sequence[GivenTerms] = ("all",),
    seeds: int = 3,
    budgets: Sequence[str] = (),
    out: Path | str = "build/compare",
    *,
    regularize: Sequence[GivenTerms] = (),
    free: bool = True,
    train_missing: bool = True,
    study: str | None = None,
    callbacks: Sequence[Callback] = (),
    label_fractions: Sequence[float | str] = (),
) -> ComparisonResult:
    """A comparison as :func:`compare` does it, of what ``settings`` describe.

    A method, regularizers or a budget named there are one more row and one more budget; their seed is the first one.
    """
    plan, dataset = _plan_of(settings, methods, regularize, budgets, free, seeds, label_fractions)
    folder, listeners = Path(out), Listeners(callbacks)
    require_optuna("compare")
    open_folder(folder, plan.settings, "a comparison")
    url = study or f"sqlite:///{folder.resolve() / DATABASE}"
    name = study_name(f"compare-{settings.data.name}", plan.profile.name, plan.settings)
    with open_study(url, name, jobs_under(folder, plan.jobs), listeners) as shared:
        shared.add_results(partial(read_files, out=folder), plan.jobs)
        if train_missing:
            for sentence in dict.fromkeys(plan.refusals.values()):
                rows = dict.fromkeys(str(row) for (row, _), why in plan.refusals.items() if why == sentence)
                listeners.say(f"not trained: {', '.join(rows)}: {sentence}")
            if missing := shared.missing(plan.jobs):
                prepare_teachers([job.row for job in missing], settings, dataset, folder, shared, listeners)
            shared.complete(plan.jobs, partial(work, settings=settings, out=folder, listeners=listeners))
        result = plan.with_results(shared.results(), known_teachers(folder, shared))
    stem = folder / "compare"
    plots = write_plot(result, stem)
    if result.has_curves:
        plots |= write_curves(result, folder / "compare-labels")
    write_result(stem, result.as_json(), markdown(result), plots, listeners)
    return result


@also_takes_settings(compare_with)
def compare(
    data: GivenData = "digits",
    teacher: GivenTeacher = None,
    *,
    student: GivenStudent | None = None,
    methods: GivenTerms | Sequence[GivenTerms] = "all",
    budgets: Sequence[str] = (),
    free: bool = True,
    seeds: int = 3,
    within: Budget | str | None = None,
    regularize: GivenTerms | Sequence[GivenTerms] = (),
    training: Training | None = None,
    label_fractions: Sequence[float | str] = (),
    unlabelled: object = None,
    out: Path | str = "build/compare",
    train_missing: bool = True,
    study: str | None = None,
    callbacks: Sequence[Callback] = (),
) -> ComparisonResult:
    """Distil a student by each method, within each budget and from each seed, and measure all of them on the chip.

    Writes ``compare.json``, ``compare.md``, ``compare.svg`` and ``compare.png``; each student is under ``trainings/``.
    ``data``, ``teacher`` and ``student`` are as :func:`spikewright.distill` takes them. A call with
    :class:`DistillSettings` in their place, as it was before 0.2, is deprecated.

    Args:
        methods: methods, or text: ``"all"``, or rows such as ``"none kd:alpha=0.7"`` and ``"kd + logits:weight=0.01"``.
        budgets: numbers with a unit, such as ``["3uJ"]``.
        free: whether every row is trained without a budget, too.
        seeds: students of each row within each budget.
        within: the chip, and limits that hold for every student; an energy budget in it is one more of ``budgets``.
        regularize: regularizers with each of which every row is taken once more.
        training: how long and how to train; its seed is the first one.
        label_fractions: shares of the labels, such as ``[0.01, 0.1, 1]``: students of each row learn from the first
            samples of each class; all take as many steps. Writes ``compare-labels.csv``, ``.svg`` and ``.png`` too.
        unlabelled: samples without labels, as :func:`spikewright.distill` takes them, with which every row that has a
            teacher is taken once more; with ``label_fractions``, ``"rest"`` is what has lost its labels.
        out: folder for every artefact; what it holds of this comparison is not done again.
        train_missing: False to train nothing and give the result of what is there.
        study: URL of the database that the workers share; None: an SQLite file in ``out``.
        callbacks: hear messages and progress.

    Raises:
        InputError: unusable rows, budgets or values, nothing that can be trained, another comparison's folder, no
            Optuna, or no such database.
    """
    check_given(methods=methods, regularize=regularize)
    rows, extra = ([each] if isinstance(each, LossTerms | str) else list(each) for each in (methods, regularize))
    first = read_rows(rows, extra)[0]  # a teacher that is a module is made for the samples that this method shows it
    common = objects.settings_of(data, teacher, student, first.method, within, (), training, unlabelled)
    return compare_with(
        replace(common, method=MethodSpec()), rows, seeds, budgets, out,
        regularize=extra, free=free, train_missing=train_missing, study=study, callbacks=callbacks,
        label_fractions=label_fractions,
    )  # fmt: skip


def _plan_of(
    settings: DistillSettings,
    methods: Sequence[GivenTerms],
    regularize: Sequence[GivenTerms],
    budgets: Sequence[str],
    free: bool,
    seeds: int,
    label_fractions: Sequence[float | str],
) -> tuple[ComparisonResult, Dataset]:
    """A comparison without results, and its data set; arguments are as :func:`compare_with` takes them."""
    profile = load_profile(settings.limits.profile)
    no_init(settings, "comparison")
    refuse("comparison", list(contradictions(settings, budgets_apart=bool(budgets))))
    named = settings.method.model_fields_set  # by a preset
    further = [Variant(settings.method.name, settings.method.regularize)] if named else []
    read_rows(methods, regularize, further)  # refuses them before data are loaded
    chosen, fractions = _budgets(settings, budgets, free, seeds, profile), read_fractions(label_fractions)
    dataset = objects.dataset_of(settings, settings.student.timesteps)
    unlabelled = unlabelled_of(settings, dataset)
    rows = read_rows(methods, regularize, further, unlabelled)
    labels = labels_of(fractions, settings, dataset) if fractions or unlabelled is not None else (None,)
    learnt = with_few_labels(dataset, settings.data.train_samples, settings.data.label_fraction)
    training = train_settings(settings.training, learnt.recipe)
    plan = ComparisonResult(
        profile=profile,
        data=settings.data.name,
        settings={
            **settings.flat(without=OWN | OF_MACHINE),
            # The data set's values for settings that were left out.
            **{name: getattr(training, name) for name in ("epochs", "batch", "augmentation")},
            **objects.object_hashes(settings),
            "profile_sha256": profile.sha256,
            "train_split_sha256": learnt.train.sha256,
        },
        rows=tuple(rows),
        budgets=tuple(chosen),
        seeds=tuple(range(settings.training.seed, settings.training.seed + seeds)),
        results=(),
        refusals=_refusals(rows, chosen, settings, learnt, profile),
        teachers=(),
        labels=tuple(labels),
        left_out=_left_out(rows, labels, len(learnt.train), settings, dataset),
    )
    if not plan.jobs:
        refuse("compare: nothing of it can be trained", list(dict.fromkeys(plan.refusals.values())))
    return plan, dataset


def _left_out(
    rows: Sequence[Variant], labels: Sequence[Labels | None], pool: int, settings: DistillSettings, dataset: Dataset
) -> dict[tuple[Variant, float], str]:
    """Rows for which fewer samples have lost their labels than are asked for, by their share of the labels.

    Args:
        pool: training samples of which shares keep their labels.
    """
    found = {}
    for row in rows:
        if row.unlabelled is None or not row.unlabelled.is_of_training_part:
            continue
        for some in labels:
            if some is None:
                continue
            of_shares = len(labels) > 1 or settings.data.label_fraction is not None
            left = (pool if of_shares else len(dataset.train)) - some.labelled
            wanted = 1 if row.unlabelled.samples == REST else int(row.unlabelled.samples)
            if left < wanted:
                shown = "no sample is" if left == 0 else f"{left:,} samples are"
                found[row, some.fraction] = f"with {some.title}, {shown} left without"
    return found


def _budgets(
    settings: DistillSettings, budgets: Sequence[str], free: bool, seeds: int, profile: HardwareProfile
) -> list[str | None]:
    """No budget first, then from the largest down, each in its one spelling; refuses with every fault at once."""
    own = [] if settings.limits.energy_budget is None else [settings.limits.energy_budget]
    given = [budgets] if isinstance(budgets, str) else budgets
    texts, faults = read_budgets([*given, *own], profile, "budgets")
    if not free and not budgets and not own:
        faults.append(f"without free students and without budgets there is nothing to compare; give {arg('budgets')}")
    faults += seeds_faults(settings.training.seed, seeds)
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
    if settings.data.unlabelled is not None:  # rows that are given such samples have a teacher
        settings = settings.changed({"unlabelled": None, "labelled_share": None})
    for budget in budgets:
        alone = settings.within(budget).changed(WITHOUT_TEACHER)
        try:
            plain = prepared(alone, dataset, profile, None if budget is None else parse_budget(budget, profile))
        except BelowFloor as error:
            found.update({(row, budget): with_flags(error, {}) for row in rows})
        else:
            whys = {row: _refusal(row, settings.within(budget), dataset, plain) for row in rows}
            found.update({(row, budget): why for row, why in whys.items() if why})
    return found


def _refusal(row: Variant, settings: DistillSettings, dataset: Dataset, plain: Trainer) -> str:
    """Why a row cannot be trained; empty if it can."""
    settings = row.of(settings)
    teaching = objects.teaching_of(settings, row.terms, dataset)
    try:
        _, regularizers = objects.loss_terms(settings)
        holding = hold_faults(settings, row.terms, regularizers)
        if faults := [*unmet(settings, row.terms, dataset), *teaching.faults(), *holding]:
            raise InputError("; ".join(faults))
        teaching.check(dataset, plain.student, student_plan(plain))
    except InputError as error:
        return with_flags(error, {})
    return ""
