"""`spikewright to-nir`: a trained student becomes a NIR graph, and the file is proven to compute the same."""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..base.errors import InputError, arg, refuse
from . import console as cli

if TYPE_CHECKING:
    from torch import Tensor

    from ..graph.same_spikes import SameSpikes
    from ..student.student import Student


def command(
    student: Annotated[
        Path, typer.Argument(help="student written by `spikewright distill`; with --for also a NIR file")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="where the graph goes")] = Path("student.nir"),
    reader: Annotated[
        str | None,
        typer.Option(
            "--for", help="tool that is to read it: sinabs, rockpool, norse, snntorch, spikingjelly, nir-1.0.4"
        ),
    ] = None,
    samples: Annotated[int, typer.Option(min=1, help="samples on which file and student are compared")] = 32,
    data: Annotated[str, typer.Option(help="data set of these samples; default: random intensities")] = "",
    data_dir: Annotated[Path | None, typer.Option(help="folder that holds the data set's files")] = None,
    card: Annotated[
        bool | None,
        typer.Option("--card/--no-card", help="write a model card beside the graph; default: but with --for"),
    ] = None,
    network: Annotated[
        str | None, typer.Option(help="file.py:function, for a student of an architecture of your own")
    ] = None,
    profile: Annotated[
        str | None, typer.Option(help="that the student was trained for; needed for a file of your own")
    ] = None,
    reference: Annotated[
        Path | None,
        typer.Option(help="also write input, spikes and potentials on these samples here, as nir.read_data reads them"),
    ] = None,
    dt_s: cli.TimeStep = None,
    producer: cli.Producer = None,
    reset: cli.Reset = None,
    json_output: cli.Json = False,
) -> None:
    """Write a student as a NIR graph that computes the same, and a model card beside it.

    The file is read back, run by a reference interpreter and compared with the student spike by spike before it is
    called done. With --for it is written as another tool reads it, and what that tool computes differently is said.

    Example: spikewright to-nir student.pt -o student.nir
    """
    from ..base.artefacts import existing_file
    from ..pages.paths import card_path

    source = existing_file(student, "a student written by `spikewright distill`")
    graph_alone = {"dt_s": dt_s, "producer": producer, "reset": reset}
    student_alone = {
        "data": data or None, "data_dir": data_dir, "network": network, "profile": profile, "reference": reference,
    }  # fmt: skip
    if reader is not None and card:
        raise InputError("--card: describes our own graphs; leave it out where there is --for")
    if _is_hdf5(source):
        refuse(
            "to-nir", [f"{arg(name)}: is for students" for name, value in student_alone.items() if value is not None]
        )
        found = _graph(source, out, reader, samples, graph_alone)
    else:
        idle = [
            f"{arg(name)}: is for graphs of other tools" for name, value in graph_alone.items() if value is not None
        ]
        refuse("to-nir", idle)
        loaded = _load(source, network)
        images = _samples(loaded, samples, data, data_dir)
        kept = card_path(out) if card is not False and reader is None else None
        cli.hold(out, reference, kept, reads=[source, data or None])
        found = _student(source, loaded, out, images, profile, reader, card is not False and reader is None)
        if reference is not None:
            _write_reference(loaded, images, out, reference)
            found["reference"] = str(reference)
    if json_output:
        cli.emit({"nir": str(out)} | found)
    else:
        cli.out(str(out))


def _is_hdf5(source: Path) -> bool:
    with source.open("rb") as file:
        return file.read(8) == b"\x89HDF\r\n\x1a\n"


def _load(source: Path, network: str | None) -> Student:
    from ..student.student import load_student

    return load_student(source, network)


def _student(
    source: Path, loaded: Student, out: Path, images: Tensor, profile: str | None, reader: str | None, card: bool
) -> dict[str, Any]:
    """Write a student, for another tool where there is one; gives what JSON says."""
    from ..base.artefacts import sha256_of
    from ..pages.card.card import write_card
    from ..pages.paths import card_path
    from ..profile.profile import load_profile
    from ..student.student import student_provenance
    from ..student.verify import export, export_for

    if card:
        card_path(out)  # refuses what it would write over
    target = None if profile is None else load_profile(profile)
    facts = student_provenance(source) | {"parent_sha256": sha256_of(source)}
    if reader is not None:
        checked, same, remarks = export_for(loaded, out, images, reader, facts, target)
    else:
        checked, same, remarks = export(loaded, out, images, facts, target), None, ()
    ties = f"; {checked.ties} left out, where a membrane meets its threshold to within float32" if checked.ties else ""
    cli.say(
        f"{out}: computes what {source} does: {checked.spikes} spikes and silences and the readout equal on "
        f"{checked.samples} samples{ties}"
    )
    beside = str(write_card(out)) if card else None
    if beside is not None:
        cli.say(f"{beside}: its model card")
    counts = {"samples": checked.samples, "spikes": checked.spikes, "ties": checked.ties}
    told = {} if same is None or reader is None else _said(reader, remarks, same)
    return {"card": beside, **counts, **told}


def _write_reference(loaded: Student, images: Tensor, graph: Path, reference: Path) -> None:
    """Write what a graph does on samples."""
    from ..graph.foreign import interpret
    from ..graph.nir_io import read_graph

    config = loaded.config
    drive = loaded.drive(images.double()).transpose(0, 1).expand(-1, config.timesteps, *config.input_shape)
    shape = read_graph(graph).nodes["input"].input_type["input"]  # flat for some tools
    interpret(graph, drive.reshape(*drive.shape[:2], *map(int, shape)).numpy()).save(reference)
    cli.say(f"{reference}: what the graph does on these samples, in float64")


def _graph(source: Path, out: Path, reader: str | None, samples: int, said: dict[str, Any]) -> dict[str, Any]:
    """Write a NIR graph for another tool; gives what JSON says."""
    import torch

    from ..graph.nir_io import read_graph
    from ..graph.same_spikes import drive_like, write_for
    from ..graph.time_step import Convention

    if reader is None:
        raise InputError(f"{source}: is a NIR graph already; give --for TOOL to write it as another tool reads it")
    cli.hold(out, reads=[source])
    graph = read_graph(source)
    drive, timesteps = drive_like(graph, samples, torch.Generator().manual_seed(0))
    written, same = write_for(graph, reader, out, drive, timesteps, Convention(**said))
    cli.say(f"{out}: computes what {source} does: {same.spikes} spikes and silences equal on {same.samples} samples")
    return {"samples": same.samples, "spikes": same.spikes, "ties": same.ties} | _said(reader, written.remarks, same)


def _said(reader: str, remarks: tuple[str, ...], same: SameSpikes) -> dict[str, Any]:
    """Say what a tool computes differently."""
    for remark in remarks:
        cli.say(f"note: {remark}")
    if same.untold:
        cli.say(f"note: untold, {reader} computes {same.untold} of {same.spikes} spikes and silences differently")
    return {"for": reader, "remarks": list(remarks), "untold": same.untold}


def _samples(student: Student, count: int, data: str, data_dir: Path | None) -> Tensor:
    """Validation samples of a data set, or random intensities (events: frames) in the student's shape."""
    import torch

    from ..base.memory import available_bytes, in_gib

    config = student.config
    most = 1 if config.encoding == "events" else 255
    frames = (config.timesteps,) if config.encoding == "events" or config.changes_each_step else ()
    shape = (*frames, *config.input_shape)
    if not data:
        needed, room = 8 * count * prod(shape), available_bytes()
        if needed > room:
            raise InputError(f"--samples {count}: take {in_gib(needed)}, and there are {in_gib(room)} of memory")
        steps = torch.randint(0, most + 1, (count, *shape), generator=torch.Generator().manual_seed(0))
        return steps / most
    from ..data.load import load

    dataset = load(data, data_dir, config.timesteps, network=config.takes)
    cli.notes(dataset)
    images = torch.from_numpy(dataset.validation.samples[:count])
    if tuple(images.shape[1:]) != shape:
        raise InputError(f"--data {data}: its samples have shape {tuple(images.shape[1:])}; the student takes {shape}")
    return images


main = cli.main_of(command, "to-nir")
