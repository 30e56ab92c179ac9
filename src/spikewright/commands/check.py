"""`spikewright check`: every finding in a NIR file, node by node, and a repaired copy where that is possible."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..base.errors import AnswerIsNo, InputError, Refusal, arg, refuse, with_flags
from ..profile.profile import load_profile
from . import console as cli

if TYPE_CHECKING:
    import nir

    from ..lowering.check import Finding


def command(
    graph: Annotated[Path, typer.Argument(help="NIR file of any producer")],
    profile: Annotated[
        str | None, typer.Option("--profile", "-p", help="also lower it for this chip; default: what holds for any")
    ] = None,
    repair_file: Annotated[bool, typer.Option("--repair", help="write a repaired copy to --out")] = False,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="where the repaired copy goes")] = None,
    dt_s: cli.TimeStep = None,
    producer: cli.Producer = None,
    reset: cli.Reset = None,
    timesteps: Annotated[int | None, typer.Option("--timesteps", "-T", help="as in `lower`, with --profile")] = None,
    encoding: Annotated[str | None, typer.Option(help="as in `lower`, with --profile")] = None,
    input_bits: Annotated[int | None, typer.Option(help="as in `lower`, with --profile")] = None,
    weight_bits: Annotated[int | None, typer.Option(help="as in `lower`, with --profile")] = None,
    chips: Annotated[int | None, typer.Option(min=1, help="as in `lower`, with --profile")] = None,
    json_output: cli.Json = False,
) -> None:
    """Say everything that can be found in a NIR file, node by node.

    Exit code 1: something keeps it from being lowered. With --profile it is lowered for that chip and placed on its
    cores, as `lower` does it, and nothing is written.

    Example: spikewright check network.nir --repair -o repaired.nir
    """
    from ..graph.nir_io import read_graph, write_graph
    from ..lowering.check import Finding, repair

    if repair_file != (out is not None):
        raise InputError("--repair and --out belong together: give both, or neither")
    options = {"timesteps": timesteps, "encoding": encoding, "input_bits": input_bits, "weight_bits": weight_bits}
    idle = [name for name, value in (options | {"chips": chips}).items() if value is not None and profile is None]
    refuse("check", [f"{arg(name)}: is for lowering; give {arg('profile')} too" for name in idle])
    if out is not None:
        cli.hold(out, reads=[graph])
    said = {"dt_s": dt_s, "producer": producer, "reset": reset}
    try:
        read = read_graph(graph)
    except InputError as error:
        if json_output:
            faults = error.faults if isinstance(error, Refusal) else (error.message,)
            _show(graph, [Finding("blocks", "file", fault) for fault in faults], json_output)
        raise
    findings = _found(read, profile, chips, {**said, **(options if profile else {})})
    _show(graph, findings, json_output)
    blocking = sum(finding.level == "blocks" for finding in findings)
    if out is not None:
        write_graph(repair(read, dt_s, producer=producer, reset=reset), out)
        cli.say(f"repaired: {out}")
    if blocking:
        what = "finding keeps" if blocking == 1 else "findings keep"
        raise AnswerIsNo(f"{graph}: {blocking} {what} it from being lowered")


def _found(graph: nir.NIRGraph, profile: str | None, chips: int | None, options: dict[str, Any]) -> list[Finding]:
    """All findings; for a chip that takes the network also how it would be placed."""
    from ..lowering.check import Finding, check
    from ..lowering.lower import lower
    from ..placing.placement import place

    findings = check(graph, profile=profile, **options)
    if profile is None or any(finding.level == "blocks" for finding in findings):
        return findings
    target = load_profile(profile)
    try:
        placement = place(lower(graph, target, **options), target, chips=chips)
    except (InputError, AnswerIsNo) as error:
        return [*findings, Finding("blocks", "graph", error.message)]
    cores = "1 core" if placement.cores == 1 else f"{placement.cores} cores"
    return [*findings, Finding("note", "graph", f"fits {target.name} on {cores}")]


def _show(graph: Path, findings: list[Finding], as_json: bool) -> None:
    flags = {"dt_s": "--dt"}
    worded = [replace(finding, what=with_flags(finding.what, flags)) for finding in findings]
    if as_json:
        cli.emit({"graph": str(graph), "findings": [asdict(finding) for finding in worded]})
    else:
        cli.out("\n".join(f"{finding.level:8}{finding.where}: {finding.what}" for finding in worded))


main = cli.main_of(command, "check")
