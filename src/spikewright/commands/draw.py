"""`spikewright draw`: a picture of a network, with shapes, constants and how busy it is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..base.errors import InputError, with_flags
from . import console as cli

if TYPE_CHECKING:
    from ..chip.activity import Activity


def command(
    network: Annotated[Path, typer.Argument(help="student.pt, a NIR file of any producer, or chip.h5")],
    out: Annotated[Path, typer.Option("--out", "-o", help="where the picture goes")] = Path("network.svg"),
    activity: Annotated[
        Path | None, typer.Option(help="activity.json, from `spikewright simulate`: adds rates and operations")
    ] = None,
    module: Annotated[
        str | None, typer.Option("--network", help="file.py:function, for a student of an architecture of your own")
    ] = None,
    json_output: cli.Json = False,
) -> None:
    """Draw a network as an SVG picture that needs nothing else to be shown.

    Arrows that close a loop are dashed. With --activity bars show spikes of a neuron in a step, and arrows of a chip
    network are the thicker the more synaptic operations they cause.

    Example: spikewright draw chip.h5 --activity activity.json -o network.svg
    """
    from ..chip.activity_file import load_activity
    from ..pages.drawing.draw import draw

    if out.suffix.lower() != ".svg":
        raise InputError(f"--out {out}: the picture is an SVG file; let its name end in .svg")
    cli.hold(out, reads=[network, activity])
    read = _network(network, module)
    counts = None if activity is None else load_activity(activity)
    if counts is not None and activity is not None:
        _check_counts(counts, activity, network)
    drawing = draw(read, counts)
    drawing.save(out)
    for remark in drawing.remarks:
        cli.say(f"note: {with_flags(remark, {})}")
    if json_output:
        cli.emit({"network": str(network), "svg": str(out), "title": drawing.title, "remarks": list(drawing.remarks)})
    else:
        cli.out(str(out))


def _network(file: Path, module: str | None) -> object:
    """The network in a file, by its ending."""
    from ..chip.chip_file import load_chip
    from ..graph.nir_io import read_graph
    from ..student.student import load_student

    kind = file.suffix.lower()
    if module is not None and kind != ".pt":
        raise InputError(f"--network {module}: is for a student's file, student.pt; leave it out")
    if kind == ".pt":
        return load_student(file, module)
    if kind == ".nir":
        return read_graph(file)
    if kind == ".h5":
        return load_chip(file)
    hint = "; `spikewright lower` makes a chip.h5 of it" if kind == ".net" else ""
    raise InputError(f"{file}: what is drawn is told by its ending: student.pt, graph.nir or chip.h5{hint}")


def _check_counts(counts: Activity, activity: Path, network: Path) -> None:
    """Refuse counts of another chip network; what graph or student became has another hash than they."""
    from ..base.artefacts import sha256_of

    if network.suffix.lower() == ".h5" and counts.chip_sha256 not in ("", sha256_of(network)):
        raise InputError(
            f"--activity {activity}: was counted on another chip network than {network}; simulate this one"
        )


main = cli.main_of(command, "draw")
