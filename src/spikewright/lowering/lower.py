"""`spikewright lower`: a NIR graph becomes an integer chip network for one hardware profile."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..base import command as cli
from ..chip.network import ChipNetwork
from ..profile.profile import HardwareProfile, load_profile

if TYPE_CHECKING:
    import nir

    from .draft import Draft
    from .horizon import Asked
    from .quantize import Grid


def lower(
    graph: nir.NIRGraph,
    profile: HardwareProfile | str = "loihi2-assumed",
    *,
    timesteps: int | None = None,
    encoding: str | None = None,
    input_bits: int | None = None,
    dt_s: float | None = None,
    weight_bits: int | None = None,
) -> ChipNetwork:
    """The integer network that ``graph`` becomes on a chip.

    A graph that was trained on integers says so in its metadata: its numbers lie on the chip's grid already, and
    nothing is rounded.

    What the graph's metadata say holds; for graphs of other tools the arguments fill in what NIR leaves out.

    Args:
        profile: a profile, its name, or a path to its file.
        timesteps: steps per sample; without metadata the profile's default.
        encoding: how samples enter; without metadata ready-made events.
        input_bits: width of graded input or currents; without metadata 8.
        dt_s: seconds per step; without metadata the producer's convention.
        weight_bits: width of a weight, sign included; without metadata the chip's own.

    Raises:
        InputError: every fault of the graph, or every broken design rule, at once.
        AnswerIsNo: the network is not one for this chip; every reason.
    """
    from .horizon import Asked

    target = load_profile(profile) if isinstance(profile, str) else profile
    draft, grid = _drafted(graph, target, Asked(timesteps, encoding, input_bits), dt_s, weight_bits)
    return lower_draft(draft, target, grid)


def fitting_scales(graph: nir.NIRGraph, profile: HardwareProfile) -> dict[str, float]:
    """By population, the largest scale up to the one its metadata give at which a graph fits the chip's registers."""
    from .horizon import Asked
    from .passes import PASSES
    from .quantize import quantize

    draft, grid = _drafted(graph, profile, Asked(None, None, None), None, None)
    for rewrite in PASSES:
        draft = rewrite(draft, profile)
    scales = quantize(draft, profile, grid).provenance["scales"]
    assert isinstance(scales, dict)
    return scales


def _drafted(
    graph: nir.NIRGraph, target: HardwareProfile, asked: Asked, dt_s: float | None, weight_bits: int | None
) -> tuple[Draft, Grid]:
    from ..chip.trained_grid import grid_for, trained_grid
    from ..graph.time_step import resolve_dt
    from ..graph.wiring import wire
    from .draft import draft_from_nir, plain
    from .horizon import horizon_of

    wiring = wire(graph)
    horizon, assumed = horizon_of(graph.metadata, asked, target)
    step = resolve_dt(wiring, graph.metadata, dt_s)
    if step.assumed:
        assumed.append(f"time step {step.dt_s:g} s: {step.why}")
    if "reset" not in graph.metadata:
        assumed.append("reset to zero: the file does not say how its neurons were reset in training")
    grid, remarks = grid_for(trained_grid(graph.metadata), target, weight_bits)
    facts = plain(graph.metadata) | {"dt_s": step.dt_s, "assumed": [*wiring.assumed, *assumed, *remarks]}
    return draft_from_nir(wiring, step.dt_s, horizon, facts), grid


def lower_draft(draft: Draft, profile: HardwareProfile, grid: Grid | None = None) -> ChipNetwork:
    """Rules, passes and rounding: the second half of :func:`lower`.

    Raises:
        InputError: every broken design rule.
        AnswerIsNo: the network is not one for this chip; every reason.
    """
    from .chip_rules import check_chip
    from .passes import PASSES
    from .quantize import quantize
    from .rules import check_draft, check_integers

    check_draft(draft, profile)
    for rewrite in PASSES:
        draft = rewrite(draft, profile)
    chip = quantize(draft, profile, grid)
    check_integers(chip, draft)
    check_chip(chip, profile)
    return chip


def command(
    graph: Annotated[Path, typer.Argument(help="NIR file, from `spikewright to-nir` or any exporter")],
    profile: Annotated[
        str, typer.Option("--profile", "-p", help="hardware profile, or a path to one")
    ] = "loihi2-assumed",
    out: Annotated[Path, typer.Option("--out", "-o", help="where the chip network goes")] = Path("chip.h5"),
    timesteps: Annotated[int | None, typer.Option(help="steps per sample, where the file does not say")] = None,
    encoding: Annotated[str | None, typer.Option(help="how samples enter, where the file does not say")] = None,
    input_bits: Annotated[int | None, typer.Option(help="width of graded input, where the file does not say")] = None,
    dt: Annotated[float | None, typer.Option(help="seconds per step, where the file does not say")] = None,
    weight_bits: Annotated[
        int | None,
        typer.Option(help="width of a weight with its sign, 2 up to the chip's; where the file does not say"),
    ] = None,
    chips: Annotated[
        int | None, typer.Option(min=1, help="most chips to spread it over; default: what the profile says, or one")
    ] = None,
    json_output: Annotated[bool, typer.Option("--json", help="print one JSON object on stdout")] = False,
) -> None:
    """Turn a NIR graph into an integer network for a chip, and say how it fits.

    Exit code 1: the network does not fit the chip.

    Example: spikewright lower student.nir --profile loihi2-assumed -o chip.h5
    """
    from ..base.artefacts import sha256_of
    from ..chip.chip_file import save_chip
    from ..graph.nir_io import read_graph
    from ..pages.placement_text import as_json
    from ..pages.summary import fit_of, summary, table
    from ..placing.placement import place

    target = load_profile(profile)
    chip = lower(
        read_graph(graph),
        target,
        timesteps=timesteps,
        encoding=encoding,
        input_bits=input_bits,
        dt_s=dt,
        weight_bits=weight_bits,
    ).with_provenance(parent_sha256=sha256_of(graph))
    _say_assumed(chip)
    placement = place(chip, target, chips=chips)
    save_chip(chip, out)
    if json_output:
        cli.emit({"chip": str(out), **summary(chip), "fit": fit_of(placement), "placement": as_json(placement)})
    else:
        print(table(chip, placement))
        cli.say(str(out))


def _say_assumed(chip: ChipNetwork) -> None:
    from .rules import remarks

    assumed = chip.provenance["assumed"]
    assert isinstance(assumed, list)
    for sentence in assumed:
        cli.say(f"assumed: {sentence}")
    for sentence in remarks(chip):
        cli.say(f"note: {sentence}")


def main(argv: Sequence[str] | None = None) -> int:
    """The verb on command-line words; returns the exit code."""
    return cli.run(command, argv, "lower")
