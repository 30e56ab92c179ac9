"""How long the epochs of a training took, in a file beside the student's.

Times differ between equal trainings. Student, graph and chip network carry each other's hashes, so a time in one of
them would change them all; it stands beside them instead, and two equal runs give equal files.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from ..base.artefacts import existing_file, sha256_of, write_json
from ..base.errors import InputError
from .records import EpochRecord

FORMAT: Final = "spikewright training times"


class EpochTimes(BaseModel):
    """Seconds that an epoch took, and seconds of all processors; None where it was not measured."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    seconds: float | None = None
    processor_seconds: float | None = None


class TrainingTimes(BaseModel):
    """The times of a student's training.

    Attributes:
        student_sha256: of the file whose training this was.
        epochs: in their order.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    format: Literal["spikewright training times"] = FORMAT
    format_version: Literal[1] = 1
    student_sha256: str
    epochs: tuple[EpochTimes, ...]


def times_path(student: Path) -> Path:
    """Where the times of a student's training go: ``student.times.json`` beside ``student.pt``.

    Raises:
        InputError: something else has that name.
    """
    file = student.with_name(f"{student.stem}.times.json")
    if file.exists() and not _is_ours(file):
        raise InputError(
            f"{file}: is there and holds no times of a training; move it away, or give the student another name"
        )
    return file


def save_times(student: Path, history: Sequence[EpochRecord]) -> None:
    """Write the times of a training beside its student, whose file is there.

    Raises:
        InputError: something else has the name.
    """
    epochs = tuple(EpochTimes(**record.times) for record in history)
    times = TrainingTimes(student_sha256=sha256_of(student), epochs=epochs)
    write_json(times_path(student), times.model_dump(mode="json"))


def times_of(student: Path) -> tuple[EpochTimes, ...] | None:
    """The times of a student's training; None where there are none, or those of another student.

    Raises:
        InputError: the file is damaged.
    """
    file = student.with_name(f"{student.stem}.times.json")
    if not file.exists():
        return None
    try:
        found = TrainingTimes.model_validate_json(existing_file(file, "times of a training").read_bytes())
    except ValidationError as error:
        raise InputError(
            f"{file}: holds no times of a training ({error.error_count()} faults); move it away, and times are unknown"
        ) from error
    return found.epochs if found.student_sha256 == sha256_of(student) else None


def _is_ours(file: Path) -> bool:
    return file.is_file() and FORMAT.encode() in file.read_bytes()
