"""Locks on files, which end with the process that holds them, and outputs that one writer at a time has.

A lock of a process that was killed is free. On a file system without locks nothing is kept apart, and that is said.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from .artefacts import beginning_of, writable
from .errors import InputError
from .progress import SILENT, Listeners

_END = "lock"
_NO_LOCKS = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL}
"""What a file system says that has no locks, such as NFS without its lock service."""
_HELD: set[int] = set()
"""Descriptors of held locks: a fork has copies, which would hold the locks for as long as it lives."""


def _let_go() -> None:
    while _HELD:
        with suppress(OSError):
            os.close(_HELD.pop())


os.register_at_fork(after_in_child=_let_go)


@contextmanager
def locked(file: Path, wait: bool = False) -> Iterator[bool]:
    """Hold a lock on a file that stays, and yield whether it could be had; it ends with the process.

    Args:
        file: created if it is missing.
        wait: until the lock is free.

    Raises:
        InputError: the file's folder is missing, or its file system has no locks.
    """
    with ExitStack() as stack:
        try:
            handle = stack.enter_context(file.open("a+b"))
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            held = True
        except BlockingIOError:
            held = False
        except OSError as error:
            raise InputError(f"{file}: cannot be locked ({error.strerror}); choose another folder") from error
        yield held


@contextmanager
def only_writer(*outputs: Path, called: str = "", listeners: Listeners = SILENT) -> Iterator[None]:
    """Be the only one who writes ``outputs``, among processes and threads, until the end.

    Each output has a lock file beside it, ``.NAME.spikewright-lock``, which says who holds it and is removed at the
    end; that of a process that was killed stays until the next writer, whom it does not hold up.

    Args:
        outputs: paths of files that are there or not.
        called: what messages call the outputs; empty for the path of each.
        listeners: hear that the file system has no locks.

    Raises:
        InputError: somebody else writes an output, who is named; or it cannot be written.
    """
    with ExitStack() as held:
        for output in outputs:
            held.enter_context(_only_writer(writable(output), called or str(output), listeners))
        yield


@contextmanager
def _only_writer(output: Path, called: str, listeners: Listeners) -> Iterator[None]:
    file = output.with_name(f"{beginning_of(output)}{_END}")
    try:
        handle = _taken(file)
    except BlockingIOError as error:
        raise InputError(
            f"{called}: {_holder(file)} is writing it; wait until that has ended, or choose another path"
        ) from error
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise InputError(
                f"{called}: its lock {file} cannot be had ({error.strerror}); remove that if nobody writes "
                f"{output.name}, or choose another path"
            ) from error
        file.unlink(missing_ok=True)
        listeners.say(f"{called}: its file system has no locks; let nothing else write it meanwhile", "warning")
        yield
        return
    try:
        yield
    finally:
        if handle in _HELD:  # not in a fork
            _HELD.discard(handle)
            with suppress(OSError):
                file.unlink()  # while it is held: who has it open by now sees that it is gone, and takes a new one
            os.close(handle)


def _taken(file: Path) -> int:
    """A descriptor of the lock file, locked, with the holder noted in it.

    Raises:
        BlockingIOError: it is held.
        OSError: it cannot be opened, or there are no locks.
    """
    while True:
        handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_there(handle, file):
                os.ftruncate(handle, 0)
                os.pwrite(handle, json.dumps({"pid": os.getpid(), "host": socket.gethostname()}).encode(), 0)
                _HELD.add(handle)
                return handle
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)


def _is_there(handle: int, file: Path) -> bool:
    """Whether the open file still has its name: its last holder may have removed it before it was locked."""
    try:
        named = os.stat(file, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return os.path.samestat(named, os.fstat(handle))


def _holder(file: Path) -> str:
    """Who holds a lock, as far as its file says."""
    with suppress(OSError, ValueError, RecursionError):
        noted = json.loads(file.read_bytes())
        pid, host = (noted.get(name) for name in ("pid", "host")) if isinstance(noted, dict) else (None, None)
        if (pid, host) == (os.getpid(), socket.gethostname()):
            return "this process itself"
        if isinstance(pid, int) and isinstance(host, str):
            return f"process {pid} on {host}"
    return "another process"
