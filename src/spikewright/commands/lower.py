"""`spikewright lower`: a NIR graph becomes an integer chip network for one hardware profile."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..base.errors import InputError, with_flags
from ..chip.registers import MARGIN, PEAK_SAMPLES, QUANTILE
from ..data.load import DATA_HELP
from ..profile.profile import load_profile
from . import console as cli


def command(
    graph: Annotated[Path, typer.Argument(help="NIR file, from `spikewright to-nir` or any exporter")],
    profile: Annotated[
        str, typer.Option("--profile", "-p", help="hardware profile, or a path to one")
    ] = "loihi2-assumed",
    out: Annotated[Path, typer.Option("--out", "-o", help="where the chip network goes")] = Path("chip.h5"),
    timesteps: Annotated[
        int | None, typer.Option("--timesteps", "-T", help="steps per sample, where the file does not say")
    ] = None,
    encoding: Annotated[str | None, typer.Option(help="how samples enter, where the file does not say")] = None,
    input_bits: Annotated[int | None, typer.Option(help="width of graded input, where the file does not say")] = None,
    dt_s: cli.TimeStep = None,
    producer: cli.Producer = None,
    reset: cli.Reset = None,
    weight_bits: Annotated[
        int | None,
        typer.Option(help="width of a weight with its sign, 2 up to the chip's; where the file does not say"),
    ] = None,
    calibrate: Annotated[
        str | None,
        typer.Option(help=f"measure on its training part how far registers go, instead of the worst case: {DATA_HELP}"),
    ] = None,
    data_dir: Annotated[Path | None, typer.Option(help="folder with that data set's standard files")] = None,
    calibrate_samples: Annotated[
        int | None, typer.Option(help=f"how many at most, from the first; default: {PEAK_SAMPLES}")
    ] = None,
    quantile: Annotated[
        float | None, typer.Option(help=f"of the peaks of single samples; default: {QUANTILE:g}, the largest of all")
    ] = None,
    margin: Annotated[
        float | None, typer.Option(help=f"factor by which registers may go beyond that; default: {MARGIN:g}")
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

    Without --calibrate no register overflows whatever the input. Over many steps, or with a slow synaptic filter, that
    leaves few levels to the weights; --calibrate leaves room for what data cause instead.

    Example: spikewright lower student.nir --profile loihi2-assumed -o chip.h5
    """
    from ..base.artefacts import sha256_of
    from ..chip.chip_file import save_chip
    from ..data.load import load
    from ..graph.nir_io import read_graph
    from ..lowering.lower import lower, takes_of
    from ..lowering.rules import remarks
    from ..pages.network import fit_of, placement_json, summary, table
    from ..placing.placement import place

    cli.hold(out)
    target, network = load_profile(profile), read_graph(graph)
    if data_dir is not None and calibrate is None:
        raise InputError("--data-dir: is the folder of data to measure on; give --calibrate too")
    data = None
    if calibrate is not None:
        takes = takes_of(network, timesteps, encoding)
        data = load(calibrate, data_dir, network.metadata.get("timesteps", timesteps), network=takes)
        cli.notes(data)
    chip = lower(
        network, target, timesteps=timesteps, encoding=encoding, input_bits=input_bits, dt_s=dt_s, producer=producer,
        reset=reset, weight_bits=weight_bits, population=population, calibrate=data,
        calibrate_samples=calibrate_samples, quantile=quantile, margin=margin,
    ).with_provenance(parent_sha256=sha256_of(graph))  # fmt: skip
    assumed = chip.provenance["assumed"]
    assert isinstance(assumed, list)
    for sentence in assumed:
        cli.say(f"assumed: {sentence}")
    for remark in remarks(chip):
        cli.say(f"note: {with_flags(remark, {})}")
    placement = place(chip, target, chips=chips)
    save_chip(chip, out)
    if json_output:
        cli.emit({"chip": str(out), **summary(chip), "fit": fit_of(placement), "placement": placement_json(placement)})
    else:
        cli.out(table(chip, placement))
        cli.say(str(out))


main = cli.main_of(command, "lower")
