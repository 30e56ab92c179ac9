"""How good the answers of a student are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch

from ..base.threads import student_threads
from ..chip.answers import Answers
from ..data.quality import Quality
from ..data.split import Split
from .neurons import StudentOutput
from .student import Student

BATCH = 500


@student_threads()
@torch.no_grad()
def quality_of_student(student: Student, split: Split, seed: int = 0) -> Quality:
    """How good the answers of a student to a split are.

    Args:
        seed: of the rate code.
    """
    return quality_of_answers([student.answers(output) for output in _passes(student, split, seed)], split)


def accuracy_of(student: Student, split: Split, seed: int = 0) -> float:
    """The fraction of a split that a student classifies correctly, in [0, 1].

    Args:
        seed: of the rate code.
    """
    return quality_of_student(student, split, seed).accuracy


@student_threads()
@torch.no_grad()
def main_by_step(student: Student, split: Split, seed: int = 0) -> list[float]:
    """What a student reaches on a split when it is read after timestep 1, 2, ..., T: the accuracy, or the mean R^2.

    Args:
        seed: of the rate code.
    """
    by_step: list[list[Answers]] = [[] for _ in range(student.config.timesteps)]
    for output in _passes(student, split, seed):
        for step, found in enumerate(by_step, 1):
            found.append(student.answers(output.first(step)))
    return [quality_of_answers(found, split).main for found in by_step]


def quality_of_answers(batches: Sequence[Answers], split: Split) -> Quality:
    """How good the answers to all samples of a split are, that were given batch by batch."""
    quality = Answers.joined(batches, split.labels, split.recordings).quality
    assert quality is not None
    return quality


def _passes(student: Student, split: Split, seed: int) -> Iterator[StudentOutput]:
    student.eval()
    batch = split.at_once(student.config.at_once(BATCH))
    for first in range(0, len(split), batch):
        images = torch.from_numpy(split.samples[first : first + batch]).to(student.device)
        yield student(images, seed, first)
