"""How workers see each other: a file lock that ends with its process, and a heartbeat for those who cannot see it.

Optuna's own heartbeat runs only inside ``Study.optimize`` and compares times. Here a worker counts upwards in the
study, and whoever watches it needs no clock but its own.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ..base.lock import locked

LOCK = ".lock"
"""In the folder of a job: the worker that holds it is alive."""
HEARTBEAT_S = 10.0
"""Between two heartbeats: short against a job, and a light load for a database."""
TIMEOUT_S = 60.0
"""How long a worker on another machine may be silent: six heartbeats, of which a busy machine may miss some."""


def lock_facts(folder: Path) -> dict[str, str]:
    """Host and lock of a worker whose job has this folder, by which others on the same machine know the lock."""
    return {"host": socket.gethostname(), "lock": str(folder.resolve() / LOCK)}


def has_lock_in(folder: Path, worker: object) -> bool:
    """Whether the facts of a worker, as they stand in a study, are of this machine and this folder."""
    here = lock_facts(folder)
    return isinstance(worker, dict) and {name: worker.get(name) for name in here} == here


@contextmanager
def heartbeat(beat: Callable[[int], bool]) -> Iterator[None]:
    """Call ``beat`` with 1, 2, 3, ... every few seconds in a thread, until the end or until it returns False."""
    stop = threading.Event()

    def run() -> None:
        count = 1
        while not stop.wait(HEARTBEAT_S) and beat(count):
            count += 1

    thread = threading.Thread(target=run, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


class Watch:
    """Tells which running trials have lost their worker."""

    def __init__(self) -> None:
        self._seen: dict[int, tuple[object, float]] = {}

    def is_stale(self, number: int, worker: object, beat: object, folder: Path) -> bool:
        """Whether the worker of trial ``number`` has ended.

        Args:
            worker: its :func:`lock_facts`; None before it has written them.
            beat: its last heartbeat.
            folder: of the job for the worker that asks. Only the lock in there is opened: a path that stands in the
                study is compared and never opened.
        """
        lock = folder / LOCK
        if has_lock_in(folder, worker) and lock.is_file():
            with locked(lock) as free:
                return free
        now = time.monotonic()
        if number not in self._seen or self._seen[number][0] != beat:
            self._seen[number] = (beat, now)
        return now - self._seen[number][1] > TIMEOUT_S
