"""Workers that share a comparison: every training once, whoever dies, and no record of another one."""

import threading
import time

import pytest

from spikewright.base.artefacts import write_json
from spikewright.base.errors import InputError
from spikewright.base.progress import Callback, Listeners
from spikewright.bench import work
from spikewright.bench.call import open_folder
from spikewright.bench.compare.jobs import (
    FILE,
    TrainingJob,
    TrainingRecord,
    TrainingResult,
    jobs_of,
    jobs_under,
    read_files,
)
from spikewright.bench.compare.rows import Variant
from spikewright.bench.compare.teachers import TeacherFacts, _require_same, known_teachers
from spikewright.bench.point import Point

pytest.importorskip("optuna")
JOBS = jobs_of([Variant("none"), Variant("kd")], [None], [0, 1])
OUTCOME = {
    "energy": {"validation": 1e-6, "test": 1e-6},
    "energy_is_at_least": True,
    "floor": 1e-9,
    "accuracy": {"validation": 0.5, "test": 0.5},
    "synaptic_ops": {"validation": 1.0, "test": 1.0},
    "spikes": {"validation": 1.0, "test": 1.0},
    "samples": {"validation": 10, "test": 10},
    "timesteps": 2,
    "width": 4,
    "encoding": "direct",
    "files": {},
    "made_by": "a test",
    "host": "here",
    "seconds": 1.0,
}


def record_of(job):
    return TrainingRecord.model_validate(
        {
            "row": str(job.row),
            "facts": job.row.facts,
            "budget": job.point.budget,
            "seed": job.point.seed,
            "outcome": OUTCOME,
            "float_accuracy": 0.5,
            "accuracy_by_step": (0.4, 0.5),
            "spikes": {"input": 1.0, "hidden": 1.0, "readout": 0.0},
            "energy_by_part": {},
            "student_logit_range": 1.0,
            "teacher_logit_range": None,
            "epochs": 1,
            "seconds": 1.0,
            "processor_seconds": None,
            "teacher_sha256": None,
        }
    )


class Said(Callback):
    """Keeps what it hears."""

    def __init__(self):
        self.texts = []

    def on_message(self, text, kind):
        self.texts.append(text)


class Worker:
    """Works in a folder, as `compare` does, and remembers what it did; ``do`` may raise instead."""

    def __init__(self, folder, do=lambda job: None, url=None):
        self.folder, self.do, self.done, self.said = folder, do, [], Said()
        self.url = url or f"sqlite:///{folder / 'study.db'}"

    def train(self, job):
        self.done.append(job)
        self.do(job)
        record = record_of(job)
        write_json(job.folder(self.folder) / FILE, record.model_dump(mode="json"))
        return record

    def results(self, jobs=JOBS, complete=False):
        kind = jobs_under(self.folder, jobs)
        with work.open_study(self.url, "a comparison", kind, Listeners([self.said])) as shared:
            shared.add_results(lambda job: read_files(job, self.folder), jobs)
            if complete:
                shared.complete(jobs, self.train)
            known = {result.job: result for result in shared.results()}
        return [known.get(job, TrainingResult(job, "unfinished")) for job in jobs]

    def complete(self, jobs=JOBS):
        return [result.state for result in self.results(jobs, complete=True)]


def states(folder, jobs=JOBS):
    return [result.state for result in Worker(folder).results(jobs)]


def as_an_earlier_version_left_it(folder):
    """Records and no study."""
    for file in folder.glob("study.db*"):
        file.unlink()


def raises(job, error):
    """A ``do`` that raises at one job."""

    def do(given):
        if given == job:
            raise error

    return do


def test_trainings_are_done_in_order_and_only_once(tmp_path):
    first, second = Worker(tmp_path), Worker(tmp_path)
    assert first.complete() == ["done"] * 4
    assert first.done == JOBS
    assert second.complete() == ["done"] * 4
    assert second.done == []
    assert second.results()[3].value == record_of(JOBS[3]) == read_files(JOBS[3], tmp_path)


def test_rows_budgets_and_seeds_can_be_added(tmp_path):
    Worker(tmp_path).complete()
    more, second = jobs_of([Variant("kd"), Variant("tser")], [None, "3uJ"], [1, 2]), Worker(tmp_path)
    assert second.complete(more) == ["done"] * 8
    assert second.done == [job for job in more if job not in JOBS]


def test_an_interrupt_costs_only_the_training_in_hand(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        Worker(tmp_path, raises(JOBS[1], KeyboardInterrupt())).complete()
    assert states(tmp_path) == ["done", "unfinished", "unfinished", "unfinished"]
    second = Worker(tmp_path)
    second.complete()
    assert second.done == JOBS[1:]


def test_a_failed_training_is_passed_over_and_tried_again_in_the_next_run(tmp_path):
    fails = raises(JOBS[1], InputError("the loss is not finite"))
    first = Worker(tmp_path, fails)
    assert first.complete() == ["done", "failed", "done", "done"]
    assert first.done == JOBS
    assert first.results()[1].sentence == "the loss is not finite"
    again = Worker(tmp_path, fails)
    assert again.complete() == ["done", "failed", "done", "done"]
    last = Worker(tmp_path)
    assert last.complete() == ["done"] * 4
    assert (again.done, last.done) == ([JOBS[1]], [JOBS[1]])


def test_what_another_worker_has_in_hand_is_left_to_it(tmp_path, monkeypatch):
    monkeypatch.setattr(work, "POLL_S", 0.05)
    begun, go_on = threading.Event(), threading.Event()

    def hold(job):
        begun.set()
        assert go_on.wait(60)

    slow, quick = Worker(tmp_path, hold), Worker(tmp_path)
    threads = [threading.Thread(target=slow.complete, args=(JOBS[:1],)), threading.Thread(target=quick.complete)]
    threads[0].start()
    assert begun.wait(60)
    threads[1].start()
    waiting = "waiting for what other workers have in hand: none, no budget, seed 0"
    deadline = time.monotonic() + 60
    while waiting not in quick.said.texts and time.monotonic() < deadline:
        time.sleep(0.02)
    go_on.set()
    for thread in threads:
        thread.join(60)
    assert (slow.done, quick.done) == (JOBS[:1], JOBS[1:])
    assert quick.said.texts.count(waiting) == 1


def test_records_of_an_earlier_version_are_taken_over(tmp_path):
    """It kept a failure in a file, too, which is tried again by the next command and listed until then."""
    Worker(tmp_path).complete(JOBS[:2])
    as_an_earlier_version_left_it(tmp_path)
    failed = JOBS[2].folder(tmp_path) / "failed.json"
    failed.parent.mkdir(parents=True)
    write_json(failed, {"sentence": "the loss is not finite"})
    found = Worker(tmp_path).results()
    assert [result.state for result in found] == ["done", "done", "failed", "unfinished"]
    assert (found[0].value, found[2].sentence) == (record_of(JOBS[0]), "the loss is not finite")
    second = Worker(tmp_path)
    assert second.complete() == ["done"] * 4
    assert second.done == JOBS[2:]


def test_a_record_that_was_removed_is_made_again(tmp_path):
    Worker(tmp_path).complete()
    (JOBS[1].folder(tmp_path) / FILE).unlink()
    assert states(tmp_path) == ["done", "unfinished", "done", "done"]
    second = Worker(tmp_path)
    assert second.complete() == ["done"] * 4
    assert second.done == JOBS[1:2]


def test_workers_without_a_common_folder_share_a_study(tmp_path):
    """As on two machines: the study has the records, and the files stay where they were made."""
    url = f"sqlite:///{tmp_path / 'study.db'}"
    here, there = (Worker(tmp_path / name, url=url) for name in ("here", "there"))
    assert here.complete(JOBS[:3]) == ["done"] * 3
    assert there.complete() == ["done"] * 4
    assert there.done == JOBS[3:]
    assert [result.value for result in there.results()] == [record_of(job) for job in JOBS]


def test_two_workers_do_each_training_once(tmp_path, monkeypatch):
    monkeypatch.setattr(work, "POLL_S", 0.05)
    jobs = jobs_of([Variant("none"), Variant("kd")], [None, "3uJ"], [0, 1, 2])
    both = [Worker(tmp_path, lambda job: time.sleep(0.05)) for _ in range(2)]
    threads = [threading.Thread(target=worker.complete, args=(jobs,)) for worker in both]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(str, both[0].done + both[1].done)) == sorted(map(str, jobs))
    assert both[0].done and both[1].done


def test_a_record_of_another_training_is_refused(tmp_path):
    Worker(tmp_path).complete()
    theirs, mine = (job.folder(tmp_path) / FILE for job in JOBS[:2])
    mine.write_text(theirs.read_text())
    as_an_earlier_version_left_it(tmp_path)
    with pytest.raises(InputError) as refused:
        states(tmp_path)
    assert str(refused.value) == f"{mine}: is the record of another training; remove it to have it made anew"
    mine.write_text("{}")
    with pytest.raises(InputError, match=r"is not the record of a training \(ValidationError\); remove it"):
        states(tmp_path)


def test_a_method_whose_defaults_changed_has_no_record(tmp_path, monkeypatch):
    """As when a newer version reads the folder of an older one."""
    from spikewright.distillation.methods import METHODS

    Worker(tmp_path).complete()
    field = METHODS["kd"].model_fields["alpha"]
    monkeypatch.setattr(field, "default", field.default / 2)
    METHODS["kd"].model_rebuild(force=True)
    try:
        assert states(tmp_path) == ["done", "unfinished", "done", "unfinished"]
    finally:
        monkeypatch.undo()
        METHODS["kd"].model_rebuild(force=True)


def test_a_folder_holds_one_comparison(tmp_path):
    open_folder(tmp_path, {"width": 4, "epochs": 2}, "a comparison")
    open_folder(tmp_path, {"width": 4, "epochs": 2}, "a comparison")
    with pytest.raises(InputError) as refused:
        open_folder(tmp_path, {"width": 8, "epochs": 2}, "a comparison")
    assert str(refused.value) == (
        f"out={tmp_path}: holds a comparison with other settings; give the same ones, or another folder: width is 4 "
        "there and 8 here"
    )


def test_one_teacher_for_all_students(tmp_path):
    known = [TeacherFacts("a", "1" * 64, 1, twins, {}) for twins in (False, True)]
    _require_same(TeacherFacts("a", "1" * 64, 1, False, {}), known, tmp_path)
    with pytest.raises(InputError) as refused:
        _require_same(TeacherFacts("b", "2" * 64, 1, True, {}), known, tmp_path)
    assert str(refused.value).startswith(
        f"out={tmp_path}: its students learn from the teacher a with SHA-256 111111111111, and here is b with 22222"
    )


def test_a_job_has_a_folder_of_its_own(tmp_path):
    jobs = [
        *JOBS,
        TrainingJob(Variant("kd"), Point("3uJ", 0)),
        TrainingJob(Variant("kd", ("logits",)), Point(None, 0)),
    ]
    assert len({job.folder(tmp_path) for job in jobs}) == len(jobs)


def test_a_study_remembers_the_teachers_of_other_machines(tmp_path):
    theirs = TeacherFacts("convnet", "1" * 64, 10, False, {"validation": 0.9})
    with work.open_study(f"sqlite:///{tmp_path / 'study.db'}", "a comparison", jobs_under(tmp_path, JOBS)) as shared:
        assert known_teachers(tmp_path, shared) == []
        shared.note(f"teacher {theirs.sha256}", vars(theirs))
        assert known_teachers(tmp_path, shared) == [theirs]
        write_json(tmp_path / "teachers.json", [vars(theirs)])
        assert known_teachers(tmp_path, shared) == [theirs]
