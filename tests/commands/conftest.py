"""Small artefacts of every kind, and command lines tried in forks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from spikewright.commands.cli import main
from spikewright.student.config import StudentConfig
from spikewright.student.student import Student, save_student


@dataclass(frozen=True)
class Artefacts:
    """Files of one small untrained student of digits."""

    student: Path
    graph: Path
    chip: Path
    activity: Path


@dataclass(frozen=True)
class Ended:
    """How a command line ended."""

    code: int
    said: str
    seconds: float


def open_the_way_to(folder: Path) -> None:
    """Let others than root reach ``folder`` and read it."""
    folder.chmod(0o755)
    for each in folder.parents:
        mode = each.stat().st_mode
        if not mode & 0o001:
            each.chmod(mode | 0o011)


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Artefacts:
    folder = tmp_path_factory.mktemp("small")
    open_the_way_to(folder)
    files = Artefacts(*(folder / name for name in ("student.pt", "student.nir", "chip.h5", "activity.json")))
    save_student(Student(StudentConfig("mlp", 2, (1, 8, 8), 10, 2)), files.student, {})
    assert main(["to-nir", str(files.student), "-o", str(files.graph), "--no-card", "--samples", "2"]) == 0
    assert main(["lower", str(files.graph), "-o", str(files.chip)]) == 0
    assert main(["simulate", str(files.chip), "--samples", "4", "-o", str(files.activity)]) == 0
    return files


@pytest.fixture
def open_folder(tmp_path: Path) -> Path:
    """A folder that others may write into."""
    open_the_way_to(tmp_path)
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(0o777)
    return folder


@pytest.fixture(scope="session")
def tried(
    small: Artefacts, root: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[Sequence[dict[str, Any]]], list[Ended]]]:
    """Tries command lines, each in a fork of one process."""
    folder = tmp_path_factory.mktemp("warm")
    s, g, c, a = (str(file) for file in (small.student, small.graph, small.chip, small.activity))
    warm = [
        ["to-nir", s, "-o", f"{folder}/s.nir", "--samples", "2"],
        ["lower", g, "-o", f"{folder}/c.h5"],
        ["simulate", c, "--samples", "4", "-o", f"{folder}/a.json", "--record", f"{folder}/r.h5"],
        ["report", a, c, "-o", f"{folder}/report"],
        ["drift", g, c, "--samples", "4", "-o", f"{folder}/d.md"],
        ["data", "digits", "--show", f"{folder}/d.png"],
        ["check", g],
        ["methods"],
        ["profiles", "loihi2-assumed"],
        ["distill", "--width", "x"],
        ["distill", "--energy-budget", "1pJ", "-o", f"{folder}/s.pt"],
        ["run", "--width", "x"],
        ["sweep", "--budgets", "60nJ", "--train-samples", "20", "-o", s],
        ["compare", "--methods", "none", "--train-samples", "20", "-o", s],
    ]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(root / "src"), "OMP_NUM_THREADS": "1"}
    environment["_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION"] = "1"  # the shell is named, whoever runs the tests

    words = [sys.executable, "-W", "error", str(Path(__file__).with_name("forked.py"))]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        asks, answers = process.stdin, process.stdout

        def ask(tries: Sequence[dict[str, Any]]) -> list[Ended]:
            asks.write(json.dumps(tries) + "\n")
            asks.flush()
            return [Ended(**each) for each in json.loads(answers.readline())]

        asks.write(json.dumps(warm) + "\n")
        yield ask
        asks.close()
