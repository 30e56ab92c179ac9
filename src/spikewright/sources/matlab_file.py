"""Matrices of numbers in MATLAB's files of level 5 (``-v6`` and ``-v7``), read here: readers in C end on damaged ones.

The layout is that of MathWorks' *MAT-File Format*, level 5: elements of a tag (type, bytes) and their data, padded to
eight bytes; an array is an element whose parts are its flags, dimensions, name and numbers; others are skipped.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..base.errors import InputError

HEAD = 128
"""Bytes of text, version and byte order in front of the elements."""
MATRIX, COMPRESSED = 14, 15
NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
"""By type of an element, that of its numbers."""
KNOWN = range(1, 19)
"""Classes of arrays that there are."""
NUMERIC = range(6, 16)
"""Those that hold real or complex numbers; others are cells, structures, objects, texts, sparse ones and functions."""
COMPLEX = 0x0800
LARGEST = 2**34
"""Bytes that a compressed array is unpacked to at most."""
TIGHTEST = 1032
"""Times that DEFLATE packs at most (RFC 1951)."""


def matrices(path: Path) -> Iterator[tuple[str, npt.NDArray[Any]]]:
    """The names and values of the real matrices of numbers ``(rows, columns)`` in a file.

    Raises:
        InputError: another kind of file, or a damaged one.
    """
    data = path.read_bytes()
    try:
        order = _order(data)
        for kind, body in _elements(data[HEAD:], order):
            for inner, part in _elements(_unpacked(body), order) if kind == COMPRESSED else [(kind, body)]:
                if inner == MATRIX and (found := _matrix(part, order)) is not None:
                    yield found
    except (_Damaged, zlib.error) as error:
        raise InputError(f"{path}: cannot be read as .mat ({error}); save it again with -v7") from error


class _Damaged(Exception):
    """What is wrong with a file, without its name."""


def _order(data: bytes) -> str:
    mark = data[HEAD - 2 : HEAD]
    if data[:8] == b"\x89HDF\r\n\x1a\n" or b"MATLAB 7.3" in data[:HEAD]:
        raise _Damaged("it is HDF5, as -v7.3 writes it")
    if mark not in (b"IM", b"MI"):
        raise _Damaged("it has no header of level 5")
    return "<" if mark == b"IM" else ">"


def _elements(data: bytes, order: str) -> Iterator[tuple[int, bytes]]:
    """Type and data of each element; those of up to four bytes may stand in the tag itself."""
    place = 0
    while place + 8 <= len(data):
        kind, size = (int(each) for each in np.frombuffer(data, f"{order}u4", 2, place))
        if small := kind >> 16:
            if small > 4:
                raise _Damaged(f"a small element of {small} bytes")
            yield kind & 0xFFFF, data[place + 4 : place + 4 + small]
            place += 8
            continue
        if place + 8 + size > len(data):
            raise _Damaged(f"it ends inside an element of {size} bytes")
        yield kind, data[place + 8 : place + 8 + size]
        place += 8 + (size if kind == COMPRESSED else -(-size // 8) * 8)
    if any(data[place:]):
        raise _Damaged("it ends inside the tag of an element")


def _unpacked(body: bytes) -> bytes:
    most = min(LARGEST, TIGHTEST * len(body) + 64)
    reader = zlib.decompressobj()
    made = reader.decompress(body, most)
    if not reader.eof:
        raise _Damaged("a compressed array has no end")
    return made


@dataclass(frozen=True)
class _Flags:
    kind: int
    is_complex: bool


def _matrix(data: bytes, order: str) -> tuple[str, npt.NDArray[Any]] | None:
    """An array of numbers with two dimensions; None for others."""
    parts = _elements(data, order)
    flags = _flags(parts, order)
    if flags.kind not in NUMERIC or flags.is_complex:
        return None
    shape = tuple(int(each) for each in _numbers(parts, order, "dimensions"))
    if len(shape) != 2:
        return None
    kind, name = next(parts, (0, b""))
    values = _numbers(parts, order, "numbers")
    if kind != 1 or min(shape) < 0 or prod(shape) != values.size:
        raise _Damaged(f"an array of shape {shape} holds {values.size} numbers")
    return name.decode("ascii", errors="replace"), values.reshape(shape, order="F")


def _flags(parts: Iterator[tuple[int, bytes]], order: str) -> _Flags:
    kind, body = next(parts, (0, b""))
    if kind != 6 or len(body) != 8:
        raise _Damaged("an array without flags")
    word = int(np.frombuffer(body, f"{order}u4", 1)[0])
    if word & 0xFF not in KNOWN:
        raise _Damaged(f"an array of class {word & 0xFF}, which there is not")
    return _Flags(word & 0xFF, bool(word & COMPLEX))


def _numbers(parts: Iterator[tuple[int, bytes]], order: str, what: str) -> npt.NDArray[Any]:
    kind, body = next(parts, (0, b""))
    if kind not in NUMBERS:
        raise _Damaged(f"an array without {what}")
    dtype = np.dtype(order + NUMBERS[kind])
    if len(body) % dtype.itemsize:
        raise _Damaged(f"{what} of {len(body)} bytes, which are of {dtype.itemsize} each")
    return np.frombuffer(body, dtype).astype(dtype.newbyteorder("="))
