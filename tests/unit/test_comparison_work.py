"""Workers that share a comparison: every training once, whoever dies, and no record of another one."""

import threading
import time

import pytest

from spikewright.base.errors import InputError
from spikewright.bench.compare import work
from spikewright.bench.compare.cells import Cell, cells_of
from spikewright.bench.compare.record import FILE, Record, read_record
from spikewright.bench.compare.rows import Row
from spikewright.bench.compare.teachers import TeacherFacts, _require_same
from spikewright.bench.compare.work import Work, results_of
from spikewright.bench.folder import claim_folder
from spikewright.bench.locks import LOCK, locked
from spikewright.bench.point import Point

CELLS = cells_of([Row("none"), Row("kd")], [None], [0, 1])
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


def record_of(cell):
    return Record.model_validate(
        {
            "row": str(cell.row),
            "facts": cell.row.facts,
            "budget": cell.point.budget,
            "seed": cell.point.seed,
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


class Worker:
    """Works in a folder and remembers what it did; ``do`` may raise instead."""

    def __init__(self, folder, do=lambda cell: None):
        self.folder, self.do, self.done = folder, do, []

    def train(self, cell):
        self.done.append(cell)
        self.do(cell)
        return record_of(cell)

    def complete(self, cells=CELLS):
        Work(cells, self.folder).complete(self.train)
        return [result.state for result in results_of(cells, self.folder)]


def raises(cell, error):
    """A ``do`` that raises at one cell."""

    def do(given):
        if given == cell:
            raise error

    return do


def test_trainings_are_done_in_order_and_only_once(tmp_path):
    first, second = Worker(tmp_path), Worker(tmp_path)
    assert first.complete() == ["done"] * 4
    assert first.done == CELLS
    assert second.complete() == ["done"] * 4
    assert second.done == []
    assert read_record(CELLS[3], tmp_path) == record_of(CELLS[3])


def test_rows_budgets_and_seeds_can_be_added(tmp_path):
    Worker(tmp_path).complete()
    more, second = cells_of([Row("kd"), Row("tser")], [None, "3uJ"], [1, 2]), Worker(tmp_path)
    assert second.complete(more) == ["done"] * 8
    assert second.done == [cell for cell in more if cell not in CELLS]


def test_an_interrupt_costs_only_the_training_in_hand(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        Worker(tmp_path, raises(CELLS[1], KeyboardInterrupt())).complete()
    assert [result.state for result in results_of(CELLS, tmp_path)] == ["done", "missing", "missing", "missing"]
    second = Worker(tmp_path)
    second.complete()
    assert second.done == CELLS[1:]


def test_a_failed_training_is_passed_over_and_tried_again_in_the_next_run(tmp_path):
    fails = raises(CELLS[1], InputError("the loss is not finite"))
    first = Worker(tmp_path, fails)
    assert first.complete() == ["done", "failed", "done", "done"]
    assert first.done == CELLS
    assert results_of(CELLS, tmp_path)[1].sentence == "the loss is not finite"
    again = Worker(tmp_path, fails)
    assert again.complete() == ["done", "failed", "done", "done"]
    last = Worker(tmp_path)
    assert last.complete() == ["done"] * 4
    assert (again.done, last.done) == ([CELLS[1]], [CELLS[1]])


def test_what_another_worker_has_in_hand_is_left_to_it_until_it_dies(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(work, "POLL_S", 0.05)
    folder = CELLS[0].folder(tmp_path)
    folder.mkdir(parents=True)
    worker = Worker(tmp_path)
    with locked(folder / LOCK):
        thread = threading.Thread(target=worker.complete)
        thread.start()
        while len(worker.done) < 3:
            time.sleep(0.02)
        time.sleep(0.2)
        assert worker.done == CELLS[1:]
    thread.join(20)
    assert worker.done == [*CELLS[1:], CELLS[0]]
    assert "waiting for what other workers have in hand: none, no budget, seed 0\n" in capsys.readouterr().err


def test_two_workers_do_each_training_once(tmp_path, monkeypatch):
    monkeypatch.setattr(work, "POLL_S", 0.05)
    cells = cells_of([Row("none"), Row("kd")], [None, "3uJ"], [0, 1, 2])
    workers = [Worker(tmp_path, lambda cell: time.sleep(0.05)) for _ in range(2)]
    threads = [threading.Thread(target=worker.complete, args=(cells,)) for worker in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(str, workers[0].done + workers[1].done)) == sorted(map(str, cells))
    assert workers[0].done and workers[1].done


def test_a_record_of_another_training_is_refused(tmp_path):
    Worker(tmp_path).complete()
    theirs, mine = (cell.folder(tmp_path) / FILE for cell in CELLS[:2])
    mine.write_text(theirs.read_text())
    with pytest.raises(InputError) as refused:
        results_of(CELLS, tmp_path)
    assert str(refused.value) == f"{mine}: is the record of another training; remove it to have it made anew"
    mine.write_text("{}")
    with pytest.raises(InputError, match=r"is not the record of a training \(ValidationError\); remove it"):
        results_of(CELLS, tmp_path)


def test_a_method_whose_defaults_changed_has_no_record(tmp_path, monkeypatch):
    """As when a newer version reads the folder of an older one."""
    from spikewright.distillation.methods import METHODS

    Worker(tmp_path).complete()
    field = METHODS["kd"].model_fields["alpha"]
    monkeypatch.setattr(field, "default", field.default / 2)
    METHODS["kd"].model_rebuild(force=True)
    try:
        assert [result.state for result in results_of(CELLS, tmp_path)] == ["done", "missing", "done", "missing"]
    finally:
        monkeypatch.undo()
        METHODS["kd"].model_rebuild(force=True)


def test_a_folder_holds_one_comparison(tmp_path):
    claim_folder(tmp_path, {"width": 4, "epochs": 2}, "a comparison")
    claim_folder(tmp_path, {"width": 4, "epochs": 2}, "a comparison")
    with pytest.raises(InputError) as refused:
        claim_folder(tmp_path, {"width": 8, "epochs": 2}, "a comparison")
    assert str(refused.value) == (
        f"--out {tmp_path}: holds a comparison with other settings; give the same ones, or another folder: width is 4 "
        "there and 8 here"
    )


def test_one_teacher_for_all_students(tmp_path):
    known = [TeacherFacts("a", "1" * 64, 1, twins, {}) for twins in (False, True)]
    _require_same(TeacherFacts("a", "1" * 64, 1, False, {}), known, tmp_path)
    with pytest.raises(InputError) as refused:
        _require_same(TeacherFacts("b", "2" * 64, 1, True, {}), known, tmp_path)
    assert str(refused.value).startswith(
        f"--out {tmp_path}: its students learn from the teacher a with SHA-256 111111111111, and here is b with 22222"
    )


def test_a_cell_has_a_folder_of_its_own(tmp_path):
    cells = [*CELLS, Cell(Row("kd"), Point("3uJ", 0)), Cell(Row("kd", ("logits",)), Point(None, 0))]
    assert len({cell.folder(tmp_path) for cell in cells}) == len(cells)
