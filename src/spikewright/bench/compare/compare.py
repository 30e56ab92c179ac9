"""Distillation methods side by side, free and at the same energy."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from ...base.progress import Callback, Listeners
from ...training.settings import DistillSettings
from ..database import require_optuna
from ..folder import open_folder, study_name, write_result
from ..work import DATABASE, open_study
from .jobs import jobs_under, read_files, work
from .plan import plan_of
from .plot import write_plot
from .result import ComparisonResult
from .teachers import known_teachers, prepare_teachers
from .text import markdown


def compare(
    settings: DistillSettings,
    methods: Sequence[str] = ("all",),
    seeds: int = 3,
    budgets: Sequence[str] = (),
    out: Path | str = "build/compare",
    *,
    regularize: Sequence[str] = (),
    free: bool = True,
    train_missing: bool = True,
    study: str | None = None,
    callbacks: Sequence[Callback] = (),
) -> ComparisonResult:
    """Distil a student by each method, within each budget and from each seed, and measure all of them on the chip.

    Writes ``compare.json``, ``compare.md``, ``compare.svg`` and ``compare.png``; each student is under ``trainings/``.

    Args:
        settings: what all have in common. A method, regularizers or a budget named there are one more row and one more
            budget; their seed is the first one.
        methods: ``["all"]``, or rows such as ``["none", "kd:alpha=0.7", "kd + logits:weight=0.01"]``.
        seeds: students of each row within each budget.
        budgets: numbers with a unit, such as ``["3uJ"]``.
        out: folder for every artefact; what it holds of this comparison is not done again.
        regularize: regularizers with each of which every row is taken once more.
        free: whether every row is trained without a budget, too.
        train_missing: False to train nothing and give the result of what is there.
        study: URL of the database that the workers share; None: an SQLite file in ``out``.
        callbacks: hear messages and progress.

    Raises:
        InputError: unusable rows, budgets or settings, nothing that can be trained, another comparison's folder, no
            Optuna, or no such database.
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
