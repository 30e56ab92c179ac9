"""`spikewright drift`: where a float network and the integers made from it part ways, and why."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..base.bounds import MOST_SEED
from ..base.errors import AnswerIsNo
from ..base.terminal import terminal
from . import console as cli
from .simulate import Part


def command(
    graph: Annotated[Path, typer.Argument(help="NIR file that the chip network was lowered from")],
    chip: Annotated[Path, typer.Argument(help="chip.h5, as written by `spikewright lower`")],
    data: Annotated[str, typer.Option(help="data set whose samples both networks get")] = "digits",
    samples: Annotated[
        int | None, typer.Option(min=1, help="how many, from the first; default: 200, or all of fewer")
    ] = None,
    split: Annotated[Part, typer.Option(help="part of the data set")] = "validation",
    data_dir: Annotated[Path | None, typer.Option(help="folder with the data set's standard files")] = None,
    profile: Annotated[
        str | None, typer.Option("--profile", "-p", help="path to the profile, where it is a file of your own")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=MOST_SEED, help="of the rate code")] = 0,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="also write the report to this Markdown file")] = None,
    json_output: cli.Json = False,
) -> None:
    """Say where a float network and its integers part ways on data, and which rounding or limit is the reason.

    Exit code 1: the graph was trained on integers, and the chip network holds others.

    Example: spikewright drift student.nir chip.h5 --data fashion-mnist
    """
    from ..base.artefacts import sha256_of
    from ..chip.chip_file import load_chip
    from ..data.load import load
    from ..divergence.drift import SAMPLES, drift
    from ..graph.nir_io import read_graph
    from ..pages.drift import WIDEST, as_json, renderable, write_markdown

    network, read = load_chip(chip), read_graph(graph)
    if out is not None:
        cli.hold(out, reads=[graph, chip, data])
    if network.provenance.get("parent_sha256") not in (None, sha256_of(graph)):
        cli.say(f"warning: {chip} was lowered from another file than {graph}: its SHA-256 is not the one noted")
    dataset = load(data, data_dir, network.timesteps, network=network.takes)
    cli.notes(dataset)
    count = min(SAMPLES, len(getattr(dataset, split))) if samples is None else samples
    with cli.listeners().task("comparing", count) as advance:
        report = drift(read, network, dataset, count, split, profile=profile, seed=seed, progress=advance)
    if json_output:
        cli.emit({"nir": str(graph), "chip": str(chip), "data": data, "split": split, **as_json(report)})
    else:
        console = terminal(soft_wrap=True)
        console.width = max(console.width, WIDEST)
        console.print(renderable(report))
    if out is not None:
        write_markdown(report, out)
        cli.say(f"wrote {out}")
    if report.is_wrong:
        raise AnswerIsNo(f"{chip}: does not hold the integers that {graph} was trained on; lower it again")


main = cli.main_of(command, "drift")
