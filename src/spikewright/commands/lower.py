"""`spikewright lower`: a NIR graph, or a network of lava-dl's, becomes an integer chip network for one profile."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..base.errors import InputError, arg, refuse, with_flags
from ..chip.registers import MARGIN, PEAK_SAMPLES, QUANTILE
from ..data.load import DATA_HELP
from ..exchange.writers import WRITERS, check_formats, described, places
from ..profile.profile import load_profile
from . import console as cli

if TYPE_CHECKING:
    from ..chip.network import ChipNetwork
    from ..profile.profile import HardwareProfile


def command(
    graph: Annotated[
        Path, typer.Argument(help="NIR file, from `spikewright to-nir` or any exporter, or a .net file of lava-dl")
    ],
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
    input_range: Annotated[
        str | None,
        typer.Option(help="of the samples that a .net file was trained on, such as -1,1; default: 0,1"),
    ] = None,
    emit: Annotated[
        list[str] | None,
        typer.Option(help=f"also write it, beside CHIP.h5, as (may be given several times) {described()}"),
    ] = None,
    chips: Annotated[
        int | None, typer.Option(min=1, help="most chips to spread it over; default: what the profile says, or one")
    ] = None,
    json_output: cli.Json = False,
) -> None:
    """Turn a NIR graph, or a network that lava-dl exported, into an integer network for a chip, and say how it fits.

    Exit code 1: the network does not fit the chip.

    Without --calibrate no register overflows whatever the input. Over many steps, or with a slow synaptic filter, that
    leaves few levels to the weights; --calibrate leaves room for what data cause instead.

    Example: spikewright lower student.nir --profile loihi2-assumed -o chip.h5
    """
    from ..chip.chip_file import save_chip
    from ..exchange.netx_layers import is_netx
    from ..pages.network import fit_of, placement_json, summary, table
    from ..placing.placement import place

    written = places(emit or (), out)
    files = (path for name, path in written.items() if not WRITERS[name].is_folder)
    cli.hold(out, *files, reads=[graph, calibrate])
    target = load_profile(profile)
    given = {"timesteps": timesteps, "encoding": encoding, "input_bits": input_bits, "population": population}
    of_nir = {"dt_s": dt_s, "producer": producer, "reset": reset, "weight_bits": weight_bits}
    measuring = {"calibrate_samples": calibrate_samples, "quantile": quantile, "margin": margin}
    if is_netx(graph):
        others = {"calibrate": calibrate, "data_dir": data_dir, **of_nir, **measuring}
        chip = _of_lava_dl(graph, target, given, others, input_range)
    elif input_range is not None:
        raise InputError(f"{arg('input_range')}: is for .net files of lava-dl")
    else:
        chip = _of_nir(graph, target, given | of_nir, calibrate, data_dir, measuring)
    check_formats(chip, written)
    placement = place(chip, target, chips=chips)
    save_chip(chip, out)
    for name, path in written.items():
        WRITERS[name].write(chip, path)
    if json_output:
        facts = {"chip": str(out), **summary(chip), "fit": fit_of(placement), "placement": placement_json(placement)}
        if written:
            facts["emitted"] = {name: str(path) for name, path in written.items()}
        cli.emit(facts)
    else:
        cli.out(table(chip, placement))
        for path in (out, *written.values()):
            cli.say(str(path))


def _of_nir(
    file: Path,
    target: HardwareProfile,
    given: dict[str, Any],
    calibrate: str | None,
    data_dir: Path | None,
    measuring: dict[str, Any],
) -> ChipNetwork:
    """The chip network of a NIR graph; what is remarkable of it is said."""
    from ..base.artefacts import sha256_of
    from ..data.dataset import Dataset
    from ..graph.nir_io import read_graph
    from ..lowering.lower import calibration_data, lower
    from ..lowering.rules import remarks

    network = read_graph(file)
    if data_dir is not None and calibrate is None:
        raise InputError("--data-dir: is the folder of data to measure on; give --calibrate too")
    data, timesteps = None, given["timesteps"]
    if calibrate is not None:
        data = calibration_data(calibrate, network, timesteps, given["encoding"], data_dir)
        if isinstance(data, Dataset):
            cli.notes(data)
    chip = lower(network, target, calibrate=data, **given, **measuring)
    chip = chip.with_provenance(parent_sha256=sha256_of(file))
    _say_assumed(chip)
    for remark in remarks(chip):
        cli.say(f"note: {with_flags(remark, {})}")
    return chip


def _of_lava_dl(
    file: Path, target: HardwareProfile, given: dict[str, Any], others: dict[str, Any], input_range: str | None
) -> ChipNetwork:
    """The chip network of a file of lava-dl's.

    Args:
        others: flags of NIR files, which have to be None.
    """
    from ..exchange.netx_reader import read_netx

    idle = [name for name, value in others.items() if value is not None]
    refuse(str(file), [f"{arg(name)}: is for NIR files, and this is a network of lava-dl's" for name in idle])
    chip = read_netx(file, target, input_range=_range(input_range), **given)
    _say_assumed(chip)
    return chip


def _range(text: str | None) -> tuple[float, float] | None:
    """Two numbers with a comma between them."""
    if text is None:
        return None
    try:
        low, high = map(float, text.split(","))
    except ValueError:
        raise InputError(f"{arg('input_range', text)}: may be two numbers, such as -1,1") from None
    return low, high


def _say_assumed(chip: ChipNetwork) -> None:
    assumed = chip.provenance["assumed"]
    assert isinstance(assumed, list)
    for sentence in assumed:
        cli.say(f"assumed: {sentence}")


main = cli.main_of(command, "lower")
