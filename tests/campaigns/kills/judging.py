"""What a command left: files that are whole, torn or lost, and whether they are those of one that was not ended."""

from __future__ import annotations

import io
import json
import re
import sqlite3
import zipfile
from collections.abc import Callable, Iterator, Mapping
from fnmatch import fnmatch
from pathlib import Path
from pickle import PickleError
from tempfile import TemporaryDirectory
from typing import Any

import h5py
import numpy as np
import torch

HIDDEN = re.compile(r"^\..*\.spikewright-")
"""Names of temporary files and of locks."""
UNDER_WAY = ("*.checkpoint", "*.checkpoint.[0-9]*", "*.begun", "*.done")
"""Names of files that a training has until it is finished."""
LOCKS = ("*.lock",)
"""Names of the empty files that workers of a bench lock."""
OF_TIMES = re.compile(r"seconds|^host$|_std$|^time$|^sha256$|_sha256$|^made$")
"""Names of values that differ between equal runs: times, and what follows from them."""

UNREADABLE = (ValueError, OSError, RuntimeError, EOFError, PickleError, sqlite3.Error, zipfile.BadZipFile)
"""What readers raise about a file that is not whole."""

Files = Mapping[str, bytes]
"""By path below a folder, the bytes of a file."""


def files_in(folder: Path) -> dict[str, bytes]:
    """Every regular file below a folder."""
    found = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def faults_after_end(
    now: Files, before: Files, whole: Files, readable: tuple[str, ...], had_a_signal: bool
) -> Iterator[str]:
    """What is wrong with the files of a command that was ended.

    Args:
        now: files after it.
        before: files that were there when it began.
        whole: files of the command when nothing ended it.
        readable: patterns of the names of files of which it is enough that they can be read.
        had_a_signal: which may come while it tidies up, and then the next run does.
    """
    for path, content in now.items():
        name = Path(path).name
        if HIDDEN.match(name):
            if not had_a_signal:
                yield f"left: {path}"
        elif content in (before.get(path), whole.get(path)) or _matches(name, LOCKS):
            continue
        elif not _matches(name, (*readable, *UNDER_WAY)):
            yield f"torn: {path} is neither what it was nor what it should become ({len(content)} bytes)"
        elif why := unreadable(path, now):
            yield f"torn: {path} cannot be read ({why})"
    student = _changed(now, before, whole, "student.pt")
    for path in before.keys() - now.keys():
        name, beside = Path(path).name, student and Path(path).parent == Path(student).parent
        is_replaced = HIDDEN.match(name) or _matches(name, UNDER_WAY) or beside
        if not is_replaced:
            yield f"lost: {path}"
    if student and not any(path.endswith(".begun") for path in now):
        yield from (
            f"mixed: {path} is of the former student"
            for path in now
            if Path(path).parent == Path(student).parent
            and not _matches(Path(path).name, readable)
            and now[path] == before.get(path) != whole.get(path, now[path])
        )


def faults_at_the_end(now: Files, whole: Files, varying: tuple[str, ...]) -> Iterator[str]:
    """How the files of a command that went on, or began anew, differ from those of one that was not ended."""
    for path in sorted(whole.keys() | now.keys()):
        name = Path(path).name
        if path not in whole:
            yield f"left: {path}"
        elif path not in now:
            yield f"missing: {path}"
        elif now[path] != whole[path] and not _matches(name, varying):
            yield f"differs: {path}"
        elif _matches(name, varying):
            if why := unreadable(path, now):
                yield f"torn: {path} cannot be read ({why})"
            elif path.endswith(".json") and _timeless(now[path]) != _timeless(whole[path]):
                yield f"differs: {path}, and not in times alone"


def may_go_on(now: Files, before: Files) -> bool:
    """Whether a training has begun, or nothing stands in its way: a former student of other settings would."""
    students = [path for path in now if Path(path).name == "student.pt"]
    return any(_matches(Path(path).name, UNDER_WAY) for path in now) or all(
        now[path] != before.get(path) for path in students
    )


def unreadable(path: str, files: Files) -> str:
    """Why a file cannot be read; empty where it can."""
    readers: list[tuple[str, Callable[[bytes], object]]] = [
        ("*.json", json.loads),
        ("*.begun", json.loads),
        ("*.pt", _torch),
        ("*.done", _torch),
        ("*.checkpoint*", _torch),
        ("*.h5", lambda content: h5py.File(io.BytesIO(content), "r").close()),
        ("*.nir", lambda content: h5py.File(io.BytesIO(content), "r").close()),
        ("*.npz", lambda content: [*np.load(io.BytesIO(content), allow_pickle=False).values()]),
        ("*.png", lambda content: _ends(content, b"IEND\xaeB`\x82")),
        ("*.svg", lambda content: _ends(content.rstrip(), b"</svg>")),
        ("*.md", lambda content: _ends(content, b"\n")),
        ("*.html", lambda content: _ends(content.rstrip(), b"</html>")),
        ("study.db-*", lambda content: None),  # SQLite's own, with which it recovers
        ("study.db", lambda content: _sqlite(path, files)),
    ]
    for pattern, read in readers:
        if fnmatch(Path(path).name, pattern):
            try:
                read(files[path])
            except UNREADABLE as error:
                return f"{type(error).__name__}: {str(error)[:80]}"
            return ""
    return "nobody knows this kind of file"


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch(name, pattern) for pattern in patterns)


def _changed(now: Files, before: Files, whole: Files, name: str) -> str:
    """The path of the file of this name that is there anew, in place of another; empty where there is none."""
    for path, content in now.items():
        if Path(path).name == name and path in before and content == whole.get(path) != before[path]:
            return path
    return ""


def _timeless(content: bytes) -> Any:
    def without(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: without(each) for name, each in value.items() if not OF_TIMES.search(name)}
        return [without(each) for each in value] if isinstance(value, list) else value

    return without(json.loads(content))


def _torch(content: bytes) -> object:
    return torch.load(io.BytesIO(content), weights_only=True)


def _ends(content: bytes, end: bytes) -> None:
    if not content.endswith(end):
        raise ValueError(f"it does not end in {end!r}")


def _sqlite(path: str, files: Files) -> None:
    with TemporaryDirectory() as folder:
        for each, content in files.items():
            if each.startswith(path) and not each.endswith(".lock"):
                (Path(folder) / Path(each).name).write_bytes(content)
        database = sqlite3.connect(Path(folder) / Path(path).name)
        try:
            found = database.execute("pragma integrity_check").fetchone()[0]
        finally:
            database.close()
    if found != "ok":
        raise ValueError(found)
