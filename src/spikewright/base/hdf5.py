"""HDF5 files that are made in memory and then written as a whole.

HDF5 itself does not survive a disk that fills up: what it could not write stays in a cache, and freeing that crashes
the process.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py

from .artefacts import writable, write_bytes

DAMAGED = (OSError, RuntimeError, LookupError, ValueError)
"""What h5py raises on a file that is none of HDF5, or whose inside is damaged: texts, and types of numbers, too."""


@contextmanager
def new_hdf5(path: Path | str) -> Iterator[h5py.File]:
    """Yield an empty HDF5 file in memory; on success its bytes are written to ``path``, atomically.

    Raises:
        InputError: as :func:`~spikewright.base.artefacts.atomic_write`, before the file is yielded where that is known.
    """
    target = writable(path)
    with h5py.File(str(target), "w", driver="core", backing_store=False) as file:
        yield file
        file.flush()
        image = file.id.get_file_image()
    write_bytes(target, image)
