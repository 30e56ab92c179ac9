"""Two commands on one output: the second is refused at once, and nothing is mixed."""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from spikewright.base import lock
from spikewright.base.errors import InputError
from spikewright.base.lock import only_writer
from spikewright.bench.run import run_with
from spikewright.commands.cli import main
from spikewright.training.distill import distill_to
from spikewright.training.settings import DistillSettings

QUICK = DistillSettings.of(
    train_samples=40, architecture="mlp", width=2, timesteps=1, epochs=1, method="none", integer_from=1.0
)
FLAGS = ["--train-samples", "40", "--architecture", "mlp", "--width", "2", "-T", "1", "--epochs", "1"]
REFUSED = "is writing it; wait until that has ended, or choose another path"


def words_for(what: str, folder: Path, small: Any) -> list[str]:
    """The command line of ``what`` with its output in ``folder``."""
    return {
        "distill": ["distill", *FLAGS, "-o", f"{folder}/student.pt"],
        "run": ["run", *FLAGS, "-o", str(folder)],
        "to-nir": ["to-nir", str(small.student), "-o", f"{folder}/student.nir"],
        "lower": ["lower", str(small.graph), "-o", f"{folder}/chip.h5"],
        "simulate": ["simulate", str(small.chip), "-o", f"{folder}/activity.json"],
        "report": ["report", str(small.activity), str(small.chip), "-o", f"{folder}/report"],
        "drift": ["drift", str(small.graph), str(small.chip), "-o", f"{folder}/drift.md"],
        "check": ["check", str(small.graph), "--repair", "-o", f"{folder}/repaired.nir"],
        "data": ["data", "digits", "--show", f"{folder}/shown.png"],
    }[what]


HELD = {
    "distill": "student.pt", "run": "student.pt", "to-nir": "student.nir", "lower": "chip.h5",
    "simulate": "activity.json", "report": "report.json", "drift": "drift.md", "check": "repaired.nir",
    "data": "shown.png",
}  # fmt: skip


@pytest.mark.parametrize("what", HELD)
def test_the_second_is_refused_before_any_work(
    what: str, small: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock.os, "getpid", lambda: 4711)  # the holder is another process
    holder = only_writer(tmp_path / HELD[what])
    holder.__enter__()
    monkeypatch.undo()
    assert main(words_for(what, tmp_path, small)) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1, said
    assert said.startswith("error: ")
    assert str(tmp_path) in said
    assert said.endswith(f": process 4711 on {socket.gethostname()} {REFUSED}\n")
    assert [path.name for path in tmp_path.iterdir()] == [f".{HELD[what]}.spikewright-lock"]
    holder.__exit__(None, None, None)
    assert not list(tmp_path.iterdir())


def test_during_a_run_no_other_command_writes_into_its_folder(
    small: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from spikewright.bench.begin import begin

    with begin(QUICK, tmp_path):
        for what in ("distill", "run", "to-nir", "lower", "simulate", "report"):
            assert main(words_for(what, tmp_path, small)) == 2, what
            assert f"this process itself {REFUSED}" in capsys.readouterr().err
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("what", ["distill", "run"])
def test_of_two_threads_one_writes(what: str, tmp_path: Path) -> None:
    """Whoever comes second, one is done and one refused; the student is whole."""
    ends: list[str] = []
    both = threading.Barrier(2)

    def work() -> None:
        both.wait()
        try:
            if what == "distill":
                distill_to(QUICK, tmp_path / "student.pt")
            else:
                run_with(QUICK, tmp_path, samples_lava=0)
            ends.append("done")
        except InputError as error:
            assert REFUSED in str(error)
            ends.append("refused")

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ends) == ["done", "refused"]
    assert (tmp_path / "student.pt").is_file()
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_a_refused_command_leaves_the_next_one_free(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "student.pt"
    assert main(["distill", "--energy-budget", "1pJ", "-o", str(out)]) == 2
    assert "is below the floor" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
    with only_writer(out):
        assert os.listdir(tmp_path) == [".student.pt.spikewright-lock"]
