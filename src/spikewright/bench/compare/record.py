"""A finished training as its folder keeps it: what the student gets right, what it costs, what making it took."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from ...base.artefacts import write_json
from ...base.errors import InputError
from ..outcome import Outcome
from .cells import Cell

FILE = "record.json"
FAILED = "failed.json"


class Record(BaseModel):
    """One training; spikes, operations and energies are per inference, on test where no split is named.

    Attributes:
        facts: of its row: names and every option.
        outcome: of the chip network.
        float_accuracy: of the student's graph in float arithmetic: the same weights, no integers.
        accuracy_by_step: of the student, read out after step 1, 2, ..., T.
        spikes: of input, hidden layers and readout.
        energy_by_part: of the same, in the profile's unit.
        student_logit_range: mean distance between the largest and the smallest logit, in the last epoch of training;
            teacher_logit_range likewise, None without a teacher.
        epochs: that were trained, further rounds included.
        seconds: that these epochs took; processor_seconds likewise, over all threads. None where not all were timed.
        teacher_sha256: None without a teacher.
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

    @property
    def first_step_accuracy(self) -> float | None:
        """Of the student, read out after the first of several steps; None where there is one alone."""
        return self.accuracy_by_step[0] if len(self.accuracy_by_step) > 1 else None


def read_record(cell: Cell, out: Path) -> Record | None:
    """What a training left when it was finished, None where it was not.

    Raises:
        InputError: the file is no record of this training.
    """
    file = cell.folder(out) / FILE
    if not file.is_file():
        return None
    try:
        record = Record.model_validate_json(file.read_text(encoding="utf-8"))
    except (ValidationError, UnicodeDecodeError) as error:
        raise InputError(
            f"{file}: is not the record of a training ({type(error).__name__}); remove it to have it made anew"
        ) from error
    if (record.facts, record.budget, record.seed) != (cell.row.facts, cell.point.budget, cell.point.seed):
        raise InputError(f"{file}: is the record of another training; remove it to have it made anew")
    return record


def write_record(record: Record, cell: Cell, out: Path) -> None:
    """Keep what was found out about a training."""
    write_json(cell.folder(out) / FILE, record.model_dump(mode="json"))


def failure_of(cell: Cell, out: Path) -> str:
    """Why the last attempt at a training failed; empty where none did."""
    file = cell.folder(out) / FAILED
    return str(json.loads(file.read_text(encoding="utf-8"))["sentence"]) if file.is_file() else ""


def history_facts(facts: Mapping[str, object]) -> dict[str, object]:
    """What a student's provenance says of its training, by the names of :class:`Record`."""
    history = facts["history"]
    assert isinstance(history, list | tuple)
    last = history[-1]
    return {
        "student_logit_range": last["student_logit_range"],
        "teacher_logit_range": last["teacher_logit_range"],
        "epochs": len(history),
        "seconds": _total([epoch.get("seconds") for epoch in history]),
        "processor_seconds": _total([epoch.get("processor_seconds") for epoch in history]),
        "teacher_sha256": facts.get("teacher_sha256"),
    }


def _total(seconds: list[float | None]) -> float | None:
    known = [each for each in seconds if each is not None]
    return sum(known) if len(known) == len(seconds) else None
