"""`spikewright distill`: an accurate ANN teaches a spiking student, inside an energy budget."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from ..training.settings import DistillSettings
from . import console as cli
from .options import takes_settings


@takes_settings
def command(
    settings: DistillSettings,
    out: Annotated[Path, typer.Option("--out", "-o", help="where the student goes")] = Path("student.pt"),
    resume: Annotated[bool, typer.Option("--resume", help="go on from the checkpoint beside --out")] = False,
    json_output: Annotated[bool, typer.Option("--json", help="print one JSON object on stdout")] = False,
) -> None:
    """Train a spiking student from an ANN teacher, inside an energy budget.

    Example: spikewright distill --data fashion-mnist --energy-budget 3uJ -o student.pt
    """
    from ..training.distill import distill_to

    result = distill_to(settings, out, resume, cli.listeners())
    if json_output:
        cli.emit({"student": str(out), **result.provenance})
    else:
        print(out)


def main(argv: Sequence[str] | None = None) -> int:
    """The verb on command-line words; returns the exit code."""
    return cli.run(command, argv, "distill")
