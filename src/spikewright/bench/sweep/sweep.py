"""Many energy budgets: a student within each, and one table and one plot of accuracy against deployed energy."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from torch import nn

from ...base.errors import InputError, arg, refuse
from ...base.progress import Callback, Listeners
from ...data.dataset import Dataset
from ...distillation.base import LossTerms
from ...profile.profile import HardwareProfile, load_profile
from ...student.config import StudentConfig
from ...teachers.torch_teacher import Teacher
from ...training.objects import dataset_of, object_hashes, objects_of, settings_of
from ...training.settings import Budget, DataSettings, DistillSettings, StudentSpec, TeacherSpec, Training
from ...training.sizing import smallest_size
from ..database import read_url, require_optuna, shown
from ..folder import open_folder, study_name, write_result
from ..former import also_takes_settings
from ..outcome import Outcome
from ..point import Point, read_budgets
from ..road import OF_MACHINE
from ..work import DATABASE, SharedStudy, open_study
from .plot import write_plot
from .points import points_of, points_under, spaced, work
from .result import SweepResult
from .text import markdown

OWN = {"energy_budget", "seed"}
"""Settings that differ between points."""


def sweep_with(
    settings: DistillSettings,
    budgets: Sequence[str] | None = None,
    seeds: int = 1,
    out: Path | str = "build/sweep",
    *,
    points: int | None = None,
    study: str | None = None,
    callbacks: Sequence[Callback] = (),
) -> SweepResult:
    """A sweep as :func:`sweep` does it, of what ``settings`` describe.

    Args:
        settings: what all students have in common; their ``energy_budget`` must be None, their seed is the first one's.

    Raises:
        InputError: as :func:`sweep`.
        SpikewrightError: as :func:`sweep`.
    """
    folder, listeners = Path(out), Listeners(callbacks)
    profile = load_profile(settings.limits.profile)
    texts = _checked(settings, budgets, points, seeds, profile)
    require_optuna("sweep")
    facts = {
        **settings.flat(without=OWN | OF_MACHINE),
        **object_hashes(settings),
        "profile_sha256": profile.sha256,
    }
    open_folder(folder, facts, "a sweep")
    url = study or f"sqlite:///{folder.resolve() / DATABASE}"
    name = study_name(settings.data.name, profile.name, facts)
    with open_study(url, name, points_under(folder), listeners) as shared:
        chosen = range(settings.training.seed, settings.training.seed + seeds)
        _complete(shared, settings, texts, points, chosen, folder, listeners)
        found = tuple(shared.results())
    result = SweepResult(profile, settings.data.name, (name, shown(read_url(url))), facts, found)
    plots = write_plot(result, folder / "pareto")
    write_result(folder / "sweep", result.as_json(), markdown(result), plots, listeners)
    return result


@also_takes_settings(sweep_with)
def sweep(
    data: Dataset | DataSettings | str = "digits",
    teacher: nn.Module | Teacher | TeacherSpec | str | None = None,
    *,
    student: nn.Module | StudentConfig | StudentSpec | str = "convnet",
    method: LossTerms | str = "kd",
    budgets: Sequence[str] | None = None,
    points: int | None = None,
    seeds: int = 1,
    within: Budget | None = None,
    regularize: LossTerms | str | Sequence[LossTerms | str] = (),
    training: Training | None = None,
    out: Path | str = "build/sweep",
    study: str | None = None,
    callbacks: Sequence[Callback] = (),
) -> SweepResult:
    """Distil a student for each budget and seed, and one without a budget, and measure all of them on the chip.

    Writes ``sweep.json``, ``sweep.md``, ``pareto.svg`` and ``pareto.png``; each student's files are under ``points/``.
    ``data``, ``teacher``, ``student``, ``method`` and ``regularize`` are as :func:`spikewright.distill` takes them. A
    call with :class:`DistillSettings` in their place, as it was before 0.2, is deprecated.

    Args:
        budgets: numbers with a unit, such as ``["8uJ", "4uJ"]``.
        points: instead of ``budgets``, how many to choose between the floor and the energy without a budget.
        seeds: students for each budget.
        within: the chip, and limits besides the budgets that hold for every student.
        training: how long and how to train; its seed is the first one.
        out: folder for every artefact; what it holds of this sweep is not done again.
        study: URL of the database that the workers share; None: an SQLite file in ``out``.
        callbacks: hear messages and progress.

    Raises:
        InputError: unusable budgets or values, another sweep's folder, no Optuna, or no such database.
        SpikewrightError: the students without a budget cannot be made.
    """
    settings = settings_of(data, teacher, student, method, within, regularize, training)
    return sweep_with(settings, budgets, seeds, out, points=points, study=study, callbacks=callbacks)


def _checked(
    settings: DistillSettings,
    budgets: Sequence[str] | None,
    points: int | None,
    seeds: int,
    profile: HardwareProfile,
) -> list[str] | None:
    """The budgets in their one spelling, None if they are to be chosen; refuses with every fault at once."""
    texts, faults = read_budgets(budgets or (), profile, "budgets")
    if budgets is None and points is None:
        faults.append(f"give {arg('budgets')}, such as 8uJ,4uJ,2uJ, or {arg('points')}, such as 5")
    if budgets is not None and points is not None:
        faults.append(f"{arg('points', points)}: chooses the budgets, and {arg('budgets')} gives them; leave one out")
    if budgets is not None and not budgets:
        faults.append(f"{arg('budgets')}: names no budget; give e.g. 8uJ,4uJ,2uJ")
    if settings.limits.energy_budget is not None:
        faults.append(f"energy_budget is {settings.limits.energy_budget!r}: a sweep sets its own; leave it out")
    for name, number in (("points", points), ("seeds", seeds)):
        if number is not None and number < 1:
            faults.append(f"{arg(name, number)}: must be at least 1")
    refuse("sweep", faults)
    return None if budgets is None else texts


def _complete(
    study: SharedStudy[Point, Outcome],
    settings: DistillSettings,
    budgets: list[str] | None,
    count: int | None,
    seeds: Sequence[int],
    folder: Path,
    listeners: Listeners,
) -> None:
    """Complete every point; budgets that are not given are chosen after the first student without one."""
    do = partial(work, settings=settings, out=folder, listeners=listeners)
    if budgets is None:
        assert count is not None
        first = Point(None, seeds[0])
        study.complete([first], do)
        budgets = _chosen(study, first, settings, count)
        listeners.say(f"budgets: {', '.join(budgets)}")
    study.complete(points_of(budgets, seeds), do)


def _chosen(study: SharedStudy[Point, Outcome], first: Point, settings: DistillSettings, count: int) -> list[str]:
    (free,) = (result for result in study.results() if result.job == first)
    if free.value is None:
        raise InputError(
            f"{arg('points', count)}: there is no student without an energy budget to start from: {free.sentence}"
        )
    profile, given, floor = load_profile(settings.limits.profile), objects_of(settings), free.value.floor
    if given.config is None and given.network is None:  # the budget may choose the size
        dataset = dataset_of(settings, settings.student.timesteps).with_train_samples(settings.data.train_samples)
        floor = smallest_size(settings.student, dataset, profile, settings.training.seed).floor.total
    return spaced(floor, free.value.energy["validation"], count, profile.cost_unit)
