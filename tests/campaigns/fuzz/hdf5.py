"""Structure-aware changes of HDF5 files: of values, types, shapes, names, attributes and links."""

from __future__ import annotations

import io
from random import Random
from typing import Any

import h5py
import numpy as np

from .value_changes import INSIDE, TEXTS, changed_array, scalar

Item = Any  # a group or a dataset of h5py


def of_hdf5(data: bytes, random: Random) -> bytes:
    """An HDF5 file with one change, sometimes with some more."""
    buffer = io.BytesIO(data)
    with h5py.File(buffer, "r+") as file:
        for _ in range(random.choice((1, 1, 1, 1, 2, 4))):
            _change(file, random)
    return buffer.getvalue()


def _change(file: h5py.File, random: Random) -> None:
    places = _places(file)
    place = random.choice(places)
    group, name = _parent(file, place)
    item = group.get(name)
    if isinstance(item, h5py.Group) or random.random() < 0.25:
        random.choice((_less, _renamed, _linked, _linked, _copied, _more, _attribute, _as_other_kind))(
            file, group, name, random
        )
        return
    value = _value(item)
    del group[name]
    try:
        _write(group, name, _another(value, random), random)
    except (TypeError, ValueError, OverflowError, RuntimeError, OSError):
        group[name] = np.zeros(2)


def _places(file: h5py.File) -> list[str]:
    found: list[str] = []
    file.visit(found.append)
    return found or ["x"]


def _parent(file: h5py.File, place: str) -> tuple[h5py.Group, str]:
    above, _, name = place.rpartition("/")
    return (file[above] if above else file), name


def _value(item: Any) -> Any:
    return item[()] if isinstance(item, h5py.Dataset) and item.shape is not None else np.zeros(1)


def _another(value: Any, random: Random) -> Any:
    """Another value in place of one; texts and numbers that JSON makes are changed as such."""
    if isinstance(value, bytes | str):
        text = value.decode(errors="replace") if isinstance(value, bytes) else value
        return _another_text(text, random)
    array = np.asarray(value)
    if array.dtype == np.uint8 and array.ndim == 1 and bytes(array[:1]) in (b"{", b"["):
        changed = _another_text(bytes(array).decode(errors="replace"), random)
        text = changed if isinstance(changed, str) else str(changed)
        return np.frombuffer(text.encode(errors="replace"), np.uint8)
    if random.random() < 0.3:
        return scalar(random)
    return changed_array(array, random) if array.dtype.kind in "biufc" else scalar(random)


def _another_text(text: str, random: Random) -> Any:
    from .value_changes import _text

    return _text(text, random, scalar)


def _write(group: h5py.Group, name: str, value: Any, random: Random) -> None:
    """A dataset of a value: stored plainly, in packed pieces, of unequal lengths, or of nothing."""
    value = value.encode(errors="replace") if isinstance(value, str) else value
    if isinstance(value, dict) or value is None or (isinstance(value, list) and not _is_regular(value)):
        value = str(value).encode(errors="replace")[:60_000]
    way = random.random()
    array = np.asarray(value)
    if way < 0.1 and array.ndim and array.size:
        group.create_dataset(name, data=array, compression="gzip", chunks=True, maxshape=(None,) * array.ndim)
    elif way < 0.13:
        group.create_dataset(name, shape=(10 ** random.choice((3, 6, 9)),), dtype=random.choice(("f4", "i8", "u1")),
                             chunks=(1000,), compression="gzip")  # fmt: skip
    elif way < 0.16:
        made = group.create_dataset(name, (3,), h5py.vlen_dtype(random.choice((np.float32, np.uint16, np.int64))))
        made[0] = [1, 2]
    elif way < 0.18:
        group[name] = h5py.Empty(random.choice(("f4", "S3", "i8")))
    else:
        group.create_dataset(name, data=value)


def _is_regular(value: list[Any]) -> bool:
    return bool(value) and all(isinstance(each, int | float) for each in value)


def _less(_: h5py.File, group: h5py.Group, name: str, __: Random) -> None:
    if name in group:
        del group[name]


def _renamed(_: h5py.File, group: h5py.Group, name: str, random: Random) -> None:
    other = random.choice((f"{name}x", b"\xff\xfe", "0", "nodes", "metadata", "weight", "type", random.choice(TEXTS)))
    other = other.replace("\0", "").encode(errors="replace")[:1000] if isinstance(other, str) else other
    if other and other not in group and name in group and other not in (b".", b"/"):
        group.move(name, other)


def _linked(file: h5py.File, group: h5py.Group, name: str, random: Random) -> None:
    """A link in place of an item: to elsewhere in the file, to nothing, to itself, or to another file."""
    if name in group:
        del group[name]
    outside = f"{INSIDE}/data.h5"
    way = random.choice(("soft", "nothing", "external", "cycle", "virtual", "stored outside"))
    if way == "soft":
        group[name] = h5py.SoftLink(f"/{random.choice(_places(file))}")
    elif way == "nothing":
        group[name] = h5py.SoftLink("/nothing")
    elif way == "external":
        group[name] = h5py.ExternalLink(outside, "/x")
    elif way == "cycle":
        group[name] = group
    elif way == "virtual":
        layout = h5py.VirtualLayout((3,), "f4")
        layout[:] = h5py.VirtualSource(outside, "x", (3,))
        group.create_virtual_dataset(name, layout)
    else:
        group.create_dataset(name, (3,), "f4", external=[(outside, 0, 12)])


def _copied(file: h5py.File, group: h5py.Group, name: str, random: Random) -> None:
    source = random.choice(_places(file))
    if name in group and isinstance(file.get(source), h5py.Dataset):
        file.copy(source, group, f"{name} copied")


def _more(_: h5py.File, group: h5py.Group, name: str, random: Random) -> None:
    new = random.choice(("x", "0", "99", "bias", "v_reset", "input_type", "provenance", f"{name}1", "a/b/c/d/e"))
    if new not in group and not isinstance(group.get(new.partition("/")[0]), h5py.Dataset):
        _write(group, new, random.choice((scalar(random), np.zeros((2, 2)), 1, "x")), random)


def _attribute(file: h5py.File, group: h5py.Group, name: str, random: Random) -> None:
    """An attribute of the item, its group or the file becomes another."""
    item = random.choice((file, group, group.get(name) or group))
    key = random.choice([*item.attrs, "label", "format"])
    value = random.choice((1, -1, 2**62, 1.5, float("nan"), "x", "", np.bytes_(b"\xff"), np.zeros(3), h5py.Empty("f4")))
    item.attrs[key] = np.zeros(2, [("a", "i4"), ("b", "f4")]) if random.random() < 0.1 else value


def _as_other_kind(_: h5py.File, group: h5py.Group, name: str, random: Random) -> None:
    """A group in place of a dataset, or a dataset in place of a group."""
    was_group = isinstance(group.get(name), h5py.Group)
    if name in group:
        del group[name]
    if was_group:
        group[name] = random.choice((1, np.zeros(3), b"x"))
    else:
        group.create_group(name)
