"""`spikewright check`: every finding in a NIR file, node by node, and a repaired copy where that is possible."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import typer

from ..base.errors import AnswerIsNo, InputError, with_flags
from . import console as cli


def command(
    graph: Annotated[Path, typer.Argument(help="NIR file of any producer")],
    repair_file: Annotated[bool, typer.Option("--repair", help="write a repaired copy to --out")] = False,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="where the repaired copy goes")] = None,
    dt_s: Annotated[float | None, typer.Option("--dt", help="seconds per step, where the file does not say")] = None,
    json_output: cli.Json = False,
) -> None:
    """Say everything that can be found in a NIR file, node by node.

    Exit code 1: something keeps it from being lowered.

    Example: spikewright check network.nir --repair -o repaired.nir
    """
    from ..graph.nir_io import read_graph, write_graph
    from ..lowering.check import check, repair

    if repair_file != (out is not None):
        raise InputError("--repair and --out belong together: give both, or neither")
    if out is not None:
        cli.hold(out)
    read = read_graph(graph)
    found = check(read, dt_s)
    findings = [replace(finding, what=with_flags(finding.what, {"dt_s": "--dt"})) for finding in found]
    if json_output:
        cli.emit({"graph": str(graph), "findings": [asdict(finding) for finding in findings]})
    else:
        cli.out("\n".join(f"{finding.level:8}{finding.where}: {finding.what}" for finding in findings))
    blocking = sum(finding.level == "blocks" for finding in findings)
    if out is not None:
        write_graph(repair(read, dt_s), out)
        cli.say(f"repaired: {out}")
    if blocking:
        what = "finding keeps" if blocking == 1 else "findings keep"
        raise AnswerIsNo(f"{graph}: {blocking} {what} it from being lowered")


main = cli.main_of(command, "check")
