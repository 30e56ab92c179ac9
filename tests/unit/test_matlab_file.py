"""Matrices of numbers in files of MATLAB: as scipy reads them, and every damage in one sentence."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.io import loadmat, savemat

from spikewright.base.errors import InputError
from spikewright.sources.matlab_file import matrices

TYPES = ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"]


@given(
    kind=st.sampled_from(TYPES), rows=st.integers(0, 5), columns=st.integers(1, 6), packed=st.booleans(),
    name=st.sampled_from(["a", "four", "a_longer_name"]),
)  # fmt: skip
@settings(deadline=None, max_examples=60)
def test_numbers_are_those_that_scipy_reads(
    kind: str, rows: int, columns: int, packed: bool, name: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "drawn.mat"
    values = np.random.default_rng(rows + 10 * columns).integers(0, 100, (rows, columns)).astype(kind)
    others = {"text": "abc", "cell": np.array([1, "b"], object), "z": np.array([[1j, 2.0]])}
    savemat(path, {name: values, "struct": {"x": 1.0}, **others}, do_compression=packed)
    found = dict(matrices(path))
    assert list(found) == [name]
    np.testing.assert_array_equal(found[name], loadmat(path)[name])
    assert found[name].dtype == loadmat(path)[name].dtype


def element(kind: int, body: bytes, order: str = ">") -> bytes:
    return struct.pack(f"{order}II", kind, len(body)) + body + bytes(-len(body) % 8)


def file_of(body: bytes, order: str = ">", mark: bytes = b"MI") -> bytes:
    head = b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack(f"{order}H", 0x0100) + mark
    return head + body


def matrix(*parts: bytes) -> bytes:
    return element(14, b"".join(parts))


FLAGS, SHAPE = element(6, struct.pack(">II", 6, 0)), element(5, struct.pack(">ii", 2, 1))
NAME, VALUES = element(1, b"x"), element(9, struct.pack(">2d", 1.5, -2.0))


def test_big_endian_numbers_and_small_elements(tmp_path: Path) -> None:
    (tmp_path / "a.mat").write_bytes(file_of(matrix(FLAGS, SHAPE, struct.pack(">HH4s", 1, 1, b"x"), VALUES)))
    ((name, found),) = matrices(tmp_path / "a.mat")
    assert (name, found.tolist(), found.dtype) == ("x", [[1.5], [-2.0]], np.float64)


PACKED = zlib.compress(matrix(FLAGS, SHAPE, NAME, VALUES))
DAMAGED: dict[str, tuple[bytes, str]] = {
    "level 4": (bytes(200), "it has no header of level 5"),
    "7.3": (b"MATLAB 7.3 MAT-file".ljust(512), "it is HDF5, as -v7.3 writes it"),
    "cut": (file_of(matrix(FLAGS, SHAPE, NAME, VALUES))[:-8], "it ends inside an element of 72 bytes"),
    "cut in a tag": (file_of(b"\0\0\0\x0e"), "it ends inside the tag of an element"),
    "small": (file_of(matrix(FLAGS, SHAPE, struct.pack(">HH4s", 5, 1, b"x"), VALUES)), "a small element of 5 bytes"),
    "no flags": (file_of(matrix(SHAPE, NAME, VALUES)), "an array without flags"),
    "no shape": (file_of(matrix(FLAGS)), "an array without dimensions"),
    "no numbers": (file_of(matrix(FLAGS, SHAPE, NAME)), "an array without numbers"),
    "odd": (file_of(matrix(FLAGS, SHAPE, NAME, element(9, bytes(9)))), "numbers of 9 bytes, which are of 8 each"),
    "other size": (
        file_of(matrix(FLAGS, element(5, struct.pack(">ii", 3, 1)), NAME, VALUES)),
        "an array of shape (3, 1) holds 2 numbers",
    ),
    "negative": (
        file_of(matrix(FLAGS, element(5, struct.pack(">ii", -2, -1)), NAME, VALUES)),
        "an array of shape (-2, -1) holds 2 numbers",
    ),
    "packed, cut": (file_of(struct.pack(">II", 15, len(PACKED) - 9) + PACKED[:-9]), "a compressed array has no end"),
    "packed, none": (file_of(struct.pack(">II", 15, 8) + b"abcdefgh"), "Error -3 while decompressing data"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damage_is_said(name: str, tmp_path: Path) -> None:
    content, says = DAMAGED[name]
    (tmp_path / "a.mat").write_bytes(content)
    with pytest.raises(InputError) as caught:
        list(matrices(tmp_path / "a.mat"))
    assert str(caught.value).startswith(f"{tmp_path / 'a.mat'}: cannot be read as .mat ({says}")
    assert str(caught.value).endswith("save it again with -v7")


def test_what_is_packed_is_unpacked_to_a_limit(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("spikewright.sources.matlab_file.LARGEST", 100)
    packed = zlib.compress(bytes(10_000))
    (tmp_path / "a.mat").write_bytes(file_of(struct.pack(">II", 15, len(packed)) + packed))
    with pytest.raises(InputError, match="a compressed array has no end"):
        list(matrices(tmp_path / "a.mat"))
