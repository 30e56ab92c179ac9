"""`spikewright data`: what data hold, how they would be read, and what each encoding makes of them."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Annotated

import typer

from ..base.errors import InputError, Message, did_you_mean, with_flags
from ..data.options import DataOptions
from . import console as cli
from .options import takes_data_options

PICTURES = (".png", ".svg", ".pdf")


@takes_data_options
def command(
    options: DataOptions,
    data: Annotated[str, typer.Argument(help="a file or folder of data of your own, or the name of a data set")],
    timesteps: Annotated[
        int | None, typer.Option("--timesteps", "-T", min=1, help="T; left out, 4, or the steps of a recording")
    ] = None,
    input_bits: Annotated[int, typer.Option(min=1, max=12, help="width of direct input")] = 6,
    show: Annotated[
        Path | None, typer.Option(help=f"draw a sample and its encodings to this file ({', '.join(PICTURES)})")
    ] = None,
    sample: Annotated[int, typer.Option(min=0, help="which sample of the training part is drawn")] = 0,
    data_dir: Annotated[Path | None, typer.Option(help="folder with a named data set's standard files")] = None,
    as_json: cli.Json = False,
) -> None:
    """Say what data hold: parts, classes, ranges, lengths, scaling, and the input events that each encoding makes.

    Data that a training would refuse are refused here, with every reason. Encodings and teachers that do not suit them
    are listed.

    Example: spikewright data recordings.npz --layout series --show sample.png
    """
    from ..base.artefacts import write_bytes
    from ..data.describe import describe
    from ..data.load import DATASETS, load
    from ..pages.data import renderable, teachers
    from ..pages.numbers import WIDTH
    from ..pages.plot_style import WITHOUT_TIME, style
    from ..pages.samples import encodings_figure

    if show is not None:
        if show.suffix.lower() not in PICTURES:
            raise InputError(f"--show {show}: {did_you_mean(show.suffix.lower(), PICTURES)}")
        cli.hold(show)
    if data in DATASETS and not DATASETS[data].options:
        dataset = load(data, data_dir, timesteps, options)
    else:  # a level is of one encoding, and the data are read for all of them
        dataset = load(data, data_dir, timesteps, options.model_copy(update={"delta_level": None}))
        dataset = replace(dataset, options=options)
    found = describe(dataset, timesteps, input_bits)
    found = replace(found, notes=tuple(Message(with_flags(note, {})) for note in found.notes))
    unfit = {name: with_flags(why, {}) for name, why in teachers(dataset).items()}
    if show is not None:
        figure = encodings_figure(dataset, sample, timesteps, input_bits)
        form, drawn = show.suffix[1:].lower(), BytesIO()
        with style():
            figure.savefig(drawn, format=form, dpi=150, metadata=WITHOUT_TIME[form])
        write_bytes(show, drawn.getbuffer())
    if as_json:
        cli.emit({**found.as_json(), "teachers": unfit})
    else:
        cli.print_result(*renderable(found, unfit), width=WIDTH)
    if show is not None:
        cli.say(f"wrote {show}")


main = cli.main_of(command, "data")
