"""Locks on files: held by one process at a time, and let go of by the system when it dies."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..base.errors import InputError

LOCK = ".lock"
"""In the folder of a point: whoever holds it works there."""


@contextmanager
def locked(file: Path, wait: bool = False) -> Iterator[bool]:
    """Hold a lock, and say whether it could be had; the system lets go of it when the process dies.

    Args:
        file: that is locked; made where it is missing.
        wait: until it can be had.

    Raises:
        InputError: the file's folder is missing, or on a file system without locks.
    """
    try:
        handle = os.open(file, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise InputError(f"{file}: cannot be locked ({error.strerror}); choose another folder") from error
    try:
        yield _lock(handle, file, wait)
    finally:
        os.close(handle)


def _lock(handle: int, file: Path, wait: bool) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except OSError as error:
        raise InputError(f"{file}: cannot be locked ({error.strerror}); choose another folder") from error
    return True
