"""N-MNIST: recordings of an event camera, cut into frames of binary events, one frame for each time step."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import numpy as np
import numpy.typing as npt

from ..base.cache import cache_folder, cache_root
from ..base.errors import InputError, arg, refuse
from .dataset import Dataset
from .download import download, missing_folder, missing_package
from .split import Pixels, Split, official_split

NAME = "nmnist"
FOLDER = "NMNIST"
"""Folder of the files below the one that tonic is given."""
CLASSES = 10
POLARITIES = 2
SIDE = 34
# The camera makes three movements of 105 ms (the stabilisation code that G. Orchard et al. published with N-MNIST).
DURATION_US = 3 * 105_000
PARTS = {"Train": 60000, "Test": 10000}
BYTES_PER_EVENT = 5
DEFAULT_TIMESTEPS = 10
"""Frames of a sample where no number is asked for: 31.5 ms each."""
AGAIN = "get the file again"


def load_nmnist(data_dir: Path | None, timesteps: int | None) -> Dataset:
    """Read ``Train/0..9/*.bin`` and ``Test/0..9/*.bin`` from ``data_dir``, else from the cache, else download them.

    Raises:
        InputError: tonic is not installed, or files are missing, damaged, or cannot be downloaded.
    """
    steps = DEFAULT_TIMESTEPS if timesteps is None else timesteps
    if steps < 1:
        raise InputError(f"{NAME}: timesteps is {steps}; must be at least 1")
    try:
        import tonic.datasets
        import tonic.io
    except ImportError as error:
        raise missing_package(NAME, "tonic", "events") from error
    folder = _folder(data_dir, tonic)
    official, test = (_recordings(folder / part, most) for part, most in PARTS.items())
    train, validation = ([official[i] for i in rows] for rows in official_split(len(official)))
    first, second, third = (_split(tonic, recordings, steps) for recordings in (train, validation, test))
    return Dataset(NAME, first, second, third, CLASSES, (POLARITIES, SIDE, SIDE), steps)


def frames(events: npt.NDArray[np.void], timesteps: int) -> Pixels:
    """Cut one recording into frames: 1 where a pixel had at least one event of that polarity during the step.

    Step ``s`` takes the events with ``s <= t T / D < s + 1`` (``t`` in us, ``D`` the duration of every recording);
    what comes later than ``D`` is left out, so that a step lasts the same time in every sample.

    Args:
        events: fields ``x``, ``y``, ``t`` (us), ``p`` (polarity).

    Returns:
        uint8 of 0 and 1, shape ``(T, 2, 34, 34)``.
    """
    binned = np.zeros((timesteps, POLARITIES, SIDE, SIDE), np.uint8)
    within = events[events["t"] < DURATION_US]
    binned[within["t"] * timesteps // DURATION_US, within["p"], within["y"], within["x"]] = 1
    return binned


def _folder(data_dir: Path | None, tonic: ModuleType) -> Path:
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


def _split(tonic: ModuleType, recordings: Sequence[tuple[Path, int]], timesteps: int) -> Split:
    images = np.empty((len(recordings), timesteps, POLARITIES, SIDE, SIDE), np.uint8)
    for index, (file, _) in enumerate(recordings):
        images[index] = frames(_read(tonic, file), timesteps)
    return Split(images, np.array([label for _, label in recordings], np.int64))


def _read(tonic: ModuleType, file: Path) -> npt.NDArray[np.void]:
    try:
        size = file.stat().st_size
        if not size or size % BYTES_PER_EVENT:
            raise InputError(f"{file}: holds {size} bytes, must be a multiple of {BYTES_PER_EVENT}; {AGAIN}")
        events: npt.NDArray[np.void] = tonic.io.read_mnist_file(str(file), dtype=tonic.datasets.NMNIST.dtype)
    except OSError as error:
        raise InputError(f"{file}: cannot be read ({error.strerror}); check its permissions") from error
    if len(events) and max(events["x"].max(), events["y"].max()) >= SIDE:
        raise InputError(f"{file}: has an event outside {SIDE} x {SIDE} pixels; {AGAIN}")
    return events
