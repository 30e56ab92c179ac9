"""Teachers: where the soft answers come from that a student learns."""

from __future__ import annotations

from .teacher_training import Progress, train_teacher
from .torch_teacher import LOGITS, Teacher, TorchTeacher, precompute_logits

__all__ = ["LOGITS", "Progress", "Teacher", "TorchTeacher", "precompute_logits", "train_teacher"]
