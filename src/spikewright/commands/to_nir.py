"""`spikewright to-nir`: a trained student becomes a NIR graph, and the file is proven to compute the same."""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..base.errors import InputError
from . import console as cli

if TYPE_CHECKING:
    from torch import Tensor

    from ..student.student import Student


def command(
    student: Annotated[Path, typer.Argument(help="student written by `spikewright distill`")],
    out: Annotated[Path, typer.Option("--out", "-o", help="where the graph goes")] = Path("student.nir"),
    samples: Annotated[int, typer.Option(min=1, help="samples on which file and student are compared")] = 32,
    data: Annotated[str, typer.Option(help="data set of these samples; default: random intensities")] = "",
    data_dir: Annotated[Path | None, typer.Option(help="folder that holds the data set's files")] = None,
    card: Annotated[
        bool, typer.Option("--card/--no-card", help="write a model card, Markdown of the same name, beside the graph")
    ] = True,
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
    json_output: cli.Json = False,
) -> None:
    """Write a student as a NIR graph that computes the same, and a model card beside it.

    The file is read back, run by a reference interpreter and compared with the student spike by spike before it is
    called done.

    Example: spikewright to-nir student.pt -o student.nir
    """
    from ..base.artefacts import existing_file, sha256_of
    from ..graph.foreign import interpret
    from ..pages.card.card import write_card
    from ..pages.paths import card_path
    from ..profile.profile import load_profile
    from ..student.student import load_student, student_provenance
    from ..student.verify import export

    cli.hold(*(file for file in (out, reference) if file is not None))
    if card:
        card_path(out)  # refuses what it would write over
    source = existing_file(student, "a student written by `spikewright distill`")
    loaded = load_student(source, network)
    target = None if profile is None else load_profile(profile)
    facts = student_provenance(source) | {"parent_sha256": sha256_of(source)}
    images = _samples(loaded, samples, data, data_dir)
    checked = export(loaded, out, images, facts, target)
    ties = f"; {checked.ties} left out, where a membrane meets its threshold to within float32" if checked.ties else ""
    cli.say(
        f"{out}: computes what {source} does: {checked.spikes} spikes and silences and the readout equal on "
        f"{checked.samples} samples{ties}"
    )
    if reference is not None:
        drive = (
            loaded.drive(images.double())
            .transpose(0, 1)
            .expand(-1, loaded.config.timesteps, *loaded.config.input_shape)
        )
        interpret(out, drive.numpy()).save(reference)
        cli.say(f"{reference}: what the graph does on these samples, in float64")
    beside = str(write_card(out)) if card else None
    if beside is not None:
        cli.say(f"{beside}: its model card")
    if json_output:
        counts = {"samples": checked.samples, "spikes": checked.spikes, "ties": checked.ties}
        files = {"nir": str(out), "card": beside} | ({} if reference is None else {"reference": str(reference)})
        cli.emit({**files, **counts})
    else:
        cli.out(str(out))


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
