"""What every distillation method is: typed options and a set of named loss terms."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from pydantic import BaseModel, ConfigDict
from torch import Tensor

from ..student import StudentOutput

Confidence = Literal["high", "medium", "low"]


@dataclass(frozen=True)
class Evidence:
    """What a method sees of one batch.

    Attributes:
        labels: class indices, ``(B,)``.
        student: the student's forward pass.
        teacher_logits: ``(B, K)``, detached; None for a method that needs no teacher.
        synaptic_ops: of one inference, a scalar with gradient; None where nobody counts them.
    """

    labels: Tensor
    student: StudentOutput
    teacher_logits: Tensor | None
    synaptic_ops: Tensor | None = None

    @property
    def teacher(self) -> Tensor:
        """The teacher's logits, which the caller promised."""
        if self.teacher_logits is None:
            raise ValueError("this method needs teacher logits and the trainer gave none")
        return self.teacher_logits


class LossTerms(BaseModel, ABC):
    """Typed options of a method or regulariser, and the weighted terms it adds to the loss."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: ClassVar[str]
    equation: ClassVar[str]
    source: ClassVar[str]
    confidence: ClassVar[Confidence]
    needs_teacher: ClassVar[bool] = False

    @abstractmethod
    def terms(self, evidence: Evidence) -> dict[str, Tensor]:
        """Named scalar terms, already weighted; the loss is their sum."""


def kl_divergence(teacher: Tensor, student: Tensor, teacher_temperature: float, student_temperature: float) -> Tensor:
    """``KL(softmax(teacher / tau_T) || softmax(student / tau_S))``, summed over classes, averaged over the batch.

    Args:
        teacher: logits ``(B, K)``, treated as constant.
        student: logits ``(B, K)``.
    """
    log_p = F.log_softmax(teacher.detach() / teacher_temperature, dim=-1)
    log_q = F.log_softmax(student / student_temperature, dim=-1)
    return F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)


def cross_entropy(evidence: Evidence) -> Tensor:
    """``CE(softmax(z), y)`` of the student's time-averaged logits, averaged over the batch."""
    return F.cross_entropy(evidence.student.logits, evidence.labels)


def hidden_rates(evidence: Evidence) -> list[Tensor]:
    """Spike trains ``(T, B, *shape)`` of every firing layer whose spikes training can change."""
    trains = [s for s in evidence.student.spikes.values() if s.requires_grad]
    return trains or [torch.zeros(1, device=evidence.labels.device)]
