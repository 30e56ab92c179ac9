"""Events made by a simulation, from data to report: the commands as they are typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from spikewright.commands.cli import main

QUICK = ["--teacher", "mlp", "--teacher-epochs", "1", "--epochs", "2", "--batch", "256", "--json"]


def ran(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[dict, str]:
    code = main([str(word) for word in (*words, *QUICK)])
    captured = capsys.readouterr()
    assert code == 0, captured.err
    return json.loads(captured.out), captured.err


def test_digits_in_front_of_a_camera(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--data", "digits-events", "--width", 4, "-T", 3, "--samples-lava", 0, "-o", tmp_path]
    verdict, said = ran(capsys, "run", *words)
    assert (verdict["timesteps"], verdict["samples"]["integer"]) == (3, 359)
    assert verdict["accuracy"]["student"] == verdict["accuracy"]["integer"]
    assert "teacher: mlp on digits, validation accuracy " in said


def test_signals_in_one_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("mnist1d", reason="mnist1d is not installed (the extra `data`)")
    words = ["--data", "mnist1d", "--architecture", "mlp", "--width", 8, "-T", 5, "--samples-lava", 0]
    verdict, said = ran(capsys, "run", *words, "-o", tmp_path)
    assert (verdict["timesteps"], verdict["samples"]["integer"]) == (5, 1000)
    assert "teacher: mlp on mnist1d, validation accuracy " in said
    activity = json.loads((tmp_path / "activity.json").read_text())
    assert sum(activity["populations"]["input"]["spikes"]) == 1000 * 5  # one event for each sample and step


def test_more_frames_than_instants_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["distill", "--data", "digits-events", "-T", "31", "-o", str(tmp_path / "student.pt")]) == 2
    assert capsys.readouterr().err.strip() == (
        "error: digits-events: timesteps is 31; may be 1 to 30, the instants of the simulation"
    )
