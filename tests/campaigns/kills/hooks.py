"""Counts what a process writes, and stops it at one of these moments, so that it can be ended exactly there."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any


class Writes:
    """Counts the moments of writing in this process: before and after a file is renamed, removed or brought to the
    disk, and in the middle of its bytes.

    Attributes:
        count: of the moments that have passed.
    """

    def __init__(self, stop_at: int = 0, only: str = "") -> None:
        """Watch this process from now on.

        Args:
            stop_at: the moment at which it stops itself, counted from 1; 0 for none.
            only: the name of the only file whose renaming counts, once it is done; empty for every moment.
        """
        self.count, self._stop_at, self._only = 0, stop_at, only
        for name in ("replace", "unlink", "fsync"):
            setattr(os, name, self._watched(name, getattr(os, name)))
        self._write_bytes = Path.write_bytes
        Path.write_bytes = self._in_halves()  # type: ignore[method-assign]

    def _moment(self) -> None:
        self.count += 1
        if self.count == self._stop_at:
            os.kill(os.getpid(), signal.SIGSTOP)

    def _watched(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*given: Any, **named: Any) -> Any:
            if not self._only:
                self._moment()
            found = function(*given, **named)
            if not self._only or (name == "replace" and Path(given[1]).name == self._only):
                self._moment()
            return found

        return watched

    def _in_halves(self) -> Callable[[Path, Any], int]:
        def write_bytes(path: Path, data: Any) -> int:
            if self._only:
                return self._write_bytes(path, data)
            view = memoryview(data)
            with path.open("wb") as file:
                file.write(view[: len(view) // 2])
                file.flush()
                self._moment()
                return len(view) // 2 + file.write(view[len(view) // 2 :])

        return write_bytes
