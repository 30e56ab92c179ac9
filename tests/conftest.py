"""What every test run has in common: a cache of its own, and plain words about what the Lava tests did."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

REQUIRE_LAVA = os.environ.get("SPIKEWRIGHT_REQUIRE_LAVA") == "1"
RAN_LAVA = ("lava", "ran")


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Teachers trained in tests are kept for the run, apart from the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPIKEWRIGHT_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def benchmark_file(root: Path) -> Callable[[str], ModuleType]:
    """Imports a file of benchmarks/ by its name; they are no package."""

    def load(name: str) -> ModuleType:
        spec = importlib.util.spec_from_file_location(f"benchmark_{name}", root / "benchmarks" / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load


@pytest.fixture(scope="session")
def nmnist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A made-up N-MNIST in its published layout: 40 recordings to train on, 20 to test, 300 events each.

    A recording shows a bar of one polarity in the rows of its class.
    """
    folder = tmp_path_factory.mktemp("events")
    random = np.random.default_rng(0)
    for part, count in (("Train", 40), ("Test", 20)):
        for number in range(count):
            label = number * 7 % 10
            x, y = random.integers(0, 34, 300), 3 * label + random.integers(0, 3, 300)
            t = np.sort(random.integers(0, 315_000, 300))
            third = (label % 2) << 7 | t >> 16  # polarity, and the highest bits of the time
            file = folder / part / str(label) / f"{number + 1:05d}.bin"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(np.stack([x, y, third, t >> 8 & 255, t & 255], axis=1).astype(np.uint8).tobytes())
    return folder


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.environ.get("SPIKEWRIGHT_NETWORK") == "1":
        return
    for item in items:
        if item.get_closest_marker("network"):
            item.add_marker(pytest.mark.skip(reason="downloads something; SPIKEWRIGHT_NETWORK=1 runs it"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if item.get_closest_marker("lava") is None:
        return report
    if report.skipped and REQUIRE_LAVA and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = (
            f"SPIKEWRIGHT_REQUIRE_LAVA=1 lets no Lava test be skipped, and this one was: {report.longrepr}"
        )
    elif report.when == "call":
        report.user_properties.append(RAN_LAVA)
    return report


def pytest_collectreport(report: pytest.CollectReport) -> None:
    # A module that skips itself (importorskip at its top) has no items to mark: Lava tests must not do that.
    if report.skipped and REQUIRE_LAVA and "lava" in str(report.longrepr).lower():
        report.outcome = "failed"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = terminalreporter.getreports("passed") + terminalreporter.getreports("failed")
    ran = sum(RAN_LAVA in report.user_properties for report in reports if isinstance(report, pytest.TestReport))
    terminalreporter.write_line(f"tests that ran Lava: {ran}")
