"""Two equal runs give equal files, and the same from a shell as the day after."""

from __future__ import annotations

import time

import pytest

from spikewright.commands.data import main as data
from spikewright.commands.run import main as run

FLAGS = "--data digits --epochs 1 --width 4 -T 2 --teacher mlp --teacher-epochs 1 --seed 3 --samples-lava 0"


@pytest.mark.slow
def test_two_runs_give_equal_files(tmp_path, monkeypatch):
    folders = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)  # the command stands in the report
        monkeypatch.setenv("SPIKEWRIGHT_CACHE", str(tmp_path / name / "cache"))
        assert run([*FLAGS.split(), "--out", "made"]) == 0
        folders.append(tmp_path / name)
        time.sleep(1.1)  # dates in archives are of seconds
    one, two = ({path.relative_to(folder): path for path in folder.rglob("*") if path.is_file()} for folder in folders)
    assert one.keys() == two.keys()
    assert {"student.pt", "student.nir", "chip.h5", "activity.json", "report.html"} <= {path.name for path in one}
    differing = {name.name for name in one if one[name].read_bytes() != two[name].read_bytes()}
    assert differing <= {"student.times.json"}, "times alone may differ"


@pytest.mark.parametrize("form", ["png", "svg", "pdf"])
def test_pictures_do_not_say_when_they_were_drawn(form, tmp_path):
    for name in ("one", "two"):
        assert data(["digits", "--show", str(tmp_path / f"{name}.{form}")]) == 0
        time.sleep(1.1)
    assert (tmp_path / f"one.{form}").read_bytes() == (tmp_path / f"two.{form}").read_bytes()
