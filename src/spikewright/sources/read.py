"""Data from a path: which reader takes it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ..base.errors import InputError, arg, did_you_mean, refuse
from ..base.own_code import is_own
from . import arff_file, event_file, event_folder, event_sources, images, recordings, sounds, table_files
from .arrays import read_npy, read_npz
from .folders import Listing, list_folder
from .found import Found
from .official import part_files
from .options import ReadingOptions
from .ts_file import read_ts


@dataclass(frozen=True)
class Reader:
    """What reads a kind of file.

    Attributes:
        read: what a file holds.
        what: the kind in words, for messages.
        options: those of :class:`~spikewright.sources.options.ReadingOptions` that it heeds.
    """

    read: Callable[[Path, ReadingOptions], Found]
    what: str
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class FolderReader:
    """What reads files of one kind in class folders.

    Attributes:
        read: what the files hold.
        suffixes: the ends of their names, in small letters.
        options: those of :class:`~spikewright.sources.options.ReadingOptions` that it heeds.
    """

    read: Callable[[Listing, ReadingOptions], Found]
    suffixes: tuple[str, ...]
    options: tuple[str, ...] = ()


def _npz(path: Path, options: ReadingOptions) -> Found:
    """Events where a file holds their fields, else samples."""
    return event_file.read_event_npz(path, options) or read_npz(path, options)


_TABLE = partial(Reader, table_files.read_table, options=table_files.OPTIONS)
READERS: dict[str, Reader] = {
    ".npz": Reader(_npz, "arrays", recordings.OPTIONS),
    ".npy": Reader(read_npy, "arrays"),
    ".csv": _TABLE(what="a table"),
    ".tsv": _TABLE(what="a table"),
    ".parquet": _TABLE(what="a table"),
    ".pq": _TABLE(what="a table"),
    ".ts": Reader(read_ts, "series"),
    ".arff": Reader(arff_file.read_arff, "series or vectors", arff_file.OPTIONS),
    ".h5": Reader(event_file.read_event_h5, "recordings of events", recordings.OPTIONS),
    ".hdf5": Reader(event_file.read_event_h5, "recordings of events", recordings.OPTIONS),
}
"""By the end of a file's name, its reader."""
IN_FOLDERS: dict[str, FolderReader] = {
    "images": FolderReader(images.read_images, images.SUFFIXES, images.OPTIONS),
    "sounds": FolderReader(sounds.read_sounds, sounds.SUFFIXES, sounds.OPTIONS),
    "recordings of events": FolderReader(
        event_folder.read_event_files, event_folder.SUFFIXES, ("group", *recordings.OPTIONS)
    ),
}
"""By kind of the files in class folders, their reader."""
INSTEAD: dict[str, str] = {
    **dict.fromkeys((".pkl", ".pickle", ".joblib"), "a pickle can run code; save arrays with numpy.savez"),
    **dict.fromkeys((".pt", ".pth"), "save its tensors as arrays, numpy.savez('NAME.npz', x=x.numpy(), y=y.numpy())"),
    ".mat": "save its arrays with numpy.savez after scipy.io.loadmat",
    **dict.fromkeys((".xlsx", ".xls", ".ods"), "save the sheet as CSV"),
    **dict.fromkeys((".zip", ".tar", ".tgz", ".gz", ".7z"), "unpack it and give what it holds"),
    ".json": "save what it holds as CSV or .npz",
    ".py": "give the function in it too, file.py:function",
    **dict.fromkeys(
        (*images.SUFFIXES, *sounds.SUFFIXES, *event_sources.ONLY_EVENTS),
        "give the folder that holds such files in class folders",
    ),
}
"""By the end of a file's name that is not read, what to do instead."""
FOR_WHAT = {
    "label": "tables and .arff files",
    "group": "tables and class folders",
    **dict.fromkeys(("id_column", "time_column", "columns"), "tables"),
    **dict.fromkeys(("image_size", "colors"), "folders of images"),
    **dict.fromkeys(("sample_rate", "bands", "frame_ms", "step_ms", "seconds"), "folders of sounds"),
    **dict.fromkeys(recordings.OPTIONS, "recordings of events"),
}
"""By option of reading, what it is for."""


def read(
    path: str | Path, options: ReadingOptions, names: Collection[str] = (), reading: Mapping[str, Any] | None = None
) -> Found:
    """What a path holds.

    Args:
        path: of a file or a folder.
        options: how it is read.
        names: of data sets, for the message where there is no such path.
        reading: of data that were read before (see :class:`~spikewright.sources.found.Found`), so that this path is
            read alike; what does not apply to its kind of files is left out.

    Raises:
        InputError: no such path, a kind of file that is not read, options for another kind, or data that are damaged.
    """
    file = Path(path)
    if not file.exists():
        if file.suffix or len(file.parts) > 1:
            raise InputError(f"{path}: there is no such file or folder")
        raise InputError(f"{path}: there is no such data set; {did_you_mean(str(path), names)}")
    if file.is_dir():
        return _folder(file, options, reading)
    ending = file.suffix.lower()
    if ending not in READERS:
        instead = f"; {INSTEAD[ending]}" if ending in INSTEAD else ""
        raise InputError(f"{path}: is of a kind that is not read{instead or f'; may be {_known()}'}")
    if not file.stat().st_size:
        raise InputError(f"{path}: is empty, 0 bytes long; make it again")
    reader = READERS[ending]
    return reader.read(file, _fitting(path, options, reading, reader.options, f"{path} holds {reader.what}"))


def state_of(path: str | Path) -> list[tuple[str, int, int]]:
    """Names, times of change and sizes of the files of a path, which tell whether it holds what it held before.

    Args:
        path: of a folder; of a file, beside which others of its kind may belong to it; or ``file.py:function``.
    """
    place = Path(str(path).rpartition(":")[0] if is_own(str(path)) else path)
    if not place.exists():
        return []
    files = place.rglob("*") if place.is_dir() else place.parent.glob(f"*{place.suffix}")
    stats = [(str(file), file.stat()) for file in sorted(files) if file.is_file()]
    return [(name, stat.st_mtime_ns, stat.st_size) for name, stat in stats]


def _folder(folder: Path, options: ReadingOptions, reading: Mapping[str, Any] | None) -> Found:
    """What a folder holds: class folders, or the files of one data set.

    Raises:
        InputError: files of several data sets.
    """
    files = sorted(each for each in folder.iterdir() if each.is_file() and each.suffix.lower() in READERS)
    if files and not any(each.is_dir() for each in folder.iterdir()):
        if len({(part_files(file)[0], file.suffix.lower()) for file in files}) > 1:
            listed = ", ".join(file.name for file in files[:6])
            raise InputError(f"{folder}: holds several data sets; give one of its files, such as {listed}")
        return read(files[0], options, reading=reading)
    kind, listing = list_folder(folder, {kind: reader.suffixes for kind, reader in IN_FOLDERS.items()})
    reader = IN_FOLDERS[kind]
    return reader.read(listing, _fitting(folder, options, reading, reader.options, f"{folder} is a folder of {kind}"))


def _fitting(
    path: str | Path, options: ReadingOptions, reading: Mapping[str, Any] | None, heeded: Collection[str], what: str
) -> ReadingOptions:
    """The options, and those by which other data were read as far as a reader heeds them.

    Raises:
        InputError: options that the reader does not heed.
    """
    refuse(
        f"data {path}",
        [
            f"{arg(name, _said(getattr(options, name)))} is for {FOR_WHAT[name]}, and {what}; leave it out"
            for name in options.misplaced(*heeded)
        ],
    )
    before = {name: value for name, value in (reading or {}).items() if name in heeded}
    return type(options)(**{**before, **options.model_dump(exclude_none=True)})


def _said(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _known() -> str:
    kinds = "; ".join(f"{kind} ({' '.join(reader.suffixes)})" for kind, reader in IN_FOLDERS.items())
    return f"{', '.join(READERS)}; a folder of class folders of {kinds}; or file.py:function"
