"""`spikewright compare`: distillation methods side by side, free and at the same energy."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from ...base import command as cli
from ...base.artefacts import write_json, write_text
from ...training.settings import DistillSettings
from ..folder import claim_folder
from .plan import Plan, plan_of
from .plot import write_plot
from .result import ComparisonResult
from .teachers import meet_teachers, read_teachers
from .text import markdown
from .training import train
from .work import Work, results_of


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
        train_missing: False to tell what is there and train nothing.

    Raises:
        InputError: unusable rows, budgets or settings, nothing that can be trained, or another comparison's folder.
    """

    plan, folder = plan_of(settings, methods, regularize, budgets, free, seeds), Path(out)
    claim_folder(folder, plan.facts, "a comparison")
    if train_missing:
        _complete(plan, folder)
    result = plan.result(results_of(plan.cells, folder), read_teachers(folder))
    _write(result, folder)
    return result


def _complete(plan: Plan, folder: Path) -> None:
    """See every training done, with its teacher before it."""

    for sentence in dict.fromkeys(plan.refusals.values()):
        rows = dict.fromkeys(str(row) for (row, _), why in plan.refusals.items() if why == sentence)
        cli.say(f"not trained: {', '.join(rows)}: {sentence}")
    work = Work(plan.cells, folder)
    if missing := work.missing:
        meet_teachers([cell.row for cell in missing], plan.settings, plan.dataset, folder)
    work.complete(partial(train, settings=plan.settings, out=folder))


def _write(result: ComparisonResult, folder: Path) -> None:

    write_json(folder / "compare.json", result.as_json())
    write_text(folder / "compare.md", markdown(result))
    plots = write_plot(result, folder / "compare")
    files = (folder / "compare.json", folder / "compare.md", *plots.values())
    cli.say("wrote " + ", ".join(str(path) for path in files))
