"""The accuracy of a student."""

from __future__ import annotations

import torch

from ..base.threads import student_threads
from ..data.split import Split
from .student import Student

BATCH = 500


@student_threads()
@torch.no_grad()
def accuracy_of(student: Student, split: Split, seed: int = 0) -> float:
    """The fraction of a split that a student classifies correctly, in [0, 1].

    Args:
        seed: of the rate code.
    """
    student.eval()
    correct, batch = 0, student.config.at_once(BATCH)
    for first in range(0, len(split), batch):
        images = torch.from_numpy(split.samples[first : first + batch]).to(student.device)
        scores = student(images, seed, first).scores
        correct += int((scores.argmax(1).cpu().numpy() == split.labels[first : first + batch]).sum())
    return correct / len(split)


@student_threads()
@torch.no_grad()
def accuracy_by_step(student: Student, split: Split, seed: int = 0) -> list[float]:
    """The fractions of a split, in [0, 1], that a student classifies correctly after timestep 1, 2, ..., T.

    Args:
        seed: of the rate code.
    """
    student.eval()
    correct, batch = [0] * student.config.timesteps, student.config.at_once(BATCH)
    for first in range(0, len(split), batch):
        images = torch.from_numpy(split.samples[first : first + batch]).to(student.device)
        labels = split.labels[first : first + batch]
        output = student(images, seed, first)
        for step in range(len(correct)):
            predicted = output.first(step + 1).scores.argmax(1).cpu().numpy()
            correct[step] += int((predicted == labels).sum())
    return [count / len(split) for count in correct]
