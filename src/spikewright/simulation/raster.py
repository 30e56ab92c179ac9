"""The raster's file: every spike of every population, HDF5, written batch by batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np

from ..base.artefacts import atomic_write
from ..chip.network import ChipNetwork
from .recording import Recording

FORMAT = "spikewright raster"
FORMAT_VERSION = 1


@contextmanager
def raster_writer(
    path: Path | str, chip: ChipNetwork, scores_type: type[np.int64 | np.float32] = np.int64
) -> Iterator[Callable[[Recording], None]]:
    """Yield what appends recordings of ``chip`` to a new file; the file appears when all went well.

    Layout: ``spikes/<population index>`` of shape ``(samples, timesteps, *population shape)`` with the attribute
    ``name``, payloads where spikes are graded; ``scores`` of shape ``(samples, classes)``.

    Args:
        scores_type: what scores are: integers of a chip network, floats of a student.

    Raises:
        InputError: the folder does not exist.
    """
    with atomic_write(path) as temporary, h5py.File(temporary, "w") as file:
        file.attrs["format"], file.attrs["format_version"] = FORMAT, FORMAT_VERSION
        scores = _growing(file, "scores", (chip.classes,), np.dtype(scores_type))
        rasters = {}
        for index, population in enumerate(chip.populations):
            largest = 2 ** max(1, population.payload_bits) - 1
            shape = (chip.timesteps, *population.shape)
            rasters[population.name] = _growing(file, f"spikes/{index}", shape, np.min_scalar_type(largest))
            rasters[population.name].attrs["name"] = population.name

        def append(recording: Recording) -> None:
            _append(scores, recording.scores)
            for name, raster in rasters.items():
                _append(raster, np.swapaxes(recording.spikes[name], 0, 1))

        yield append


def _growing(file: h5py.File, name: str, shape: tuple[int, ...], dtype: np.dtype[np.generic]) -> h5py.Dataset:
    return file.create_dataset(
        name, (0, *shape), dtype, maxshape=(None, *shape), chunks=(1, *shape), compression="gzip"
    )


def _append(dataset: h5py.Dataset, rows: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> None:
    start = len(dataset)
    dataset.resize(start + len(rows), axis=0)
    dataset[start:] = rows
