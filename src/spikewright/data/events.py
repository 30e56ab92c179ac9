"""N-MNIST: recordings of an event camera, cut into frames of binary events, one frame for each time step."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..base.cache import cache_folder, cache_root
from ..base.errors import InputError, arg, refuse
from ..sources.event_binaries import AGAIN, read_bin
from ..sources.recordings import DEFAULT_TIMESTEPS, Framing, Recording
from .dataset import Dataset
from .download import download, missing_folder, missing_package
from .split import Split, official_split

NAME = "nmnist"
FOLDER = "NMNIST"
"""Folder of the files below the one that tonic is given."""
CLASSES = 10
POLARITIES = 2
SIDE = 34
# The camera makes three movements of 105 ms (the stabilisation code that G. Orchard et al. published with N-MNIST).
DURATION_US = 3 * 105_000
PARTS = {"Train": 60000, "Test": 10000}
FRAMING = Framing(SIDE, SIDE, DURATION_US)


def load_nmnist(data_dir: Path | None, timesteps: int | None) -> Dataset:
    """Read ``Train/0..9/*.bin`` and ``Test/0..9/*.bin`` from ``data_dir``, else from the cache, else download them.

    Raises:
        InputError: files are missing, damaged, or cannot be downloaded, as without tonic.
    """
    steps = DEFAULT_TIMESTEPS if timesteps is None else timesteps
    if steps < 1:
        raise InputError(f"{NAME}: timesteps is {steps}; must be at least 1")
    folder = _folder(data_dir)
    official, test = (_recordings(folder / part, most) for part, most in PARTS.items())
    train, validation = ([official[i] for i in rows] for rows in official_split(len(official)))
    first, second, third = (_split(recordings, steps) for recordings in (train, validation, test))
    return Dataset(NAME, first, second, third, CLASSES, (POLARITIES, SIDE, SIDE), steps)


def _folder(data_dir: Path | None) -> Path:
    kept = cache_root() / "data" / FOLDER
    if data_dir is not None and not data_dir.is_dir():
        raise missing_folder(data_dir, NAME)
    for folder in (kept,) if data_dir is None else (data_dir, data_dir / FOLDER):
        if not _lacking(folder):
            return folder
    if data_dir is not None:
        raise InputError(
            f"{data_dir}: has not both folders of {NAME}, Train and Test (here or in {FOLDER}); unpack Train.zip and "
            f"Test.zip there, or leave {arg('data_dir')} out to have them found or downloaded"
        )
    try:
        import tonic.datasets
    except ImportError as error:
        raise missing_package(NAME, "tonic", "events") from error
    with download(NAME, "Train and Test, as in the published archives"):
        for train in (True, False):
            tonic.datasets.NMNIST(str(cache_folder("data")), train=train)
    refuse(str(kept), [f"the download left no {part}; remove the folder and try again" for part in _lacking(kept)])
    return kept


def _lacking(folder: Path) -> list[str]:
    return [part for part in PARTS if not (folder / part).is_dir()]


def _recordings(part: Path, most: int) -> list[tuple[Path, int]]:
    """Files and labels in the order of their numbers, which are MNIST's: any first hundred hold every class."""
    found = [(file, label) for label in range(CLASSES) for file in (part / str(label)).glob("*.bin")]
    if not 0 < len(found) <= most:
        raise InputError(f"{part}: holds {len(found)} recordings in 0/*.bin to 9/*.bin, may be 1 to {most}; {AGAIN}")
    return sorted(found, key=lambda entry: (entry[0].stem, entry[1]))


def _split(recordings: Sequence[tuple[Path, int]], timesteps: int) -> Split:
    images = np.empty((len(recordings), timesteps, POLARITIES, SIDE, SIDE), np.uint8)
    for index, (file, _) in enumerate(recordings):
        images[index] = FRAMING.frames(_read(file), 0, DURATION_US, timesteps)
    return Split(images, np.array([label for _, label in recordings], np.int64))


def _read(file: Path) -> Recording:
    events = read_bin(file)
    if len(events) and max(events.x.max(), events.y.max()) >= SIDE:
        raise InputError(f"{file}: has an event outside {SIDE} x {SIDE} pixels; {AGAIN}")
    return events
