"""The study of a sweep: an Optuna study that holds its points, shared by all workers on one database.

A trial is one attempt at one point. Of several live trials of a point the first counts, so that two workers that add
the same point at the same moment do not do it twice.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ...base import command as cli
from ...base.errors import BelowFloor, InputError, SpikewrightError
from ..locks import LOCK, locked
from ..outcome import Outcome
from ..point import Point
from .claim import Watch, beating, whereabouts
from .database import Turn, answering, read_url, require_optuna, storage_of, turn_of
from .outcome import PointResult

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial, TrialState

POLL_S = 2.0
"""Between two looks at what other workers have in hand."""
Work = Callable[[Point], Outcome]


@contextmanager
def open_study(url: str, name: str) -> Iterator[SweepStudy]:
    """The study ``name`` in the database ``url``, made where it is missing.

    Raises:
        InputError: Optuna or the database's driver is not installed, or the database cannot be opened or is lost.
    """
    require_optuna()
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    database = read_url(url)
    turn = turn_of(database)
    with turn():
        storage = storage_of(database)
    try:
        with answering(database):
            study = optuna.create_study(
                storage=storage, study_name=name, load_if_exists=True, directions=["minimize", "maximize"]
            )
            yield SweepStudy(study, turn)
    finally:
        storage.remove_session()
        storage.engine.dispose()


class SweepStudy:
    """The points of a sweep: what is asked for, in hand and done."""

    def __init__(self, study: optuna.Study, turn: Turn) -> None:
        self._study = study
        self._turn = turn
        self._watch = Watch()
        self._before = len(study.get_trials(deepcopy=False))

    @property
    def name(self) -> str:
        """In its database."""
        return self._study.study_name

    def complete(self, points: list[Point], work: Work, folder_of: Callable[[Point], Path]) -> None:
        """Return when every one of ``points`` is settled, by this worker or by others.

        Raises:
            SpikewrightError: a point without a budget was refused, with which all others are compared.
        """
        waiting_for: list[Point] = []
        while missing := self._missing(points):
            with self._turn():
                taken = self._take(points, folder_of)
            if taken is not None:
                trial, point = taken
                cli.say(f"{point}: {len(missing)} {'point is' if len(missing) == 1 else 'points are'} missing")
                self._work_on(trial, point, work, folder_of(point))
                continue
            if missing != waiting_for:
                cli.say(f"waiting for what other workers have in hand: {'; '.join(map(str, missing))}")
            waiting_for = missing
            time.sleep(POLL_S)

    def results(self) -> list[PointResult]:
        """Every point that was ever asked for."""
        results: dict[Point, PointResult] = {}
        for trial in self._study.get_trials(deepcopy=False):
            if (point := _point(trial.user_attrs)) is None:
                continue
            result = _result(point, trial)
            if point not in results or results[point].state in ("unfinished", "failed"):
                results[point] = result
        return list(results.values())

    def _take(self, points: list[Point], folder_of: Callable[[Point], Path]) -> tuple[optuna.Trial, Point] | None:
        """The first of the points that is missing and that nobody has in hand, and a trial for it."""
        self._bury_the_dead(folder_of)
        # One at a time: what is dropped comes back in its place.
        for point in self._free(points)[:1]:
            self._study.enqueue_trial({}, user_attrs=_key(point))
        while (trial := self._next()) is not None:
            found = _point(trial.user_attrs)
            if found is not None and self._is_first(trial.number, found):
                return trial, found
            self._drop(trial.number)
        return None

    def _work_on(self, trial: optuna.Trial, point: Point, work: Work, folder: Path) -> None:
        """Attempt a point, with a lock in its folder and signs of life in the study."""
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder / LOCK) as held:
            if not held:  # by one that the study has given up, or does not know: let it finish
                self._drop(trial.number)
                time.sleep(POLL_S)
                return
            trial.set_user_attr("worker", {**whereabouts(folder), "pid": os.getpid()})
            with beating(lambda count: self._beat(trial, count)):
                self._attempt(trial, point, work)

    def _attempt(self, trial: optuna.Trial, point: Point, work: Work) -> None:
        """Do the work and write down how it ended."""
        from optuna.trial import TrialState

        try:
            outcome = work(point)
        except BelowFloor as error:
            cli.say(f"infeasible: {error}")
            self._write(trial, "infeasible", str(error), TrialState.PRUNED)
        except SpikewrightError as error:
            self._write(trial, "failed", str(error), TrialState.FAIL)
            if point.budget is None:
                raise
            cli.say(f"warning: {point}: {error}")
        except BaseException:
            self._drop(trial.number)  # interrupted, or a defect of ours: others may take the point up at once
            raise
        else:
            values = (outcome.energy["validation"], outcome.accuracy["validation"])
            self._write(trial, "outcome", outcome.model_dump(mode="json"), TrialState.COMPLETE, values)

    def _write(
        self,
        trial: optuna.Trial,
        name: str,
        fact: object,
        state: TrialState,
        values: tuple[float, float] | None = None,
    ) -> None:
        """End a trial; one that was given to another, since this worker was silent for too long, is that one's."""
        from optuna.exceptions import UpdateFinishedTrialError

        with suppress(UpdateFinishedTrialError):
            trial.set_user_attr(name, fact)
            self._study.tell(trial, values, state, skip_if_finished=True)

    def _drop(self, number: int) -> None:
        """End a trial that came to nothing, so that its point is missing again."""
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
            pass  # one beat missed; six in a row must be before anyone takes the point
        return True

    def _missing(self, points: Iterable[Point]) -> list[Point]:
        settled = set()
        for trial in self._study.get_trials(deepcopy=False):
            if (point := _point(trial.user_attrs)) is not None and self._settles(trial):
                settled.add(point)
                if point.budget is None and "failed" in trial.user_attrs:
                    raise InputError(f"{point}: {trial.user_attrs['failed']}")
        return [point for point in points if point not in settled]

    def _settles(self, trial: FrozenTrial) -> bool:
        """Done or infeasible; a failure settles its point until the command is run again."""
        state = _result(Point(None, 0), trial).state
        return state in ("done", "infeasible") or (state == "failed" and trial.number >= self._before)

    def _free(self, points: list[Point]) -> list[Point]:
        """Missing points that nobody has in hand; asked in this order, since what is in hand may be done any moment."""
        live = {point for _, point in self._live()}
        return [point for point in self._missing(points) if point not in live]

    def _is_first(self, number: int, point: Point) -> bool:
        earlier = any(other == point for n, other in self._live() if n < number)
        return not earlier and bool(self._missing([point]))

    def _live(self) -> Iterator[tuple[int, Point]]:
        from optuna.trial import TrialState

        for trial in self._study.get_trials(deepcopy=False, states=(TrialState.WAITING, TrialState.RUNNING)):
            if (point := _point(trial.user_attrs)) is not None:
                yield trial.number, point

    def _next(self) -> optuna.Trial | None:
        from optuna.trial import TrialState

        if not self._study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
            return None
        # Where another worker takes the last one in between, Optuna makes up a trial, which has no point.
        return self._study.ask()

    def _bury_the_dead(self, folder_of: Callable[[Point], Path]) -> None:
        from optuna.trial import TrialState

        for trial in self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            facts = trial.user_attrs
            if (point := _point(facts)) is None:
                continue
            if self._watch.is_dead(trial.number, facts.get("worker"), facts.get("beat"), folder_of(point)):
                cli.say(f"taking up what a worker left: {point}")
                self._drop(trial.number)


def _key(point: Point) -> dict[str, object]:
    return {"budget": point.budget, "seed": point.seed}


def _point(attributes: dict[str, object]) -> Point | None:
    """The point of a trial; None for one that Optuna made up."""
    budget, seed = attributes.get("budget"), attributes.get("seed")
    if not isinstance(seed, int):
        return None
    return Point(budget if isinstance(budget, str) else None, seed)


def _result(point: Point, trial: FrozenTrial) -> PointResult:
    from optuna.trial import TrialState

    facts = trial.user_attrs
    if trial.state == TrialState.COMPLETE:
        return PointResult(point, "done", Outcome.model_validate(facts["outcome"]))
    if trial.state == TrialState.PRUNED:
        return PointResult(point, "infeasible", sentence=facts["infeasible"])
    if trial.state == TrialState.FAIL and "failed" in facts:
        return PointResult(point, "failed", sentence=facts["failed"])
    return PointResult(point, "unfinished", sentence="not finished yet")
