"""``spikewright to-nir``: the file, what is said, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from spikewright.artefacts import sha256_of
from spikewright.cli import main
from spikewright.convert.nir_io import read_graph
from spikewright.train.student import Student, StudentConfig, save_student


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    path = tmp_path / "student.pt"
    save_student(Student(StudentConfig("mlp", 6, (1, 8, 8), 10, 4)).eval(), path, {"seed": 7, "teacher_macs": 99})
    return path


def test_a_student_becomes_a_file_that_is_compared(saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = saved.with_suffix(".nir")
    assert main(["to-nir", str(saved), "-o", str(out), "--samples", "5"]) == 0
    said, progress = capsys.readouterr()
    assert said == f"{out}\n"
    assert progress == (
        f"{out}: computes what {saved} does: 240 spikes and silences and the readout equal on 5 samples\n"
    )
    metadata = read_graph(out).metadata
    assert metadata["parent_sha256"] == sha256_of(saved)
    assert metadata["teacher_macs"] == 99
    assert json.loads(metadata["provenance"])["seed"] == 7


def test_samples_of_a_data_set(saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = saved.with_suffix(".nir")
    assert main(["to-nir", str(saved), "-o", str(out), "--samples", "8", "--data", "digits", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["nir"] == str(out)
    assert said["samples"] + said["ties"] == 8
    assert said["spikes"] == 48 * said["samples"]


def test_samples_of_the_wrong_shape(saved: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    torch.manual_seed(0)
    other = tmp_path / "other.pt"
    save_student(Student(StudentConfig("mlp", 6, (1, 9, 9), 10, 4)).eval(), other, {})
    assert main(["to-nir", str(other), "-o", str(tmp_path / "x.nir"), "--data", "digits"]) == 2
    assert capsys.readouterr().err == (
        "error: --data digits: its samples have shape (1, 8, 8); the student takes (1, 9, 9)\n"
    )
    assert not (tmp_path / "x.nir").exists()


def test_a_file_that_is_no_student(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "student.pt"
    assert main(["to-nir", str(path)]) == 2
    assert capsys.readouterr().err == (
        f"error: {path}: there is no such file; expected a student written by `spikewright distill`\n"
    )


def test_a_folder_that_is_not_there(saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = saved.parent / "none" / "s.nir"
    assert main(["to-nir", str(saved), "-o", str(out)]) == 2
    assert capsys.readouterr().err == (
        f"error: {out}: the folder {out.parent} does not exist; create it or choose another path\n"
    )
