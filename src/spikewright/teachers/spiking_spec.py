"""Spiking teachers that are made like their student: ``snn``, and assistants between a teacher and the student."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from pydantic import Field

from ..base.errors import InputError
from ..base.options import Options, WrongOptions
from ..data.dataset import Dataset
from ..student.config import StudentConfig
from ..student.train_settings import TrainSettings
from .torch_teacher import Teacher

SPIKING = "snn"
LABELS = "labels"
WIDER = 2


class SpikingSpec(Options):
    """A spiking teacher that is made like the student: the options that may follow ``snn:``."""

    width: int | None = Field(None, ge=1, description="channels of its first layer; left out, twice the student's")
    taught_by: str = Field(LABELS, description="labels, or a teacher that it is distilled from first, by kd")


@dataclass(frozen=True)
class StudentPlan:
    """The network and the training of a student, after which spiking teachers are made.

    Attributes:
        settings: of the student's training; a teacher's differ in seed and epochs.
        epochs: of a spiking teacher's training where none are given.
        device: where to train.
    """

    config: StudentConfig
    settings: TrainSettings
    epochs: int
    device: torch.device

    def teacher_settings(self, seed: int, epochs: int | None = None) -> TrainSettings:
        """How a network that only teaches is trained: in floats, without further rounds.

        Args:
            epochs: None for the student's.
        """
        epochs = epochs or self.settings.epochs
        return replace(self.settings, epochs=epochs, seed=seed, integer_from=1.0, max_rounds=0, shorten=None)

    def wider(self, width: int | None, dataset: Dataset) -> StudentConfig:
        """The student's network with another width, None for twice the student's.

        Where the teacher sees images and the student events, the teacher's input is direct.
        """
        own = self.config
        sees_images = own.encoding == "events" and dataset.timesteps is None
        return replace(
            own,
            width=width or WIDER * own.width,
            input_shape=dataset.shape,
            encoding="direct" if sees_images else own.encoding,
        )


def is_like_student(teacher: Teacher | str) -> bool:
    """Whether a teacher's description is that of a spiking network made like the student."""
    return isinstance(teacher, str) and teacher.partition(":")[0] == SPIKING


def spiking_spec(text: str) -> SpikingSpec:
    """Read ``snn`` or ``snn:option=value,option=value``.

    Raises:
        InputError: every unknown option and every value that is not allowed.
    """
    pairs = (pair.partition("=") for pair in filter(None, text.partition(":")[2].split(",")))
    try:
        return SpikingSpec.model_validate({key.strip(): value.strip() for key, _, value in pairs})
    except WrongOptions as error:
        faults = "; ".join(f"{fault.name}: {fault.reason}" for fault in error.faults)
        raise InputError(f"teacher {text}: {faults}; may be snn:width=32,taught_by=convnet, or either alone") from error
