"""How students and teachers are trained on a data set by default: importable without torch, as ``--help`` needs it."""

from __future__ import annotations

from dataclasses import dataclass, replace

STEPS = 1500
"""Optimiser steps that a training on data of one's own gets at least, within bounds of its epochs."""


@dataclass(frozen=True)
class TeacherRecipe:
    """How a teacher is trained: SGD with Nesterov momentum and a one-cycle learning rate, cross-entropy on the labels.

    Labels are not smoothed: smoothing erases what a student learns from a teacher (Müller et al., NeurIPS 2019).

    Attributes:
        batch_size: samples per step.
        learning_rate: the peak.
        weight_decay: on all weights.
        augmentation: text for :func:`spikewright.augmentation.text.read_transforms`, as the student's.
        reach: pixels of the largest shift.
        architecture: of the network.
    """

    epochs: int = 8
    batch_size: int = 128
    learning_rate: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 5e-4
    augmentation: str = "shift"
    reach: int = 2
    architecture: str = "convnet"


@dataclass(frozen=True)
class Recipe:
    """How students of a data set are trained, and their teachers.

    Attributes:
        epochs: passes over the training part; small data sets need more of them.
        batch: samples per step.
        augmentation: changes that leave a sample's class as it is; a mirrored digit, for one, is another sign.
        reach: pixels of the largest shift, where the augmentation says none.
        teacher: of the data set, or of the twin of events.
        architecture: of the student.
    """

    epochs: int = 10
    batch: int = 128
    augmentation: str = "none"
    reach: int = 2
    teacher: TeacherRecipe = TeacherRecipe()
    architecture: str = "convnet"

    @staticmethod
    def for_samples(samples: int, layout: str, view: str | None, rows: int = 1) -> Recipe:
        """A recipe for data of one's own, by the number of training samples and how a network takes them.

        A batch is a twentieth of the samples, a power of two from 8 to 128; epochs are as many as make
        :data:`STEPS` steps, from 10 to 60. Networks of ``series`` that are taken at once are temporal convolutions,
        those of images and of events in several ``rows`` of pixels convolutions, all others dense.
        """
        batch = next((size for size in (128, 64, 32, 16) if samples >= 20 * size), 8)
        epochs = min(60, max(10, -(-STEPS * batch // max(1, samples))))
        network = {"channels": "temporal", "image": "convnet"}.get(view or "", "mlp")
        if layout == "images" or (layout == "events" and rows > 1):
            network = "convnet"
        teacher = TeacherRecipe(epochs=epochs, batch_size=batch, augmentation="none", architecture=network)
        if view == "steps":
            teacher = replace(teacher, architecture="temporal")
        return Recipe(epochs=epochs, batch=batch, teacher=teacher, architecture=network)
