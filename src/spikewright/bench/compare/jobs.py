"""The trainings of a comparison: each row within each budget, from each seed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from ...base.artefacts import write_json
from ...base.errors import AnswerIsNo, InputError
from ...base.progress import SILENT, Listeners
from ...energy.report import PARTS, EnergyReport
from ...student.accuracy import accuracy_by_step
from ...training.objects import with_method
from ...training.settings import DistillSettings
from ..levels import float_accuracy
from ..point import Point
from ..road import make
from ..work import JobKind, JobResult
from .record import Record, history_facts
from .rows import Row

TRAININGS = "trainings"
FILE = "record.json"
"""A finished training, in its folder."""
FAILED = "failed.json"
"""A failed one, as earlier versions kept it."""
OWN = {"method", "regularize", "energy_budget", "seed"}
"""Settings that differ between trainings."""


@dataclass(frozen=True)
class TrainingJob:
    """One training: a row within a budget from a seed."""

    row: Row
    point: Point

    def __str__(self) -> str:
        return f"{self.row}, {self.point}"

    @property
    def name(self) -> str:
        """Its folder below that of all trainings; another one for other options."""
        return f"{self.row.name}/{self.point.name}"

    def folder(self, out: Path) -> Path:
        """Where its files go."""
        return out / TRAININGS / self.name

    def settings(self, common: DistillSettings) -> DistillSettings:
        """The settings that make its student."""
        mine = common.within(self.point.budget).changed({"seed": self.point.seed})
        return with_method(mine, self.row.method, self.row.regularize)


TrainingResult = JobResult[TrainingJob, Record]


def jobs_of(rows: Sequence[Row], budgets: Sequence[str | None], seeds: Sequence[int]) -> list[TrainingJob]:
    """All trainings in the order of work: seed after seed, so that the table is whole after the first seed."""
    return [TrainingJob(row, Point(budget, seed)) for seed in seeds for budget in budgets for row in rows]


def jobs_under(out: Path, jobs: Sequence[TrainingJob]) -> JobKind[TrainingJob, Record]:
    """How these trainings, whose files lie in ``out``, stand in the study of their comparison."""
    by_name = {job.name: job for job in jobs}

    def job_of(attributes: Mapping[str, object]) -> TrainingJob | None:
        return by_name.get(str(attributes.get("training")))

    return JobKind(
        noun="training",
        attributes_of=lambda job: {"training": job.name},
        job_of=job_of,
        folder_of=lambda job: job.folder(out),
        result=Record,
        result_name="record",
        values_of=lambda record: (record.outcome.energy["validation"], record.outcome.accuracy["validation"]),
        is_lost=lambda job: not (job.folder(out) / FILE).is_file(),
    )


def read_files(job: TrainingJob, out: Path) -> Record | str | None:
    """What the folder of a training holds: its record, the sentence with which it failed, or None.

    Raises:
        InputError: the file is no record of this training.
    """
    file, failed = job.folder(out) / FILE, job.folder(out) / FAILED
    if not file.is_file():
        return str(json.loads(failed.read_text(encoding="utf-8"))["sentence"]) if failed.is_file() else None
    try:
        record = Record.model_validate_json(file.read_text(encoding="utf-8"))
    except (ValidationError, UnicodeDecodeError) as error:
        raise InputError(
            f"{file}: is not the record of a training ({type(error).__name__}); remove it to have it made anew"
        ) from error
    if (record.facts, record.budget, record.seed) != (job.row.facts, job.point.budget, job.point.seed):
        raise InputError(f"{file}: is the record of another training; remove it to have it made anew")
    return record


def work(job: TrainingJob, settings: DistillSettings, out: Path, listeners: Listeners = SILENT) -> Record:
    """Make the student of a training, deploy it, measure it and write its record.

    A checkpoint or a finished student that an earlier worker left is used.

    Args:
        settings: what all trainings have in common.
        out: the folder of the comparison.

    Raises:
        SpikewrightError: a step refused its input, or student and chip network do not agree.
    """
    mine = job.settings(settings)
    made = make(mine, job.folder(out), out, listeners)
    test = made.dataset.test
    by_step = accuracy_by_step(made.student, test, mine.training.seed)
    in_floats = by_step[-1]
    if made.student.grid is not None:
        _require_agreement(job, by_step[-1], made.outcome.accuracy["test"])
        in_floats = float_accuracy(made.student, made.paths.nir, test, mine.training.seed)
    report = made.deployed.reports["test"]
    record = Record.model_validate(
        {
            "row": str(job.row),
            "facts": job.row.facts,
            "budget": job.point.budget,
            "seed": job.point.seed,
            "outcome": made.outcome,
            "float_accuracy": in_floats,
            "accuracy_by_step": by_step,
            "spikes": _spikes_by_part(report),
            "energy_by_part": report.by_part(),
            **history_facts(made.facts),
        }
    )
    write_json(job.folder(out) / FILE, record.model_dump(mode="json"))
    return record


def _spikes_by_part(report: EnergyReport) -> dict[str, float]:
    """Spikes of input, hidden layers and readout in one inference."""
    return {part: sum(each.spikes for each in report.spikes if each.part == part) for part in PARTS}


def _require_agreement(job: TrainingJob, student: float, chip: float) -> None:
    if student != chip:
        raise AnswerIsNo(
            f"{job}: the student classifies {student:.4%} of the test samples and its chip network {chip:.4%}; the "
            "two must be the same"
        )
