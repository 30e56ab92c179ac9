"""What every test run has in common: a cache of its own, and plain words about what the Lava tests did."""

from __future__ import annotations

import importlib
import importlib.util
import os
import random
import signal
import struct
import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import h5py
import hypothesis
import numpy as np
import pytest
import torch

REQUIRE_LAVA = os.environ.get("SPIKEWRIGHT_REQUIRE_LAVA") == "1"
RAN_LAVA = ("lava", "ran")
LONG = Path(__file__).with_name("long.txt")
"""Test functions that take long, as benchmarks/long_tests.py lists them."""
hypothesis.settings.register_profile("spikewright", deadline=None)  # the first example may load the compiled loops
hypothesis.settings.load_profile("spikewright")


def pytest_configure() -> None:
    """Heed signals that a shell in the background, or nohup, has made this process and its children ignore."""
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGTERM):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Teachers trained in tests are kept for the run, apart from the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPIKEWRIGHT_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(autouse=True)
def same_random_numbers() -> None:
    """Each test begins with the same global generators, whatever ran before it."""
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def lava_dl_truths() -> Path:
    """The folder of ground truths that lava-dl's wheel installs."""
    spec = importlib.util.find_spec("lava")
    if spec is None or spec.submodule_search_locations is None:
        pytest.skip("lava-dl, which carries these ground truths, is not installed")
    for place in spec.submodule_search_locations:
        folder = Path(place).parent / "tests" / "lava" / "lib" / "dl" / "netx"
        if folder.is_dir():
            return folder
    pytest.skip("this lava-dl was installed without its ground truths")


@pytest.fixture
def killed(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, int], AbstractContextManager[None]]:
    """``with killed("train_on", 6): ...`` ends what trains within it at the sixth call of that method of `Trainer`."""

    class Killed(Exception):
        pass

    @contextmanager
    def killing(method: str, call: int) -> Iterator[None]:
        from spikewright.training.trainer import Trainer

        original, calls = getattr(Trainer, method), list[int]()

        def dies(self: object, *given: object) -> object:
            calls.append(1)
            if len(calls) == call:
                raise Killed
            return original(self, *given)

        with monkeypatch.context() as patched:
            patched.setattr(Trainer, method, dies)
            with pytest.raises(Killed):
                yield

    return killing


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
def campaign(root: Path) -> Callable[[str], ModuleType]:
    """Imports a module of tests/campaigns/ by its name; nothing else is imported from the tests."""

    def load(name: str) -> ModuleType:
        with pytest.MonkeyPatch.context() as patch:
            patch.syspath_prepend(str(root / "tests"))
            return importlib.import_module(f"campaigns.{name}")

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


class EventFiles:
    """Writes events in the formats of cameras: ``t`` in us, ``x``, ``y``, ``p``, ``(n,)`` each."""

    @staticmethod
    def events(label: int, number: int, size: int = 16, count: int = 200) -> tuple[np.ndarray, ...]:
        """Made-up events in the rows of their class, 100 ms long, ``size`` pixels wide and high."""
        random = np.random.default_rng((label, number))
        t = np.sort(random.integers(0, 100_000, count))
        t[0], t[-1] = 0, 99_999
        x, y = random.integers(0, size, count), (4 * label + random.integers(0, 4, count)) % size
        x[0] = y[0] = size - 1
        return t, x, y, random.integers(0, 2, count)

    @staticmethod
    def bin(path: Path, t: np.ndarray, x: np.ndarray, y: np.ndarray, p: np.ndarray) -> None:
        rows = [x, y, p << 7 | t >> 16, t >> 8 & 255, t & 255]
        path.write_bytes(np.stack(rows, axis=1).astype(np.uint8).tobytes())

    @staticmethod
    def dat(path: Path, t: np.ndarray, x: np.ndarray, y: np.ndarray, p: np.ndarray, sizes: str = "") -> None:
        events = np.stack([t, x | y << 14 | p << 28], axis=1).astype("<u4")
        head = f"% Data file containing CD events\n% Version 2\n{sizes}"
        path.write_bytes(head.encode() + bytes([12, 8]) + events.tobytes())

    @staticmethod
    def aedat2(
        path: Path, t: np.ndarray, x: np.ndarray, y: np.ndarray, p: np.ndarray, chip: str = "DVS128", height: int = 128
    ) -> None:
        row = height - 1 - y
        address = p | x << 1 | row << 8 if chip == "DVS128" else p << 11 | x << 12 | row << 22
        events = np.stack([address, t], axis=1).astype(">u4")
        head = f"#!AER-DAT2.0\r\n# Data format is int32 address, int32 timestamp\r\n# AEChip: eu.chips.{chip}\r\n"
        path.write_bytes(head.encode() + events.tobytes())

    @staticmethod
    def aedat3(path: Path, t: np.ndarray, x: np.ndarray, y: np.ndarray, p: np.ndarray, device: str = "DVS128") -> None:
        head = f"#!AER-DAT3.1\r\n#Format: RAW\r\n#Source 1: {device}\r\n#!END-HEADER\r\n".encode()
        address = 1 | p << 1 | y << 2 | x << 17
        body = b""
        for first in range(0, len(t), 64):  # packets of 64 events, and one of another kind in between
            events = np.stack([address, t], axis=1).astype("<u4")[first : first + 64]
            count = len(events)
            body += struct.pack("<hhiiiiii", 1, 1, 8, 4, 0, count, count, count) + events.tobytes()
            body += struct.pack("<hhiiiiii", 0, 1, 8, 4, 0, 1, 1, 1) + bytes(8)
        path.write_bytes(head + body)

    @staticmethod
    def aedat4(
        path: Path, t: np.ndarray, x: np.ndarray, y: np.ndarray, p: np.ndarray, size: tuple[int, int] = (16, 16)
    ) -> None:
        """Flat buffers without compression: a header with the streams in XML, then packets."""
        info = (
            '<dv version="2.0"><node name="outInfo" path="/mainloop/Recorder/outInfo/">'
            '<node name="0" path="/mainloop/Recorder/outInfo/0/"><attr key="compression" type="string">NONE</attr>'
            '<attr key="typeIdentifier" type="string">EVTS</attr>'
            '<node name="info" path="/mainloop/Recorder/outInfo/0/info/">'
            f'<attr key="sizeX" type="int">{size[0]}</attr><attr key="sizeY" type="int">{size[1]}</attr>'
            "</node></node></node></dv>"
        ).encode()
        table = struct.pack("<I4s6xHHHHHiiIq", 24, b"IOHE", 10, 20, 4, 12, 8, 10, 0, 12, -1)
        header = table + struct.pack("<I", len(info)) + info + bytes(4)
        record = np.zeros(len(t), [("t", "<i8"), ("x", "<i2"), ("y", "<i2"), ("on", "?"), ("pad", "V3")])
        record["t"], record["x"], record["y"], record["on"] = t, x, y, p
        body = struct.pack("<I4s2xHHHiII", 16, b"EVTS", 6, 8, 4, 6, 4, len(t)) + record.tobytes()
        packet = struct.pack("<iiI", 0, len(body) + 4, len(body)) + body
        path.write_bytes(b"#!AER-DAT4.0\r\n" + struct.pack("<I", len(header)) + header + packet)

    @staticmethod
    def h5(path: Path, t: np.ndarray, x: np.ndarray, y: np.ndarray, p: np.ndarray, group: str = "events") -> None:
        with h5py.File(path, "w") as file:
            for name, values in (("t", t), ("x", x), ("y", y), ("p", p)):
                file[f"{group}/{name}"] = values

    def folder(
        self,
        root: Path,
        write: Callable[..., None],
        suffix: str,
        classes: Sequence[str] = ("left", "right"),
        **options: Any,
    ) -> Path:
        """A folder of 12 recordings in each class folder."""
        for label, name in enumerate(classes):
            (root / name).mkdir(parents=True)
            for number in range(12):
                write(root / name / f"{number:03d}{suffix}", *self.events(label, number), **options)
        return root


@pytest.fixture(scope="session")
def event_files() -> EventFiles:
    """Writers of files of events."""
    return EventFiles()


@pytest.fixture(scope="session")
def spike_trains() -> Callable[..., None]:
    """Writes a made-up file in the layout of the Heidelberg data sets: two classes, four speakers, 700 units."""

    def write(path: Path, count: int, seed: int = 0) -> None:
        random = np.random.default_rng(seed)
        labels = np.arange(count) % 2
        with h5py.File(path, "w") as file:
            times = file.create_dataset("spikes/times", (count,), h5py.vlen_dtype(np.float16))
            units = file.create_dataset("spikes/units", (count,), h5py.vlen_dtype(np.uint16))
            for row, label in enumerate(labels):
                spikes = 50 + int(random.integers(0, 20))
                times[row] = np.sort(random.uniform(0, 0.9, spikes)).astype(np.float16)
                units[row] = (350 * label + random.integers(0, 350, spikes)).astype(np.uint16)
            file["labels"] = labels.astype(np.uint16)
            file["extra/speaker"] = np.arange(count) // 2 % 4
            file["extra/keys"] = np.array([b"one", b"zwei"])

    return write


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    long = set(LONG.read_text(encoding="utf-8").split())
    for item in items:
        if item.nodeid.partition("[")[0] in long:
            item.add_marker(pytest.mark.long)
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
