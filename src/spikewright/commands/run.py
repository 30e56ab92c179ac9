"""`spikewright run`: teacher to budgeted student to NIR to chip network to Lava to report, in one command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..base.errors import AnswerIsNo
from ..base.terminal import terminal
from ..training.settings import DistillSettings
from . import console as cli
from .options import takes_settings


@takes_settings()
def command(
    settings: DistillSettings,
    out: Annotated[Path, typer.Option("--out", "-o", help="folder for every artefact")] = Path("build/run"),
    samples_lava: Annotated[
        int, typer.Option("--samples-lava", min=0, help="test samples that also go through Lava and netx; 0: none")
    ] = 20,
    resume: Annotated[bool, typer.Option("--resume", help="go on with a run that was stopped")] = False,
    keep_teacher: cli.KeepTeacher = None,
    json_output: cli.Json = False,
) -> None:
    """Do all five steps: distil, export to NIR, lower, simulate (integers, Lava, netx), report.

    Ends with the verdict; exit code 1 when the budget is exceeded or two simulators disagree.

    Example: spikewright run --data fashion-mnist --profile loihi2-assumed --energy-budget 3uJ
    """
    from ..bench.begin import begin

    cli.apart([out / "student.pt", *filter(None, [keep_teacher])], cli.read_by(settings))
    if keep_teacher is not None:
        from ..training.kept_teacher import check_keep

        check_keep(settings, keep_teacher)
        cli.hold(keep_teacher)
    with begin(settings, out, resume, callbacks=[cli.ProgressBar()]) as begun:
        from ..bench.run import finish  # loads what draws the report, for which a refusal should not wait

        if keep_teacher is not None:
            from ..training.kept_teacher import keep_teacher as keep

            keep(begun.settings, keep_teacher, None, begun.listeners)
        verdict = finish(begun, samples_lava)
        if json_output:
            cli.emit(verdict.as_json())
        else:
            terminal(soft_wrap=True).print(verdict.renderable())
    if verdict.faults:
        raise AnswerIsNo(f"run: {'; '.join(verdict.faults)}")


main = cli.main_of(command, "run")
