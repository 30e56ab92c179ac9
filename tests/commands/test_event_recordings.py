"""Recordings of one's own from files to report, the commands as they are typed; and what goes wrong with them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from spikewright.commands.cli import main
from spikewright.student.student import student_provenance

SMALL = ["--architecture", "mlp", "--width", "8", "--epochs", "2", "--batch", "4", "-T", "5"]


@pytest.fixture
def did(capsys: pytest.CaptureFixture[str]) -> Callable[[Sequence[object]], str]:
    """Run a command that must end well; gives what it printed on stdout."""

    def run(words: Sequence[object]) -> str:
        code = main([str(word) for word in words])
        captured = capsys.readouterr()
        assert code == 0, captured.err
        return captured.out

    return run


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Callable[[Sequence[object]], str]:
    """Run a command that must be refused; gives its whole message."""

    def run(words: Sequence[object]) -> str:
        assert main([str(word) for word in words]) == 2
        error = capsys.readouterr().err
        return error[error.index("error: ") + 7 :].strip()

    return run


def recordings(event_files: Any, folder: Path, kind: str) -> Path:
    """Two classes of made-up recordings, with parts for HDF5 and without for AEDAT."""
    if kind == "hdf5":
        event_files.folder(folder / "train", event_files.h5, ".h5")
        event_files.folder(folder / "test", event_files.h5, ".h5")
    elif kind == "aedat4":
        pytest.importorskip("aedat", reason="aedat is not installed (the extra `events`)")
        event_files.folder(folder, event_files.aedat4, ".aedat4")
    else:
        event_files.folder(folder, getattr(event_files, kind), ".aedat")
    return folder


def options_for(kind: str) -> list[str]:
    return ["--pool", "8"] if kind in ("aedat2", "aedat3") else []  # these say 128 x 128 pixels


@pytest.mark.lava
@pytest.mark.parametrize("kind", ["aedat2", "aedat3", "aedat4", "hdf5"])
def test_from_recordings_to_a_report(
    event_files: Any, tmp_path: Path, did: Callable[[Sequence[object]], str], kind: str
) -> None:
    """Teacher, student, integers, Lava and netx, and a certificate; all levels agree."""
    pytest.importorskip("lava")
    folder, out = recordings(event_files, tmp_path / "mine", kind), tmp_path / "run"
    words = ["run", "--data", folder, *SMALL, *options_for(kind), "--teacher-epochs", "2", "--samples-lava", "3"]
    verdict = json.loads(did([*words, "-o", out, "--json"]))
    assert verdict["mismatches"] == {"student_integer": 0, "integer_lava": 0, "integer_netx": 0}
    assert verdict["timesteps"] == 5
    certificate = student_provenance(out / "student.pt")["certificate"]
    assert certificate["split"] == "validation"
    assert certificate["samples"] == (4 if kind != "hdf5" else 2)
    assert (out / "report.html").is_file()


def test_stage_by_stage_other_files_are_read_alike(
    event_files: Any, tmp_path: Path, did: Callable[[Sequence[object]], str]
) -> None:
    """What was said of the recordings in training is in the network's file; the other commands need no option."""
    folder = recordings(event_files, tmp_path / "mine", "aedat3")
    student, graph, chip = (tmp_path / name for name in ("student.pt", "student.nir", "chip.h5"))
    asked = [*SMALL, "--pool", "8", "--duration", "80", "--polarity", "merged", "--method", "none"]
    made = json.loads(did(["distill", "--data", folder, *asked, "-o", student, "--json"]))
    assert (made["student"]["timesteps"], made["student"]["input_shape"]) == (5, [1, 16, 16])
    reading = made["student"]["input_rule"]["reading"]
    del reading["identity"]
    assert reading == {
        "sensor": [128, 128], "duration": 80.0, "pool": 8, "polarity": "merged",
    }  # fmt: skip
    compared = json.loads(did(["to-nir", student, "-o", graph, "--data", folder, "--json"]))
    assert compared["samples"] == 4  # the validation part
    did(["lower", graph, "--profile", "loihi1-davies", "-o", chip])
    words = ["simulate", chip, "--data", folder, "-o", tmp_path / "activity.json", "--json"]
    activity = json.loads(did(words))
    assert activity["samples"] == 4
    report = json.loads(did(["drift", graph, chip, "--data", folder, "--samples", "4", "--json"]))
    assert report["answers"]["samples"] == 4
    from spikewright.data.load import load
    from spikewright.data.options import DataOptions

    options = DataOptions(pool=8, duration=80, polarity="merged")
    events = int(load(str(folder), timesteps=5, options=options).test.samples.sum())
    assert sum(activity["populations"]["input"]["spikes"]) == events


def test_windows_of_long_recordings(event_files: Any, tmp_path: Path, did: Callable[[Sequence[object]], str]) -> None:
    folder = recordings(event_files, tmp_path / "mine", "hdf5")
    words = ["run", "--data", folder, *SMALL, "--window", "50", "--hop", "25", "--method", "none"]
    verdict = json.loads(did([*words, "--samples-lava", "0", "-o", tmp_path / "run", "--json"]))
    assert verdict["samples"]["integer"] == 24 * 3


@pytest.mark.parametrize("name", ["shd", "dvs128-gesture"])
def test_named_sets(
    name: str,
    tmp_path: Path,
    event_files: Any,
    spike_trains: Callable[..., None],
    did: Callable[[Sequence[object]], str],
) -> None:
    """A named set with an option; simulation finds it by the student's rule."""
    if name == "shd":
        spike_trains(tmp_path / "shd_train.h5", 24)
        spike_trains(tmp_path / "shd_test.h5", 6)
    else:
        rows = "class,startTime_usec,endTime_usec\n1,0,50000\n6,50000,100000\n"
        for person in range(1, 7):
            event_files.aedat3(tmp_path / f"user{person:02d}_lab.aedat", *event_files.events(person, 0, size=128))
            (tmp_path / f"user{person:02d}_lab_labels.csv").write_text(rows)
        names = [f"user{person:02d}_lab.aedat\n" for person in range(1, 7)]
        (tmp_path / "trials_to_train.txt").write_text("".join(names[:3]))
        (tmp_path / "trials_to_test.txt").write_text("".join(names[3:]))
    here = ["--data", name, "--data-dir", tmp_path]
    words = ["run", *here, *SMALL, "--pool", "4", "--method", "none", "--samples-lava", "0", "-o", tmp_path / "run"]
    verdict = json.loads(did([*words, "--json"]))
    assert verdict["samples"]["integer"] == 6
    words = ["simulate", tmp_path / "run" / "chip.h5", *here, "-o", tmp_path / "activity.json", "--json"]
    assert json.loads(did(words))["samples"] == 6


def test_messages_name_flags(event_files: Any, tmp_path: Path, refused: Callable[[Sequence[object]], str]) -> None:
    folder = recordings(event_files, tmp_path / "mine", "hdf5")
    words = ["distill", "--data", folder, *SMALL[:-2]]
    assert refused([*words, "-T", "5000"]) == (
        "data mine: --timesteps 5000: may be 1 to 1000, a frame for each 0.1 ms of a sample of 100 ms"
    )
    assert refused([*words, "--window", "10", "--duration", "5"]) == (
        "data mine: --window 10 and --duration 5 both say how long a sample is; leave one out"
    )
    assert refused([*words, "--sensor", "16"]) == ("settings: --sensor is ['16']: must be width,height")


def test_what_was_assumed_is_said(event_files: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = recordings(event_files, tmp_path / "mine", "hdf5")
    words = ["distill", "--data", str(folder), *SMALL, "--method", "none", "-o", str(tmp_path / "student.pt")]
    assert main(words) == 0
    said = capsys.readouterr().err
    assert (
        "data mine: its camera was taken to have 16 x 16 pixels, as far as events reach; --sensor WIDTH,HEIGHT gives it"
    ) in said
