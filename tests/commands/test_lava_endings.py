"""A simulation on Lava that is ended in any way leaves no process, no shared memory and no temporary file."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spikewright.base.errors import SpikewrightError
from spikewright.chip.chip_file import save_chip
from spikewright.chip.network import ChipNetwork, Connection, Neuron, Population
from spikewright.simulation.lava import backend as on_lava

pytestmark = [pytest.mark.lava, pytest.mark.slow]

UNDER_WAY = 9
"""Processes of a run whose Lava has started: the keeper, Lava's builder, and at least seven that it forks."""
SOON_S = 10.0
"""Within which nothing is left, on a loaded machine."""


@pytest.fixture(autouse=True)
def lava() -> None:
    if importlib.util.find_spec("lava") is None:
        pytest.skip("Lava is not installed (it needs Python 3.10)")


@pytest.fixture
def chip() -> ChipNetwork:
    """A network for the digits that takes Lava a minute for 250 samples."""
    random = np.random.default_rng(2)
    hidden = Neuron(4095, 400, 2000, np.zeros(4, dtype=np.int64))
    readout = Neuron(4095, 100, 131071, np.zeros(10, dtype=np.int64), fires=False)
    populations = (
        Population("input", (1, 8, 8), "input", None, 4),
        Population("hidden", (4,), "hidden", hidden),
        Population("readout", (10,), "readout", readout),
    )
    connections = (
        Connection("input", "hidden", 2 * random.integers(-30, 60, (4, 64))),
        Connection("hidden", "readout", 2 * random.integers(-60, 60, (10, 4))),
    )
    return ChipNetwork(populations, connections, 100, "direct", "membrane", "none", "")


@pytest.fixture
def traces(campaign: Callable[[str], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The traces of what this test starts."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    made = campaign("traces").Traces(uuid.uuid4().hex, folder)
    for name, value in made.environment.items():
        monkeypatch.setenv(name, value)
    yield made
    for each in made.processes():
        os.kill(each, signal.SIGKILL)


def wait_until_under_way(traces: Any, ended: Callable[[], bool] = lambda: False) -> None:
    deadline = time.monotonic() + 120
    while len(traces.processes()) < UNDER_WAY and not ended():
        assert time.monotonic() < deadline, traces.left()
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("signals", "code"),
    [
        ((signal.SIGTERM,), 143),
        ((signal.SIGHUP,), 129),
        ((signal.SIGINT, signal.SIGINT), 130),
        ((signal.SIGQUIT,), -signal.SIGQUIT),
        ((signal.SIGKILL,), -signal.SIGKILL),
    ],
    ids=lambda value: "+".join(each.name for each in value) if isinstance(value, tuple) else None,
)
def test_a_command_that_is_ended(
    signals: tuple[signal.Signals, ...], code: int, chip: ChipNetwork, root: Path, tmp_path: Path, traces: Any
) -> None:
    save_chip(chip, tmp_path / "chip.h5")
    # A shell's background job ignores Ctrl-C, and so would what it starts; a run without a terminal ignores SIGHUP.
    heed = "import signal as s; s.signal(s.SIGINT, s.default_int_handler); s.signal(s.SIGHUP, s.SIG_DFL)"
    start = f"{heed}; import sys; from spikewright.commands.cli import main; sys.exit(main(sys.argv[1:]))"
    words = ["simulate", str(tmp_path / "chip.h5"), "--on", "lava", "--samples", "250", "-o", str(tmp_path / "a.json")]
    environment = {**os.environ, "PYTHONPATH": str(root / "src")}
    command = [sys.executable, "-c", start, *words]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        wait_until_under_way(traces, lambda: process.poll() is not None)
        for number in signals:
            process.send_signal(number)
            time.sleep(0.2)
        left, _ = traces.left_after(SOON_S)
        assert not left
        said = process.communicate(timeout=SOON_S)[1]
    # The second interrupt may come when all is said and Python itself ends; a shell says 130 then, too.
    assert process.returncode in ((code, -signal.SIGINT) if len(signals) > 1 else (code,)), said
    assert "Traceback" not in said
    assert not (tmp_path / "a.json").exists()


@pytest.mark.parametrize(
    ("who", "said"),
    [
        ("worker", "Lava's process was ended by SIGKILL; the system does that when memory runs out"),
        ("actor", "one of Lava's processes was killed; the system does that when memory runs out"),
        ("keeper", "Lava's process was ended by SIGKILL"),
        ("nobody", "Lava's process said nothing for 6 s and was ended"),
        ("interrupt", ""),
    ],
)
def test_a_call_whose_processes_end(who: str, said: str, chip: ChipNetwork, traces: Any) -> None:
    drive = np.random.default_rng(0).integers(0, 16, (1, 1, 1, 8, 8))
    slow = replace(chip, timesteps=30000)  # so that the sample is not done within the limit

    def kill() -> None:
        wait_until_under_way(traces)
        tree = traces.parents()
        (keeper,) = [each for each, parent in tree.items() if parent == os.getpid()]
        (worker,) = [each for each, parent in tree.items() if parent == keeper]
        if who == "interrupt":
            os.kill(os.getpid(), signal.SIGINT)
            return
        actor = max(each for each, parent in tree.items() if parent == worker)
        os.kill({"worker": worker, "actor": actor, "keeper": keeper}[who], signal.SIGKILL)

    killer = threading.Thread(target=kill)
    limit = 6.0 if who == "nobody" else 120.0
    expected = KeyboardInterrupt if who == "interrupt" else SpikewrightError
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        if who != "nobody":
            killer.start()
        with pytest.raises(expected) as failure:
            on_lava.run(slow, drive, time_limit_s=limit)
    finally:
        signal.signal(signal.SIGINT, handler)
    assert not traces.left()
    assert said in str(failure.value)
    if who != "nobody":
        killer.join()
