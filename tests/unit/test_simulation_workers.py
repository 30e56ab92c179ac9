"""Samples shared among processes are counted as in one process, in every byte; what goes wrong in one is one error."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import spikewright as sw
from spikewright.base.errors import InputError, SpikewrightError
from spikewright.base.interrupt import Interrupted
from spikewright.chip.activity_file import as_json
from spikewright.chip.chip_file import save_chip
from spikewright.chip.network import ChipNetwork, Connection, Neuron, Population
from spikewright.data.output_rule import OutputRule
from spikewright.simulation import worker, workers
from spikewright.simulation.simulate import simulate
from spikewright.simulation.worker import Files, Job
from spikewright.simulation.workers import check_workers, pieces_of

SOON_S = 15.0


def network(encoding: str = "events", readout: str = "membrane", bits: int = 0, timesteps: int = 3) -> ChipNetwork:
    """Nine inputs, a hidden population and four outputs."""
    random = np.random.default_rng(4)
    hidden = Neuron(4095, 300, 90, random.integers(-20, 30, 12))
    last = Neuron(4000, 10, 131071 if readout == "membrane" else 60, np.zeros(4, np.int64), fires=readout == "count")
    populations = (
        Population("input", (9,), "input", None, bits),
        Population("hidden", (12,), "hidden", hidden),
        Population("readout", (4,), "readout", last),
    )
    connections = (
        Connection("input", "hidden", 2 * random.integers(-60, 127, (12, 9))),
        Connection("hidden", "readout", 2 * random.integers(-128, 127, (4, 12))),
    )
    return ChipNetwork(populations, connections, timesteps, encoding, readout, "none", "")


def samples_of(chip: ChipNetwork, count: int) -> tuple[Any, Any]:
    random = np.random.default_rng(count)
    shape = (count, chip.timesteps, 9) if chip.encoding == "events" else (count, 9)
    images = random.random(shape, np.float32)
    if chip.encoding == "events":
        images = (images < 0.4).astype(np.uint8)
    if chip.meaning.is_classes:
        return images, random.integers(0, 4, count)
    return images, random.normal(size=(count, 4))


class InThisProcess:
    """A stand-in for a child: a thread does the worker's tasks in a folder."""

    def __init__(self, code: str, prefix: str) -> None:
        assert (code, prefix) == (workers.CODE, workers.FOLDER)
        self._room, self._ended = tempfile.TemporaryDirectory(), threading.Event()

    def __enter__(self) -> InThisProcess:
        self.folder = Path(self._room.name)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        assert self._ended.is_set(), "all are told to end before one is waited for"
        self._thread.join()
        left = {path.name for path in self.folder.iterdir()} - {"job.json", "chip.h5"}
        assert error is not None or left == set()
        self._room.cleanup()

    def start(self) -> None:
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def let_go_soon(self) -> None:
        self._ended.set()

    def wait(self, seconds: float) -> int | None:
        time.sleep(seconds)
        return None

    def _work(self) -> None:
        job = Job(**json.loads((self.folder / "job.json").read_text()))
        chip = worker.load_chip(job.chip)
        number = 0
        while not self._ended.is_set():
            files = Files(self.folder, number)
            if files.drive.exists():
                worker._do(job, chip, files)
                number += 1
            time.sleep(0.001)


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers are threads of this process."""
    monkeypatch.setattr(workers, "Child", InThisProcess)


REGRESSION = OutputRule("regression", names=("a", "b", "c", "d"), center=(0.0,) * 4, spread=(2.0,) * 4)
CHIPS = {
    "events": network(),
    "rate": network("rate", "count"),
    "latency": network("latency"),
    "direct": network("direct", bits=3),
    "values": replace(network("direct", bits=3), meaning=REGRESSION, provenance={"scales": {"readout": 3.5}}),
}


@settings(max_examples=40, deadline=None)
@given(
    kind=st.sampled_from(sorted(CHIPS)),
    count=st.integers(1, 23),
    batch=st.integers(1, 25),
    shared=st.integers(2, 5),
    seed=st.integers(0, 3),
)
def test_shared_samples_are_counted_as_in_one_process(
    kind: str, count: int, batch: int, shared: int, seed: int
) -> None:
    chip, data = CHIPS[kind], samples_of(CHIPS[kind], count)
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        patch.setattr(workers, "Child", InThisProcess)
        whole, parts, done = Path(folder) / "whole.h5", Path(folder) / "parts.h5", list[int]()
        one = simulate(chip, data, batch=batch, seed=seed, record=whole, chip_sha256="ab")
        other = simulate(
            chip, data, batch=batch, seed=seed, record=parts, chip_sha256="ab", workers=shared, progress=done.append
        )
        assert json.dumps(as_json(one)) == json.dumps(as_json(other))
        assert whole.read_bytes() == parts.read_bytes()
    assert one.answers is not None
    assert other.answers is not None
    np.testing.assert_array_equal(one.answers.scores, other.answers.scores)
    np.testing.assert_array_equal(one.answers.answers, other.answers.answers)
    np.testing.assert_array_equal(one.answers.labels, other.answers.labels)
    assert sum(done) == count


@given(samples=st.integers(1, 300), batch=st.integers(1, 90), shared=st.integers(1, 9))
def test_pieces_are_all_samples_in_their_order(samples: int, batch: int, shared: int) -> None:
    pieces = pieces_of(samples, batch, shared)
    assert [i for each in pieces for i in range(each.samples.start, each.samples.stop)] == list(range(samples))
    ends = [each.samples.stop for each in pieces if each.ends_batch]
    assert ends == [*range(batch, samples, batch), samples]
    sizes = [each.samples.stop - each.samples.start for each in pieces]
    assert 0 < max(sizes) <= -(-min(batch, samples) // shared)


def test_one_piece_needs_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "Child", None)
    chip = network()
    assert simulate(chip, samples_of(chip, 1), workers=3).samples == 1


def said_of(refused: int | float | bool | str, on: str = "integer") -> str:
    with pytest.raises(InputError) as refusal:
        check_workers(refused, on, network())  # type: ignore[arg-type]
    return str(refusal.value)


@pytest.mark.parametrize("number", [0, -1, 257, 2.0, True, "2", None])
def test_nonsense_numbers_are_refused(number: Any) -> None:
    assert said_of(number).startswith(f"workers{'' if number is None else f'={number}'}: ")
    assert said_of(number).endswith(": may be a whole number from 1 to 256")
    with pytest.raises(InputError, match="may be a whole number from 1 to 256"):
        sw.simulate(network(), samples_of(network(), 2), workers=number)


@pytest.mark.parametrize(
    ("on", "why"),
    [
        ("lava", "Lava runs a process for each population"),
        ("netx", "Lava runs a process for each population"),
        ("student", "a student is simulated where it is"),
        ("float", "a student is simulated where it is"),
    ],
)
def test_other_simulators_are_not_shared(on: str, why: str) -> None:
    said = "workers=2: processes share the samples of the simulator 'integer' alone"
    assert said_of(2, on) == f"{said}; {why}: leave it out"
    check_workers(1, on, network())


def test_more_than_the_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    each = workers.WORKER_BYTES + 2 * (12 * 9 + 4 * 12)
    monkeypatch.setattr(workers, "available_bytes", lambda: 3 * each)
    check_workers(3, "integer", network())
    assert said_of(4) == "workers=4: they take about 1 GiB of memory, and 0.75 GiB are there; may be 3"


@pytest.fixture
def traces(campaign: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The traces of what a test starts."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    made = campaign("traces").Traces(os.urandom(8).hex(), folder)
    for name, value in made.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield made
    for each in made.processes():
        os.kill(each, signal.SIGKILL)


def test_processes_count_the_same_and_leave_nothing(traces: Any, tmp_path: Path) -> None:
    chip = network()
    data = samples_of(chip, 12)
    one = simulate(chip, data, batch=5, record=tmp_path / "one.h5")
    other = simulate(chip, data, batch=5, record=tmp_path / "two.h5", workers=2)
    assert json.dumps(as_json(one)) == json.dumps(as_json(other))
    assert (tmp_path / "one.h5").read_bytes() == (tmp_path / "two.h5").read_bytes()
    assert not traces.left_after(SOON_S)[0]


def test_what_a_worker_refuses_is_the_refusal_of_one_process(traces: Any) -> None:
    """Sums of 128 weights of 254 and payloads of 32 bits leave what float64 holds, as 2^46 is the limit."""
    chip = network("direct", bits=32)
    size = 2**7
    first = Connection("input", "hidden", np.full((12, size), 254))
    populations = (replace(chip.input, shape=(size,)), *chip.populations[1:])
    chip = replace(chip, populations=populations, connections=(first, chip.connections[1]))
    data = (np.ones((4, size), np.float32), np.zeros(4, np.int64))
    said = []
    for count in (1, 2):
        with pytest.raises(InputError) as refusal:
            simulate(chip, data, workers=count)
        said.append(refusal.value.message)
    assert said[0] == said[1]
    assert "its synaptic input may reach" in said[0]
    assert not traces.left_after(SOON_S)[0]


def test_a_worker_that_fails_or_is_killed_is_one_error(traces: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    chip = network()
    monkeypatch.setattr(workers, "CODE", "import spikewright.nothing")
    with pytest.raises(SpikewrightError) as failure:
        simulate(chip, samples_of(chip, 4), workers=2)
    said = str(failure.value)
    assert said.startswith("workers: one of the processes that simulate failed (exit code 1)\n  Traceback")
    assert said.endswith("\n  ModuleNotFoundError: No module named 'spikewright.nothing'")
    monkeypatch.setattr(workers, "CODE", "import os; os.kill(os.getpid(), 9)")
    with pytest.raises(SpikewrightError) as failure:
        simulate(chip, samples_of(chip, 4), workers=2)
    assert str(failure.value).startswith("workers: one of the processes that simulate was ended by SIGKILL; the system")
    assert not traces.left_after(SOON_S)[0]


def test_a_failure_here_ends_the_workers(traces: Any) -> None:
    chip = network()

    def stop(_: int) -> None:
        raise Interrupted("stopped")

    with pytest.raises(Interrupted):
        simulate(chip, samples_of(chip, 8), batch=2, workers=2, progress=stop)
    assert not traces.left_after(SOON_S)[0]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGKILL, -9)])
def test_a_command_that_is_ended_leaves_nothing(
    number: signal.Signals, code: int, root: Path, tmp_path: Path, traces: Any
) -> None:
    chip = network("direct", bits=4, timesteps=60_000)
    first = Connection("input", "hidden", np.resize(chip.connections[0].weight, (12, 64)))
    last = Connection("hidden", "readout", np.resize(chip.connections[1].weight, (10, 12)))
    readout = replace(chip.output, shape=(10,), neuron=replace(chip.output.neuron, bias=np.zeros(10, np.int64)))
    populations = (replace(chip.input, shape=(1, 8, 8)), chip.populations[1], readout)
    save_chip(replace(chip, populations=populations, connections=(first, last)), tmp_path / "chip.h5")
    # A shell's background job ignores Ctrl-C, and so would what it starts.
    heed = "import signal as s; s.signal(s.SIGINT, s.default_int_handler)"
    start = f"{heed}; import sys; from spikewright.commands.cli import main; sys.exit(main(sys.argv[1:]))"
    words = ["simulate", str(tmp_path / "chip.h5"), "--workers", "2", "--batch", "2", "-o", str(tmp_path / "a.json")]
    environment = {**os.environ, "PYTHONPATH": str(root / "src")}
    command = [sys.executable, "-c", start, *words]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 120
        while len(traces.processes()) < 5:  # this command, and for each worker a keeper and itself
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.05)
        time.sleep(0.5)
        process.send_signal(number)
        left, _ = traces.left_after(SOON_S)
        assert not left
        said = process.communicate(timeout=SOON_S)[1]
    assert process.returncode == code, said
    assert "Traceback" not in said
    assert not (tmp_path / "a.json").exists()
