"""A pytest plugin that notes which test runs which lines, and how long each test takes.

It is loaded with ``-p campaigns.mutants.contexts``, works under pytest-xdist, and writes two files for each
worker into the folder that ``SPIKEWRIGHT_CONTEXTS`` names.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Generator
from pathlib import Path

import coverage
import pytest

from campaigns.mutants.places import PLACES, SRC


class Contexts:
    """Measures the lines of each test of one process."""

    def __init__(self, folder: Path, worker: str) -> None:
        self._folder, self._worker = folder, worker
        self._seconds: dict[str, float] = defaultdict(float)
        modules = [str(path) for group in PLACES.values() for path in group.modules()]
        self._coverage = coverage.Coverage(
            data_file=str(folder / f"lines.{worker}"), include=modules, config_file=False
        )
        self._coverage.start()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        self._coverage.switch_context(item.nodeid)
        try:
            return (yield)
        finally:
            self._coverage.switch_context("")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._seconds[report.nodeid] += report.duration
        if report.failed:
            self._seconds[report.nodeid] = float("inf")

    def pytest_sessionfinish(self) -> None:
        self._coverage.stop()
        self._coverage.save()
        failed = [name for name, seconds in self._seconds.items() if seconds == float("inf")]
        seconds = {name: round(seconds, 3) for name, seconds in self._seconds.items() if name not in failed}
        text = json.dumps({"seconds": seconds, "failed": failed}, indent=1)
        (self._folder / f"seconds.{self._worker}.json").write_text(text)


def pytest_configure(config: pytest.Config) -> None:
    worker = getattr(config, "workerinput", {}).get("workerid", "main")
    if worker == "main" and getattr(config.option, "numprocesses", None):
        return  # the tests run in the workers
    assert SRC.is_dir()
    config.pluginmanager.register(Contexts(Path(os.environ["SPIKEWRIGHT_CONTEXTS"]), worker))
