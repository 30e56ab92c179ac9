"""Work in a process of its own, of which nothing is left when its owner is done with it or ends in any way."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from . import keeper
from .errors import InputError, SpikewrightError

START_LIMIT_S = 60.0
"""How long a Python that imports nothing may take to start."""
TRACEBACK_LINES = 12
"""Of what a process said last."""
END_LIMIT_S = keeper.POLITE_S + keeper.STUBBORN_S + 3.0
"""How long the keeper may take to end a worker before the keeper itself is killed."""

_SOURCE_ROOT = str(Path(__file__).parents[2])
# What lies in the folder that somebody works in is not imported: the first place becomes ours.
_START = f"import sys; sys.path[0] = {_SOURCE_ROOT!r}; from spikewright.base.keeper import main; main()"


class Child:
    """A Python process, what it starts, and a temporary folder; all are gone after the ``with`` statement.

    The same holds when this process ends within it: by a signal (SIGKILL too), by an exception, or because it is done
    while a thread of it is still here. A keeper sees to it (:mod:`spikewright.base.keeper`).

    ``with Child(code, "prefix-") as child:`` makes the folder; the process runs from :meth:`start` on.

    Attributes:
        folder: for what the two processes tell each other. ``stdout.txt`` and ``stderr.txt`` hold the other's words.
    """

    folder: Path

    def __init__(self, code: str, prefix: str) -> None:
        """Prepare a process.

        Args:
            code: the Python that it runs; ``sys.argv[1]`` is the folder.
            prefix: what the folder's name begins with. Folders of this prefix that earlier keepers left, killed
                together with their owners, are removed.
        """
        self._code, self._prefix = code, prefix
        self._unread = b""
        self._broken = False

    def __enter__(self) -> Child:
        """Start the keeper, and have it make the folder.

        Raises:
            InputError: the folder cannot be made.
            SpikewrightError: no Python could be started.
        """
        words = [sys.executable, "-c", _START, str(os.getpid()), self._prefix, self._code]
        pipe = subprocess.PIPE
        self._keeper = subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=pipe, bufsize=0, start_new_session=True)
        try:
            self.folder = self._made_folder()
        except BaseException:
            self._let_go()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        """Have all processes ended and the folder removed, and wait for that."""
        self._let_go()
        keeper.remove(self.folder)  # only there if the keeper was killed

    def start(self) -> None:
        """Have the keeper start the process, whose end :meth:`wait` tells."""
        self._tell(keeper.GO)

    def let_go_soon(self) -> None:
        """Have all processes ended, without waiting for that; leaving the ``with`` statement waits."""
        self._tell(keeper.END)

    def wait(self, seconds: float) -> int | None:
        """The process's exit code when it and all that it started have ended; None if one is left after some time.

        It is negative after a signal, and the keeper's if that was killed, which ends the others.
        """
        for answer in self._answers(seconds):
            if "ended" in answer:
                return int(answer["ended"])
        return self._keeper.wait() if self._broken else None

    def _made_folder(self) -> Path:
        for answer in self._answers(START_LIMIT_S):
            if "folder" in answer:
                return Path(str(answer["folder"]))
            raise InputError(f"no temporary folder can be made ({answer['refused']}); set TMPDIR to another place")
        stderr = self._keeper.stderr
        words = stderr.read() if self._broken and stderr else b""
        last = words.decode(errors="replace").strip().rpartition("\n")[2]
        if not last and self._broken and (code := self._keeper.wait()):
            last = f"it {ending(code)}"
        raise SpikewrightError(f"{sys.executable} could not be started to work in: {last or 'it says nothing'}")

    def _answers(self, seconds: float) -> Iterator[dict[str, str | int]]:
        """What the keeper says within some time; ends early when nobody is left who could say anything."""
        stdout = self._keeper.stdout
        assert stdout is not None
        poll = select.poll()
        poll.register(stdout, select.POLLIN)
        deadline = time.monotonic() + seconds
        while not self._broken:
            while b"\n" in self._unread:
                line, _, self._unread = self._unread.partition(b"\n")
                yield json.loads(line)
            if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
                return
            said = os.read(stdout.fileno(), 4096)
            self._unread += said
            self._broken = not said

    def _tell(self, order: bytes) -> None:
        stdin = self._keeper.stdin
        assert stdin is not None
        with contextlib.suppress(BrokenPipeError):  # the keeper was killed, which wait() says
            stdin.write(order)

    def _let_go(self) -> None:
        """Break the line, after which the keeper ends all, whatever becomes of this process; and wait for that."""
        keeping = self._keeper
        assert keeping.stdin is not None
        assert keeping.stdout is not None
        assert keeping.stderr is not None
        try:
            self._tell(keeper.END)  # a process forked from this one may hold the line, too
        finally:
            keeping.stdin.close()
        for _ in self._answers(END_LIMIT_S):
            pass
        if not self._broken:
            keeping.kill()
        keeping.wait()
        keeping.stdout.close()
        keeping.stderr.close()


def last_words(words: Path) -> str:
    """The end of what a process said: its last traceback, where there is one; each line indented."""
    if not words.exists():
        return ""
    lines = [line for line in words.read_text(errors="replace").splitlines() if line.strip()]
    starts = [i for i, line in enumerate(lines) if line.startswith("Traceback")]
    said = lines[starts[-1] :] if starts else lines
    return "".join(f"\n  {line}" for line in said[-TRACEBACK_LINES:])


def ending(code: int) -> str:
    """In words, how a process ended that did not end well; a negative code is a signal's."""
    if code > 0:
        return f"failed (exit code {code})"
    name = signal.Signals(-code).name
    short = "; the system does that when memory runs out: fewer samples at once take less"
    return f"was ended by {name}{short if name == 'SIGKILL' else ''}"
