"""Events in arrays: fields ``t, x, y, p`` in ``.npy``, ``.npz`` and HDF5, columns ``(n, 4)``, and MATLAB's ``.mat``."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_args

import h5py
import numpy as np
import numpy.typing as npt

from ..base.damaged import ARRAYS
from ..base.errors import InputError, arg, refuse
from ..base.hdf5 import DAMAGED
from .arrays import array_in, header_of, unpacked_size
from .matlab_file import matrices
from .options import EventColumns, ReadingOptions
from .recordings import MOST_PLACE, MOST_US, Recording

Array = npt.NDArray[Any]
FIELDS: dict[str, tuple[str, ...]] = {
    "t": ("t", "ts", "time", "times", "timestamp", "timestamps"),
    "x": ("x", "xs"),
    "y": ("y", "ys"),
    "p": ("p", "ps", "pol", "polarity", "polarities", "on"),
}
"""By field of an event, the names that it is known under."""
TO_US = {"us": 1, "ms": 1000, "s": 1_000_000}
MAT_COLUMNS = {4: (0, 1, 2, 3), 6: (0, 3, 4, 5)}
"""By the number of columns of a matrix that jAER's ``dat2mat`` made, those of time, column, row and polarity."""
GROUPS = ("events", "CD/events", "CD", "/")
"""Places in an HDF5 file where the events of one recording may lie, the first that is there."""
MOST_EVENTS = 500_000_000
TIGHTEST_PACKING = 1000
"""Times that an array of an HDF5 file may be larger than what is stored of it."""


def read_npy(path: Path, options: ReadingOptions) -> Recording:
    """A recording in a structured array with these fields, or in columns ``(n, 4)``.

    Raises:
        InputError: pickled objects, another shape, or a damaged file.
    """
    with _numpy_refusals(path), path.open("rb") as opened:
        header_of(opened, path.stat().st_size)
        opened.seek(0)
        array = array_in(opened)
    return _of_array(path, array, options)


def read_npz(path: Path, options: ReadingOptions) -> Recording:
    """A recording in arrays with the names of these fields.

    Raises:
        InputError: other arrays, pickled objects, or a damaged file.
    """
    with npz_file(path) as file:
        arrays = arrays_in(file)
    if len(arrays) == 1 and not fields_in(arrays):
        return _of_array(path, next(iter(arrays.values())), options)
    return from_fields(path, arrays, options)


def read_h5(path: Path, options: ReadingOptions) -> Recording:
    """A recording in HDF5: fields, a compound array or columns ``(n, 4)``, at its head or in ``events`` or ``CD``.

    Raises:
        InputError: nothing of that form, or a damaged file.
    """
    with h5_file(path) as file:
        return h5_recording(path, file, options)


def h5_recording(path: Path, group: h5py.Group, options: ReadingOptions) -> Recording:
    """The recording in a group of an HDF5 file; see :func:`read_h5`.

    Args:
        path: of the file, for messages.
    """
    for name in GROUPS:
        found = member(group, name)
        if isinstance(found, h5py.Dataset):
            return _of_array(path, values(path, found), options, usual="txyp")
        if isinstance(found, h5py.Group) and (fields := fields_in(found)):
            arrays = {field: values(path, member(found, here)) for field, here in fields.items()}
            return from_fields(path, arrays, options)
    raise InputError(
        f"{path}: holds {', '.join(group) or 'nothing'}; a recording is an array or a group 'events' with t, x, y, p"
    )


def read_mat(path: Path, _options: ReadingOptions) -> Recording:
    """A recording in a matrix of jAER's ``dat2mat``: time in us, (two columns of nothing), column, row, polarity.

    Raises:
        InputError: no such matrix, or a damaged file.
    """
    for _, matrix in matrices(path):
        if (columns := MAT_COLUMNS.get(matrix.shape[1])) is not None:
            t, x, y, p = (matrix[:, column] for column in columns)
            return from_fields(path, {"t": t, "x": x, "y": y, "p": p}, ReadingOptions(time_unit="us"))
    raise InputError(f"{path}: holds no matrix of events, of 4 or 6 columns as jAER's dat2mat makes them")


@contextmanager
def npz_file(path: Path) -> Iterator[Any]:
    """A file of arrays that is open for reading.

    Raises:
        InputError: pickled objects, or a damaged file.
    """
    with _numpy_refusals(path), path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
        yield file


def arrays_in(file: Any) -> dict[str, Array]:
    """The arrays of an archive of NumPy by name; other files in it are no arrays, and left out.

    Raises:
        ValueError: an array that says more than is stored of it.
    """
    found = {}
    for info in file.zip.infolist():
        size = unpacked_size(info)
        if info.filename.endswith(".npy"):
            with file.zip.open(info) as member:
                header_of(member, size)
            with file.zip.open(info) as member:
                found[info.filename.removesuffix(".npy")] = array_in(member)
    return found


@contextmanager
def _numpy_refusals(path: Path) -> Iterator[None]:
    try:
        yield
    except ARRAYS as error:
        if path.suffix.lower() == ".npz" and not zipfile.is_zipfile(path):  # numpy takes it for a pickle
            raise InputError(
                f"{path}: cannot be read as .npz (File is not a zip file); save it again with numpy.savez"
            ) from error
        if "pickle" in str(error):
            raise InputError(
                f"{path}: holds pickled objects, which are not read; save plain arrays t, x, y, p"
            ) from error
        raise InputError(f"{path}: cannot be read ({error}); save it again") from error


@contextmanager
def h5_file(path: Path) -> Iterator[h5py.File]:
    """An HDF5 file that is open for reading.

    Raises:
        InputError: it is none, or something in it is damaged.
    """
    try:
        with h5py.File(path, "r") as file:
            yield file
    except DAMAGED as error:
        raise InputError(
            f"{path}: cannot be read as HDF5 ({error}); get it again, or save it without a compression that h5py lacks"
        ) from error


def member(group: h5py.Group, name: str | bytes) -> h5py.Group | h5py.Dataset | None:
    """What lies at this place of the file itself; links to other files, and names that are no text, lead nowhere."""
    if name == "/":
        return group
    if not isinstance(name, str):  # h5py gives those that are not UTF-8 as bytes
        return None
    here: h5py.Group | h5py.Dataset | None = group
    for part in name.split("/"):
        if not isinstance(here, h5py.Group) or not isinstance(here.get(part, getlink=True), h5py.HardLink):
            return None
        here = here[part]
    return here


def values(path: Path, dataset: Any) -> Array:
    """All values of an array of an HDF5 file.

    Raises:
        InputError: it is no array, not stored in the file, or claims to be much larger than what is stored.
    """
    if not isinstance(dataset, h5py.Dataset) or dataset.shape is None or dataset.is_virtual or dataset.external:
        raise InputError(f"{path}: {getattr(dataset, 'name', 'an array')} is no array that is stored in the file")
    stored = max(1, dataset.id.get_storage_size())
    if dataset.size > MOST_EVENTS or dataset.nbytes > TIGHTEST_PACKING * stored:
        raise InputError(f"{path}: {dataset.name} claims {dataset.size} values and stores {stored} bytes")
    return np.asarray(dataset[()])


def _of_array(path: Path, array: Array, options: ReadingOptions, usual: str | None = None) -> Recording:
    """A recording of an array; ``usual`` is the order of its columns unless the values or the options say another."""
    if array.dtype.names is not None:
        return from_fields(path, {name: array[name] for name in array.dtype.names}, options)
    if array.ndim != 2 or array.shape[1] != 4 or array.dtype.kind not in "iuf":
        raise InputError(
            f"{path}: has shape {array.shape} of {array.dtype}; events are fields t, x, y, p or four columns of numbers"
        )
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise InputError(f"{path}: holds NaN or infinity; events are four columns of numbers")
    order = options.event_columns or _order(path, array, usual)
    return from_fields(path, {field: array[:, place] for place, field in enumerate(order)}, options)


def _order(path: Path, array: Array, usual: str | None) -> str:
    """The order of columns that the values leave as the only one, or the usual one where they leave it.

    Raises:
        InputError: they leave several, or none.
    """
    can_be = {
        "t": [bool((np.diff(column) >= 0).all()) for column in array.T],
        "p": [bool(_are_polarities(column).all()) for column in array.T],
        "x": [bool((column >= 0).all() and (column == np.rint(column)).all()) for column in array.T],
    }
    orders = [
        order
        for order in get_args(EventColumns)
        if all(can_be["x" if field == "y" else field][place] for place, field in enumerate(order))
    ]
    if usual in orders or len(orders) == 1:
        return str(usual if usual in orders else orders[0])
    known, found = ", ".join(get_args(EventColumns)), " or ".join(orders) or "none of the known orders"
    raise InputError(f"{path}: by their values its four columns may be {found}; give {arg('event_columns')}: {known}")


def _are_polarities(values: Array) -> npt.NDArray[np.bool_]:
    found: npt.NDArray[np.bool_] = (values == -1) | (values == 0) | (values == 1)
    return found


def fields_in(arrays: Mapping[str, Any]) -> dict[str, str]:
    """By field, the name that it has here; empty where one is missing."""
    found = {field: next((name for name in names if name in arrays), None) for field, names in FIELDS.items()}
    return {field: name for field, name in found.items() if name is not None} if None not in found.values() else {}


def from_fields(path: Path, arrays: Mapping[str, Array], options: ReadingOptions) -> Recording:
    """A recording of arrays of times, columns, rows and polarities.

    Polarities are 0 and 1, or -1 and 1.

    Raises:
        InputError: a field is missing, or holds what it cannot be; all faults at once.
    """
    fields = fields_in(arrays)
    if not fields:
        raise InputError(f"{path}: holds {', '.join(arrays) or 'nothing'}; events need t, x, y and p")
    found = {field: np.asarray(arrays[name]).reshape(-1) for field, name in fields.items()}
    refuse(str(path), list(_faults(found)))
    times = found["t"].astype(np.float64) if found["t"].dtype.kind == "f" else found["t"]
    unit = options.time_unit or ("s" if times.dtype.kind == "f" and (times != np.rint(times)).any() else "us")
    if len(late := times[np.abs(times.astype(np.float64)) > MOST_US / TO_US[unit]]):
        raise InputError(f"{path}: has an event at {late[0]} {unit}; times may be up to {MOST_US} us")
    t = np.rint(times * TO_US[unit]) if times.dtype.kind == "f" else times.astype(np.int64) * TO_US[unit]
    x, y = found["x"].astype(np.int64), found["y"].astype(np.int64)
    return Recording(t.astype(np.int64), x, y, (found["p"] > 0).astype(np.int64))


def _faults(found: Mapping[str, Array]) -> Iterator[str]:
    lengths = {field: len(array) for field, array in found.items()}
    if len(set(lengths.values())) > 1:
        yield f"its fields have different lengths: {', '.join(f'{field} {n}' for field, n in lengths.items())}"
    for field, array in found.items():
        if array.dtype.kind not in "iufb":
            yield f"{field} is of type {array.dtype}; must be numbers"
        elif array.dtype.kind == "f" and not np.isfinite(array).all():
            yield f"{field} holds NaN or infinity"
        elif field in "xy" and len(bad := array[(array < 0) | (array != np.rint(array))]):
            yield f"{field} holds {bad[0]:g}; pixels are counted in whole numbers from 0"
        elif field in "xy" and len(bad := array[array > MOST_PLACE]):
            yield f"{field} holds {bad[0]:g}; pixels are counted up to {MOST_PLACE}"
        elif field == "p" and len(bad := array[~_are_polarities(array)]):
            yield f"p holds {bad[0]:g}; polarities are 0 and 1, or -1 and 1"
