"""At which chip step each timestep of each sample happens in a population."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..base.types import IntArray
from .network import ChipNetwork


@dataclass(frozen=True)
class Schedule:
    """Samples streaming through the chip's pipeline.

    Algorithmic step t of sample s happens in a population of depth d at chip step ``s * stride + d + t``, counted from
    0. Without recurrence samples follow each other with ``stride = timesteps``, several in the pipeline at once; a
    recurrent network would hear its last spikes of the sample before, so it is emptied between samples and the stride
    is the whole pipeline, ``timesteps + deepest``.

    Attributes:
        samples: how many.
        timesteps: number of timesteps per sample.
        stride: chip steps from one sample's start to the next one's.
        deepest: greatest depth of a population.
    """

    samples: int
    timesteps: int
    stride: int
    deepest: int

    @staticmethod
    def of(chip: ChipNetwork, samples: int) -> Schedule:
        """The schedule of ``samples`` on ``chip``."""
        deepest = max(chip.depth.values())
        stride = chip.timesteps + (deepest if chip.is_recurrent else 0)
        return Schedule(samples, chip.timesteps, stride, deepest)

    @property
    def chip_steps(self) -> int:
        """Chip steps until the last sample has left."""
        return (self.samples - 1) * self.stride + self.timesteps + self.deepest

    def places(self, depth: int) -> IntArray:
        """Chip steps, counted from 0, of every timestep and sample; shape ``(timesteps, samples)``."""
        return depth + np.arange(self.timesteps)[:, None] + np.arange(self.samples)[None, :] * self.stride
