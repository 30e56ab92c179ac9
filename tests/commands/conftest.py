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


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Artefacts:
    folder = tmp_path_factory.mktemp("small")
    for each in (folder, folder.parent, folder.parent.parent):
        each.chmod(0o755)  # for those who are not root
    files = Artefacts(*(folder / name for name in ("student.pt", "student.nir", "chip.h5", "activity.json")))
    save_student(Student(StudentConfig("mlp", 2, (1, 8, 8), 10, 2)), files.student, {})
    assert main(["to-nir", str(files.student), "-o", str(files.graph), "--no-card", "--samples", "2"]) == 0
    assert main(["lower", str(files.graph), "-o", str(files.chip)]) == 0
    assert main(["simulate", str(files.chip), "--samples", "4", "-o", str(files.activity)]) == 0
    return files


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
        ["run", "--width", "x"],
    ]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(root / "src"), "OMP_NUM_THREADS": "1"}

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
