"""Spiking teachers that take after their student: `snn`, and assistants between a teacher and the student."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..base.errors import InputError
from ..data.dataset import Dataset
from ..student.config import StudentConfig
from ..student.train_settings import TrainSettings

SPIKING = "snn"
LABELS = "labels"
WIDER = 2


class SpikingSpec(BaseModel):
    """What may follow ``snn:``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    width: int | None = Field(None, ge=1, description="channels of its first layer; left out, twice the student's")
    taught_by: str = Field(LABELS, description="labels, or a teacher that it is distilled from first, by kd")


@dataclass(frozen=True)
class Pupil:
    """The student whom a spiking teacher takes after.

    Attributes:
        settings: of its training, which are the teacher's too, seed and epochs apart.
        epochs: of a spiking teacher's training where nobody says how many.
        device: where to train.
    """

    config: StudentConfig
    settings: TrainSettings
    epochs: int
    device: torch.device

    def course_settings(self, seed: int, epochs: int | None = None) -> TrainSettings:
        """How a network that only teaches is trained: in floats, with no further rounds."""
        epochs = epochs or self.settings.epochs
        return replace(self.settings, epochs=epochs, seed=seed, integer_from=1.0, max_rounds=0, shorten=None)

    def wider(self, width: int | None, dataset: Dataset) -> StudentConfig:
        """The student's network with another width; where it would see images and the student events, direct input."""
        own = self.config
        sees_images = own.encoding == "events" and dataset.timesteps is None
        return replace(
            own,
            width=width or WIDER * own.width,
            input_shape=dataset.shape,
            encoding="direct" if sees_images else own.encoding,
        )


def takes_after(spec: str) -> bool:
    """Whether ``spec`` names a spiking teacher that is made for the student."""
    return spec.partition(":")[0] == SPIKING


def spiking_spec(spec: str) -> SpikingSpec:
    """Read ``snn`` or ``snn:option=value,option=value``.

    Raises:
        InputError: an unknown option, or a value that is not allowed; all of them at once.
    """
    pairs = (pair.partition("=") for pair in filter(None, spec.partition(":")[2].split(",")))
    try:
        return SpikingSpec.model_validate({key.strip(): value.strip() for key, _, value in pairs})
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg'].lower()}" for e in error.errors())
        raise InputError(f"teacher {spec}: {faults}; may be snn:width=32,taught_by=convnet, or either alone") from error
