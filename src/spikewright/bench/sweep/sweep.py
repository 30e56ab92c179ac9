"""`spikewright sweep`: many budgets, one table and one plot of accuracy against deployed energy."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from ...base import command as cli
from ...base.artefacts import sha256_of_json, write_json, write_text
from ...base.errors import InputError, refuse
from ...profile.profile import HardwareProfile, load_profile
from ...training.objects import dataset_of
from ...training.settings import DistillSettings
from ...training.sizing import smallest_size
from ..folder import claim_folder
from ..making import ELSEWHERE
from ..point import Point, read_budgets
from .database import read_url, require_optuna, shown
from .plot import write_plot
from .point_work import folder_of, work
from .points import points_of, spaced
from .result import SweepResult
from .study import SweepStudy, open_study
from .text import markdown

OWN = {"energy_budget", "seed"}
"""Settings that a point has of its own."""
DATABASE = "study.db"


def sweep(
    settings: DistillSettings,
    budgets: Sequence[str] | None = None,
    seeds: int = 1,
    out: Path | str = "build/sweep",
    *,
    points: int | None = None,
    study: str | None = None,
) -> SweepResult:
    """Distil a student for each budget and seed, and one without a budget, and measure all of them on the chip.

    Writes ``sweep.json``, ``sweep.md``, ``pareto.svg`` and ``pareto.png``; each student's files are under ``points/``.

    Args:
        settings: what all students have in common; their ``energy_budget`` must be None, their seed is the first one's.
        budgets: numbers with a unit, such as ``["8uJ", "4uJ"]``.
        seeds: students for each budget.
        out: folder for every artefact; what it holds of this sweep is not done again.
        points: instead of ``budgets``, how many to choose between the floor and the energy without a budget.
        study: URL of the database that the workers share; None: an SQLite file in ``out``.

    Raises:
        InputError: unusable budgets or settings, another sweep's folder, no Optuna, or no such database.
        SpikewrightError: the students without a budget cannot be made.
    """

    folder = Path(out)
    profile = load_profile(settings.limits.profile)
    texts = _checked(settings, budgets, points, seeds, profile)
    require_optuna()
    facts = {**settings.flat(without=OWN | ELSEWHERE), "profile_sha256": profile.sha256}
    claim_folder(folder, facts, "a sweep")
    url = study or f"sqlite:///{folder.resolve() / DATABASE}"
    name = f"{settings.data.name}-{profile.name}-{sha256_of_json(facts)[:12]}"
    with open_study(url, name) as kept:
        chosen = range(settings.training.seed, settings.training.seed + seeds)
        _complete(kept, settings, texts, points, chosen, folder, profile)
        found = tuple(kept.results())
    result = SweepResult(profile, settings.data.name, (name, shown(read_url(url))), facts, found)
    _write(result, folder)
    return result


def _checked(
    settings: DistillSettings,
    budgets: Sequence[str] | None,
    points: int | None,
    seeds: int,
    profile: HardwareProfile,
) -> list[str] | None:
    """The budgets in their one spelling, None where they are to be chosen; refuses with every fault at once."""

    texts, faults = read_budgets(budgets or (), profile, "--budgets")
    if budgets is None and points is None:
        faults.append("give --budgets, such as 8uJ,4uJ,2uJ, or --points, such as 5")
    if budgets is not None and points is not None:
        faults.append(f"--points {points}: chooses the budgets, and --budgets gives them; leave out one of the two")
    if budgets is not None and not budgets:
        faults.append("--budgets: names no budget; give e.g. 8uJ,4uJ,2uJ")
    if settings.limits.energy_budget is not None:
        faults.append(f"energy_budget is {settings.limits.energy_budget!r}: a sweep sets its own; leave it out")
    for name, number in (("--points", points), ("--seeds", seeds)):
        if number is not None and number < 1:
            faults.append(f"{name} {number}: must be at least 1")
    refuse("sweep", faults)
    return None if budgets is None else texts


def _complete(
    study: SweepStudy,
    settings: DistillSettings,
    budgets: list[str] | None,
    count: int | None,
    seeds: Sequence[int],
    folder: Path,
    profile: HardwareProfile,
) -> None:
    """See every point done, choosing the budgets on the way where they are not given."""

    do, where = partial(work, settings=settings, out=folder), partial(folder_of, out=folder)
    if budgets is None:
        assert count is not None
        first = Point(None, seeds[0])
        study.complete([first], do, where)
        budgets = _chosen(study, first, settings, count, profile)
        cli.say(f"budgets: {', '.join(budgets)}")
    study.complete(points_of(budgets, seeds), do, where)


def _chosen(
    study: SweepStudy, first: Point, settings: DistillSettings, count: int, profile: HardwareProfile
) -> list[str]:

    (free,) = (result for result in study.results() if result.point == first)
    if free.outcome is None:
        raise InputError(
            f"--points {count}: there is no student without an energy budget to start from: {free.sentence}"
        )
    dataset = dataset_of(settings, settings.student.timesteps).with_train_samples(settings.data.train_samples)
    floor = smallest_size(settings.student, dataset, profile, settings.training.seed).floor.total
    return spaced(floor, free.outcome.energy["validation"], count, profile.cost_unit)


def _write(result: SweepResult, folder: Path) -> None:

    write_json(folder / "sweep.json", result.as_json())
    write_text(folder / "sweep.md", markdown(result))
    plots = write_plot(result, folder / "pareto")
    cli.say("wrote " + ", ".join(str(path) for path in (folder / "sweep.json", folder / "sweep.md", *plots.values())))
