"""One student: distil within its budget, export, lower, count on integers, price."""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ..base import command as cli
from ..base.artefacts import sha256_of
from ..base.version import __version__
from ..chip.activity import Activity
from ..chip.activity_file import save_activity
from ..chip.network import ChipNetwork
from ..data.dataset import Dataset
from ..energy.pricing import report
from ..energy.report import EnergyReport
from ..pages.verdict import Paths
from ..simulation.simulate import remarks, simulate
from ..student.student import Student, load_student, student_provenance
from ..training.distill import distill_to
from ..training.objects import dataset_of, network_of
from ..training.settings import DistillSettings
from .outcome import SPLITS, Outcome
from .road import export_student, lower_graph

ELSEWHERE = {"data_dir", "device"}
"""Settings that a worker has of its own."""
ACTIVITIES = {"test": "activity.json", "validation": "activity-validation.json"}


@dataclass(frozen=True, eq=False)
class Made:
    """A student and all that was found out about it.

    Attributes:
        facts: the provenance in its file.
        reports: by split.
        outcome: what there is to keep of the reports.
    """

    student: Student
    facts: dict[str, object]
    dataset: Dataset
    paths: Paths
    reports: dict[str, EnergyReport]
    outcome: Outcome


def make(settings: DistillSettings, folder: Path, out: Path) -> Made:
    """Make the student of these settings and measure what it does and costs on the chip.

    What an earlier worker left in the folder is gone on with: a checkpoint, or a finished student.

    Args:
        folder: for its files, below ``out``, the bench's own.

    Raises:
        BelowFloor: no candidate is small enough for the budget.
        SpikewrightError: a step refused its input, or the network does not fit the profile.
    """

    began = time.perf_counter()
    paths = Paths.under(folder)
    student, facts = _student(settings, paths)
    dataset = dataset_of(settings, student.config.timesteps)
    export_student(student, dataset, paths, settings.limits.profile)
    chip = lower_graph(settings.limits.profile, paths)
    counted = {split: _count(chip, dataset, split, settings, paths) for split in SPLITS}
    budget = settings.limits.energy_budget
    priced = {split: report(activity, chip, settings.limits.profile, budget) for split, activity in counted.items()}
    outcome = _outcome(priced, student, facts, _files(paths, out), time.perf_counter() - began)
    return Made(student, facts, dataset, paths, priced, outcome)


def _outcome(
    priced: Mapping[str, EnergyReport],
    student: Student,
    facts: Mapping[str, object],
    files: dict[str, str],
    seconds: float,
) -> Outcome:
    config = student.config
    return Outcome(
        energy={split: each.total for split, each in priced.items()},
        energy_is_at_least=any(each.at_least for each in priced.values()),
        floor=priced["validation"].floor,
        accuracy={split: _accuracy(each) for split, each in priced.items()},
        synaptic_ops={split: each.synaptic_ops for split, each in priced.items()},
        spikes={split: sum(part.spikes for part in each.spikes) for split, each in priced.items()},
        samples={split: each.samples for split, each in priced.items()},
        timesteps=config.timesteps,
        width=config.width,
        encoding=config.encoding,
        certificate=facts.get("certificate"),
        files=files,
        made_by=f"spikewright {__version__}",
        host=socket.gethostname(),
        seconds=seconds,
    )


def _student(settings: DistillSettings, paths: Paths) -> tuple[Student, dict[str, object]]:
    """The student of these settings, trained as far as it is not, and its provenance."""

    if paths.student.is_file():
        facts = student_provenance(paths.student)
        if _same(facts.get("settings"), settings):
            cli.say(f"{paths.student}: is trained already")
            return load_student(paths.student, network_of(settings)), facts
    checkpoint = paths.student.with_name(paths.student.name + ".checkpoint")
    made = distill_to(settings, paths.student, checkpoint.is_file(), cli.listeners())
    return made.student, made.provenance


def _same(settings: object, asked: DistillSettings) -> bool:
    """Whether a student's settings, as JSON, are those asked for, wherever it was trained."""
    wanted = asked.flat(without=ELSEWHERE)
    return isinstance(settings, dict) and {k: v for k, v in settings.items() if k not in ELSEWHERE} == wanted


def _count(chip: ChipNetwork, dataset: Dataset, split: str, settings: DistillSettings, paths: Paths) -> Activity:

    part = getattr(dataset, split)
    with cli.progress(f"simulating the {split} split", len(part)) as advance:
        activity = simulate(
            chip, part, split=split, seed=settings.training.seed, progress=advance, chip_sha256=sha256_of(paths.chip)
        )
    activity = replace(activity, provenance={**activity.provenance, "data": settings.data.name})
    save_activity(activity, paths.activity.with_name(ACTIVITIES[split]))
    for remark in remarks(chip, activity):
        cli.say(f"warning: {remark}")
    return activity


def _accuracy(report: EnergyReport) -> float:
    assert report.accuracy is not None, "every data set of ours has labels"
    return report.accuracy


def _files(paths: Paths, out: Path) -> dict[str, str]:
    named = {"student": paths.student, "nir": paths.nir, "chip": paths.chip}
    named |= {f"activity_{split}": paths.activity.with_name(name) for split, name in ACTIVITIES.items()}
    return {name: path.relative_to(out).as_posix() for name, path in named.items()}
