"""`spikewright compare`: distillation methods side by side, free and at the same energy."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..base.errors import AnswerIsNo
from ..base.interrupt import goes_on
from ..training.settings import DistillSettings
from . import console as cli
from .options import takes_settings


@takes_settings("energy_budget", "method", "regularize", "label_fraction", "init")
def command(
    settings: DistillSettings,
    methods: Annotated[
        list[str] | None,
        typer.Option(
            "--methods",
            help='all, or rows apart by blanks: "none kd:alpha=0.7 kd + logits:weight=0.01"; repeatable '
            "[dim]\\[all][/dim]",
        ),
    ] = None,
    regularize: Annotated[
        list[str] | None, typer.Option("--regularize", help="every row once more with this regularizer; repeatable")
    ] = None,
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="of every row: --seed, --seed + 1, ...")] = 3,
    budgets: Annotated[
        list[str] | None,
        typer.Option("--energy-budget", help="every row within this energy, with its unit: 2uJ; repeatable"),
    ] = None,
    label_fractions: Annotated[
        list[str] | None,
        typer.Option(
            "--label-fractions",
            help="shares of the labels, 0.01,0.03,0.1,0.3,1: students learn from the first of each class; with "
            "--unlabelled rest, rows that have a teacher once more with what has lost its labels",
        ),
    ] = None,
    free: Annotated[bool, typer.Option("--free/--no-free", help="every row without a budget, too")] = True,
    out: Annotated[Path, typer.Option("--out", "-o", help="folder for every artefact")] = Path("build/compare"),
    study: Annotated[
        str | None, typer.Option("--study", help="URL of the database that workers share; left out, a file in --out")
    ] = None,
    table: Annotated[bool, typer.Option("--table", help="train nothing: the table of what is there")] = False,
    json_output: cli.Json = False,
) -> None:
    """Distil students by several methods, free and within the same energy, and compare them on the chip.

    The same command again goes on with what is missing, and started twice at once, the two share the work. Exit code 1
    when a training failed; a method that cannot be trained on the data is listed with the reason and is no failure.

    Example: spikewright compare --data fashion-mnist --methods all --seeds 3 --energy-budget 3uJ
    """
    from ..bench.compare.compare import compare_with
    from ..bench.compare.text import WIDTH, renderable

    with goes_on(lambda: "the same command again goes on with what is missing"):
        result = compare_with(
            settings, methods or ("all",), seeds, budgets or (), out,
            regularize=regularize or (), free=free, train_missing=not table, study=study, callbacks=[cli.ProgressBar()],
            label_fractions=label_fractions or (),
        )  # fmt: skip
    if json_output:
        cli.emit(result.as_json())
    else:
        cli.print_result(renderable(result), width=WIDTH)
    if result.failures:
        raise AnswerIsNo(f"compare: {'; '.join(result.failures)}; run it again to try once more")


main = cli.main_of(command, "compare")
