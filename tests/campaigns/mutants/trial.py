"""The tests of one mutant, in a forked process; the changed module is never written to the disk."""

from __future__ import annotations

import contextlib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import CodeType, MappingProxyType
from typing import Any

import pytest

KILLED, SURVIVED, TIME_LIMIT, NO_TEST = "killed", "survived", "time limit", "no test"
LEAST = 20.0
"""Seconds of processor time for the fixtures of a session."""
OPTIONS = ("-x", "-q", "--no-header", "--tb=line", "-p", "no:cacheprovider", "-p", "no:xdist")


class Changed(importlib.machinery.SourceFileLoader):
    """Gives a module another code than its file has."""

    def __init__(self, fullname: str, path: Path, code: CodeType) -> None:
        super().__init__(fullname, str(path))
        self._code = code

    def get_code(self, fullname: str) -> CodeType:
        del fullname
        return self._code


class Finder(importlib.abc.MetaPathFinder):
    """Finds the module at ``path`` as one whose code is ``code``."""

    def __init__(self, path: Path, code: CodeType) -> None:
        self._path, self._code = path, code

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: object = None) -> Any:
        del target
        file = f"{fullname.rsplit('.', 1)[-1]}.py"
        if not any(Path(folder) / file == self._path for folder in path or ()):
            return None
        return importlib.util.spec_from_loader(fullname, Changed(fullname, self._path, self._code))


def preload() -> None:
    """Import what the tests need and what is never mutated, once for all trials."""
    for name in ("h5py", "nir", "numpy", "onnx", "pydantic", "snntorch", "torch"):
        importlib.import_module(name)
    assert "spikewright" not in sys.modules, "each trial has to import spikewright anew"


class Clock:
    """Ends the process where a test takes far more processor time than it does on the unchanged code."""

    def __init__(self, seconds: Mapping[str, float]) -> None:
        self._seconds = seconds

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Start the time of a test anew, with what the fixtures of its session may take."""
        signal.setitimer(signal.ITIMER_PROF, LEAST + 10 * self._seconds.get(item.nodeid, 1.0))


class Trial:
    """Tests, stage after stage until one fails, with a module changed (``code``; None changes nothing), for a time.

    Args:
        limit: seconds for all stages.
        seconds: that each test takes on the unchanged code; each has ten times as much processor time and some more.
    """

    def __init__(
        self,
        path: Path,
        code: CodeType | None,
        stages: Sequence[list[str]],
        limit: float,
        log: Path,
        seconds: Mapping[str, float] = MappingProxyType({}),
    ) -> None:
        self._until, self._begin = time.monotonic() + limit, time.monotonic()
        self.seconds = 0.0
        self.outcome: str | None = None if stages else NO_TEST
        sys.stdout.flush()
        self._process = os.fork() if stages else 0
        if stages and self._process == 0:
            _run(path, code, stages, log, Clock(seconds))

    def ended(self) -> bool:
        """Whether it has; then ``outcome`` says how: one of the four words above."""
        if self.outcome is None:
            ended, status = os.waitpid(self._process, os.WNOHANG)
            self.seconds = time.monotonic() - self._begin
            if ended:
                self.outcome = _outcome(os.waitstatus_to_exitcode(status))
                self._kill()
            elif time.monotonic() > self._until:
                self.outcome = TIME_LIMIT
                self._kill()
                os.waitpid(self._process, 0)
        return self.outcome is not None

    def _kill(self) -> None:
        """End the process and those that it has started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process, signal.SIGKILL)


def _outcome(code: int) -> str:
    if code == pytest.ExitCode.OK:
        return SURVIVED
    if code == -signal.SIGPROF:
        return TIME_LIMIT
    return NO_TEST if code == pytest.ExitCode.NO_TESTS_COLLECTED else KILLED


def _run(path: Path, code: CodeType | None, stages: Sequence[list[str]], log: Path, clock: Clock) -> None:
    """Run the tests in this, a forked, process, and end it."""
    ended = 70
    try:
        os.setsid()
        with log.open("wb") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        if code is not None:
            sys.meta_path.insert(0, Finder(path, code))
        for tests in stages:
            ended = int(pytest.main([*OPTIONS, *tests], plugins=[clock]))
            if ended:
                break
    finally:
        sys.stdout.flush()
        os._exit(ended)
