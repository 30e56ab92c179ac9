"""Many energy budgets: a student within each, and one table and one plot of accuracy against deployed energy."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from ...base.bounds import MOST_STUDENTS
from ...base.errors import InputError, arg, refuse
from ...base.progress import SILENT, Callback, Listeners
from ...pages.pricing import AnyAnchors
from ...profile.anchors import anchors_beside
from ...profile.profile import HardwareProfile, load_profile
from ...profile.schema import CostUnit
from ...profile.units import spelled
from ...training import objects
from ...training.again import OF_MACHINE
from ...training.early import no_init
from ...training.given import count_faults, seeds_faults
from ...training.objects import GivenData, GivenStudent, GivenTeacher, GivenTerms
from ...training.samples import learnt_part
from ...training.settings import Budget, DistillSettings, Training
from ...training.sizing import smallest_size
from ..call import also_takes_settings, open_folder, study_name, write_result
from ..database import read_url, require_optuna, shown
from ..point import Outcome, Point, read_budgets
from ..road import make
from ..work import DATABASE, JobKind, SharedStudy, open_study
from .plot import write_plot
from .result import SweepResult
from .text import markdown

OWN = {"energy_budget", "seed"}
"""Settings that differ between points."""
POINTS = "points"
LOWEST = 1.25
"""The lowest budget that ``points`` chooses, in floors: a fifth of it is left for spikes."""
DIGITS = 3
"""Significant digits of a budget that ``points`` chooses."""


def sweep_with(
    settings: DistillSettings,
    budgets: Sequence[str] | None = None,
    seeds: int = 1,
    out: Path | str = "build/sweep",
    *,
    points: int | None = None,
    study: str | None = None,
    anchors: AnyAnchors | None = None,
    callbacks: Sequence[Callback] = (),
) -> SweepResult:
    """A sweep as :func:`sweep` does it, of what ``settings`` describe.

    Their ``energy_budget`` must be None, and their seed is the first one.
    """
    no_init(settings, "sweep")
    folder, listeners = Path(out), Listeners(callbacks)
    profile = load_profile(settings.limits.profile)
    published = None if anchors is None else anchors_beside(anchors, [profile])
    texts = _checked(settings, budgets, points, seeds, profile)
    require_optuna("sweep")
    facts = {**settings.flat(without=OWN | OF_MACHINE), **objects.object_hashes(settings)}
    facts["profile_sha256"] = profile.sha256
    open_folder(folder, facts, "a sweep")
    url = study or f"sqlite:///{folder.resolve() / DATABASE}"
    name = study_name(settings.data.name, profile.name, facts)
    with open_study(url, name, points_under(folder), listeners) as shared:
        chosen = range(settings.training.seed, settings.training.seed + seeds)
        _complete(shared, settings, texts, points, chosen, folder, listeners)
        found = tuple(shared.results())
    result = SweepResult(profile, settings.data.name, facts, (name, shown(read_url(url))), found, published)
    write_result(folder / "sweep", result.as_json(), markdown(result), write_plot(result, folder / "pareto"), listeners)
    return result


@also_takes_settings(sweep_with)
def sweep(
    data: GivenData = "digits",
    teacher: GivenTeacher = None,
    *,
    student: GivenStudent | None = None,
    method: GivenTerms = "kd",
    budgets: Sequence[str] | None = None,
    points: int | None = None,
    seeds: int = 1,
    within: Budget | None = None,
    regularize: GivenTerms | Sequence[GivenTerms] = (),
    training: Training | None = None,
    unlabelled: object = None,
    out: Path | str = "build/sweep",
    study: str | None = None,
    anchors: AnyAnchors | None = None,
    callbacks: Sequence[Callback] = (),
) -> SweepResult:
    """Distil a student for each budget and seed, and one without a budget, and measure all of them on the chip.

    Writes ``sweep.json``, ``sweep.md``, ``pareto.svg`` and ``pareto.png``; each student's files are under ``points/``.
    ``data``, ``teacher``, ``student``, ``method``, ``regularize`` and ``unlabelled`` are as :func:`spikewright.distill`
    takes them. A call with :class:`DistillSettings` in their place, as it was before 0.2, is deprecated.

    Args:
        budgets: numbers with a unit, such as ``["8uJ", "4uJ"]``.
        points: instead of ``budgets``, how many to choose between the floor and the energy without a budget.
        seeds: students for each budget.
        within: the chip, and limits besides the budgets that hold for every student.
        training: how long and how to train; its seed is the first one.
        out: folder for every artefact; what it holds of this sweep is not done again.
        study: URL of the database that the workers share; None: an SQLite file in ``out``.
        anchors: published points to stand beside: a name, a TOML file, or points.
        callbacks: hear messages and progress.

    Raises:
        InputError: unusable budgets, points or values, another sweep's folder, no Optuna, or no such database.
        SpikewrightError: the students without a budget cannot be made.
    """
    settings = objects.settings_of(data, teacher, student, method, within, regularize, training, unlabelled)
    return sweep_with(settings, budgets, seeds, out, points=points, study=study, anchors=anchors, callbacks=callbacks)


def _checked(
    settings: DistillSettings, budgets: Sequence[str] | None, points: int | None, seeds: int, profile: HardwareProfile
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
    faults += [] if points is None else count_faults("points", points, 1, MOST_STUDENTS)
    faults += seeds_faults(settings.training.seed, seeds)
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
    profile, given, floor = load_profile(settings.limits.profile), objects.objects_of(settings), free.value.floor
    if given.config is None and given.network is None:  # the budget may choose the size
        dataset = learnt_part(settings, objects.dataset_of(settings, settings.student.timesteps))
        floor = smallest_size(settings.student, dataset, profile, settings.training.seed).floor.total
    return spaced(floor, free.value.energy["validation"], count, profile.cost_unit)


def points_of(budgets: Sequence[str], seeds: Sequence[int]) -> list[Point]:
    """All points in the order of work: seed after seed, and for each the student without a budget first."""
    return [Point(budget, seed) for seed in seeds for budget in (None, *budgets)]


def points_under(folder: Path) -> JobKind[Point, Outcome]:
    """How the points of a sweep, whose files lie in ``folder``, stand in its study."""
    return JobKind(
        noun="point",
        attributes_of=lambda point: {"budget": point.budget, "seed": point.seed},
        job_of=_point,
        folder_of=lambda point: folder / POINTS / point.name,
        result=Outcome,
        result_name="outcome",
        values_of=lambda outcome: (outcome.energy["validation"], outcome.accuracy["validation"]),
        is_required=lambda point: point.budget is None,  # all others are compared with it
    )


def _point(attributes: Mapping[str, object]) -> Point | None:
    budget, seed = attributes.get("budget"), attributes.get("seed")
    return Point(budget if isinstance(budget, str) else None, seed) if isinstance(seed, int) else None


def work(point: Point, settings: DistillSettings, out: Path, listeners: Listeners = SILENT) -> Outcome:
    """Make the student of a point, as :func:`make` does it, and measure what it does and costs on the chip."""
    return make(point.settings(settings), out / POINTS / point.name, out, listeners).outcome


def spaced(floor: float, without_budget: float, count: int, unit: CostUnit) -> list[str]:
    """Budgets evenly spaced on the log scale, from the largest down.

    ``b_i = low (high / low)^(i / count), i = 0 .. count - 1`` with ``low = LOWEST x floor`` and ``high`` the energy
    without a budget, which is a point of its own and left out.

    Args:
        floor: of the smallest candidate, in the profile's unit.
        without_budget: deployed energy of the student that was trained without a budget, in the same unit.

    Raises:
        InputError: nothing lies between the two.
    """
    low = LOWEST * floor
    if low >= without_budget:
        raise InputError(
            f"{arg('points', count)}: the student without a budget costs {spelled(without_budget, unit)}, and {LOWEST} "
            f"times the floor of the smallest candidate is {spelled(low, unit)}; leave {arg('width')} and "
            f"{arg('timesteps')} free, or give {arg('budgets')}"
        )
    values = [low * (without_budget / low) ** (i / count) for i in reversed(range(count))]
    rounded = [round(value, DIGITS - 1 - math.floor(math.log10(value))) for value in values]
    return list(dict.fromkeys(spelled(value, unit) for value in rounded))
