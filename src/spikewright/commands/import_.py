"""`spikewright import`: a trained spiking network of another tool becomes a student that is proven to spike alike."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..base.errors import InputError, SpikewrightError, arg, did_you_mean, renamed
from ..base.own_code import is_own
from ..base.types import ENCODINGS, READOUTS
from . import console as cli

if TYPE_CHECKING:
    from torch import nn

    from ..data.quality import Quality
    from ..student.student import Student


def command(
    module: Annotated[str, typer.Argument(metavar="FILE.PY:FUNCTION", help="that returns the network")],
    input_shape: Annotated[str, typer.Option(help="of a sample: channels, height, width, such as 1,28,28")],
    weights: Annotated[
        Path | None, typer.Option(help="its state dict or checkpoint (.pt, .ckpt, .safetensors); none: it has its own")
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="where the student goes")] = Path("student.pt"),
    timesteps: Annotated[
        int | None, typer.Option("--timesteps", "-T", min=1, help="where the loop over time is not in its forward")
    ] = None,
    readout: Annotated[str | None, typer.Option(help="membrane or count, where the network leaves a choice")] = None,
    encoding: Annotated[
        str | None, typer.Option(help="direct, rate, latency or events, where the input changes from step to step")
    ] = None,
    classes: Annotated[int | None, typer.Option(min=1, help="of a population code, fewer than its outputs")] = None,
    input_bits: Annotated[
        int | None, typer.Option(min=1, max=12, help="width of graded input on the chip; left out, 6 (current: 8)")
    ] = None,
    data: Annotated[str, typer.Option(help="data set on which network and student are compared, too")] = "",
    data_dir: Annotated[Path | None, typer.Option(help="folder that holds the data set's files")] = None,
    samples: Annotated[int, typer.Option(min=1, help="validation samples that are compared")] = 256,
    json_output: cli.Json = False,
) -> None:
    """Take in a trained spiking network of snnTorch and other tools, with its weights.

    The network is run and recorded; the student is compared with it spike by spike, on random samples and on those of
    --data. The file holds the network as data and needs no code to load.

    Example: spikewright import net.py:build --weights w.pt --input-shape 1,28,28 --data mnist-5k -o student.pt
    """
    from ..importing.examples import sized
    from ..student.student import Student, save_student

    cli.hold(out, reads=[weights, module.rpartition(":")[0], data])
    for name, value, known in (("readout", readout, READOUTS), ("encoding", encoding, ENCODINGS)):
        if value is not None and value not in known:
            raise InputError(f"{arg(name, value)}: {did_you_mean(value, known)}")
    try:
        shape = sized(input_shape)
    except InputError as error:
        raise InputError(f"{arg('input_shape')}: {error.message}") from error
    if data:
        _hold_the_shape(data, data_dir, shape)
    network, remarks = _network(module, weights, shape, classes)
    for remark in remarks:
        cli.say(remark)
    student = Student.from_module(
        network,
        timesteps=timesteps,
        readout=readout,  # type: ignore[arg-type]
        encoding=encoding,  # type: ignore[arg-type]
        classes=classes,
        input_shape=shape,
        input_bits=input_bits,
        callbacks=cli.listeners().callbacks,
    )
    quality = _on_data(student, data, data_dir, samples) if data else None
    origin = student.origin
    assert origin is not None and origin.proof is not None
    proof = origin.proof
    save_student(student, out, {"made_by": "spikewright import", "data": data or None})
    ties = f"; {proof.ties} left out, where a membrane meets its threshold to within float32" if proof.ties else ""
    cli.say(
        f"{out}: spikes as {origin.name} does: {proof.spikes:,} spikes and silences equal on {proof.samples} samples, "
        f"{proof.fired:,} of them spikes{ties}"
    )
    if not proof.fired:
        cli.say("no neuron fired, so little is proven; give samples on which it does: --data")
    if quality is not None:
        cli.say(f"accuracy of the student on these samples of {data}: {quality.accuracy:.2%}")
    if json_output:
        accuracy = None if quality is None else quality.accuracy
        cli.emit({"student": str(out), "remarks": origin.remarks, "proof": vars(proof), "accuracy": accuracy})
    else:
        cli.out(str(out))


def _network(
    spec: str, weights: Path | None, shape: tuple[int, int, int], classes: int | None
) -> tuple[nn.Module, tuple[str, ...]]:
    """The network of a user's function, and what was done to its weights."""
    from ..teachers.built import build_network

    if not is_own(spec):
        raise InputError(
            f"{spec}: names no function; code that a file of weights names is not run, so give the function that "
            f"returns the network, net.py:build, and the file of weights by {arg('weights')}"
        )
    try:
        built = build_network(spec, weights, shape, classes, role="network")
    except SpikewrightError as error:
        raise renamed(error, {"teacher": "module"}) from error
    return built.network, built.remarks


def _hold_the_shape(data: str, data_dir: Path | None, shape: tuple[int, int, int]) -> None:
    """Refuse data whose samples are no multiple of what the network takes, before it is recorded.

    Samples may hold timesteps, of which nothing is known here, so that their number is what is compared.
    """
    from math import prod

    from ..data.load import DATASETS, load
    from ..sources.options import ReadingOptions
    from ..sources.read import read

    if data in DATASETS:
        found: tuple[int, ...] | None = None if DATASETS[data].events else tuple(load(data, data_dir).shape)
    elif is_own(data):
        found = None
    else:
        samples = next(iter(read(data, ReadingOptions(), DATASETS).parts.values()))[0]
        found = tuple(samples.shape[1:]) if hasattr(samples, "shape") else None
    if found and prod(found) % prod(shape):
        raise InputError(
            f"{arg('input_shape')}: says that samples have shape {shape}, and those of {arg('data', data)} have "
            f"{found}; give the shape of the data, or other data"
        )


def _on_data(student: Student, data: str, data_dir: Path | None, count: int) -> Quality:
    """Prove the student on validation samples, and see how good its answers are."""
    import torch

    from ..data.load import load
    from ..importing.examples import as_taken
    from ..student.accuracy import quality_of_student

    config, origin = student.config, student.origin
    assert origin is not None
    dataset = load(data, data_dir, config.timesteps, network=config.takes)
    cli.notes(dataset)
    if tuple(dataset.shape) != config.input_shape:
        raise InputError(
            f"{arg('data', data)}: its samples have shape {tuple(dataset.shape)}; the network takes "
            f"{config.input_shape}"
        )
    split = dataset.validation.first(count)
    images = torch.from_numpy(split.samples[: len(split)])
    origin.prove(as_taken(origin.found, images, student.drive(images)))
    return quality_of_student(student, split)


main = cli.main_of(command, "import")
