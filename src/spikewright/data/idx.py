"""The IDX format of MNIST: a big-endian header (two zero bytes, element type, dimensions), then the elements.

Source: the format description that Y. LeCun, C. Cortes and C. J. C. Burges published with the MNIST database.
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import IO, cast

import numpy as np

from ..base.errors import InputError
from .dataset import Pixels

UNSIGNED_BYTE = 0x08
AGAIN = "get the file again"


def read_idx(path: Path, item: tuple[int, ...], most: int) -> Pixels:
    """Read an IDX file of unsigned bytes, plain or gzipped.

    Args:
        path: the file; gzipped when its name ends in ``.gz``.
        item: shape that one item must have, ``()`` for labels.
        most: most items that the data set has; checked before anything is allocated.

    Returns:
        uint8, shape ``(items, *item)``.

    Raises:
        InputError: the file is not IDX, has another shape, or is shorter or longer than its header says.
    """
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
            return _read(path, cast("IO[bytes]", file), item, most)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InputError(f"{path}: is not a whole gzip file ({error}); {AGAIN}") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check its permissions") from error


def _read(path: Path, file: IO[bytes], item: tuple[int, ...], most: int) -> Pixels:
    magic = bytes([0, 0, UNSIGNED_BYTE, 1 + len(item)])
    header = file.read(4 + 4 * (1 + len(item)))
    if not header.startswith(magic):
        raise InputError(
            f"{path}: starts with {header[:4].hex() or 'nothing'}, an IDX file of bytes in "
            f"{1 + len(item)} dimension{'s' if item else ''} with {magic.hex()}; {AGAIN}"
        )
    if len(header) < 4 + 4 * (1 + len(item)):
        raise InputError(f"{path}: ends within its header; {AGAIN}")
    count, *found = struct.unpack(f">{1 + len(item)}I", header[4:])
    if tuple(found) != item:
        raise InputError(f"{path}: its items have shape {tuple(found)}, expected {item}; {AGAIN}")
    if not 0 < count <= most:
        raise InputError(f"{path}: its header says {count} items, may be 1 to {most}; {AGAIN}")
    expected = count * math.prod(item)
    body = file.read(expected + 1)
    if len(body) != expected:
        size = f"only {len(body)}" if len(body) < expected else "more"
        raise InputError(f"{path}: its header promises {expected} bytes of data, but it holds {size}; {AGAIN}")
    return np.frombuffer(body, dtype=np.uint8).reshape(count, *item)
