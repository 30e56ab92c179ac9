"""The student's passes over one batch: one run of the network, with all that a method wants of it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..distillation.base import BatchOutputs, LossTerms
from ..student.neurons import StudentOutput
from ..student.student import Student
from .cached_outputs import TeacherOutputs


@dataclass(frozen=True, eq=False)
class Passes:
    """What the student computed for one batch; see :class:`~spikewright.distillation.base.BatchOutputs`."""

    output: StudentOutput
    longer: StudentOutput | None = None
    source: StudentOutput | None = None


def passes(
    student: Student,
    method: LossTerms,
    samples: Tensor,
    twins: Tensor | None,
    progress: float,
    seed: int,
    first_index: int,
) -> Passes:
    """Run a batch: over a longer horizon, or beside its static twins, where the method asks for that.

    Twins go through the network in the same batch, so that batch norms see both.

    Args:
        samples: ``(B, C, H, W)``, or frames ``(B, T, C, H, W)``.
        twins: the images behind the frames, ``(B, c, H, W)``; None for a method that does not need them.
        progress: share of the training that is done.
        seed: of the rate code, with the index of the first sample.
    """
    if twins is not None:
        drive = student.drive(samples, seed, first_index)
        source = method.source_drive(drive, twins, progress)
        both, own = student.run(torch.cat([drive, source], dim=1)), len(samples)
        return Passes(both.rows(0, own), source=both.rows(own, 2 * own))
    steps = student.config.timesteps
    horizon = method.training_timesteps(steps)
    if horizon == steps:
        return Passes(student(samples, seed, first_index))
    longer = student.run(student.drive(samples, seed, first_index, horizon), horizon)
    return Passes(longer.first(steps), longer=longer)


def batch_outputs(
    labels: Tensor,
    done: Passes,
    teacher: TeacherOutputs | None,
    synaptic_ops: Tensor | None,
    auxiliary: nn.Module | None,
    progress: float,
) -> BatchOutputs:
    """What a method sees of a batch that has been run."""
    return BatchOutputs(
        labels,
        done.output,
        None if teacher is None else teacher.logits,
        synaptic_ops,
        {} if teacher is None else teacher.features,
        {} if teacher is None else teacher.saliency,
        auxiliary=auxiliary,
        longer=done.longer,
        source=done.source,
        progress=progress,
    )
