"""Training on labels only, and conventional knowledge distillation."""

from __future__ import annotations

from pydantic import Field
from torch import Tensor

from .base import BatchOutputs, LossTerms
from .losses import cross_entropy, kl_divergence


class LabelsOnly(LossTerms):
    """Cross-entropy of the student's logits with the labels, without a teacher."""

    title = "labels only"
    equation = "L = CE(z, y)"
    source = "control without distillation"
    confidence = "high"

    def terms(self, batch: BatchOutputs) -> dict[str, Tensor]:
        return {"cross_entropy": cross_entropy(batch)}


class ConventionalKD(LossTerms):
    """Soft labels of an ANN teacher, with one temperature for both networks."""

    title = "conventional knowledge distillation"
    equation = "L = (1 - alpha) CE(z, y) + alpha tau^2 KL(softmax(z_A/tau) || softmax(z/tau))"
    source = "Hinton, Vinyals, Dean 2015, arXiv 1503.02531"
    confidence = "high"
    needs = frozenset({"teacher logits"})

    alpha: float = Field(0.7, ge=0, le=1, description="weight of the soft labels; the labels have 1 - alpha")
    temperature: float = Field(4.0, gt=0, description="tau, of both networks")

    def terms(self, batch: BatchOutputs) -> dict[str, Tensor]:
        tau = self.temperature
        divergence = kl_divergence(batch.teacher, batch.student.logits, tau, tau)
        return {
            "cross_entropy": (1 - self.alpha) * cross_entropy(batch),
            "distillation": self.alpha * tau**2 * divergence,
        }
