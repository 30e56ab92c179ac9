"""Run a chip network on data, on one of the simulators or as its student, and count what happens."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, nullcontext
from dataclasses import replace
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any, NamedTuple, Protocol, cast

import numpy as np
import numpy.typing as npt

from ..base.errors import InputError, Message, arg, check_type, did_you_mean, refuse
from ..base.progress import Advance
from ..base.types import Drive, IntArray
from ..base.version import __version__
from ..chip.activity import Activity, overflow_sentences
from ..chip.encoding import encode, input_transform
from ..chip.network import ChipNetwork
from ..data.dataset import Dataset
from ..data.labels import label_faults
from ..data.load import load
from ..data.split import Split
from ..lowering.quantize import MEASURED
from ..sources.rows import Computed, Rows, at_once, first_rows
from .backends import BACKENDS, Run, backend
from .raster import raster_writer
from .workers import Task, check_workers, in_turn, pieces_of, shared

Images = npt.NDArray[np.float32 | np.uint8]
Labels = npt.NDArray[Any]
Labelled = tuple[Rows, Labels]


class Chosen(NamedTuple):
    """Some samples of a part.

    Attributes:
        labels: classes ``(samples,)``, or values ``(samples, D)``.
        recordings: of windows, the recording that each is of, ``(samples,)``; None where each sample is its own.
    """

    images: Rows
    labels: Labels
    recordings: IntArray | None


SPLITS = ("test", "validation", "train")
VALUES = 2**28
"""Spikes of all neurons and steps that are recorded at once; long recordings are simulated in smaller batches."""
BATCH = 512
"""Samples simulated and recorded at once: bounds the memory, and spreads Lava's start over many samples."""


class Simulated(Protocol):
    """Something that can stand in for a chip network: a student, which offers a simulator of its own."""

    @property
    def backend_name(self) -> str:
        """What an activity says that it was counted on."""

    @property
    def as_backend(self) -> Run:
        """A function with the arguments of :class:`~spikewright.simulation.backends.Run`."""


def simulate(
    chip: ChipNetwork,
    data: str | Path | Dataset | Split | Labelled,
    on: str | Simulated = "integer",
    samples: int | None = None,
    split: str = "test",
    *,
    data_dir: Path | None = None,
    batch: int = BATCH,
    workers: int = 1,
    seed: int = 0,
    record: Path | None = None,
    progress: Advance | None = None,
    chip_sha256: str = "",
) -> Activity:
    """Run ``chip`` on ``data`` and count what happens.

    Args:
        chip: the network.
        data: a data set, its name, one part of it, or ``(images, labels)``: float32 in [0, 1] of shape
            ``(samples, *input shape)``, of events 0 and 1 of shape ``(samples, timesteps, *input shape)``; and classes,
            int64, ``(samples,)``, or values, float, ``(samples, D)``.
        on: a name of :data:`~spikewright.simulation.backends.BACKENDS`; exact simulators count the same. Or the student
            that ``chip`` was made from: what it does itself, the same again if it was trained on integers.
        samples: how many, from the first; None: all.
        split: part of the data set: test, validation or train; of other data it is only noted.
        data_dir: where a data set's files are.
        batch: samples simulated at once, at most; nothing depends on it but memory and speed.
        workers: processes that share the samples, for the simulator ``integer``; nothing depends on it but memory and
            speed. Each loads spikewright, and holds the network.
        seed: of the rate code.
        record: HDF5 file for every spike; None writes none.
        progress: called with the number of samples done.
        chip_sha256: of the network's file, noted in the activity.

    Raises:
        InputError: no such data, split or simulator, images that do not fit the network's input, labels that do not fit
            its outputs, Lava not installed, a network that it cannot hold, or workers that are no number, more than
            memory is there for, or asked for with another simulator.
        SpikewrightError: Lava or a worker failed.
    """
    check_type("chip", chip, ChipNetwork, "a ChipNetwork, such as lower(graph)")
    run, name = (backend(on), on) if isinstance(on, str) else (on.as_backend, on.backend_name)
    images, labels, recordings = chosen_samples(data_for(chip, data, data_dir), split, samples)
    refuse(f"{split} labels", list(label_faults(labels, chip.meaning, chip.classes)))
    images = fitting(chip, images)
    check_workers(workers, name, chip)
    batch = min(batch, VALUES // (chip.timesteps * sum(p.size for p in chip.populations)))
    scores_type = np.float32 if name == "float" else np.int64
    with raster_writer(record, chip, scores_type) if record else nullcontext() as keep:
        pieces = pieces_of(len(images), at_once(images, batch), workers)
        count = min(workers, len(pieces))

        def tasks() -> Iterator[Task]:
            for piece in pieces:
                drive = codes_of(chip, images[piece.samples], seed, first_index=piece.samples.start)
                yield Task(drive, labels[piece.samples], piece.ends_batch)

        about = {"chip_sha256": chip_sha256, "split": split}
        with closing(
            in_turn(run, name, chip, tasks(), keep, progress, about)
            if count == 1
            else shared(count, name, chip, tasks(), keep, progress, about)
        ) as counted:
            total = reduce(add, counted)
    assert total.answers is not None
    if recordings is not None:
        answers = replace(total.answers, recordings=recordings)
        total = replace(total, answers=answers, correct=answers.correct)
    named = str(data) if isinstance(data, str | Path) else getattr(data, "name", None)
    facts: dict[str, object] = {"source": f"spikewright {__version__}", "seed": seed}
    facts |= {} if named is None else {"data": named}
    return replace(total, provenance=facts)


def drive_of(chip: ChipNetwork, images: Images, seed: int = 0, first_index: int = 0) -> IntArray:
    """The integers that drive ``chip`` for these images.

    Args:
        chip: the network.
        images: intensities in [0, 1], shape ``(samples, *input shape)``.
        seed: of the rate code.
        first_index: index of the first image in its data set, which the rate code depends on.

    Returns:
        int64, shape ``(timesteps or 1, samples, *input shape)``.

    Raises:
        InputError: the network does not say how many bits its input has.
    """
    return codes_of(chip, images, seed, first_index).astype(np.int64)


def codes_of(chip: ChipNetwork, images: Images, seed: int = 0, first_index: int = 0) -> Drive:
    """As :func:`drive_of`, in a byte for each number where that suffices."""
    bits: object = 1
    if chip.encoding in ("direct", "current"):
        bits = chip.input.payload_bits or chip.provenance.get("input_bits")
    if not isinstance(bits, int):
        missing = f"the network's {chip.encoding} input does not say its bits (`input_bits` in its provenance)"
        raise InputError(f"{missing}; lower it again")
    return encode(
        chip.encoding, images, chip.timesteps, bits, seed, first_index,
        by_step=chip.changes_each_step, transform=input_transform(chip),
    )  # fmt: skip


def remarks(chip: ChipNetwork, activity: Activity) -> Iterator[str]:
    """Sentences about what is legal and silent, but almost never wanted, and about counts that are not exact."""
    if activity.backend in BACKENDS and not BACKENDS[activity.backend].exact:
        yield f"the simulator {activity.backend!r} is not exact; its counts may differ from those of the chip network"
    yield from overflow_sentences(activity)
    if (known := activity.overflows) is not None and known.harmful and chip.provenance.get(MEASURED):
        yield Message(
            f"the scales leave room for peaks measured on data; a larger {arg('margin')} in lowering, or "
            f"{arg('scale_margin')} in training, leaves more"
        )


def data_for(
    chip: ChipNetwork, data: str | Path | Dataset | Split | Labelled, data_dir: Path | None = None
) -> Dataset | Split | Labelled:
    """Data as a network takes them; a name or a path is loaded, and a part or a pair of arrays stays as it is.

    Raises:
        InputError: no data, no such data set, or data that the network cannot take.
    """
    whole = load(data, data_dir, chip.timesteps, network=chip.takes) if isinstance(data, str | Path) else data
    if isinstance(whole, Dataset):
        return for_chip(whole.by(chip.takes), chip)
    is_pair = isinstance(whole, tuple | list) and len(whole) == 2 and all(hasattr(each, "shape") for each in whole)
    if not is_pair and not isinstance(whole, Split):
        raise InputError(
            f"{arg('data')}: is of type {type(whole).__name__}; may be a Dataset, such as Dataset.from_arrays(x, y) or "
            "Dataset.from_torch(dataset), one of its parts, the name of a data set, a path, or a pair of arrays as the "
            "network takes them, (images, labels)"
        )
    return whole


def chosen_samples(data: Dataset | Split | Labelled, split: str, samples: int | None) -> Chosen:
    """The first ``samples`` of a part, None for all.

    Raises:
        InputError: no such part, or fewer samples than that.
    """
    if isinstance(data, Dataset):
        if split not in SPLITS:
            raise InputError(f"{split!r}: there is no such part of a data set; {did_you_mean(split, SPLITS)}")
        data = cast(Split, getattr(data, split))
    images, labels = (data.samples, data.labels) if isinstance(data, Split) else data
    if len(images) != len(labels):
        raise InputError(f"{len(images)} images and {len(labels)} labels; every image needs one label")
    if not len(images) or (samples is not None and not 1 <= samples <= len(images)):
        asked = "" if samples is None else f" and {samples} were asked for"
        raise InputError(f"the {split} part holds {len(images)} samples{asked}; ask for 1 or more that are there")
    recordings = data.recordings if isinstance(data, Split) else None
    return Chosen(first_rows(images, samples), labels[:samples], None if recordings is None else recordings[:samples])


def for_chip(data: Dataset, chip: ChipNetwork) -> Dataset:
    """The same data, where their labels mean what the network's outputs do.

    Raises:
        InputError: other classes, or values where the network answers with classes.
    """
    mine, theirs = data.output.is_classes, chip.meaning.is_classes
    if mine == theirs and data.classes == chip.classes:
        return data
    words = {True: "classes", False: "values"}
    found = f"data {data.name}: has {data.classes} {words[mine]}, and the network {chip.classes} {words[theirs]}"
    advice = "use the data that it was trained on"
    if mine and theirs and chip.classes % data.classes == 0:
        each = chip.classes // data.classes
        advice += f", or, where {each} outputs stand for each class, lower it with {arg('population', each)}"
    raise InputError(f"{found}; {advice}")


def fitting(chip: ChipNetwork, images: Rows) -> Rows:
    """Samples in the shape of the network's input, flattened where that is flat."""
    steps = (chip.timesteps,) if chip.encoding == "events" or chip.changes_each_step else ()
    wanted = (*steps, *chip.input.shape)
    if images.shape[1:] == wanted:
        return images
    if len(chip.input.shape) == 1 and np.prod(images.shape[1:]) == np.prod(wanted):
        return Computed(images, lambda rows, _: rows.reshape(len(rows), *wanted), (len(images), *wanted), images.dtype)
    shapes = f"the network's input takes samples of shape {wanted} and the data has {images.shape[1:]}"
    raise InputError(f"{shapes}; use the data that it was trained on")
