"""The file of all spikes of a simulation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt

from ..base.hdf5 import new_hdf5
from ..chip.network import ChipNetwork
from .recording import Recording

RASTER_FORMAT, RASTER_FORMAT_VERSION = "spikewright raster", 1


@contextmanager
def raster_writer(
    path: Path, chip: ChipNetwork, scores_type: type[np.int64 | np.float32]
) -> Iterator[Callable[[Recording], None]]:
    """Yield what appends recordings of ``chip`` to a new HDF5 file; the file appears when all went well.

    Layout: ``spikes/<population index>`` of shape ``(samples, timesteps, *population shape)`` with the attribute
    ``name``, payloads where spikes are graded; ``scores`` of shape ``(samples, outputs)``.

    Args:
        scores_type: what scores are: integers of a chip network, floats of a student in floats.

    Raises:
        InputError: the folder does not exist.
    """
    with new_hdf5(path) as file:
        file.attrs["format"], file.attrs["format_version"] = RASTER_FORMAT, RASTER_FORMAT_VERSION

        def growing(name: str, shape: tuple[int, ...], dtype: npt.DTypeLike) -> h5py.Dataset:
            size = {"shape": (0, *shape), "maxshape": (None, *shape), "chunks": (1, *shape)}
            return file.create_dataset(name, dtype=dtype, compression="gzip", **size)

        scores = growing("scores", (chip.outputs,), scores_type)
        rasters = {}
        for index, population in enumerate(chip.populations):
            payload = np.min_scalar_type(2 ** max(1, population.payload_bits) - 1)
            rasters[population.name] = growing(f"spikes/{index}", (chip.timesteps, *population.shape), payload)
            rasters[population.name].attrs["name"] = population.name

        def append(recording: Recording) -> None:
            rows = [(raster, np.swapaxes(recording.spikes[name], 0, 1)) for name, raster in rasters.items()]
            for dataset, more in ((scores, recording.scores), *rows):
                start = len(dataset)
                dataset.resize(start + len(more), axis=0)
                dataset[start:] = more

        yield append
