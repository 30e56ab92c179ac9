"""A small process between an owner and the work that it has done elsewhere, which sees to it that nothing is left.

The owner is a process of ours; :class:`~spikewright.base.child.Child` is its side. The keeper makes a temporary folder,
forks a worker when it is told to, and when the worker has ended says how. It ends every process of the worker and then
removes the folder as soon as the owner closes the line to it, or has ended, by whatever signal: the system closes the
line of a process that is killed. Nobody can catch SIGKILL, so each process watches the one that it needs:

========================  =====================================================================================
what ends                 who notices, and does what
========================  =====================================================================================
the owner                 the keeper: its line breaks, or it has another parent. Ends the worker, removes the folder
the worker                the keeper: ends what the worker started, says the exit code, waits for the owner
the keeper                every process of the worker has a thread at a pipe that breaks, and ends all of them; the
                          owner removes the folder
owner and keeper          the worker ends as above; the next keeper removes the folder, whose lock is free
========================  =====================================================================================

Only Python's own modules are imported here, and none that takes long: the worker is forked from this process.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import select
import shutil
import signal
import stat
import sys
import tempfile
import threading
import time
from pathlib import Path
from types import FrameType, ModuleType

POLITE_S = 1.0
"""How long a worker may take to end its processes itself before the keeper does."""
STUBBORN_S = 8.0
"""How long killed processes may take to be gone; one that waits for a disk does not end before."""
POLL_S = 0.5
"""How often the keeper looks whether it still has the parent that started it."""
LOCK = "spikewright.lock"
"""File that makes a folder a keeper's. Every process of a run has it open and locked."""
GO, END = b"g", b"e"
"""What an owner writes to have the worker started, and all ended."""

_ENDING = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT)
_INSTANT_S = 0.01
_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER of linux/prctl.h


def main() -> None:
    """Keep a worker of the process ``argv[1]`` in a folder with the prefix ``argv[2]``; its code is ``argv[3]``.

    Returns in the keeper when all is over, and in the worker when its code is.
    """
    owner, prefix, code = int(sys.argv[1]), sys.argv[2], sys.argv[3]
    keeper = Keeper(owner)
    try:
        folder = new_folder(prefix)
    except OSError as error:
        where = "" if error.filename is None else f"{error.filename}: "
        _say(refused=f"{where}{error.strerror}")
        return
    try:
        _say(folder=str(folder))
        if keeper.hears_go() and keeper.forked():
            _work(code, folder)
            return
        keeper.keep()
    finally:
        if not keeper.is_worker:
            keeper.end_worker()
            remove(folder)


class Keeper:
    """What a keeper knows of its owner and of its worker.

    Attributes:
        is_worker: whether this process is the worker, which has a copy of this object.
    """

    def __init__(self, owner: int) -> None:
        self.is_worker = False
        self._owner = owner
        self._worker = 0
        self._code: int | None = None
        self._told = _pipe_of_signals()
        self._alive = os.pipe()
        """Its end to write to is open in the worker and in what is forked from it: it breaks when all have ended."""
        self._line = os.pipe()
        """Its end to write to is open in the keeper alone."""
        _become_reaper()

    def hears_go(self) -> bool:
        """Wait for the owner; false when it lets go before it wants the worker."""
        while (said := self._heard()) is not None:
            if GO in said:
                return True
        return False

    def forked(self) -> bool:
        """Fork the worker into a process group of its own; true in the worker."""
        self._worker = os.fork()
        if self._worker:
            with contextlib.suppress(OSError):  # the worker may have done so, or have ended
                os.setpgid(self._worker, self._worker)
            os.close(self._alive[1])
            os.close(self._line[0])
            return False
        self.is_worker = True
        os.setpgid(0, 0)
        signal.set_wakeup_fd(-1)
        for each in (*self._told, self._alive[0], self._line[1]):
            os.close(each)
        for number in _ENDING:
            signal.signal(number, _end_group)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        watch(self._line[0])
        return True

    def keep(self) -> None:
        """Say how the worker has ended, once, when nothing of it is left; return when the owner lets go."""
        said = False
        while self._heard() is not None:
            self._reap()
            if self._code is not None and not said:
                self.end_worker()
                _say(ended=self._code)
                said = True

    def end_worker(self) -> None:
        """End the worker and every process that it started, and wait until they are gone.

        The worker is asked first: SIGKILL could hit it while the system makes something for it that has a name.
        """
        if not self._worker or self._gone_within(0):
            return
        if self._code is None:
            _signal(os.kill, self._worker, signal.SIGTERM)
            self._gone_within(POLITE_S)
        deadline = time.monotonic() + STUBBORN_S
        while not self._gone_within(0) and time.monotonic() < deadline:
            _signal(os.killpg, self._worker, signal.SIGKILL)  # one of them is left, so that the group is still theirs
            self._gone_within(POLL_S)

    def _heard(self) -> bytes | None:
        """What the owner says, if anything; None when it has let go, has ended, or a signal asks to end."""
        ready = select.select([0, self._told[0]], [], [], POLL_S)[0]
        told = os.read(self._told[0], 512) if self._told[0] in ready else b""
        said = os.read(0, 512) if 0 in ready else b""
        broken = 0 in ready and not said
        if broken or END in said or os.getppid() != self._owner or any(number in told for number in _ENDING):
            return None
        return said

    def _gone_within(self, seconds: float) -> bool:
        """Whether no process of the worker is left, within some time."""
        deadline = time.monotonic() + seconds
        while True:
            left = deadline - time.monotonic()
            broken = select.select([self._alive[0]], [], [], max(0.0, left))[0]
            if self._reap() and broken:
                return True
            if left <= 0:
                return False
            time.sleep(_INSTANT_S)

    def _reap(self) -> bool:
        """Take leave of processes that have ended, and keep the worker's exit code; whether no child is left."""
        try:
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                if ended[0] == self._worker:
                    self._code = os.waitstatus_to_exitcode(ended[1])
        except ChildProcessError:
            return True
        return False


def new_folder(prefix: str) -> Path:
    """A new folder for temporary files, locked until this process and those forked from it have ended.

    Those that nobody locks any more are removed.

    Raises:
        OSError: as the system says.
    """
    _remove_leftovers(prefix)
    while True:
        folder = Path(tempfile.mkdtemp(prefix=prefix))
        with contextlib.suppress(FileNotFoundError):  # another keeper took it for a leftover before it was locked
            handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
            with contextlib.suppress(OSError):  # a file system without locks
                fcntl.flock(handle, fcntl.LOCK_EX)
            if os.fstat(handle).st_nlink:
                return folder
            os.close(handle)


def remove(folder: Path) -> None:
    """Remove a folder of a keeper, its lock's file last, so that the next keeper knows what is left of it."""
    for each in list(folder.iterdir()) if folder.is_dir() else []:
        if each.is_dir() and not each.is_symlink():
            shutil.rmtree(each, ignore_errors=True)
        elif each.name != LOCK:
            with contextlib.suppress(OSError):
                each.unlink()
    shutil.rmtree(folder, ignore_errors=True)


def _remove_leftovers(prefix: str) -> None:
    """Remove folders of keepers that have ended with all their processes: the lock is free, or was never made."""
    with contextlib.suppress(OSError), os.scandir(tempfile.gettempdir()) as entries:
        for entry in entries:
            if entry.name.startswith(prefix) and entry.is_dir(follow_symlinks=False):
                with contextlib.suppress(OSError):
                    _remove_if_free(Path(entry.path))


def _remove_if_free(folder: Path) -> None:
    try:
        handle = os.open(folder / LOCK, os.O_RDWR | os.O_NOFOLLOW)
    except FileNotFoundError:
        folder.rmdir()  # refused where anything is in it
        return
    try:
        lock = os.fstat(handle)
        if stat.S_ISREG(lock.st_mode) and lock.st_uid == os.getuid():
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)  # refused where a process of the run lives
            remove(folder)
    finally:
        os.close(handle)


def watch(line: int) -> None:
    """End this process and its group when the pipe ``line`` breaks, here and in every process forked from here."""

    def wait() -> None:
        while os.read(line, 1):
            pass
        os.killpg(os.getpgrp(), signal.SIGKILL)

    def start() -> None:
        threading.Thread(target=wait, daemon=True, name="watch of the keeper").start()

    start()
    os.register_at_fork(after_in_child=start)


def _work(code: str, folder: Path) -> None:
    """Run ``code`` in the worker: words go to files in the folder, and so do temporary files of libraries."""
    for number, name, flags in ((0, os.devnull, os.O_RDONLY), (1, "stdout.txt", 0), (2, "stderr.txt", 0)):
        file = os.open(folder / name, flags or os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
        if number == 1:
            os.dup(1)  # the owner knows by this end of a pipe that a process of ours is left
        os.dup2(file, number)
        os.close(file)
    os.environ["TMPDIR"] = str(folder)
    tempfile.tempdir = None
    sys.argv = ["-c", str(folder)]
    own = sys.modules["__main__"] = ModuleType("__main__")
    exec(compile(code, "<string>", "exec"), own.__dict__)


def _end_group(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
    """End this process and its group: the worker's answer to a signal, between two steps of its Python."""
    os.killpg(os.getpgrp(), signal.SIGKILL)


def _pipe_of_signals() -> tuple[int, int]:
    """A pipe into which the numbers of signals are written that end the keeper, or of a process that ended."""
    read, write = os.pipe()
    os.set_blocking(write, False)
    signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    for number in (*_ENDING, signal.SIGCHLD):
        signal.signal(number, lambda *_: None)
    return read, write


def _become_reaper() -> None:
    """Become the parent of what loses its own, where the system has that: Linux."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)


def _signal(by: object, number: int, which: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):  # gone, or on macOS nothing but ended ones
        assert callable(by)
        by(number, which)


def _say(**answer: str | int) -> None:
    """One line of JSON to the owner, which may be gone."""
    with contextlib.suppress(OSError):
        os.write(1, json.dumps(answer).encode() + b"\n")
