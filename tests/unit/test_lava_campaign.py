"""The campaign of Lava runs finds what is left behind: planted processes, shared memory and files."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Callable
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

pytestmark = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc")


def outcome(number: int, **more: Any) -> dict[str, Any]:
    made = {"number": number, "kind": "dense", "way": "undisturbed", "result": "same", "seconds": 1.0, "gone_s": 0.0}
    return {**made, "processes": 0, "shared": 0, "files": 0, "part": 0, "open_files": 5, "memory": 1 << 28, **more}


@pytest.fixture
def faults(campaign: Callable[[str], ModuleType]) -> Callable[..., list[str]]:
    """The faults in the summary of some runs."""
    summary_of = campaign("lava_runs.__main__").summary_of
    return lambda *outcomes: summary_of(outcomes, len(outcomes))["faults"]


def test_planted_traces_are_found(campaign: Callable[[str], ModuleType], tmp_path: Path) -> None:
    traces = campaign("traces").Traces(uuid.uuid4().hex, tmp_path)
    assert not traces.left()
    # The process of a process that has ended: its parent is another's.
    orphan = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])"
    subprocess.run([sys.executable, "-c", orphan], env={**os.environ, **traces.environment}, check=True)
    (tmp_path / "spikewright-lava-x").mkdir()
    makes = (
        "from multiprocessing.shared_memory import SharedMemory as S; from multiprocessing import resource_tracker as r"
    )
    names = "s = S(create=True, size=8); r.unregister(s._name, 'shared_memory'); print(s.name)"
    made = subprocess.run([sys.executable, "-c", f"{makes}; {names}"], capture_output=True, text=True, check=True)
    try:
        left, seconds = traces.left_after(0.1)
        assert len(left.processes) == 1
        assert made.stdout.strip() in left.shared
        assert left.files == ("spikewright-lava-x",)
        assert seconds >= 0.1
    finally:
        SharedMemory(made.stdout.strip()).unlink()
        for each in traces.processes():
            os.kill(each, 9)


def test_shared_memory_that_somebody_else_uses_is_not_counted(
    campaign: Callable[[str], ModuleType], tmp_path: Path
) -> None:
    traces = campaign("traces").Traces(uuid.uuid4().hex, tmp_path)
    theirs = SharedMemory(create=True, size=8)
    try:
        assert theirs.name not in traces.left().shared
    finally:
        theirs.close()
        theirs.unlink()


def test_a_clean_campaign_has_no_faults(faults: Callable[..., list[str]]) -> None:
    assert faults(*(outcome(number) for number in range(20))) == []
    assert faults(outcome(0), outcome(1, way="call: SIGINT", result="ended")) == []


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"processes": 2}, "run 1 (dense, undisturbed) left 2 processes"),
        ({"shared": 1}, "run 1 (dense, undisturbed) left 1 shared"),
        ({"files": 1}, "run 1 (dense, undisturbed) left 1 files"),
        ({"result": "different"}, "run 1 (dense, undisturbed): different"),
        ({"result": "ended"}, "run 1 (dense, undisturbed): ended"),
        ({"result": "failed: no", "way": "keeper: SIGKILL"}, "run 1 (dense, keeper: SIGKILL): failed: no"),
    ],
)
def test_every_fault_is_said(wrong: dict[str, Any], said: str, faults: Callable[..., list[str]]) -> None:
    assert faults(outcome(0), outcome(1, **wrong)) == [said]


@pytest.mark.parametrize("more", [{"open_files": 6}, {"memory": (1 << 28) + (33 << 20)}])
def test_growth_of_a_runner_is_a_fault(more: dict[str, Any], faults: Callable[..., list[str]]) -> None:
    (said,) = faults(*(outcome(number, **(more if number > 15 else {})) for number in range(20)))
    assert said.startswith("runner 0 grew: ")


def test_runs_that_were_not_made_are_a_fault(campaign: Callable[[str], ModuleType]) -> None:
    summary = campaign("lava_runs.__main__").summary_of([outcome(0)], 2)
    assert summary["faults"] == ["1 of 2 runs were made"]
