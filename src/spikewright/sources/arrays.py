"""Arrays of NumPy: ``.npz`` with samples and labels, and ``.npy`` with a file of labels beside it."""

from __future__ import annotations

import os
import struct
import warnings
import zipfile
from collections.abc import Callable, Mapping
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy

from ..base.damaged import ARRAYS
from ..base.errors import InputError, arg, refuse
from .array_file import IN_MEMORY, ArrayFile, OpenFile
from .found import PARTS, Found
from .options import ReadingOptions
from .rows import Array, Rows, as_float32

SHORT = {"train": "train", "validation": "val", "test": "test"}
"""By part, the end of its arrays' names: ``x_train``, ``y_val``."""
EXPECTED = "x and y; or x_train, y_train and, where there are such parts, x_val, y_val, x_test, y_test"
ALONE = ("x_unlabelled", "X_unlabelled", "x", "X", "x_train", "X_train")
"""Arrays of samples that are read without labels; the first that is there is taken."""
LARGEST_COMPRESSED = 1024**3
"""Bytes of a compressed array that are unpacked into memory; rows of a compressed array cannot be read one by one."""
PICKLED = "holds pickled objects, which are not read; save plain arrays, recordings of unequal lengths padded with NaN"
_LENGTH_BYTES = {(1, 0): 2, (2, 0): 4}
_LOCAL_HEADER = struct.Struct("<26xHH")
_HEADERS: dict[tuple[int, int], Callable[[Any], tuple[tuple[int, ...], bool, np.dtype[Any]]]] = {
    (1, 0): npy.read_array_header_1_0,
    (2, 0): npy.read_array_header_2_0,
}


def read_npz(path: Path, options: ReadingOptions) -> Found:
    """The data in an ``.npz`` file.

    Arrays: ``x``, ``y``, or one pair for each part, as ``x_train``, ``y_train``; besides, where they are there,
    ``groups`` (of the training samples), ``names`` (of the classes or values), and ``lengths``, ``lengths_train`` and
    so on (steps of each recording, whose array is padded behind them). Arrays that are large stay in the file.

    Raises:
        InputError: no such arrays, pickled objects, a damaged file, or an array too large to be unpacked.
    """
    del options
    return found_in(str(path), path.stem, arrays_of(path))


def arrays_of(path: Path) -> dict[str, Rows]:
    """The arrays of an ``.npz`` file by name; those that are large stay in the file.

    Raises:
        InputError: pickled objects, a damaged file, or an array too large to be unpacked.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = [info for info in archive.infolist() if info.filename.endswith(".npy")]
            return {info.filename[:-4]: _member(path, archive, info) for info in members}
    except ARRAYS as error:
        raise InputError(f"{path}: cannot be read as .npz ({error}); save it again with numpy.savez") from error


def found_in(where: str, name: str, arrays: Mapping[str, Any]) -> Found:
    """What arrays hold that are named as in an ``.npz`` file.

    Raises:
        InputError: no samples, samples without labels, or an array beside them that does not fit.
    """
    parts, used = parts_of(where, arrays)
    groups = next((arrays[key] for key in ("groups", "groups_train") if key in arrays), None)
    names = arrays.get("names")
    left = sorted(arrays.keys() - used - {"groups", "groups_train", "names"})
    notes = (f"arrays that are not used: {', '.join(left)}",) if left else ()
    return Found(name, parts, groups, None if names is None else _words(names), notes=notes)


def _words(names: Any) -> list[str]:
    return [str(each) for each in np.asarray(names).reshape(-1).tolist()]


def parts_of(where: str, arrays: Mapping[str, Any]) -> tuple[dict[str, tuple[Any, Any]], set[str]]:
    """By part, samples and labels of arrays that are named so; and the names that were used.

    Raises:
        InputError: no samples, or samples without labels.
    """
    found: dict[str, tuple[Any, Any]] = {}
    used: set[str] = set()
    faults: list[str] = []
    for part in PARTS:
        for end in [f"_{SHORT[part]}", f"_{part}"] + ([""] if part == "train" else []):
            big, small, labels = f"X{end}", f"x{end}", f"y{end}"
            samples = small if small in arrays else big
            if samples not in arrays and labels not in arrays:
                continue
            lacking = [name for name in (samples, labels) if name not in arrays]
            faults += [f"has no array {name if name == labels else small}; expected {EXPECTED}" for name in lacking]
            if not lacking:
                found[part] = _padded(where, arrays[samples], arrays.get(f"lengths{end}")), arrays[labels]
                used |= {samples, labels, f"lengths{end}"}
            break
    if not found and not faults:
        faults.append(f"its arrays are {', '.join(sorted(arrays)) or 'none'}; expected {EXPECTED}")
    refuse(where, faults)
    return found, used


class _Padded:
    """Recordings with NaN behind the end of each."""

    def __init__(self, samples: Rows, lengths: Any) -> None:
        self._samples, self.lengths = samples, np.asarray(lengths, np.int64)
        self.shape, self.ndim = tuple(samples.shape), samples.ndim
        self.dtype: np.dtype[Any] = np.dtype(np.float32)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any) -> Any:
        made = as_float32(self._samples[rows]).copy()
        made[np.arange(self.shape[1])[None, :] >= self.lengths[rows][:, None]] = np.nan
        return made


def samples_alone(path: Path) -> Rows | None:
    """The samples in an ``.npy`` file, or in an ``.npz`` file under one of :data:`ALONE`; None where it has none.

    Raises:
        InputError: as :func:`read_npz` and :func:`read_npy`.
    """
    if path.suffix.lower() == ".npy":
        return _of_file(path)
    arrays = arrays_of(path)
    name = next((name for name in ALONE if name in arrays), None)
    if name is None:
        return None
    samples: Rows = _padded(str(path), arrays[name], arrays.get(f"lengths{name[1:]}"))
    return samples


def _padded(where: str, samples: Any, lengths: Any) -> Any:
    """Samples, or recordings cut off at their lengths where these are given."""
    if lengths is None:
        return samples
    if np.asarray(samples[:0] if np.ndim(samples) else samples).dtype.kind not in "iufb":
        raise InputError(f"{where}: x holds values of type {samples.dtype}; recordings must be numbers")
    shape, steps = np.shape(samples), np.asarray(lengths)
    are_numbers = steps.dtype.kind in "iu" and steps.size > 0
    if len(shape) != 3 or steps.shape != shape[:1] or not are_numbers or steps.min() < 1 or steps.max() > shape[1]:
        raise InputError(
            f"{where}: its array lengths must hold for each recording of (n, steps, channels) its steps, 1 or more and "
            f"no more than the array has; x has shape {shape} and lengths has {steps.shape} of {steps.dtype}"
        )
    return _Padded(samples, lengths)


def read_npy(path: Path, options: ReadingOptions) -> Found:
    """The samples in an ``.npy`` file, with the labels of ``NAME_y.npy`` or ``NAME-labels.npy`` beside it.

    Samples that are large stay in the file and are read when they are asked for.

    Raises:
        InputError: no labels, pickled objects, or a damaged file.
    """
    del options
    beside = _beside(path)
    labels = next((file for file in beside if file.is_file()), None)
    if labels is None:
        listed = " or ".join(file.name for file in beside)
        raise InputError(f"{path}: has no labels beside it; save them as {listed}, or both in one .npz ({arg('data')})")
    return Found(path.stem, {"train": (_of_file(path), np.asarray(_of_file(labels)[:]))})


def _beside(path: Path) -> list[Path]:
    """Where the labels of an ``.npy`` file of samples may lie."""
    beside = [path.with_name(f"{path.stem}{end}.npy") for end in ("_y", "-labels")]
    return [path.with_name(f"y{path.stem[1:]}.npy"), *beside] if path.stem.lower().startswith("x") else beside


def lacks_labels(path: Path) -> bool:
    """Whether an ``.npy`` or ``.npz`` file holds samples and no labels are in it or beside it.

    Raises:
        InputError: as :func:`read_npz`.
    """
    if path.suffix.lower() == ".npy":
        return path.is_file() and not any(file.is_file() for file in _beside(path))
    names = arrays_of(path) if path.suffix.lower() == ".npz" and path.is_file() else {}
    return any(name in names for name in ALONE) and not any(name[:1] in "yY" for name in names)


def _of_file(path: Path) -> Rows:
    try:
        with path.open("rb") as file:
            shape, dtype = _header(path, file, path.stat().st_size)
            if prod(shape) * dtype.itemsize > IN_MEMORY:
                return ArrayFile(OpenFile(os.dup(file.fileno())), file.tell(), shape, dtype, str(path))
            file.seek(0)
            return array_in(file)
    except ARRAYS as error:
        raise InputError(f"{path}: cannot be read as .npy ({error}); save it again with numpy.save") from error


def _member(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Rows:
    """An array of an archive; large ones of samples, whose names begin with x, where they lie in the file."""
    where = f"{path}: its array {info.filename[:-4]}"
    with archive.open(info) as member:
        shape, dtype = _header(where, member, info.file_size)
        begin = member.tell()
    is_plain = info.compress_type == zipfile.ZIP_STORED
    if is_plain and info.file_size > IN_MEMORY and info.filename[:1] in "xX":
        file = OpenFile(os.open(path, os.O_RDONLY))
        sizes = _LOCAL_HEADER.unpack(os.pread(file.number, _LOCAL_HEADER.size, info.header_offset))
        offset = info.header_offset + _LOCAL_HEADER.size + sum(sizes) + begin
        return ArrayFile(file, offset, shape, dtype, str(path))
    if info.file_size > LARGEST_COMPRESSED:
        raise InputError(
            f"{where} is compressed and takes {info.file_size / 2**30:.1f} GiB unpacked; save it with numpy.savez, "
            "which does not compress, or as .npy: then it is read by rows"
        )
    with archive.open(info) as member:
        return array_in(member)


def header_of(file: Any, size: int) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, order and type of an array, read with no more memory than the file has bytes.

    Args:
        file: at the beginning of the array; behind its header afterwards.
        size: bytes from the beginning of the array to its end.

    Raises:
        ValueError: a header that is damaged, or says more than there is.
    """
    begin = file.tell()
    version = npy.read_magic(file)  # type: ignore[no-untyped-call]
    if version not in _HEADERS:
        raise ValueError(f"version {version[0]}.{version[1]} of the format, which is for records")
    digits = file.read(_LENGTH_BYTES[version])
    if int.from_bytes(digits, "little") > size:
        raise ValueError(f"its header is said to have {int.from_bytes(digits, 'little')} bytes, and {size} are there")
    file.seek(begin)
    npy.read_magic(file)  # type: ignore[no-untyped-call]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as array_in
        shape, is_fortran, dtype = _HEADERS[version](file)
    if not all(type(length) is int and length >= 0 for length in shape):
        raise ValueError(f"its shape is {shape}")
    needed = prod(shape) * dtype.itemsize
    if not dtype.hasobject and needed > size - (file.tell() - begin):
        raise ValueError(f"it ends early: {needed} bytes are announced and {size - (file.tell() - begin)} are there")
    return shape, is_fortran, dtype


def array_in(file: Any) -> Array:
    """The array at this place of an open .npy file, whose header may be Python 2's or have odd characters in it.

    Raises:
        ValueError: a damaged array, or one of objects.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made: Array = npy.read_array(file, allow_pickle=False)  # type: ignore[no-untyped-call]
        return made


def unpacked_size(info: zipfile.ZipInfo) -> int:
    """The bytes that a member of an archive unpacks to.

    Raises:
        ValueError: more than can be packed into so few, or more than :data:`LARGEST_COMPRESSED`.
    """
    is_plain = info.compress_type == zipfile.ZIP_STORED
    if info.file_size > (info.compress_size if is_plain else LARGEST_COMPRESSED):
        raise ValueError(f"{info.filename} is said to unpack to {info.file_size} bytes, and has {info.compress_size}")
    return info.file_size


def _header(where: object, file: Any, size: int) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and type of an array, its size checked before memory is asked for.

    Args:
        file: at the beginning of the array; behind its header afterwards.
        size: bytes from the beginning of the array to its end.

    Raises:
        InputError: objects, or a large array in Fortran's order.
        ValueError: a damaged array.
    """
    shape, is_fortran, dtype = header_of(file, size)
    if dtype.hasobject:
        raise InputError(f"{where}: {PICKLED}")
    needed = prod(shape) * dtype.itemsize
    if is_fortran and len(shape) > 1 and needed > IN_MEMORY:
        raise InputError(
            f"{where}: is in Fortran's order, so that samples cannot be read one by one; save numpy.ascontiguousarray "
            "of it"
        )
    return shape, dtype
