"""Binary files of events: N-MNIST's ``.bin`` and Prophesee's ``.dat``."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..base.errors import InputError
from ..base.types import IntArray
from .recordings import Recording

BYTES_PER_BIN_EVENT = 5
CLOCK_ROW, CLOCK_US = 240, 2**13
"""In ``.bin`` an event in row 240 is none: the clock moves on by so much."""
DAT_EVENT = np.dtype([("t", "<u4"), ("address", "<u4")])
CD_TYPES = (0x00, 0x0C)
"""Event types of ``.dat`` that are changes of brightness."""
AGAIN = "get the file again"


def contents(path: Path) -> bytes:
    """All bytes of a file.

    Raises:
        InputError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check its permissions") from error


def read_bin(path: Path) -> Recording:
    """A recording in N-MNIST's form: five bytes an event, of column, row, and 1 bit polarity with 23 bits of us.

    Source: G. Orchard et al. 2015, Front. Neurosci. 9:437, and the authors' reader for its files.

    Raises:
        InputError: the file is cut off.
    """
    data = np.frombuffer(contents(path), np.uint8)
    if not len(data) or len(data) % BYTES_PER_BIN_EVENT:
        raise InputError(f"{path}: holds {len(data)} bytes, must be a multiple of {BYTES_PER_BIN_EVENT}; {AGAIN}")
    x, y, third, fourth, fifth = data.reshape(-1, BYTES_PER_BIN_EVENT).T.astype(np.int64)
    clock = CLOCK_US * np.cumsum(y == CLOCK_ROW)
    t = ((third & 0x7F) << 16 | fourth << 8 | fifth) + clock
    real = y != CLOCK_ROW
    return Recording(t[real], x[real], y[real], (third >> 7)[real], starts_at_zero=True)


def read_dat(path: Path) -> Recording:
    """A recording in Prophesee's ``.dat``: lines that begin with %, two bytes of type and size, eight bytes an event.

    Source: https://docs.prophesee.ai/stable/data/file_formats/dat.html

    Raises:
        InputError: it is not of that form, holds events of another kind, or is cut off.
    """
    data = contents(path)
    header, body = _dat_header(data)
    if not header or len(body) < 2:
        raise InputError(f"{path}: has no header of a .dat file, lines that begin with %; {AGAIN}")
    kind, size = body[:2]
    if kind not in CD_TYPES or size != DAT_EVENT.itemsize:
        raise InputError(
            f"{path}: holds events of type {kind} in {size} bytes; may be type {' or '.join(map(str, CD_TYPES))} in "
            f"{DAT_EVENT.itemsize}: export changes of brightness (CD)"
        )
    if (len(body) - 2) % size:
        raise InputError(f"{path}: ends inside an event, {(len(body) - 2) % size} of {size} bytes; {AGAIN}")
    events = np.frombuffer(body, DAT_EVENT, offset=2)
    address = events["address"].astype(np.int64)
    sizes = {name: int(size) for name, size in re.findall(rb"%\s*(width|height)\s+(\d+)", header.lower())}
    sensor = (sizes[b"width"], sizes[b"height"]) if len(sizes) == 2 else None
    return Recording(unwrapped(events["t"]), address & 0x3FFF, address >> 14 & 0x3FFF, address >> 28 & 1, sensor)


def _dat_header(data: bytes) -> tuple[bytes, bytes]:
    end = 0
    while data[end : end + 1] == b"%" and (line := data.find(b"\n", end)) >= 0:
        end = line + 1
    return data[:end], data[end:]


def unwrapped(times: npt.NDArray[np.uint32]) -> IntArray:
    """Times of a clock of 32 bits, which begins anew after 2^32 us, as times that go on."""
    t = times.astype(np.int64)
    back: IntArray = np.diff(t, prepend=t[:1])
    return t + 2**32 * np.cumsum(back < -(2**31))
