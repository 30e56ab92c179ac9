"""`spikewright lower`: a NIR graph becomes an integer chip network for one hardware profile."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..profile.profile import load_profile
from . import console as cli


def command(
    graph: Annotated[Path, typer.Argument(help="NIR file, from `spikewright to-nir` or any exporter")],
    profile: Annotated[
        str, typer.Option("--profile", "-p", help="hardware profile, or a path to one")
    ] = "loihi2-assumed",
    out: Annotated[Path, typer.Option("--out", "-o", help="where the chip network goes")] = Path("chip.h5"),
    timesteps: Annotated[int | None, typer.Option(help="steps per sample, where the file does not say")] = None,
    encoding: Annotated[str | None, typer.Option(help="how samples enter, where the file does not say")] = None,
    input_bits: Annotated[int | None, typer.Option(help="width of graded input, where the file does not say")] = None,
    dt_s: Annotated[float | None, typer.Option("--dt", help="seconds per step, where the file does not say")] = None,
    weight_bits: Annotated[
        int | None,
        typer.Option(help="width of a weight with its sign, 2 up to the chip's; where the file does not say"),
    ] = None,
    population: Annotated[
        int | None, typer.Option(help="outputs for each class, added up, where the file does not say")
    ] = None,
    chips: Annotated[
        int | None, typer.Option(min=1, help="most chips to spread it over; default: what the profile says, or one")
    ] = None,
    json_output: cli.Json = False,
) -> None:
    """Turn a NIR graph into an integer network for a chip, and say how it fits.

    Exit code 1: the network does not fit the chip.

    Example: spikewright lower student.nir --profile loihi2-assumed -o chip.h5
    """
    from ..base.artefacts import sha256_of
    from ..chip.chip_file import save_chip
    from ..graph.nir_io import read_graph
    from ..lowering.lower import lower
    from ..lowering.rules import remarks
    from ..pages.network import fit_of, placement_json, summary, table
    from ..placing.placement import place

    target = load_profile(profile)
    chip = lower(
        read_graph(graph), target, timesteps=timesteps, encoding=encoding, input_bits=input_bits, dt_s=dt_s,
        weight_bits=weight_bits, population=population,
    ).with_provenance(parent_sha256=sha256_of(graph))  # fmt: skip
    assumed = chip.provenance["assumed"]
    assert isinstance(assumed, list)
    for sentence in assumed:
        cli.say(f"assumed: {sentence}")
    for remark in remarks(chip):
        cli.say(f"note: {remark}")
    placement = place(chip, target, chips=chips)
    save_chip(chip, out)
    if json_output:
        cli.emit({"chip": str(out), **summary(chip), "fit": fit_of(placement), "placement": placement_json(placement)})
    else:
        print(table(chip, placement))
        cli.say(str(out))


main = cli.main_of(command, "lower")
