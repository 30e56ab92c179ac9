"""No command writes over what it reads, nor two things to one place."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from spikewright.commands.cli import main
from spikewright.student.config import StudentConfig
from spikewright.student.student import Student, save_student


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    torch.manual_seed(0)
    monkeypatch.chdir(tmp_path)
    save_student(Student(StudentConfig("mlp", 4, (1, 8, 8), 10, 3)).eval(), Path("student.pt"), {})
    assert main(["to-nir", "student.pt", "-o", "student.nir"]) == 0
    assert main(["lower", "student.nir", "-o", "chip.h5", "--emit", "netx"]) == 0
    assert main(["simulate", "chip.h5", "--data", "digits", "--samples", "5", "-o", "activity.json"]) == 0
    capsys.readouterr()
    return tmp_path


READ = "is read by this command, and would be written over; choose another path"
TWICE = "is the place of two outputs; give each a path of its own"
WORDS = [
    ("to-nir student.pt -o student.pt", "student.pt", READ),
    ("to-nir student.pt -o q.nir --reference student.pt", "student.pt", READ),
    ("to-nir student.pt -o r.nir --reference r.nir", "r.nir", TWICE),
    ("to-nir student.pt -o r.nir --reference r.md", "r.md", TWICE),
    ("to-nir student.nir -o student.nir --for norse", "student.nir", READ),
    ("lower student.nir -o student.nir", "student.nir", READ),
    ("lower chip.net -T 3 --encoding rate -o chip.h5 --emit netx", "chip.net", READ),
    ("simulate chip.h5 --data digits -o chip.h5", "chip.h5", READ),
    ("simulate chip.h5 --data digits -o a.json --scores a.json", "a.json", TWICE),
    ("draw chip.h5 -o ./chip.h5", "chip.h5", "the picture is an SVG file; let its name end in .svg"),
    ("check student.nir --repair -o student.nir", "student.nir", READ),
    ("report activity.json chip.h5 -o activity", "activity.json", READ),
    ("distill --data digits --init student.pt -o student.pt", "student.pt", READ),
    ("run --data digits --teacher student.pt --out .", "student.pt", READ),
]


@pytest.mark.parametrize(("words", "file", "says"), WORDS, ids=[words for words, _, _ in WORDS])
def test_it_is_refused_and_nothing_changes(
    words: str, file: str, says: str, made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path.name: path.read_bytes() for path in made.iterdir()}
    assert main(words.split()) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert file in said and said.endswith(says)
    assert {path.name: path.read_bytes() for path in made.iterdir()} == before


def test_a_file_in_the_place_of_a_folder(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (made / "new_lava").write_text("mine")
    assert main(["lower", "student.nir", "-o", "new.h5", "--emit", "lava"]) == 2
    assert "new_lava: is there and is no folder, which --emit lava makes; move it away" in capsys.readouterr().err
    assert not (made / "new.h5").exists()
