"""Files that are written completely or not at all, and hashes of files and values."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import InputError, arg, check_type

_END = ".tmp"
_LONGEST_NAME = 200  # bytes; file systems hold names of 255, and a temporary file's has 30 more than its target's
_PROBE = 4096  # bytes that are written to see whether there is room: a block of most file systems


def sha256_of(path: Path | str) -> str:
    """The SHA-256 of a file's bytes, as hexadecimal digits."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def sha256_of_json(value: object) -> str:
    """The SHA-256 of a JSON value in canonical form (sorted keys, no spaces)."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def write_bytes(path: Path | str, data: bytes | memoryview) -> None:
    """Write ``data`` to ``path``, atomically.

    Raises:
        InputError: as :func:`atomic_write`.
    """
    with atomic_write(path) as temporary:
        temporary.write_bytes(data)


@contextmanager
def atomic_write(path: Path | str) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; on success it replaces ``path``, on failure nothing changes.

    The file is on the disk before it gets its name, and the name before this returns. What earlier writers of ``path``
    that were killed have left behind is removed. One that still writes keeps a lock on its temporary file.

    Raises:
        InputError: ``path`` cannot be written: no folder, no regular file, no permission for the folder or for a file
            that is there, no space, too long a name.
    """
    target = _target(path)
    remove_leftovers(target.parent, beginning_of(target))
    with _saying_why(target), _temporary(target) as (handle, temporary):
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        os.fchmod(handle, 0o666 & ~_umask())
        os.replace(temporary, target)
        _sync_folder(target.parent)


def as_path(path: object) -> Path:
    """What was given as the path of a file or folder, as a :class:`Path`.

    Raises:
        InputError: it is no path.
    """
    check_type("path", path, (str, os.PathLike), "a path, as a str or a pathlib.Path")
    try:
        found = Path(path)  # type: ignore[arg-type]
    except TypeError as error:  # a PathLike of bytes
        raise InputError(f"{arg('path')}: is {path!r}; may be a path of text") from error
    if "\0" in str(found):
        raise InputError(f"{arg('path')}: is {str(found)!r}, and no path holds a zero character; leave it out")
    return found


def writable(path: Path | str) -> Path:
    """``path`` as a :class:`Path`, checked to be writable as a file; a few bytes are written beside it for that.

    Raises:
        InputError: as :func:`atomic_write`.
    """
    target = _target(path)
    with _saying_why(target), _temporary(target) as (handle, _):
        os.write(handle, bytes(_PROBE))
    return target


def _target(path: Path | str) -> Path:
    """``path``, whose folder is there, and which is a regular file or nothing yet."""
    target = as_path(path)
    with _saying_why(target):
        if not stat.S_ISDIR(_mode(target.parent)):
            raise InputError(f"{target}: the folder {target.parent} does not exist; create it or choose another path")
        mode = _mode(target)
    if stat.S_ISDIR(mode):
        raise InputError(f"{target}: is a folder; give the name of a file")
    if mode and not stat.S_ISREG(mode):
        raise InputError(f"{target}: is a device, a pipe or a socket; give the name of a regular file")
    if mode and not os.access(target, os.W_OK):  # its folder would let it be replaced all the same
        raise InputError(
            f"{target}: is there and is not yours to write; choose another path, or change its permissions"
        )
    return target


def _mode(path: Path) -> int:
    """The kind of file at ``path`` as :mod:`stat` reads it, 0 where there is none."""
    try:
        return path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return 0


@contextmanager
def _saying_why(target: Path) -> Iterator[None]:
    """Make a sentence of what the file system says about ``target``; what it says about other files passes."""
    try:
        yield
    except OSError as error:
        named = None if error.filename is None else Path(os.fsdecode(error.filename))
        if named not in (None, target, target.parent) and not str(named.name).endswith(_END):
            raise
        raise InputError(f"{target}: cannot be written ({error.strerror}); {_remedy(error)}") from error


def _remedy(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "make room or choose another path"
    if error.errno == errno.EFBIG:
        return "raise the limit on the size of files (ulimit -f) or choose another path"
    return "choose another path"


@contextmanager
def _temporary(target: Path) -> Iterator[tuple[int, Path]]:
    """A new locked file beside ``target``, as a descriptor and a path; it is removed if it still has that name."""
    handle, name = _locked_file(target)
    try:
        yield handle, Path(name)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)
        os.close(handle)


def _locked_file(target: Path) -> tuple[int, str]:
    while True:
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=beginning_of(target), suffix=_END)
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)  # shared: HDF5 locks what it reads, too
        if os.fstat(handle).st_nlink:  # else somebody took it for a leftover before it was locked
            return handle, name
        os.close(handle)


def beginning_of(target: Path) -> str:
    """What the names of hidden files for ``target`` begin with; its own name where that leaves room for more."""
    name = target.name
    if len(os.fsencode(name)) > _LONGEST_NAME:
        name = hashlib.sha256(os.fsencode(name)).hexdigest()[:16]
    return f".{name}.spikewright-"


def remove_leftovers(folder: Path, beginning: str) -> None:
    """Remove temporary files whose writer has ended: nobody holds their lock.

    Args:
        beginning: of their names, from :func:`beginning_of`.
    """
    left: list[str] = []
    with contextlib.suppress(OSError):  # a folder that cannot be listed
        left = [name for name in os.listdir(folder) if name.startswith(beginning) and name.endswith(_END)]
    for name in left:
        with contextlib.suppress(OSError), (folder / name).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # refused where its writer lives, and without locks
            os.unlink(folder / name)


def _sync_folder(folder: Path) -> None:
    """Wait until the names in ``folder`` are on the disk, where the system lets a folder be opened for that."""
    with contextlib.suppress(PermissionError):  # a folder may be written without being read
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def write_text(path: Path | str, text: str) -> None:
    """Write ``text`` to ``path`` as UTF-8, atomically."""
    write_bytes(path, text.encode())


def write_json(path: Path | str, value: object) -> None:
    """Write ``value`` to ``path`` as indented JSON, atomically."""
    write_text(path, json.dumps(value, indent=1, sort_keys=False, allow_nan=False) + "\n")


def existing_file(path: Path | str, what: str) -> Path:
    """``path`` as a :class:`Path`, checked to be a file.

    Raises:
        InputError: there is no such file, or it cannot be read; ``what`` was expected.
    """
    file = as_path(path)
    try:
        mode = _mode(file)
        if stat.S_ISREG(mode):
            file.open("rb").close()
    except OSError as error:
        raise InputError(f"{file}: cannot be read ({error.strerror}); expected {what}") from error
    if not mode:
        raise InputError(f"{file}: there is no such file; expected {what}")
    if not stat.S_ISREG(mode):
        raise InputError(f"{file}: is not a file; expected {what}")
    return file


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
