"""How a student is trained, and by which learning rates."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from ..base.errors import InputError, arg
from ..data.recipe import Augmentation
from ..profile.profile import HardwareProfile

WARM_UP = 0.05
ROUND_RATE = 0.1
"""Peak of the learning rate in further rounds, as a share of the training's own."""


@dataclass(frozen=True)
class TrainSettings:
    """How a student is trained.

    Attributes:
        learning_rate: peak of AdamW's rate; warmed up over 5 % of the steps, then lowered along a cosine.
        reach: pixels of the largest shift.
        integer_from: share of the epochs after which the forward pass is the chip's; 1: never.
        max_rounds: of ``round_epochs`` further epochs each, for constraints that are not met or not used.
        used: a constraint is used when what it bounds reaches this share of it.
        shorten: points of validation accuracy that fewer timesteps may cost when the warm-up ends; None keeps T.
    """

    epochs: int = 10
    batch: int = 128
    learning_rate: float = 3e-3
    weight_decay: float = 1e-4
    seed: int = 0
    augmentation: Augmentation = "none"
    reach: int = 2
    integer_from: float = 1.0
    max_rounds: int = 3
    round_epochs: int = 1
    used: float = 0.95
    shorten: float | None = None

    @property
    def float_epochs(self) -> int:
        """Epochs in floats: at least one, since batch norms must have seen data."""
        return max(1, round(self.integer_from * self.epochs))


@dataclass(frozen=True)
class Chip:
    """What a student becomes integers for.

    Attributes:
        spec: the profile's name or path.
        weight_bits: None for the chip's own.
    """

    profile: HardwareProfile
    spec: str
    weight_bits: int | None = None


def device_of(name: str) -> torch.device:
    """The device of this name; ``auto`` is a GPU where there is one.

    Raises:
        InputError: a GPU was asked for and there is none.
    """
    there = torch.cuda.is_available()
    if name == "cuda" and not there:
        raise InputError(f"{arg('device', 'cuda')}: torch finds no CUDA device here; use {arg('device', 'cpu')}")
    return torch.device("cuda" if there and name != "cpu" else "cpu")


def learning_rate(settings: TrainSettings, step: int, steps_per_epoch: int) -> float:
    """Warmed up over 5 % of the steps, then along a cosine; in further rounds along a small cosine each."""
    total = steps_per_epoch * settings.epochs
    done, peak = step / total, settings.learning_rate
    if done < WARM_UP:
        return peak * (done / WARM_UP + 1e-2)
    if done < 1:
        return peak * 0.5 * (1 + math.cos(math.pi * (done - WARM_UP) / (1 - WARM_UP)))
    steps = settings.round_epochs * steps_per_epoch
    within = (step - total) % steps / steps
    return ROUND_RATE * peak * 0.5 * (1 + math.cos(math.pi * within))
