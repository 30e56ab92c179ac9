"""Learning from labels alone, and conventional knowledge distillation."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field
from torch import Tensor

from .base import BatchOutputs, Confidence, LossTerms, Need, cross_entropy, kl_divergence


class LabelsOnly(LossTerms):
    """No teacher: cross-entropy on the student's time-averaged logits."""

    title: ClassVar[str] = "labels only"
    equation: ClassVar[str] = "L = CE(z, y)"
    source: ClassVar[str] = "control without distillation"
    confidence: ClassVar[Confidence] = "high"

    def terms(self, batch: BatchOutputs) -> dict[str, Tensor]:
        return {"cross_entropy": cross_entropy(batch)}


class ConventionalKD(LossTerms):
    """Soft labels of an ANN teacher at one temperature for both networks."""

    title: ClassVar[str] = "conventional knowledge distillation"
    equation: ClassVar[str] = "L = (1 - alpha) CE(z, y) + alpha tau^2 KL(softmax(z_A/tau) || softmax(z/tau))"
    source: ClassVar[str] = "Hinton, Vinyals, Dean 2015, arXiv 1503.02531"
    confidence: ClassVar[Confidence] = "high"
    needs: ClassVar[frozenset[Need]] = frozenset({"teacher logits"})

    alpha: float = Field(0.7, ge=0, le=1, description="weight of the teacher against the labels")
    temperature: float = Field(4.0, gt=0, description="tau of both networks")

    def terms(self, batch: BatchOutputs) -> dict[str, Tensor]:
        tau = self.temperature
        divergence = kl_divergence(batch.teacher, batch.student.logits, tau, tau)
        return {
            "cross_entropy": (1 - self.alpha) * cross_entropy(batch),
            "distillation": self.alpha * tau**2 * divergence,
        }
