"""What is fed to a network that is recorded, and its steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from .layer import Shape


@dataclass(frozen=True, eq=False)
class Sample:
    """What was fed to a network.

    Attributes:
        tensor: ``(B, ...)``, or with the timesteps as a further axis.
        shape: of one sample in one timestep, as the network takes it.
        batch: B.
        time_axis: of the timesteps, None for samples without.
        merged: T, where samples and timesteps are one axis, ``(B * T, ...)``; 0 elsewhere.
        order: which of both comes first where the network itself makes one axis of them; where it is not known, that of
            the sample.
    """

    tensor: Tensor
    shape: Shape
    batch: int
    time_axis: int | None = None
    merged: int = 0
    order: Literal["", "T", "B"] = ""

    def step(self, number: int) -> Tensor:
        """What enters in one step, ``(B, ...)``."""
        if self.merged:
            return self.tensor.reshape(self.batch, self.merged, *self.tensor.shape[1:])[:, number]
        return self.tensor if self.time_axis is None else self.tensor.select(self.time_axis, number)


def same(one: Tensor, other: Tensor) -> bool:
    return one.numel() == other.numel() and bool(torch.equal(one.reshape(-1).float(), other.reshape(-1).float()))


def part_of(values: Tensor, step: int, sample: Sample, steps: int) -> Tensor:
    """One step of values that hold all of them, in whatever order of time and samples."""
    if sample.merged and values.shape[:1] == (steps * sample.batch,):
        return values.reshape(sample.batch, steps, *values.shape[1:])[:, step]
    if values.shape[:2] == (steps, sample.batch):
        return values[step]
    if values.shape[:2] == (sample.batch, steps):
        return values[:, step]
    if values.shape[:1] == (steps * sample.batch,):
        first = sample.order == "T" or (sample.order == "" and sample.time_axis == 0)
        shape = (steps, sample.batch) if first else (sample.batch, steps)
        return values.reshape(*shape, *values.shape[1:]).select(0 if first else 1, step)
    return values[0] if values.shape[:2] == (1, sample.batch) else values
