"""How students and teachers are trained on a data set by default: importable without torch, as ``--help`` needs it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Augmentation = Literal["none", "shift", "shift-flip"]


@dataclass(frozen=True)
class TeacherRecipe:
    """How a teacher is trained: SGD with Nesterov momentum and a one-cycle learning rate, cross-entropy on the labels.

    Labels are not smoothed: smoothing erases what a student learns from a teacher (Müller et al., NeurIPS 2019).

    Attributes:
        batch_size: samples per step.
        learning_rate: the peak.
        weight_decay: on all weights.
        augmentation: see :mod:`spikewright.data.augment`.
        reach: pixels of the largest shift.
    """

    epochs: int = 8
    batch_size: int = 128
    learning_rate: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 5e-4
    augmentation: Augmentation = "shift"
    reach: int = 2


@dataclass(frozen=True)
class Recipe:
    """How students of a data set are trained, and their teachers.

    Attributes:
        epochs: passes over the training part; small data sets need more of them.
        batch: samples per step.
        augmentation: changes that leave a sample's class as it is; a mirrored digit, for one, is another sign.
        reach: pixels of the largest shift.
        teacher: of the data set, or of the twin of events.
    """

    epochs: int = 10
    batch: int = 128
    augmentation: Augmentation = "none"
    reach: int = 2
    teacher: TeacherRecipe = TeacherRecipe()
