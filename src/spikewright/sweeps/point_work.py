"""One point: distil within its budget, export, lower, count on integers, price."""

from __future__ import annotations

import socket
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from .. import command as cli
from ..train.settings import DistillSettings
from ..verdict import Paths
from ..version import __version__
from .outcome import SPLITS, Outcome
from .points import Point

if TYPE_CHECKING:
    from ..activity import Activity
    from ..chip import ChipNetwork
    from ..train.data import Dataset
    from ..train.student import Student

POINTS = "points"
ELSEWHERE = {"data_dir", "device"}
"""Settings that a worker has of its own."""
ACTIVITIES = {"test": "activity.json", "validation": "activity-validation.json"}


def folder_of(point: Point, out: Path) -> Path:
    """Where the files of a point go."""
    return out / POINTS / point.name


def settings_of(point: Point, settings: DistillSettings) -> DistillSettings:
    """The settings that make the student of a point."""
    return settings.model_copy(update={"energy_budget": point.budget, "seed": point.seed})


def work(point: Point, settings: DistillSettings, out: Path) -> Outcome:
    """Make the student of a point and measure what it does and costs on the chip.

    What an earlier worker left in the point's folder is gone on with: a checkpoint, or a finished student.

    Raises:
        BelowFloor: no candidate is small enough for the budget.
        SpikewrightError: a step refused its input, or the network does not fit the profile.
    """
    from ..hardware_profiles.report import report
    from ..run import export_student, lower_graph
    from ..train.data import load

    began = time.perf_counter()
    chosen, folder = settings_of(point, settings), folder_of(point, out)
    paths = Paths.under(folder)
    student, certificate = _student(chosen, paths)
    config = student.config
    dataset = load(settings.data, settings.data_dir, config.timesteps)
    export_student(student, dataset, paths)
    chip = lower_graph(settings.profile, paths)
    counted = {split: _count(chip, dataset, split, chosen, paths) for split in SPLITS}
    priced = {split: report(activity, chip, settings.profile, point.budget) for split, activity in counted.items()}
    return Outcome(
        energy={split: each.total for split, each in priced.items()},
        energy_is_at_least=any(each.at_least for each in priced.values()),
        floor=priced["validation"].floor,
        accuracy={split: _accuracy(activity) for split, activity in counted.items()},
        synaptic_ops={split: each.synaptic_ops for split, each in priced.items()},
        spikes={split: float(activity.spikes / activity.samples) for split, activity in counted.items()},
        samples={split: activity.samples for split, activity in counted.items()},
        timesteps=config.timesteps,
        width=config.width,
        encoding=config.encoding,
        certificate=certificate,
        files=_files(paths, out),
        made_by=f"spikewright {__version__}",
        host=socket.gethostname(),
        seconds=time.perf_counter() - began,
    )


def _student(settings: DistillSettings, paths: Paths) -> tuple[Student, object]:
    """The student of these settings, trained as far as it is not; and its certificate where it has one."""
    from ..train.distill import distill_to
    from ..train.student import load_student, student_provenance

    if paths.student.is_file():
        facts = student_provenance(paths.student)
        if _same(facts.get("settings"), settings):
            cli.say(f"{paths.student}: is trained already")
            return load_student(paths.student), facts.get("certificate")
    checkpoint = paths.student.with_name(paths.student.name + ".checkpoint")
    made = distill_to(settings, paths.student, resume=checkpoint.is_file())
    return made.student, made.provenance.get("certificate")


def _same(settings: object, asked: DistillSettings) -> bool:
    """Whether a student's settings, as JSON, are those asked for, wherever it was trained."""
    wanted = asked.model_dump(mode="json", exclude=ELSEWHERE)
    return isinstance(settings, dict) and {k: v for k, v in settings.items() if k not in ELSEWHERE} == wanted


def _count(chip: ChipNetwork, dataset: Dataset, split: str, settings: DistillSettings, paths: Paths) -> Activity:
    from ..activity_file import save_activity
    from ..artefacts import sha256_of
    from ..deploy.simulate import remarks, simulate

    part = getattr(dataset, split)
    with cli.progress(f"simulating the {split} split", len(part)) as advance:
        activity = simulate(
            chip, part, split=split, seed=settings.seed, progress=advance, chip_sha256=sha256_of(paths.chip)
        )
    activity = replace(activity, provenance={**activity.provenance, "data": settings.data})
    save_activity(activity, paths.activity.with_name(ACTIVITIES[split]))
    for remark in remarks(chip, activity):
        cli.say(f"warning: {remark}")
    return activity


def _accuracy(activity: Activity) -> float:
    assert activity.accuracy is not None, "every data set of ours has labels"
    return activity.accuracy


def _files(paths: Paths, out: Path) -> dict[str, str]:
    named = {"student": paths.student, "nir": paths.nir, "chip": paths.chip}
    named |= {f"activity_{split}": paths.activity.with_name(name) for split, name in ACTIVITIES.items()}
    return {name: path.relative_to(out).as_posix() for name, path in named.items()}
