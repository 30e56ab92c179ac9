"""`--resume` goes on from wherever a run or a training was stopped, and ends in the same files."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from spikewright.commands.cli import main
from spikewright.training import distill as distill_module

FLAGS = (
    *("--data", "digits", "--train-samples", "60", "--batch", "30", "--teacher", "mlp", "--teacher-epochs", "1"),
    *("--architecture", "mlp", "--width", "2", "-T", "1", "--epochs", "3"),
)
RUN = ("run", *FLAGS, "--samples-lava", "0", "--out", "made")
DISTILL = ("distill", *FLAGS, "--out", "made/student.pt")
POINTS = {
    "before the teacher": ("spikewright.training.teaching", "Teaching.train", 1),
    "in the first epoch": ("spikewright.training.trainer", "Trainer.train_on", 1),
    "before the first checkpoint": ("spikewright.training.distill", "save", 1),
    "in the second epoch": ("spikewright.training.trainer", "Trainer.train_on", 3),
    "before the certificate": ("spikewright.training.distill", "certify", 1),
    "before the student": ("spikewright.training.distill", "save_student", 1),
    "behind the student": ("spikewright.training.distill", "save_times", 1),
    "among the checkpoints": ("spikewright.training.result", "remove_leftovers", 2),
    "before the graph": ("spikewright.bench.road", "export", 1),
    "before the card": ("spikewright.bench.road", "write_card", 1),
    "before lowering": ("spikewright.training.deployment", "lower", 1),
    "before the chip network": ("spikewright.bench.road", "save_chip", 1),
    "before simulation": ("spikewright.bench.road", "simulate", 1),
    "before the counts": ("spikewright.bench.road", "save_activity", 1),
    "before the agreement": ("spikewright.bench.run", "save_agreement", 1),
    "before the report": ("spikewright.bench.run", "write_report", 1),
    "before the last card": ("spikewright.bench.run", "write_card", 1),
}
"""Where a run is stopped: before which call of which function."""
IN_RUN_ALONE = {name for name, (module, _, _) in POINTS.items() if ".bench." in module or "deployment" in module}


TIMES = {"format": "spikewright training times", "epochs": []}


class Killed(BaseException):
    """Nobody catches it, as nobody catches SIGKILL."""


def stopped(monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], module: str, name: str, call: int) -> None:
    """Run a command line up to a call of a function."""
    owner: object = __import__(module, fromlist=["x"])
    *outer, last = name.split(".")
    for each in outer:
        owner = getattr(owner, each)
    original, calls = getattr(owner, last), list[int]()

    def dies(*given: object, **named: object) -> object:
        calls.append(1)
        if len(calls) == call:
            raise Killed
        return original(*given, **named)

    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(owner, last, dies)
        main(list(words))


def files(folder: Path) -> dict[str, bytes]:
    found = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert found.pop("student.times.json")
    return found


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of a run that nothing stopped."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("whole"))
        assert main(list(RUN)) == 0
        return files(Path("made"))


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path / "made"


@pytest.mark.slow
@pytest.mark.parametrize("point", POINTS)
def test_a_run_goes_on_from_wherever_it_was_stopped(
    point: str, whole: dict[str, bytes], here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped(monkeypatch, RUN, *POINTS[point])
    assert main([*RUN, "--resume"]) == 0
    assert files(here) == whole


@pytest.mark.slow
@pytest.mark.parametrize("point", sorted(POINTS.keys() - IN_RUN_ALONE))
def test_a_distillation_goes_on_from_wherever_it_was_stopped(
    point: str, whole: dict[str, bytes], here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here.mkdir()
    stopped(monkeypatch, DISTILL, *POINTS[point])
    assert main([*DISTILL, "--resume"]) == 0
    assert files(here) == {"student.pt": whole["student.pt"]}


def test_a_finished_run_says_so_and_makes_what_is_missing(
    whole: dict[str, bytes], here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    here.mkdir()
    (here / "student.pt").write_bytes(whole["student.pt"])
    (here / "student.times.json").write_text(json.dumps({**TIMES, "student_sha256": "another's"}))
    monkeypatch.setattr(distill_module, "distill_with", None)  # trains nothing
    assert main([*RUN, "--resume"]) == 0
    assert "made/student.pt: is trained already\n" in capsys.readouterr().err
    assert files(here) == whole


@pytest.mark.parametrize("point", ["in the first epoch", "before the graph"])
def test_other_flags_than_at_first_are_refused_by_name(
    point: str, here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stopped(monkeypatch, RUN, *POINTS[point])
    before = {path.name: path.read_bytes() for path in here.iterdir()}
    capsys.readouterr()
    assert main([*RUN, "--resume", "--epochs", "2", "--method", "none"]) == 2
    said = capsys.readouterr().err
    assert "other settings; give what it was begun with, or leave out --resume to start anew: 2 faults\n" in said
    assert "  - --epochs was 3, is 2\n" in said
    assert "  - --method was kd, is none\n" in said
    assert {path.name: path.read_bytes() for path in here.iterdir()} == before


def test_a_changed_profile_is_refused(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], root: Path
) -> None:
    own = Path("own.toml")
    text = (root / "hardware_profiles" / "loihi2-assumed.toml").read_text()
    own.write_text(text)
    words = (*RUN, "--profile", "own.toml", "--method", "none")
    stopped(monkeypatch, words, *POINTS["before the graph"])
    own.write_text(re.sub('^title = "', 'title = "changed ', text, flags=re.MULTILINE))
    capsys.readouterr()
    assert main([*words, "--resume"]) == 2
    assert re.search(r"--resume to start anew: profile_sha256 was \w+, is \w+\n", capsys.readouterr().err)


def test_with_nothing_there_yet_it_begins(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*RUN, "--resume", "--epochs", "1"]) == 0
    said = capsys.readouterr().err
    assert "note: made/student.pt: no epoch of its training is finished, which begins anew\n" in said


def test_a_new_training_in_place_of_one_that_was_stopped_says_so_and_keeps_nothing_of_it(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stopped(monkeypatch, RUN, *POINTS["in the second epoch"])
    (here / "student.pt.checkpoint.1").write_bytes((here / "student.pt.checkpoint").read_bytes())
    other = (*RUN, "--seed", "7")
    stopped(monkeypatch, other, *POINTS["in the first epoch"])
    assert "its training was stopped and begins anew; --resume would have gone on with it" in capsys.readouterr().err
    assert [path.name for path in here.glob("student.pt*")] == ["student.pt.checkpoint.begun"]
    assert main([*other, "--resume"]) == 0


def test_files_of_another_student_do_not_stay_beside_the_new_one(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(list(RUN)) == 0
    (here / "mine.txt").write_text("mine")
    other = (*RUN, "--seed", "7", "--method", "none")
    stopped(monkeypatch, other, *POINTS["in the second epoch"])
    assert (here / "report.html").is_file(), "as long as the student is the former"
    stopped(monkeypatch, (*other, "--resume"), *POINTS["before the graph"])
    assert (
        "replaces another student; what was made from that is removed: student.nir, chip.h5" in capsys.readouterr().err
    )
    assert sorted(path.name for path in here.iterdir()) == ["mine.txt", "student.pt", "student.times.json"]


def test_a_damaged_note_of_the_beginning_is_refused(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stopped(monkeypatch, RUN, *POINTS["in the first epoch"])
    for damaged in (b"{", b"[]", b"\xff", b"[" * 100_000):
        (here / "student.pt.checkpoint.begun").write_bytes(damaged)
        assert main([*RUN, "--resume"]) == 2
        assert "student.pt.checkpoint.begun: " in capsys.readouterr().err
    shutil.rmtree(here)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda state: state | {"step": 5}, r"step: is 5, and 2 epochs of 2 steps are 4"),
        (lambda state: state | {"step": 10**9}, r"step: is 1000000000, and"),
        (lambda state: state | {"step": -4}, r"step: "),
        (lambda state: state | {"history": state["history"][::-1]}, r"history: its epochs are not 0 to 1 in order"),
        (lambda state: state | {"history": state["history"] * 40}, r"history: has 80 epochs, and the training at most"),
        (lambda state: state | {"best": (*state["best"][:3], 7, *state["best"][4:])}, r"best: is of epoch 7, and"),
    ],
)  # fmt: skip
def test_a_checkpoint_whose_numbers_contradict_each_other_is_refused(
    change: Callable[[dict[str, object]], dict[str, object]],
    why: str,
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    import torch

    words = (*RUN, "--integer-from", "1")
    stopped(monkeypatch, words, *("spikewright.training.distill", "save", 3))
    file = here / "student.pt.checkpoint"
    torch.save(change(torch.load(file, weights_only=True)), file)
    capsys.readouterr()
    assert main([*words, "--resume"]) == 2
    assert re.search(f"student.pt.checkpoint: is (a damaged|not a) checkpoint.*{why}", capsys.readouterr().err)
