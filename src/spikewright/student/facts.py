"""What a student's file notes of its making, as whoever reads it later finds it; the model card does."""

from __future__ import annotations

from typing import Any

import numpy as np
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
)

from ..profile.schema import CostUnit


class Facts(BaseModel):
    """Facts that somebody noted, all of them optional; one of another type than ours is left out."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    @field_validator("*", mode="wrap")
    @classmethod
    def _left_out_if_unlike(cls, value: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
        try:
            return handler(value.item() if isinstance(value, np.generic) else value)
        except ValidationError:
            field = cls.model_fields[str(info.field_name)]
            if field.is_required():
                raise
            return field.get_default(call_default_factory=True)


class SettingsFacts(Facts):
    """What a training was asked for."""

    data: str | None = None
    train_samples: int | None = None
    label_fraction: float | None = None
    method: str | None = None
    profile: str | None = None
    energy_budget: str | None = None
    seed: int | None = None


class ShapeFacts(Facts):
    """The architecture of a student, as its file notes it."""

    architecture: str | None = None
    width: int | None = None


class TrainingFacts(Facts):
    """How a student was trained; ``integer_from`` is the share of epochs in floats."""

    epochs: int | None = None
    augmentation: str | None = None
    integer_from: float | None = None


class SamplesFacts(Facts):
    """How many training samples had labels, and how many had none."""

    labelled: int | None = None
    unlabelled: int | None = None


class AssistantFacts(Facts):
    """A network between teacher and student."""

    name: str | None = None
    validation_accuracy: float | None = None
    validation_quality: dict[str, float] = Field(default_factory=dict)


class OverflowFacts(Facts):
    """How often registers overflowed."""

    wraps: int = 0
    clips: int = 0
    resets: int = 0


class CertificateFacts(Facts):
    """What the chip network was measured to spend on validation samples, and how good its answers were.

    Attributes:
        limits: (measured, limit) by name.
        accuracy, balanced_accuracy, f1: of classes; ``r2`` and ``mae`` of each value of a regression.
        recordings: answers, where samples are windows of recordings.
        overflows: by part of the data; ``measured`` are layers without room for every input.
    """

    profile: str
    unit: CostUnit
    energy: float
    accuracy: float | None = None
    synaptic_ops: float
    split: str
    samples: int
    balanced_accuracy: float | None = None
    f1: float | None = None
    r2: tuple[float, ...] = ()
    mae: tuple[float, ...] = ()
    recordings: int | None = None
    budget: float | None = None
    split_sha256: str | None = None
    limits: dict[str, tuple[float, float]] = Field(default_factory=dict)
    overflows: dict[str, OverflowFacts] = Field(default_factory=dict)
    measured: list[str] = Field(default_factory=list)


class StudentFacts(Facts):
    """What a student's file said of its making."""

    made_by: str | None = None
    settings: SettingsFacts = SettingsFacts()
    student: ShapeFacts = ShapeFacts()
    training: TrainingFacts | None = None
    samples: SamplesFacts = SamplesFacts()
    method: str | None = None
    regularizers: list[str] = Field(default_factory=list)
    teacher: str | None = None
    teacher_sha256: str | None = None
    teacher_validation_accuracy: float | None = None
    teacher_validation_quality: dict[str, float] = Field(default_factory=dict)
    teacher_macs: int | None = None
    teacher_macs_unknown: list[str] = Field(default_factory=list)
    assistants: list[AssistantFacts] | None = None
    validation_accuracy: float | None = None
    validation_quality: dict[str, float] = Field(default_factory=dict)
    history: list[Any] = Field(default_factory=list)
    train_split_sha256: str | None = None
    profile_sha256: str | None = None
    certificate: CertificateFacts | None = None
