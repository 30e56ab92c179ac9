"""Readers of the records of sweeps and comparisons."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from spikewright.bench.call import open_folder
from spikewright.bench.compare.jobs import TrainingJob, TrainingRecord, read_files
from spikewright.bench.compare.rows import Variant
from spikewright.bench.compare.teachers import TeacherFacts, known_teachers
from spikewright.bench.point import Outcome, Point
from spikewright.bench.work import JobKind, open_study
from spikewright.training.settings import DistillSettings

from . import formats
from .reader import Reader
from .seeds import Seeds
from .sqlite import of_sqlite

JOB = TrainingJob(Variant("none", ()), Point(None, 3))


def record(_: Seeds) -> Reader:
    """Records of trainings."""
    return _of_job("record.json", _a_record().model_dump_json().encode())


def _a_record() -> TrainingRecord:
    numbers = {"validation": 1.0, "test": 0.5}
    outcome = Outcome(
        energy=numbers,
        energy_is_at_least=True,
        floor=0.1,
        accuracy=numbers,
        synaptic_ops=numbers,
        spikes=numbers,
        samples={"test": 3},
        timesteps=2,
        width=2,
        encoding="direct",
        files={"chip": "chip.h5"},
        made_by="x",
        host="x",
        seconds=1.0,
    )
    return TrainingRecord(
        row="none",
        facts=JOB.row.facts,
        budget=None,
        seed=3,
        outcome=outcome,
        float_accuracy=0.5,
        accuracy_by_step=(0.1, 0.2),
        spikes=numbers,
        energy_by_part=numbers,
        student_logit_range=1.0,
        teacher_logit_range=None,
        epochs=1,
        seconds=1.0,
        processor_seconds=1.0,
        teacher_sha256=None,
    )


def failed(_: Seeds) -> Reader:
    """Sentences of failed trainings."""
    return _of_job("failed.json", b'{"sentence": "it did not work"}')


def _of_job(file: str, valid: bytes) -> Reader:
    place = JOB.folder(Path("comparison")) / file
    return Reader(
        "records of studies",
        str(place),
        [valid],
        formats.of_json,
        lambda path: read_files(JOB, path.parents[len(place.parts) - 2]),
    )


def teachers(_: Seeds) -> Reader:
    """Lists of teachers."""
    facts = TeacherFacts("x", "ab", 3, False, {"test": 0.5}, ("Erf",))
    valid = json.dumps([facts.as_json()]).encode()
    study: Any = SimpleNamespace(facts={})
    return Reader(
        "records of studies",
        "teachers.json",
        [valid],
        formats.of_json,
        lambda path: known_teachers(path.parent, study),
    )


def settings(_: Seeds) -> Reader:
    """Settings of a sweep's folder."""
    facts = {"schema_version": 1, **DistillSettings().flat()}
    return Reader(
        "records of studies",
        "settings.json",
        [json.dumps(facts).encode()],
        formats.of_json,
        lambda path: open_folder(path.parent, facts, "a sweep"),
    )


def study(made: Seeds) -> Reader:
    """Databases of studies."""
    kind: JobKind[Any, Any] = JobKind(
        noun="training",
        attributes_of=lambda job: {"training": job},
        job_of=lambda attributes: str(attributes.get("training")),
        folder_of=lambda job: Path(job),
        result=TrainingRecord,
        result_name="record",
        values_of=lambda record: (0.0, 0.0),
    )

    def read(path: Path) -> None:
        with open_study(f"sqlite:///{path}", "s", kind) as study:
            study.results()
            _ = study.facts

    return Reader("records of studies", "study.db", [made.study(_a_record())], of_sqlite, read, writes=("study.db",))
