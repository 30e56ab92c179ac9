"""Distillation methods side by side, free and at the same energy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from ...base.progress import Callback, Listeners
from ...distillation.base import LossTerms
from ...training.objects import GivenData, GivenStudent, GivenTeacher, GivenTerms, settings_of
from ...training.settings import Budget, DistillSettings, MethodSpec, Training
from ..database import require_optuna
from ..folder import open_folder, study_name, write_result
from ..former import also_takes_settings
from ..work import DATABASE, open_study
from .jobs import jobs_under, read_files, work
from .plan import plan_of
from .plot import write_plot
from .result import ComparisonResult
from .rows import read_rows
from .teachers import known_teachers, prepare_teachers
from .text import markdown


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
) -> ComparisonResult:
    """A comparison as :func:`compare` does it, of what ``settings`` describe.

    Args:
        settings: what all have in common. A method, regularizers or a budget named there are one more row and one more
            budget; their seed is the first one.

    Raises:
        InputError: as :func:`compare`.
    """
    plan, dataset = plan_of(settings, methods, regularize, budgets, free, seeds)
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
    plots = write_plot(result, folder / "compare")
    write_result(folder / "compare", result.as_json(), markdown(result), plots, listeners)
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
        out: folder for every artefact; what it holds of this comparison is not done again.
        train_missing: False to train nothing and give the result of what is there.
        study: URL of the database that the workers share; None: an SQLite file in ``out``.
        callbacks: hear messages and progress.

    Raises:
        InputError: unusable rows, budgets or values, nothing that can be trained, another comparison's folder, no
            Optuna, or no such database.
    """
    rows, extra = ([each] if isinstance(each, LossTerms | str) else list(each) for each in (methods, regularize))
    first = read_rows(rows, extra)[0]  # a teacher that is a module is made for the samples that this method shows it
    common = settings_of(data, teacher, student, first.method, within, training=training)
    return compare_with(
        replace(common, method=MethodSpec()), rows, seeds, budgets, out,
        regularize=extra, free=free, train_missing=train_missing, study=study, callbacks=callbacks,
    )  # fmt: skip
