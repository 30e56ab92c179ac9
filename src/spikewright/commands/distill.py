"""`spikewright distill`: an accurate ANN teaches a spiking student, inside an energy budget."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..training.settings import DistillSettings
from . import console as cli
from .options import takes_settings


@takes_settings()
def command(
    settings: DistillSettings,
    out: Annotated[Path, typer.Option("--out", "-o", help="where the student goes")] = Path("student.pt"),
    resume: Annotated[bool, typer.Option("--resume", help="go on with a training that was stopped")] = False,
    keep_teacher: cli.KeepTeacher = None,
    json_output: cli.Json = False,
) -> None:
    """Train a spiking student from an ANN teacher, inside an energy budget.

    Example: spikewright distill --data fashion-mnist --energy-budget 3uJ -o student.pt
    """
    from ..base.processes import working_together
    from ..training.distill import distill_to
    from ..training.kept_teacher import check_keep
    from ..training.kept_teacher import keep_teacher as keep
    from ..training.together import follow

    cli.apart([out, *filter(None, [keep_teacher])], cli.read_by(settings))
    if keep_teacher is not None:
        check_keep(settings, keep_teacher)
    with working_together() as group:
        if not group.is_first:
            follow(settings, group)
        if keep_teacher is not None:
            cli.hold(keep_teacher)
        result = distill_to(settings, out, resume, cli.listeners(), group)
        if keep_teacher is not None:
            keep(settings, keep_teacher, result.teacher, cli.listeners())
    if not group.is_first:
        return
    if json_output:
        cli.emit({"student": str(out), **result.provenance})
    else:
        cli.out(str(out))


main = cli.main_of(command, "distill")
