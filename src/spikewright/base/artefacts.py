"""Files that are written completely or not at all, and hashes of files and values."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from .errors import InputError


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


@contextmanager
def atomic_write(path: Path | str) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; on success it replaces ``path``, on failure nothing changes."""
    target = writable(path)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=target.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def saved_by(save: Callable[[BinaryIO], object], path: Path | str) -> None:
    """Write what ``save`` writes into a buffer to ``path``, atomically.

    ``torch.save`` notes the name of a file that it writes, which is another one for each temporary file, and of a
    buffer none: so equal contents give equal bytes.
    """
    buffer = io.BytesIO()
    save(buffer)
    with atomic_write(path) as temporary:
        temporary.write_bytes(buffer.getbuffer())


def writable(path: Path | str) -> Path:
    """``path`` as a :class:`Path`, checked to be writable as a file.

    Raises:
        InputError: its folder does not exist, or it is not a regular file.
    """
    target = Path(path)
    if not target.parent.is_dir():
        raise InputError(f"{target}: the folder {target.parent} does not exist; create it or choose another path")
    if target.is_dir():
        raise InputError(f"{target}: is a folder; give the name of a file")
    if target.exists() and not target.is_file():
        raise InputError(f"{target}: is a device, a pipe or a socket; give the name of a regular file")
    return target


def write_text(path: Path | str, text: str) -> None:
    """Write ``text`` to ``path`` as UTF-8, atomically."""
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path | str, value: object) -> None:
    """Write ``value`` to ``path`` as indented JSON, atomically."""
    write_text(path, json.dumps(value, indent=1, sort_keys=False, allow_nan=False) + "\n")


def existing_file(path: Path | str, what: str) -> Path:
    """``path`` as a :class:`Path`, checked to be a file.

    Raises:
        InputError: there is no such file; ``what`` was expected.
    """
    file = Path(path)
    if not file.exists():
        raise InputError(f"{file}: there is no such file; expected {what}")
    if not file.is_file():
        raise InputError(f"{file}: is not a file; expected {what}")
    return file


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
