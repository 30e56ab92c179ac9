"""Changes of a file's bytes, whatever they mean."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

Change = Callable[[bytearray, Random, Sequence[bytes]], bytearray]

MAGIC = (
    b"\x89HDF\r\n\x1a\n", b"PK\x03\x04", b"PK\x05\x06", b"\x93NUMPY\x01\x00", b"\x1f\x8b\x08\x00", b"\x80\x02}",
    b"cos\nsystem\n(S'touch ran'\ntR.", b"\x80\x04\x95", b"RIFF", b"\x89PNG\r\n\x1a\n", b"#!AER-DAT", b"% ", b"PAR1",
    b"OHDR", b"TREE", b"SNOD", b"HEAP", b"\xff\xff\xff\xff", b"\x00" * 8, b"\xff" * 8, b"\x7f\xff\xff\xff",
    b"\x80\x00\x00\x00", b"\x00\x00\x00\x80", b"\xff\xff\xff\x7f", b"nan", b"-inf", b"1e999", b"{", b"[", b'"',
    b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\x00", b"\n", b",", b"9" * 40, b"@data\n", b"!!python/object:os.system",
    "\u0661\u00b2".encode(), b"[[[[[[[[[[[[[[[[",
)  # fmt: skip
"""Beginnings of files, marks inside them, and numbers at the edge of what a field holds."""
LONGEST = 2**20
"""Bytes that a changed file has at most."""


def changed_bytes(seed: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    """A file with one to eight changes; what is spliced in comes from ``others`` as well."""
    data = bytearray(seed)
    for _ in range(random.choice((1, 1, 1, 2, 3, 8))):
        data = random.choice(CHANGES)(data, random, others)[:LONGEST]
    return bytes(data)


def _place(data: bytearray, random: Random) -> int:
    """Somewhere in the file; the beginning and the end, where headers are, more often."""
    where = random.random()
    near = min(len(data), 64)
    if where < 0.25:
        return random.randint(0, near)
    return random.randint(len(data) - near, len(data)) if where < 0.4 else random.randint(0, len(data))


def _flip(data: bytearray, random: Random, _: Sequence[bytes]) -> bytearray:
    for _ in range(random.choice((1, 1, 4, 32))):
        if data:
            data[min(_place(data, random), len(data) - 1)] ^= 1 << random.randrange(8)
    return data


def _byte(data: bytearray, random: Random, _: Sequence[bytes]) -> bytearray:
    if data:
        data[min(_place(data, random), len(data) - 1)] = random.choice((0, 1, 0x7F, 0x80, 0xFF, random.randrange(256)))
    return data


def _truncate(data: bytearray, random: Random, _: Sequence[bytes]) -> bytearray:
    return data[: _place(data, random)]


def _cut(data: bytearray, random: Random, _: Sequence[bytes]) -> bytearray:
    first = _place(data, random)
    return data[:first] + data[first + random.choice((1, 2, 4, 8, 100, 1000)) :]


def _insert(data: bytearray, random: Random, _: Sequence[bytes]) -> bytearray:
    first = _place(data, random)
    put = random.choice((random.choice(MAGIC), random.randbytes(random.choice((1, 4, 8, 100)))))
    return data[:first] + put + data[first:]


def _overwrite(data: bytearray, random: Random, _: Sequence[bytes]) -> bytearray:
    first, put = _place(data, random), random.choice(MAGIC)
    return data[:first] + put + data[first + len(put) :]


def _number(data: bytearray, random: Random, _: Sequence[bytes]) -> bytearray:
    """Another whole number of 2, 4 or 8 bytes at an even place."""
    size = random.choice((2, 4, 8))
    first = _place(data, random) // size * size
    value = random.choice(
        (0, 1, 2 ** (8 * size) - 1, 2 ** (8 * size - 1), len(data) % 2**16, random.getrandbits(8 * size))
    )
    return data[:first] + value.to_bytes(size, random.choice(("little", "big"))) + data[first + size :]


def _repeat(data: bytearray, random: Random, _: Sequence[bytes]) -> bytearray:
    first, size = _place(data, random), random.choice((1, 8, 64, 512))
    return data[:first] + data[first : first + size] * random.choice((2, 3, 100)) + data[first + size :]


def _lengthen(data: bytearray, random: Random, _: Sequence[bytes]) -> bytearray:
    return data + random.choice((b"\0", b"\xff", b"\n", b" ", b"[", random.randbytes(8))) * random.choice((1, 50, 9000))


def _splice(data: bytearray, random: Random, others: Sequence[bytes]) -> bytearray:
    other = bytearray(random.choice(others))
    return data[: _place(data, random)] + other[_place(other, random) :]


CHANGES: tuple[Change, ...] = (
    _flip, _flip, _byte, _truncate, _cut, _insert, _overwrite, _number, _number, _repeat, _lengthen, _splice
)  # fmt: skip
