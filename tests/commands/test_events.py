"""Event data from recordings to report: made-up recordings, the commands as they are typed."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from spikewright.commands.cli import main

SMALL = ["--data", "nmnist", "--width", "2", "--epochs", "2", "--batch", "6"]


@pytest.fixture
def did(capsys: pytest.CaptureFixture[str]) -> Callable[[Sequence[object]], str]:
    """Run a command that must end well; gives what it printed on stdout."""

    def run(words: Sequence[object]) -> str:
        code = main([str(word) for word in words])
        captured = capsys.readouterr()
        assert code == 0, captured.err
        return captured.out

    return run


def test_stage_by_stage(nmnist: Path, tmp_path: Path, did: Callable[[Sequence[object]], str]) -> None:
    student, graph, chip = (tmp_path / name for name in ("student.pt", "student.nir", "chip.h5"))
    here = ["--data-dir", nmnist]
    made = json.loads(did(["distill", *SMALL, *here, "-T", 4, "--method", "none", "-o", student, "--json"]))
    assert made["student"]["encoding"] == "events"
    assert (made["student"]["timesteps"], made["student"]["input_shape"]) == (4, [2, 34, 34])
    did(["to-nir", student, "-o", graph])
    compared = json.loads(did(["to-nir", student, "-o", graph, "--data", "nmnist", *here, "--json"]))
    assert compared["samples"] == 4  # the whole validation part
    did(["lower", graph, "--profile", "loihi1-davies", "-o", chip])
    words = ["simulate", chip, "--data", "nmnist", *here, "-o", tmp_path / "activity.json", "--json"]
    activity = json.loads(did(words))
    assert activity["samples"] == 20
    from spikewright.data.load import load

    events = int(load("nmnist", nmnist, 4).test.samples.sum())
    assert sum(activity["populations"]["input"]["spikes"]) == events


def test_in_one_command_with_a_teacher(nmnist: Path, tmp_path: Path, did: Callable[[Sequence[object]], str]) -> None:
    words = ["run", *SMALL, "--data-dir", nmnist, "--teacher", "mlp", "--teacher-epochs", "2", "--samples-lava", "0"]
    verdict = json.loads(did([*words, "-o", tmp_path, "--json"]))
    assert verdict["samples"]["integer"] == 20
    assert verdict["timesteps"] == 10


@pytest.mark.lava
def test_all_simulators_agree(nmnist: Path, tmp_path: Path, did: Callable[[Sequence[object]], str]) -> None:
    pytest.importorskip("lava")
    words = ["run", *SMALL, "--data-dir", nmnist, "-T", "3", "--method", "none", "--samples-lava", "3"]
    verdict = json.loads(did([*words, "-o", tmp_path, "--json"]))
    assert verdict["mismatches"] == {"student_integer": 0, "integer_lava": 0, "integer_netx": 0}


def test_images_do_not_fit_an_event_network(
    nmnist: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], did: Callable[[Sequence[object]], str]
) -> None:
    student = tmp_path / "student.pt"
    did(["distill", *SMALL, "--data-dir", nmnist, "-T", "3", "--method", "none", "-o", student])
    assert main(["to-nir", str(student), "--data", "digits", "-o", str(tmp_path / "student.nir")]) == 2
    assert capsys.readouterr().err.strip().splitlines()[-1] == (
        "error: --data digits: its samples have shape (1, 8, 8); the student takes (3, 2, 34, 34)"
    )
