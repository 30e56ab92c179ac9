"""What is kept of a finished training: accuracy and energy of its student, and what making it took."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict

from ..outcome import Outcome


class Record(BaseModel):
    """One training; spikes, operations and energies are per inference, on the test split unless another is named.

    Attributes:
        facts: names and every option of its row.
        outcome: of the chip network.
        float_accuracy: of the student's graph in float arithmetic, with the same weights and no integers.
        accuracy_by_step: of the student, read out after step 1, 2, ..., T.
        spikes: of input, hidden layers and readout.
        energy_by_part: of the same, in the profile's unit.
        student_logit_range: mean distance between the largest and the smallest logit in the last epoch of training.
        teacher_logit_range: the same of the teacher; None without a teacher.
        epochs: number of trained epochs, further rounds included.
        seconds: time that these epochs took; None if one of them was not timed.
        processor_seconds: processor time of the same, over all threads.
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
        """Of the student, read out after the first of several steps; None if there is only one."""
        return self.accuracy_by_step[0] if len(self.accuracy_by_step) > 1 else None


def history_facts(facts: Mapping[str, object]) -> dict[str, object]:
    """What a student's provenance says of its training, by the fields of :class:`Record`."""
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
