"""`spikewright simulate`: run a chip network on data, on one of the simulators or as its student, and count."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ..base.bounds import MOST_SEED, MOST_WORKERS
from ..base.errors import InputError, with_flags
from ..data.load import DATA_HELP
from ..pages.measure import R2
from ..simulation.backends import BACKENDS, backend, described
from . import console as cli

if TYPE_CHECKING:
    from ..chip.activity import Activity
    from ..chip.network import ChipNetwork
    from ..data.output_rule import OutputRule
    from ..data.quality import Quality
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
    batch: Annotated[int, typer.Option(min=1, help="samples simulated at once, or per start of Lava")] = 512,
    workers: Annotated[
        int, typer.Option(min=1, max=MOST_WORKERS, help="processes that share the samples, with --on integer")
    ] = 1,
    seed: Annotated[int, typer.Option(min=0, max=MOST_SEED, help="of the rate code")] = 0,
    record: Annotated[Path | None, typer.Option(help="also write every spike to this HDF5 file")] = None,
    module: Annotated[
        str | None, typer.Option("--network", help="file.py:function, for a student of an architecture of your own")
    ] = None,
    scores: Annotated[Path | None, typer.Option(help="also write scores, answers and labels to this .npz file")] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="file for the counts")] = Path("activity.json"),
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object instead of lines")] = False,
) -> None:
    """Run a chip network on data and count spikes, synaptic operations and updates.

    All simulators give the same spikes and membrane potentials, bit for bit, where the help of --on does not say
    otherwise; so does a student that was trained on integers.

    Example: spikewright simulate chip.h5 --data fashion-mnist --samples 1000 -o activity.json
    """
    from ..base.artefacts import sha256_of
    from ..chip.activity_file import save_activity
    from ..chip.chip_file import load_chip
    from ..data.load import load
    from ..lowering.quantize import MEASURED
    from ..simulation.simulate import remarks, simulate

    network = load_chip(chip)
    chosen = _simulator(on, network, chip, module)
    cli.hold(out, scores, record, reads=[chip, data, on])
    dataset = load(data, data_dir, network.timesteps, network=network.takes)
    cli.notes(dataset)
    count = len(getattr(dataset, split)) if samples is None else samples
    began = time.perf_counter()
    with cli.listeners().task(f"simulating on {on}", count) as advance:
        activity = simulate(
            network, dataset, chosen, samples, split, batch=batch, workers=workers, seed=seed, record=record,
            progress=advance, chip_sha256=sha256_of(chip),
        )  # fmt: skip
    rate = activity.samples / (time.perf_counter() - began)
    activity = replace(activity, provenance={**activity.provenance, "data": data})
    save_activity(activity, out)
    if scores is not None and activity.answers is not None:
        activity.answers.save(scores)
    _print(activity, network.meaning, as_json, bool(network.provenance.get(MEASURED)))
    for remark in remarks(network, activity):
        cli.say(f"warning: {with_flags(remark, {})}")
    cli.say(f"{rate:.0f} samples/s; wrote {' and '.join(str(file) for file in (out, record, scores) if file)}")


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
    if isinstance(said, str) and _parent_in(said, chip) not in (None, sha256_of(on)):
        raise InputError(f"--on {on}: {chip} was made from another student; export and lower this one")
    return student


def _parent_in(said: str, chip: Path) -> object:
    """The hash of the student's file, as our exporter notes it in the provenance of a graph."""
    from ..base.headers import read_json

    try:
        found = read_json(said)
    except ValueError as error:
        raise InputError(f"{chip}: its provenance is not JSON ({error}); lower the graph again") from error
    return found.get("parent_sha256") if isinstance(found, dict) else None


main = cli.main_of(command, "simulate")


def _answers(activity: Activity, quality: Quality, meaning: OutputRule) -> Iterator[str]:
    """How good the answers are, line by line."""
    what = f"{activity.samples} {activity.split} samples"
    if quality.samples != activity.samples:
        what = f"{quality.samples} recordings, {activity.samples} windows, {activity.split}"
    if quality.confusion is not None:
        yield f"accuracy      {quality.accuracy:.2%}  ({quality.correct} of {what})"
        yield f"  balanced    {quality.balanced_accuracy:.2%}"
        yield f"  F1          {quality.f1:.3f}"
        return
    yield f"R^2           {R2.say(quality.main)}  ({what})"
    for index, (r2, mae) in enumerate(zip(quality.r2, quality.mae, strict=True)):
        yield f"  {meaning.name_of(index):<24} R^2 {R2.say(r2)}, mean absolute error {mae:.4g}"


def _print(activity: Activity, meaning: OutputRule, as_json: bool, may_overflow: bool) -> None:
    from ..chip.activity_file import as_json as whole

    quality = activity.quality
    assert quality is not None
    if as_json:
        cli.emit({**whole(activity), "accuracy": activity.accuracy, "quality": quality.as_json()})
        return
    count = activity.samples
    for line in _answers(activity, quality, meaning):
        typer.echo(line)
    typer.echo(f"spikes        {activity.spikes / count:.1f} per sample")
    for name, population in activity.populations.items():
        typer.echo(f"  {name:<24} {population.spikes.sum() / count:.1f}")
    if (found := activity.overflows) is not None and (found or may_overflow):
        typer.echo(f"overflows     {found.wraps} wraps, {found.resets} resets, {found.clips} clips")
    typer.echo(f"synaptic ops  {activity.total_synaptic_ops / count:.1f} per sample")
    for name, operations in activity.synaptic_ops.items():
        typer.echo(f"  {name:<24} {operations / count:.1f}")
