"""Starts a command, in a fork of this process or as one of its own, and ends it as an :class:`Ending` says."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .hooks import Writes

LIMIT_S = 600.0
"""A command that runs longer has hung, on a busy machine, too; each takes seconds."""
POLL_S = 0.002
ESCAPED = 99
"""Exit code of a fork out of which an exception came."""
ENDING_SIGNALS = {"KILL": signal.SIGKILL, "TERM": signal.SIGTERM, "INT": signal.SIGINT, "HUP": signal.SIGHUP}


@dataclass(frozen=True)
class Ending:
    """How a command is ended.

    Attributes:
        kind: ``none``, ``signal``, ``aimed``, ``file size``, ``memory`` or ``full disk``.
        signal: that ends it, for ``signal`` and ``aimed``.
        after_s: when, for ``signal``.
        at: the writing at which it stops and is sent the signal, counted from 1, for ``aimed``.
        limit: bytes that a file may have, bytes of memory beyond what is used, or bytes that the disk has left.
        only: for ``aimed``, the name of the only file whose writing counts; empty for every one.
    """

    kind: str = "none"
    signal: str = ""
    after_s: float = 0.0
    at: int = 0
    limit: int = 0
    only: str = ""

    def __str__(self) -> str:
        """The ending in words, for logs."""
        said = {
            "signal": f"{self.signal} after {self.after_s:.3f} s",
            "aimed": f"{self.signal} at writing {self.at}",
        }
        return said.get(self.kind, f"{self.kind} {self.limit}" if self.limit else self.kind)


@dataclass(frozen=True)
class Ended:
    """How a command ended.

    Attributes:
        code: its exit code, minus the number of the signal that ended it.
        said: on both streams.
        seconds: that it ran.
        writes: how often it wrote, as :class:`Writes` counts; 0 for a process of its own.
        has_hung: whether it ran into :data:`LIMIT_S`.
    """

    code: int
    said: str
    seconds: float
    writes: int = 0
    has_hung: bool = False


def fork(main: Callable[[Sequence[str]], int], words: Sequence[str], folder: Path, ending: Ending = Ending()) -> Ended:
    """Run a command line in a fork of this process, which has loaded everything."""
    with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as count:
        began, child = time.monotonic(), os.fork()
        if child == 0:
            _in_child(main, words, folder, ending, said.fileno(), count.fileno())
        status, hung = _end(child, began, ending)
        seconds = time.monotonic() - began
        said.seek(0)
        count.seek(0)
        text = said.read().decode(errors="replace")
        return Ended(os.waitstatus_to_exitcode(status), text, seconds, int(count.read() or 0), hung)


def process(words: Sequence[str], folder: Path, ending: Ending = Ending()) -> Ended:
    """Run a command line as a process of its own."""
    with tempfile.TemporaryFile() as said:
        began = time.monotonic()
        child = subprocess.Popen(
            [sys.executable, "-m", "spikewright", *words], cwd=folder, stdin=subprocess.DEVNULL, stdout=said,
            stderr=said, env=environment(folder), preexec_fn=lambda: _prepare(ending),
        )  # fmt: skip
        status, hung = _end(child.pid, began, ending)
        child.returncode = os.waitstatus_to_exitcode(status)  # it was waited for here
        said.seek(0)
        return Ended(child.returncode, said.read().decode(errors="replace"), time.monotonic() - began, 0, hung)


def environment(folder: Path) -> dict[str, str]:
    """The environment of a command, whose cache lies in its folder, and with it the teachers that it trains."""
    return {**os.environ, "SPIKEWRIGHT_CACHE": str(folder / "cache"), "OMP_NUM_THREADS": "1", "COLUMNS": "100"}


def _prepare(ending: Ending) -> None:
    """Heed every signal as a program that a shell starts does, and take on the limits."""
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    if ending.kind == "file size":
        resource.setrlimit(resource.RLIMIT_FSIZE, (ending.limit, ending.limit))
    if ending.kind == "memory":
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        most = pages * resource.getpagesize() + ending.limit
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _in_child(
    main: Callable[[Sequence[str]], int], words: Sequence[str], folder: Path, ending: Ending, said: int, count: int
) -> None:
    code = ESCAPED
    try:
        os.dup2(said, 1)
        os.dup2(said, 2)
        sys.stdout = os.fdopen(1, "w", closefd=False)
        sys.stderr = os.fdopen(2, "w", closefd=False, buffering=1)
        os.chdir(folder)
        os.environ.update(environment(folder))
        writes = Writes(ending.at if ending.kind == "aimed" else 0, ending.only)
        _prepare(ending)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        code = main(list(words))
        sys.stdout.flush()
        os.pwrite(count, str(writes.count).encode(), 0)
    except BaseException as error:  # reported as what escaped
        os.write(2, f"escaped: {type(error).__name__}: {error}\n".encode())
    os._exit(code)


def _end(child: int, began: float, ending: Ending) -> tuple[int, bool]:
    """Send what ends a child when its moment has come, and wait for it: its status, and whether it hung."""
    number: Any = ENDING_SIGNALS.get(ending.signal)
    due = began + ending.after_s if ending.kind == "signal" else float("inf")
    while time.monotonic() < began + LIMIT_S:
        ended, status = os.waitpid(child, os.WNOHANG | os.WUNTRACED)
        if ended and os.WIFSTOPPED(status):
            os.kill(child, number)
            os.kill(child, signal.SIGCONT)
        elif ended:
            return status, False
        elif time.monotonic() >= due:
            os.kill(child, number)
            due = float("inf")
        time.sleep(POLL_S)
    os.kill(child, signal.SIGKILL)
    return os.waitpid(child, 0)[1], True
