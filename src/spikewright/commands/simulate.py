"""`spikewright simulate`: run a chip network on data, on one of the simulators or as its student, and count."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ..base.errors import InputError
from ..data.load import DATA_HELP
from ..simulation.backends import BACKENDS, backend, described
from . import console as cli

if TYPE_CHECKING:
    from ..chip.activity import Activity
    from ..chip.network import ChipNetwork
    from ..student.student import Student

Part = Literal["test", "validation", "train"]
"""The parts of a data set."""


def command(
    chip: Annotated[Path, typer.Argument(help="chip.h5, as written by `spikewright lower`")],
    data: Annotated[str, typer.Option(help=DATA_HELP)] = "digits",
    samples: Annotated[int | None, typer.Option(min=1, help="how many, from the first; default: all")] = None,
    on: Annotated[
        str, typer.Option(help=f"{described()}; or the student.pt that the network was made from: what it does itself")
    ] = "integer",
    split: Annotated[Part, typer.Option(help="part of the data set")] = "test",
    data_dir: Annotated[Path | None, typer.Option(help="folder with the data set's standard files")] = None,
    batch: Annotated[int, typer.Option(min=1, help="samples simulated at once, or per start of Lava")] = 256,
    seed: Annotated[int, typer.Option(min=0, help="of the rate code")] = 0,
    record: Annotated[Path | None, typer.Option(help="also write every spike to this HDF5 file")] = None,
    module: Annotated[
        str | None, typer.Option("--network", help="file.py:function, for a student of an architecture of your own")
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="file for the counts")] = Path("activity.json"),
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object instead of lines")] = False,
) -> None:
    """Run a chip network on data and count spikes, synaptic operations and updates.

    All simulators give the same spikes and membrane potentials, bit for bit, where the help of --on does not say
    otherwise; so does a student that was trained on integers.

    Example: spikewright simulate chip.h5 --data fashion-mnist --samples 1000 -o activity.json
    """
    from ..base.artefacts import sha256_of, writable
    from ..chip.activity_file import save_activity
    from ..chip.chip_file import load_chip
    from ..data.load import load
    from ..simulation.simulate import remarks, simulate

    network = load_chip(chip)
    chosen = _simulator(on, network, chip, module)
    writable(out)
    dataset = load(data, data_dir, network.timesteps, network=network.takes)
    cli.notes(dataset)
    part = getattr(dataset, split)
    count = len(part) if samples is None else samples
    began = time.perf_counter()
    with cli.listeners().task(f"simulating on {on}", count) as advance:
        activity = simulate(
            network, part, chosen, samples, split, batch=batch, seed=seed, record=record, progress=advance,
            chip_sha256=sha256_of(chip),
        )  # fmt: skip
    rate = activity.samples / (time.perf_counter() - began)
    activity = replace(activity, provenance={**activity.provenance, "data": data})
    save_activity(activity, out)
    _print(activity, as_json)
    for remark in remarks(network, activity):
        cli.say(f"warning: {remark}")
    cli.say(f"{rate:.0f} samples/s; wrote {out}" + (f" and {record}" if record else ""))


def _simulator(on: str, network: ChipNetwork, chip: Path, module: str | None) -> str | Student:
    """The simulator of this name, or the student of this file; one that made another network is refused."""
    from ..base.artefacts import sha256_of
    from ..student.student import load_student

    if on in BACKENDS or not (on.endswith(".pt") or Path(on).is_file()):
        backend(on)
        return on
    student, origin = load_student(on, module), network.provenance
    said = origin.get("provenance") if str(origin.get("source")).startswith("spikewright") else None
    # Our own exporter notes the hash of the student's file.
    if isinstance(said, str) and json.loads(said).get("parent_sha256") not in (None, sha256_of(on)):
        raise InputError(f"--on {on}: {chip} was made from another student; export and lower this one")
    return student


main = cli.main_of(command, "simulate")


def _print(activity: Activity, as_json: bool) -> None:
    from ..chip.activity_file import as_json as whole

    if as_json:
        cli.emit({**whole(activity), "accuracy": activity.accuracy})
        return
    count = activity.samples
    typer.echo(f"accuracy      {activity.accuracy:.2%}  ({activity.correct} of {count} {activity.split} samples)")
    typer.echo(f"spikes        {activity.spikes / count:.1f} per sample")
    for name, population in activity.populations.items():
        typer.echo(f"  {name:<24} {population.spikes.sum() / count:.1f}")
    typer.echo(f"synaptic ops  {activity.total_synaptic_ops / count:.1f} per sample")
    for name, operations in activity.synaptic_ops.items():
        typer.echo(f"  {name:<24} {operations / count:.1f}")
