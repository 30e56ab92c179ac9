"""`spikewright sweep`: many budgets, one table and one plot of accuracy against deployed energy."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..base.errors import AnswerIsNo
from ..base.interrupt import goes_on
from ..training.settings import DistillSettings
from . import console as cli
from .options import takes_settings


@takes_settings("energy_budget", "init")
def command(
    settings: DistillSettings,
    budgets: Annotated[str | None, typer.Option("--budgets", help="with units and commas: 8uJ,4uJ,2uJ")] = None,
    points: Annotated[
        int | None, typer.Option("--points", min=1, help="instead: so many budgets, evenly on the log scale")
    ] = None,
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="students for each budget: --seed, --seed + 1, ...")] = 1,
    out: Annotated[Path, typer.Option("--out", "-o", help="folder for every artefact")] = Path("build/sweep"),
    study: Annotated[
        str | None, typer.Option("--study", help="URL of the database that workers share; left out, a file in --out")
    ] = None,
    anchors: Annotated[
        str | None, typer.Option(help="published chips to stand beside, e.g. mnist; or a TOML file of your own")
    ] = None,
    json_output: cli.Json = False,
) -> None:
    """Distil a student for each of several energy budgets and compare what they buy on the chip.

    The same command again goes on with what is missing, and started twice at once, the two share the work. Exit code 1
    when a point failed for another reason than a budget below the floor.

    Example: spikewright sweep --data fashion-mnist --budgets 8uJ,4uJ,2uJ,1uJ,0.5uJ --seeds 3
    """
    from ..bench.sweep.sweep import sweep_with
    from ..bench.sweep.text import WIDTH, renderable

    texts = None if budgets is None else [text.strip() for text in budgets.split(",") if text.strip()]
    with goes_on(lambda: "the same command again goes on with what is missing"):
        result = sweep_with(
            settings, texts, seeds, out, points=points, study=study, anchors=anchors, callbacks=[cli.ProgressBar()]
        )
    if json_output:
        cli.emit(result.as_json())
    else:
        cli.print_result(renderable(result), width=WIDTH)
    if result.failures:
        raise AnswerIsNo(f"sweep: {'; '.join(result.failures)}; run it again to try once more")


main = cli.main_of(command, "sweep")
