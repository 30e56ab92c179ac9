"""What is said of a budget below the floor: whole transcripts, kept in ``budgets/``.

A floor follows from the structure, the profile and the images alone; no training is behind these numbers.
"""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from spikewright.commands.cli import main

FOLDER = Path(__file__).with_name("budgets")
COMMANDS = {
    "whatever_the_size": "distill --data digits --energy-budget 1nJ",
    "a_given_size": "distill --data digits --width 8 --timesteps 4 --energy-budget 150nJ",
    "relative_operations": "distill --data digits --profile loihi2 --energy-budget 1.5kops",
    "neurons_as_input": "distill --data digits --profile loihi1-davies --timesteps 6 --energy-budget 50nJ",
    "the_whole_road": "run --data digits --encoding rate --energy-budget 1nJ",
}


def test_nothing_is_kept_that_no_case_makes() -> None:
    assert {path.stem for path in FOLDER.glob("*.txt")} == COMMANDS.keys()


@pytest.mark.parametrize("name", COMMANDS)
def test_a_budget_below_the_floor(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    code = main(shlex.split(COMMANDS[name]))
    out, err = capsys.readouterr()
    assert f"$ spikewright {COMMANDS[name]}\n{out}{err}exit {code}\n" == (FOLDER / f"{name}.txt").read_text("utf-8")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
