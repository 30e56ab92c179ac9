"""Workers that share a study: every point once, whoever dies."""

import threading
import time

import pytest

from spikewright.base import lock
from spikewright.base.errors import BelowFloor, InputError
from spikewright.bench import work, workers
from spikewright.bench.point import Outcome, Point
from spikewright.bench.sweep.sweep import points_of, points_under

pytest.importorskip("optuna")
POINTS = points_of(["2uJ", "1uJ"], [0])
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


def opened(folder):
    return work.open_study(f"sqlite:///{folder / 'study.db'}", "a sweep", points_under(folder))


class Worker:
    """Works on a study in a folder, and remembers on which points; ``do`` may raise instead."""

    def __init__(self, folder, do=None):
        self.folder, self.do, self.done = folder, do, []

    def work(self, point):
        self.done.append(point)
        if self.do is not None:
            self.do(point)
        return Outcome.model_validate(OUTCOME)

    def complete(self, points=POINTS):
        with opened(self.folder) as shared:
            shared.complete(points, self.work)
            return {result.job: result for result in shared.results()}


def raises(point, error):
    """A ``do`` that raises at one point."""

    def do(given):
        if given == point:
            raise error

    return do


def test_points_are_done_in_order_and_only_once(tmp_path):
    first, second = Worker(tmp_path), Worker(tmp_path)
    results = first.complete()
    assert first.done == POINTS
    assert {result.state for result in results.values()} == {"done"}
    assert second.complete() == results
    assert second.done == []


def test_budgets_and_seeds_can_be_added(tmp_path):
    Worker(tmp_path).complete()
    second = Worker(tmp_path)
    more = points_of(["2uJ", "500nJ"], [0, 1])
    assert set(second.complete(more)) == {*POINTS, *more}
    assert second.done == [point for point in more if point not in POINTS]


def test_an_interrupt_in_the_second_point_costs_only_that_point(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        Worker(tmp_path, raises(POINTS[1], KeyboardInterrupt())).complete()
    second = Worker(tmp_path)
    second.complete()
    assert second.done == POINTS[1:]


def test_a_budget_below_the_floor_is_an_answer(tmp_path):
    first = Worker(tmp_path, raises(POINTS[1], BelowFloor("below the floor of 3 uJ")))
    results = first.complete()
    assert (results[POINTS[1]].state, results[POINTS[1]].sentence) == ("infeasible", "below the floor of 3 uJ")
    assert results[POINTS[2]].state == "done"
    second = Worker(tmp_path)
    second.complete()
    assert second.done == []


def test_a_failed_point_is_passed_over_and_tried_again_in_the_next_run(tmp_path):
    results = Worker(tmp_path, raises(POINTS[1], InputError("the loss is not finite"))).complete()
    assert (results[POINTS[1]].state, results[POINTS[1]].sentence) == ("failed", "the loss is not finite")
    assert results[POINTS[2]].state == "done"
    second = Worker(tmp_path)
    assert second.complete()[POINTS[1]].state == "done"
    assert second.done == [POINTS[1]]


def test_without_the_student_without_a_budget_there_is_no_sweep(tmp_path):
    first = Worker(tmp_path, raises(POINTS[0], InputError("no data")))
    with pytest.raises(InputError, match="no data"):
        first.complete()
    assert first.done == POINTS[:1]


def abandon(folder, worker=None):
    """Leave the first point as a worker does that is killed: running, with nobody at it."""
    with opened(folder) as shared:
        shared._study.enqueue_trial({}, user_attrs={"budget": None, "seed": 0})
        trial = shared._study.ask()
        if worker is not None:
            trial.set_user_attr("worker", worker)


def test_a_killed_worker_of_this_machine_is_seen_at_once(tmp_path):
    folder = points_under(tmp_path).folder_of(POINTS[0])
    folder.mkdir(parents=True)
    (folder / workers.LOCK).touch()  # a lock that no process holds
    abandon(tmp_path, workers.lock_facts(folder))
    second, began = Worker(tmp_path), time.monotonic()
    second.complete()
    assert second.done == POINTS
    assert time.monotonic() - began < workers.TIMEOUT_S / 2


def test_a_silent_worker_of_another_machine_is_given_up_after_a_while(tmp_path, monkeypatch):
    monkeypatch.setattr(workers, "TIMEOUT_S", 3.0)
    monkeypatch.setattr(work, "POLL_S", 0.1)
    abandon(tmp_path, {"host": "another", "lock": "/nowhere"})
    second, began = Worker(tmp_path), time.monotonic()
    second.complete()
    assert second.done == [*POINTS[1:], POINTS[0]]
    assert time.monotonic() - began > 3.0


def test_a_worker_that_gives_heartbeats_keeps_its_point(tmp_path, monkeypatch):
    """It takes several times the grace, on what looks like another machine."""
    monkeypatch.setattr(workers, "TIMEOUT_S", 1.0)
    monkeypatch.setattr(workers, "HEARTBEAT_S", 0.1)
    monkeypatch.setattr(work, "POLL_S", 0.1)
    monkeypatch.setattr(work, "lock_facts", lambda folder: {"host": "another", "lock": "/nowhere"})
    at_it, slow, quick = threading.Event(), Worker(tmp_path), Worker(tmp_path)

    def take_long(point):
        at_it.set()
        time.sleep(3.0)

    slow.do = take_long
    thread = threading.Thread(target=slow.complete, args=(POINTS[:1],))
    thread.start()
    assert at_it.wait(20)
    results = quick.complete()
    thread.join()
    assert (slow.done, quick.done) == (POINTS[:1], POINTS[1:])
    assert {result.state for result in results.values()} == {"done"}


def test_two_workers_that_add_the_same_point_do_it_once(tmp_path):
    with opened(tmp_path) as shared:
        for _ in range(2):
            shared._study.enqueue_trial({}, user_attrs={"budget": None, "seed": 0})
    both = [Worker(tmp_path, lambda point: time.sleep(0.3)) for _ in range(2)]
    threads = [threading.Thread(target=worker.complete) for worker in both]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(str, both[0].done + both[1].done)) == sorted(map(str, POINTS))


def test_a_lock_is_held_by_one_and_let_go_of(tmp_path):
    file = tmp_path / workers.LOCK
    with lock.locked(file) as first, lock.locked(file) as second:
        assert (first, second) == (True, False)
    with lock.locked(file) as third:
        assert third


def test_a_point_reads_as_it_is_written(tmp_path):
    kind = points_under(tmp_path)
    for point in (Point("1uJ", 3), Point(None, 0)):
        assert kind.job_of(kind.attributes_of(point)) == point
    assert kind.job_of({}) is None
