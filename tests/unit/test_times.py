"""Equal trainings give equal files, byte for byte; how long they took stands beside them."""

from __future__ import annotations

import json

import pytest
import torch

from spikewright.base.errors import InputError
from spikewright.student.student import save_student, student_provenance
from spikewright.teachers import ann
from spikewright.teachers.ann import train_teacher
from spikewright.training.distill import distill_to, distill_with
from spikewright.training.result import Attempts
from spikewright.training.settings import DistillSettings
from spikewright.training.times import EpochTimes, save_times, times_of, times_path

QUICK = DistillSettings.of(data="digits", width=4, timesteps=2, epochs=2, teacher="mlp", teacher_epochs=1, seed=3)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    out = tmp_path_factory.mktemp("made") / "student.pt"
    return distill_to(QUICK, out), out


def test_a_training_that_was_killed_and_resumed_leaves_the_same_bytes(made, tmp_path, killed):
    _, whole = made
    out = tmp_path / "other-name.pt"
    with killed("run_epoch", 2):
        distill_to(QUICK, out)
    resumed = distill_to(QUICK, out, resume=True)
    assert out.read_bytes() == whole.read_bytes(), "whatever its name, and however often it was begun"
    assert [each.seconds for each in times_of(out)] == [record.seconds for record in resumed.history]


def test_times_stand_beside_the_student_and_not_in_it(made):
    result, out = made
    assert all(not {"seconds", "processor_seconds"} & epoch.keys() for epoch in student_provenance(out)["history"])
    assert result.provenance["history"] == student_provenance(out)["history"]
    assert times_path(out) == out.with_name("student.times.json")
    assert times_of(out) == tuple(EpochTimes(**record.times) for record in result.history)
    assert all(0 < each.seconds < 600 and 0 < each.processor_seconds < 600 for each in times_of(out))


def test_times_of_another_student_are_not_taken(made, tmp_path):
    result, out = made
    assert times_of(tmp_path / "none.pt") is None
    again = tmp_path / "student.pt"
    save_student(result.student, again, result.provenance)
    save_times(again, result.history)
    assert times_of(again) == times_of(out)
    save_student(result.student, again, {**result.provenance, "made_by": "somebody else"})
    assert times_of(again) is None


def test_a_file_of_times_that_is_damaged_or_another_s_is_refused(made, tmp_path):
    result, _ = made
    student, file = tmp_path / "student.pt", tmp_path / "student.times.json"
    save_student(result.student, student, result.provenance)
    file.write_text(json.dumps({"format": "spikewright training times", "epochs": "soon"}))
    with pytest.raises(InputError, match=r"student\.times\.json: holds no times of a training \(\d faults\); move"):
        times_of(student)
    file.write_text("mine")
    with pytest.raises(InputError, match=r"student\.times\.json: is there and holds no times of a training; move it"):
        distill_to(QUICK, student)
    assert file.read_text() == "mine"


def test_a_finished_attempt_keeps_its_times(made, tmp_path):
    result, _ = made
    attempts = Attempts(tmp_path / "student.pt.checkpoint")
    attempts.keep(1, QUICK, result)
    found = attempts.finished(1, QUICK, None)
    assert [record.seconds for record in found.history] == [record.seconds for record in result.history]
    assert found.provenance == json.loads(json.dumps(result.provenance)), "what the file needs for itself is taken out"


def test_a_history_of_an_earlier_version_is_read(made, tmp_path):
    """It had the times in each epoch."""
    result, _ = made
    attempts = Attempts(tmp_path / "student.pt.checkpoint")
    epochs = [{**record.facts, **record.times} for record in result.history]
    facts = {**result.provenance, "history": epochs, "attempt": QUICK.flat()}
    save_student(result.student, tmp_path / "student.pt.checkpoint.1.done", facts)
    found = attempts.finished(1, QUICK, None)
    assert [record.seconds for record in found.history] == [record.seconds for record in result.history]


def test_equal_trainings_in_memory_have_equal_provenance(made):
    result, _ = made
    assert distill_with(QUICK).provenance == result.provenance


def test_a_cached_teacher_is_the_same_file_wherever_it_is_trained(tmp_path, monkeypatch):
    from spikewright.data.load import load

    files = []
    for name in ("one", "two"):
        train_teacher(load("digits"), "mlp", epochs=1, seed=3, cache_dir=tmp_path / name)
        files += (tmp_path / name).rglob("*.pt")
    assert len(files) == 2
    assert files[0].read_bytes() == files[1].read_bytes()
    cached = torch.load(files[0], weights_only=True)
    torch.save({**cached, "seconds": 1.5}, files[0])
    monkeypatch.setattr(ann, "fit", lambda *_, **__: pytest.fail("an earlier version's file is read"))
    train_teacher(load("digits"), "mlp", epochs=1, seed=3, cache_dir=tmp_path / "one")
