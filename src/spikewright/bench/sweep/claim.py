"""Who works on a point: a lock that dies with its process, and a sign of life for those who cannot see it.

Optuna's own heartbeat beats only inside ``Study.optimize`` and compares times; here a worker counts upwards in the
study, and whoever watches needs no clock but its own.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ..locks import LOCK, locked

BEAT_S = 10.0
"""Between two signs of life: small against a point's work, and a light load for a database."""
GRACE_S = 60.0
"""How long a worker on another machine may be silent: six beats, of which a busy machine may miss some."""


def whereabouts(folder: Path) -> dict[str, str]:
    """What lets a worker on the same machine find this one's lock."""
    return {"host": socket.gethostname(), "lock": str(folder.resolve() / LOCK)}


@contextmanager
def beating(beat: Callable[[int], bool]) -> Iterator[None]:
    """Call ``beat`` with 1, 2, 3, ... every few seconds, until the end or until it returns False."""
    stop = threading.Event()

    def keep_on() -> None:
        count = 1
        while not stop.wait(BEAT_S) and beat(count):
            count += 1

    thread = threading.Thread(target=keep_on, name="sign of life", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


class Watch:
    """Which of the running trials have nobody working on them."""

    def __init__(self) -> None:
        self._seen: dict[int, tuple[object, float]] = {}

    def is_dead(self, number: int, worker: object, beat: object, folder: Path) -> bool:
        """Whether the worker of trial ``number`` has gone.

        Args:
            worker: its :func:`whereabouts`, None where it has not said them yet.
            beat: its last sign of life.
            folder: of the trial's point for this worker. The lock is looked for there alone: a path that stands in the
                study is compared, and never opened.
        """
        here, lock = whereabouts(folder), folder / LOCK
        if isinstance(worker, dict) and {name: worker.get(name) for name in here} == here and lock.is_file():
            with locked(lock) as free:
                return free
        now = time.monotonic()
        if number not in self._seen or self._seen[number][0] != beat:
            self._seen[number] = (beat, now)
        return now - self._seen[number][1] > GRACE_S
