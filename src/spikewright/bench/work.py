"""Jobs shared by workers through an Optuna study on SQLite or PostgreSQL: each job is done once, and results are kept.

A trial is one attempt at one job. Of several live trials of a job the first counts, so that two workers that add the
same job at the same moment do not do it twice.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Generic, Literal, TypeVar

from pydantic import BaseModel, ValidationError

from ..base.errors import BelowFloor, InputError, SpikewrightError, arg, refuse, with_flags
from ..base.headers import faults_of
from ..base.lock import locked
from ..base.progress import SILENT, Listeners
from .database import Turn, answering, read_url, storage_of, turn_of
from .workers import LOCK, Watch, has_lock_in, heartbeat, lock_facts

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial

POLL_S = 2.0
"""Between two looks at the jobs of other workers."""
ANOTHER = "give another database, or another folder"
DATABASE = "study.db"
"""The SQLite file in the folder of a bench that shares its work there."""
J = TypeVar("J")
R = TypeVar("R", bound=BaseModel)
State = Literal["done", "infeasible", "failed", "unfinished"]


@dataclass(frozen=True)
class JobResult(Generic[J, R]):
    """A job and what became of it.

    Attributes:
        value: what the work returned; None unless ``state`` is ``done``.
        sentence: why there is no value; empty if there is one.
    """

    job: J
    state: State
    value: R | None = None
    sentence: str = ""


@dataclass(frozen=True)
class JobKind(Generic[J, R]):
    """How jobs of one kind, which must be hashable, stand in a study.

    Attributes:
        noun: of one job, for messages; several have an ``s``.
        attributes_of: what identifies a job among the attributes of a trial, JSON-able.
        job_of: the job that a trial's attributes identify; None for a trial that is not one of these.
        folder_of: where this worker keeps the files of a job.
        result: what the work returns; ``result_name`` is the attribute that holds it.
        values_of: energy and accuracy on validation of a result, as the study's two objectives.
        is_required: whether nothing else can be done when the job failed.
        is_lost: whether files of a job that an earlier command did in this folder are gone: it is done again.
    """

    noun: str
    attributes_of: Callable[[J], dict[str, object]]
    job_of: Callable[[Mapping[str, object]], J | None]
    folder_of: Callable[[J], Path]
    result: type[R]
    result_name: str
    values_of: Callable[[R], tuple[float, float]]
    is_required: Callable[[J], bool] = lambda _: False
    is_lost: Callable[[J], bool] = lambda _: False


@contextmanager
def open_study(url: str, name: str, kind: JobKind[J, R], listeners: Listeners = SILENT) -> Iterator[SharedStudy[J, R]]:
    """The study ``name`` in the database ``url``, created if it is missing.

    Raises:
        InputError: the database's driver is not installed, or the database cannot be opened or is lost.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    database = read_url(url)
    turn = turn_of(database)
    with turn():
        storage = storage_of(database)
    try:
        with answering(database):
            with _whole():
                study = optuna.create_study(
                    storage=storage, study_name=name, load_if_exists=True, directions=["minimize", "maximize"]
                )
            yield SharedStudy(study, turn, kind, listeners)
    finally:
        storage.remove_session()
        storage.engine.dispose()


@contextmanager
def _whole() -> Iterator[None]:
    """Read what Optuna keeps in a database.

    Raises:
        InputError: it is not of its form.
    """
    try:
        yield
    except (ValueError, TypeError, LookupError, AttributeError, AssertionError) as error:
        raise InputError(
            f"{arg('study')}: holds what Optuna cannot read ({type(error).__name__}: {error}); {ANOTHER}"
        ) from error


class SharedStudy(Generic[J, R]):
    """The jobs of a study for one worker: those that are asked for, in progress and finished."""

    def __init__(self, study: optuna.Study, turn: Turn, kind: JobKind[J, R], listeners: Listeners) -> None:
        self._study, self._turn, self._kind, self._listeners = study, turn, kind, listeners
        self._watch = Watch()
        self._earlier = self._finished()

    @property
    def facts(self) -> dict[str, object]:
        """What workers noted about the whole study, by name."""
        with _whole():
            return self._study.user_attrs

    def note(self, name: str, fact: object) -> None:
        """Keep a JSON-able fact about the whole study."""
        self._study.set_user_attr(name, fact)

    def add_results(self, read: Callable[[J], R | str | None], jobs: Sequence[J]) -> None:
        """Add what is known of jobs from elsewhere, such as the files of an earlier version.

        Args:
            read: the result of a job, the sentence with which it failed, or None if nothing is known of it.
            jobs: those that the study knows as done are left out, and a failure counts only for one it does not know.
        """
        from optuna.trial import TrialState, create_trial

        with self._turn():
            known = {result.job: result.state for result in self.results()}
            for job in jobs:
                if known.get(job) == "done" or (found := read(job)) is None:
                    continue
                facts = {**self._kind.attributes_of(job), "worker": lock_facts(self._kind.folder_of(job))}
                if not isinstance(found, str):
                    facts[self._kind.result_name] = found.model_dump(mode="json")
                    self._study.add_trial(create_trial(values=list(self._kind.values_of(found)), user_attrs=facts))
                elif job not in known:
                    self._study.add_trial(create_trial(state=TrialState.FAIL, user_attrs={**facts, "failed": found}))
        self._earlier = self._finished()

    def complete(self, jobs: Sequence[J], work: Callable[[J], R]) -> None:
        """Return when every one of ``jobs`` is done or has failed, by this worker or by others.

        A job that failed before this worker began is tried again, one that fails meanwhile is not.

        Args:
            work: does one job; may raise :class:`BelowFloor` for one that is infeasible.

        Raises:
            SpikewrightError: a required job failed.
        """
        waiting_for: list[J] = []
        while missing := self.missing(jobs):
            with self._turn():
                taken = self._take(jobs)
            if taken is not None:
                trial, job = taken
                verb = f"{self._kind.noun} is" if len(missing) == 1 else f"{self._kind.noun}s are"
                self._listeners.say(f"{job}: {len(missing)} {verb} missing")
                self._work_on(trial, job, work)
                continue
            if missing != waiting_for:
                self._listeners.say(f"waiting for what other workers have in hand: {'; '.join(map(str, missing))}")
            waiting_for = missing
            time.sleep(POLL_S)

    def results(self) -> list[JobResult[J, R]]:
        """Every job that was ever asked for."""
        results: dict[J, JobResult[J, R]] = {}
        for trial, job in self._of_jobs():
            found = self._result(trial, job)
            if job not in results or results[job].state in ("unfinished", "failed") or found.state == "done":
                results[job] = found
        return list(results.values())

    def missing(self, jobs: Sequence[J]) -> list[J]:
        """Those of ``jobs`` that are neither done nor infeasible, nor have failed since this worker began.

        Raises:
            InputError: another worker failed at a required job.
        """
        settled = set()
        for trial, job in self._of_jobs():
            found = self._result(trial, job)
            has_failed = found.state == "failed" and trial.number not in self._earlier
            if has_failed and self._kind.is_required(job):
                raise InputError(f"{job}: {found.sentence}")
            if has_failed or found.state in ("done", "infeasible"):
                settled.add(job)
        return [job for job in jobs if job not in settled]

    def _take(self, jobs: Sequence[J]) -> tuple[optuna.Trial, J] | None:
        """The first job that is missing and has no worker, and a trial for it."""
        self._drop_stale_trials()
        # Live trials are asked for before the missing jobs, since they may end at any moment.
        live = {job for _, job in self._of_jobs("WAITING", "RUNNING")}
        free = [job for job in self.missing(jobs) if job not in live]
        for job in free[:1]:  # one at a time: a job that is dropped comes back in its place
            self._study.enqueue_trial({}, user_attrs=self._kind.attributes_of(job))
        while self._trials("WAITING"):
            # If another worker takes the last one in between, Optuna makes up a trial, which has no job.
            trial = self._study.ask()
            found = self._kind.job_of(trial.user_attrs)
            if found is not None and self._is_first(trial.number, found):
                return trial, found
            self._drop(trial.number)
        return None

    def _is_first(self, number: int, job: J) -> bool:
        live = self._of_jobs("WAITING", "RUNNING")
        return not any(other == job and trial.number < number for trial, other in live) and bool(self.missing([job]))

    def _work_on(self, trial: optuna.Trial, job: J, work: Callable[[J], R]) -> None:
        """Attempt a job, with a lock in its folder and heartbeats in the study."""
        folder = self._kind.folder_of(job)
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder / LOCK) as held:
            if not held:  # by a worker that timed out or that the study does not know: let it finish
                self._drop(trial.number)
                time.sleep(POLL_S)
                return
            trial.set_user_attr("worker", {**lock_facts(folder), "pid": os.getpid()})
            with heartbeat(lambda count: self._beat(trial, count)):
                self._attempt(trial, job, work)

    def _attempt(self, trial: optuna.Trial, job: J, work: Callable[[J], R]) -> None:
        """Do the work and write down how it ended."""
        kind = self._kind
        try:
            result = work(job)
        except BelowFloor as error:
            self._listeners.say(f"infeasible: {error.message}")
            self._end(trial, "PRUNED", {"infeasible": with_flags(error, {})})
        except SpikewrightError as error:
            self._end(trial, "FAIL", {"failed": with_flags(error, {})})
            if kind.is_required(job):
                raise
            self._listeners.say(f"{job}: {error.message}", "warning")
        except BaseException:
            self._drop(trial.number)  # interrupted, or a defect: the job is free for others at once
            raise
        else:
            facts = {kind.result_name: result.model_dump(mode="json")}
            self._end(trial, "COMPLETE", facts, kind.values_of(result))

    def _end(
        self, trial: optuna.Trial, state: str, facts: Mapping[str, object], values: tuple[float, float] | None = None
    ) -> None:
        """Write down how a job ended, unless this worker timed out and the trial was dropped."""
        from optuna.exceptions import UpdateFinishedTrialError
        from optuna.trial import TrialState

        with suppress(UpdateFinishedTrialError):
            for name, value in facts.items():
                trial.set_user_attr(name, value)
            self._study.tell(trial, values, TrialState[state], skip_if_finished=True)

    def _drop(self, number: int) -> None:
        """End a trial without an answer, so that its job is missing again."""
        from optuna.exceptions import UpdateFinishedTrialError
        from optuna.trial import TrialState

        with suppress(UpdateFinishedTrialError):
            self._study.tell(number, state=TrialState.FAIL, skip_if_finished=True)

    def _beat(self, trial: optuna.Trial, count: int) -> bool:
        from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError

        try:
            trial.set_user_attr("beat", count)
        except UpdateFinishedTrialError:
            return False
        except StorageInternalError:
            pass  # one heartbeat is missed; a worker times out after six
        return True

    def _drop_stale_trials(self) -> None:
        for trial, job in self._of_jobs("RUNNING"):
            worker, beat = (trial.user_attrs.get(name) for name in ("worker", "beat"))
            if self._watch.is_stale(trial.number, worker, beat, self._kind.folder_of(job)):
                self._listeners.say(f"taking up what a worker left: {job}")
                self._drop(trial.number)

    def _finished(self) -> set[int]:
        return {trial.number for trial in self._trials() if trial.state.is_finished()}

    def _trials(self, *states: str) -> list[FrozenTrial]:
        """All trials, or those in these states of Optuna."""
        with _whole():
            trials = self._study.get_trials(deepcopy=False)
        return [trial for trial in trials if trial.state.name in states] if states else trials

    def _of_jobs(self, *states: str) -> Iterator[tuple[FrozenTrial, J]]:
        """Trials with the job that each is of; those that Optuna made up have none."""
        for trial in self._trials(*states):
            if (job := self._kind.job_of(trial.user_attrs)) is not None:
                yield trial, job

    def _result(self, trial: FrozenTrial, job: J) -> JobResult[J, R]:
        facts, kind, state = trial.user_attrs, self._kind, trial.state.name
        is_ours = trial.number in self._earlier and has_lock_in(kind.folder_of(job), facts.get("worker"))
        if state == "COMPLETE" and not (is_ours and kind.is_lost(job)):
            return JobResult(job, "done", self._record(job, facts.get(kind.result_name)))
        if state == "PRUNED":
            return JobResult(job, "infeasible", sentence=str(facts.get("infeasible", "nobody noted why")))
        if state == "FAIL" and "failed" in facts:
            return JobResult(job, "failed", sentence=str(facts["failed"]))
        return JobResult(job, "unfinished", sentence="not finished yet")

    def _record(self, job: J, found: object) -> R:
        """What a study holds as the result of a job, which anybody may have written who shares the database."""
        try:
            return self._kind.result.model_validate(found)
        except ValidationError as error:
            refuse(f"{arg('study')}: holds no result of {job} that this version reads; {ANOTHER}", faults_of(error))
            raise
