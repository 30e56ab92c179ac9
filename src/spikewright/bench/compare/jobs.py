"""The trainings of a comparison: each row within each budget, from each seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ...base.artefacts import write_json
from ...base.errors import AnswerIsNo, InputError
from ...base.headers import read_json
from ...base.progress import SILENT, Listeners
from ...energy.report import PARTS
from ...student.accuracy import main_by_step
from ...training.objects import with_method
from ...training.settings import DistillSettings
from ...training.times import EpochTimes, times_of
from ..levels import float_quality
from ..point import Outcome, Point
from ..road import make
from ..work import JobKind, JobResult
from .labels import Labels
from .rows import Variant

TRAININGS = "trainings"
FILE = "record.json"
"""A finished training, in its folder."""
FAILED = "failed.json"
"""A failed one, as earlier versions kept it."""
OWN = {"method", "regularize", "energy_budget", "seed", "unlabelled", "labelled_share"}
"""Settings that differ between trainings."""


@dataclass(frozen=True)
class TrainingJob:
    """One training: a row within a budget from a seed.

    Attributes:
        labels: that the student gets; None where nobody asked for fewer or for samples without.
    """

    row: Variant
    point: Point
    labels: Labels | None = None

    def __str__(self) -> str:
        return f"{self.row}, {self.point}" + ("" if self.fraction == 1 else f", {100 * self.fraction:.4g} % of labels")

    @property
    def fraction(self) -> float:
        """The share of the labels that the student gets."""
        return 1.0 if self.labels is None else self.labels.fraction

    @property
    def name(self) -> str:
        """Its folder below that of all trainings; another one for other options."""
        return f"{self.row.name}/{self.point.name}" + ("" if self.fraction == 1 else f"-labels{self.fraction:g}")

    def folder(self, out: Path) -> Path:
        """The folder of its files below ``out``, the folder of the comparison."""
        return out / TRAININGS / self.name

    def settings(self, common: DistillSettings) -> DistillSettings:
        """The settings that make its student; with all labels and no other samples they are as they always were."""
        changes: dict[str, object] = {}
        if self.row.unlabelled is None and common.data.unlabelled is not None:
            changes |= {"unlabelled": None, "labelled_share": None}
        if self.labels is not None and (self.fraction < 1 or self.row.unlabelled is not None):
            changes |= {name: getattr(self.labels, name) for name in ("epochs", "batch", "epoch_samples")}
        if self.fraction < 1:
            changes["label_fraction"] = self.fraction
        mine = self.point.settings(self.row.of(common).changed(changes))
        return with_method(mine, self.row.method, self.row.regularize)


class TrainingRecord(BaseModel):
    """One training; spikes, operations and energies are per inference, on the test split unless another is named.

    Attributes:
        facts: names and every option of its row.
        outcome: of the chip network.
        float_accuracy: of the student's graph in float arithmetic, with the same weights and no integers; R^2 of a
            regression, as every accuracy here.
        accuracy_by_step: of the student, read out after step 1, 2, ..., T.
        spikes: of input, hidden layers and readout.
        energy_by_part: of the same, in the profile's unit.
        student_logit_range: mean distance between the largest and the smallest logit in the last epoch of training.
        teacher_logit_range: the same of the teacher; None without a teacher.
        epochs: number of trained epochs, further rounds included.
        seconds: time that these epochs took; None if one of them was not timed.
        processor_seconds: processor time of the same, over all threads.
        teacher_sha256: None without a teacher.
        label_fraction: share of the labels that the student got.
        samples: how many training samples were ``labelled`` and ``unlabelled``; empty where it was not noted.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal["spikewright comparison record"] = "spikewright comparison record"
    format_version: Literal[1] = 1
    row: str
    facts: dict[str, object]
    budget: str | None
    seed: int
    outcome: Outcome
    float_accuracy: float
    accuracy_by_step: tuple[float, ...]
    spikes: dict[str, float]
    energy_by_part: dict[str, float]
    student_logit_range: float
    teacher_logit_range: float | None
    epochs: int
    seconds: float | None
    processor_seconds: float | None
    teacher_sha256: str | None
    label_fraction: float = 1.0
    samples: dict[str, int] = Field(default_factory=dict)

    @property
    def first_step_accuracy(self) -> float | None:
        """Of the student, read out after the first of several steps; None if there is only one."""
        return self.accuracy_by_step[0] if len(self.accuracy_by_step) > 1 else None


TrainingResult = JobResult[TrainingJob, TrainingRecord]


def jobs_of(
    rows: Sequence[Variant],
    budgets: Sequence[str | None],
    seeds: Sequence[int],
    labels: Sequence[Labels | None] = (None,),
) -> list[TrainingJob]:
    """All trainings in the order of work: seed after seed, so that the table is whole after the first seed."""
    return [
        TrainingJob(row, Point(budget, seed), some)
        for seed in seeds
        for budget in budgets
        for some in labels
        for row in rows
    ]


def jobs_under(out: Path, jobs: Sequence[TrainingJob]) -> JobKind[TrainingJob, TrainingRecord]:
    """How these trainings, whose files lie in ``out``, stand in the study of their comparison."""
    by_name = {job.name: job for job in jobs}

    def job_of(attributes: Mapping[str, object]) -> TrainingJob | None:
        return by_name.get(str(attributes.get("training")))

    return JobKind(
        noun="training",
        attributes_of=lambda job: {"training": job.name},
        job_of=job_of,
        folder_of=lambda job: job.folder(out),
        result=TrainingRecord,
        result_name="record",
        values_of=lambda record: (record.outcome.energy["validation"], record.outcome.accuracy["validation"]),
        is_lost=lambda job: not (job.folder(out) / FILE).is_file(),
    )


def read_files(job: TrainingJob, out: Path) -> TrainingRecord | str | None:
    """What the folder of a training holds: its record, the sentence with which it failed, or None.

    Raises:
        InputError: the file is no record of this training.
    """
    file, failed = job.folder(out) / FILE, job.folder(out) / FAILED
    if not file.is_file():
        return _sentence_in(failed) if failed.is_file() else None
    try:
        record = TrainingRecord.model_validate_json(file.read_text(encoding="utf-8"))
    except (ValidationError, UnicodeDecodeError) as error:
        raise InputError(
            f"{file}: is not the record of a training ({type(error).__name__}); remove it to have it made anew"
        ) from error
    noted = record.facts, record.budget, record.seed, record.label_fraction
    if noted != (job.row.facts, job.point.budget, job.point.seed, job.fraction):
        raise InputError(f"{file}: is the record of another training; remove it to have it made anew")
    return record


def _sentence_in(failed: Path) -> str:
    try:
        said = read_json(failed.read_bytes().decode())
    except ValueError as error:
        raise InputError(f"{failed}: is not JSON ({error}); remove it to have the training tried again") from error
    if not isinstance(said, dict) or not isinstance(said.get("sentence"), str):
        raise InputError(f"{failed}: does not say why a training failed; remove it to have it tried again")
    return str(said["sentence"])


def work(job: TrainingJob, settings: DistillSettings, out: Path, listeners: Listeners = SILENT) -> TrainingRecord:
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
    by_step = main_by_step(made.student, test, mine.training.seed)
    in_floats = by_step[-1]
    if made.student.grid is not None:
        if (on_chip := made.outcome.accuracy["test"]) != in_floats:
            what = "classifies {:.4%} of" if made.outcome.merit == "accuracy" else "has an R^2 of {:.6f} on"
            raise AnswerIsNo(
                f"{job}: the student {what.format(in_floats)} the test samples and its chip network "
                f"{what.format(on_chip)} them; the two must be the same"
            )
        in_floats = float_quality(made.student, made.paths.nir, test, mine.training.seed).main
    report = made.deployed.reports["test"]
    record = TrainingRecord.model_validate(
        {
            "row": str(job.row),
            "facts": job.row.facts,
            "budget": job.point.budget,
            "seed": job.point.seed,
            "label_fraction": job.fraction,
            "outcome": made.outcome,
            "float_accuracy": in_floats,
            "accuracy_by_step": by_step,
            "spikes": {part: sum(each.spikes for each in report.spikes if each.part == part) for part in PARTS},
            "energy_by_part": report.by_part(),
            **history_facts(made.facts, times_of(made.paths.student)),
        }
    )
    write_json(job.folder(out) / FILE, record.model_dump(mode="json"))
    return record


def history_facts(facts: Mapping[str, object], times: Sequence[EpochTimes] | None = None) -> dict[str, object]:
    """What a student's provenance says of its training, by the fields of :class:`TrainingRecord`.

    Args:
        times: of its epochs; None where they are unknown, or stand in the provenance, as those of earlier versions do.
    """
    history = facts["history"]
    assert isinstance(history, list | tuple)
    last = history[-1]
    if times is None:
        times = [EpochTimes.model_validate(epoch) for epoch in history]
    return {
        "student_logit_range": last["student_logit_range"],
        "teacher_logit_range": last["teacher_logit_range"],
        "epochs": len(history),
        "seconds": _total([epoch.seconds for epoch in times]),
        "processor_seconds": _total([epoch.processor_seconds for epoch in times]),
        "teacher_sha256": facts.get("teacher_sha256"),
        "samples": facts.get("samples") or {},
    }


def _total(seconds: list[float | None]) -> float | None:
    return None if None in seconds else sum(filter(None, seconds))
