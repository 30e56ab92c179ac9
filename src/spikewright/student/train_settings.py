"""The settings of a student's training, and its learning rate."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from ..base.errors import InputError, arg
from ..base.types import Norm, OptimizerName
from ..data.output_rule import ValueLoss
from ..profile.profile import HardwareProfile

PEAKS: dict[OptimizerName, tuple[float, float]] = {"adamw": (3e-3, 1.5e-2), "sgd": (0.1, 0.3)}
"""By optimizer, the peak of the learning rate where none is asked for: with norms behind the weights, and without.

Weights that are balanced are several times as large as those before a norm, and AdamW's steps are not larger for it."""
WARM_UP = 0.05
ROUND_RATE = 0.1
"""Peak of the learning rate in further rounds, as a share of the training's own."""


@dataclass(frozen=True)
class TrainSettings:
    """The settings of a student's training.

    Attributes:
        learning_rate: peak of the optimizer's rate; warmed up over 5 % of the steps, then lowered along a cosine.
        optimizer: AdamW, or SGD with Nesterov's momentum.
        augmentation: text for :func:`spikewright.augmentation.text.read_transforms`.
        reach: pixels of the largest shift, where the augmentation says none.
        integer_from: fraction of the epochs after which the forward pass uses the chip's integers; 1: never.
        max_rounds: of ``round_epochs`` further epochs each, for constraints that are not met or not used.
        used: a constraint counts as used if its quantity reaches this fraction of its limit.
        shorten: percentage points of validation accuracy (of a regression of R^2) that fewer timesteps may cost after
            the warm-up; None keeps T.
        loss, class_weights: of outputs against labels; see :func:`~spikewright.student.label_loss.label_loss_of`.
        labelled_share: of every batch, the share with labels, where there are samples without; None for
            :data:`~spikewright.teachers.order.LABELLED_SHARE`.
        epoch_samples: samples of an epoch; None: one pass over the training part.
        shorten: percentage points of validation accuracy that fewer timesteps may cost after the warm-up; None keeps T.
    """

    epochs: int = 10
    batch: int = 128
    learning_rate: float = 3e-3
    weight_decay: float = 1e-4
    seed: int = 0
    augmentation: str = "none"
    reach: int = 2
    integer_from: float = 1.0
    max_rounds: int = 3
    round_epochs: int = 1
    used: float = 0.95
    shorten: float | None = None
    loss: ValueLoss | None = None
    class_weights: str | None = None
    labelled_share: float | None = None
    epoch_samples: int | None = None
    optimizer: OptimizerName = "adamw"

    @property
    def float_epochs(self) -> int:
        """Number of epochs in floating point: at least one, in which batch norms collect their statistics."""
        return max(1, round(self.integer_from * self.epochs))


@dataclass(frozen=True)
class Chip:
    """The chip whose integer arithmetic a student is trained with.

    Attributes:
        spec: the profile's name or path.
        weight_bits: of the integer weights, None for the chip's own.
    """

    profile: HardwareProfile
    spec: str
    weight_bits: int | None = None


def device_of(name: str) -> torch.device:
    """The device called ``cpu``, ``cuda`` or ``auto``, which is a GPU if there is one.

    Raises:
        InputError: ``cuda`` without a GPU.
    """
    there = torch.cuda.is_available()
    if name == "cuda" and not there:
        raise InputError(f"{arg('device', 'cuda')}: torch finds no CUDA device here; use {arg('device', 'cpu')}")
    return torch.device("cuda" if there and name != "cpu" else "cpu")


def peak_rate(asked: float | None, optimizer: OptimizerName, norm: Norm) -> float:
    """The peak of the learning rate: what was asked for, else that of the optimizer and the norms."""
    return asked or PEAKS[optimizer][norm == "none"]


def learning_rate(settings: TrainSettings, step: int, steps_per_epoch: int) -> float:
    """The rate of a step: a warm-up over 5 % of the steps, then a cosine; a small cosine in each further round."""
    total = steps_per_epoch * settings.epochs
    done, peak = step / total, settings.learning_rate
    if done < WARM_UP:
        return peak * (done / WARM_UP + 1e-2)
    if done < 1:
        return peak * 0.5 * (1 + math.cos(math.pi * (done - WARM_UP) / (1 - WARM_UP)))
    steps = settings.round_epochs * steps_per_epoch
    within = (step - total) % steps / steps
    return ROUND_RATE * peak * 0.5 * (1 + math.cos(math.pi * within))
