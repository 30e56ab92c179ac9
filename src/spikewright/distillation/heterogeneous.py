"""Heterogeneous-temperature knowledge distillation (HT-KD)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from torch import Tensor

from .base import BatchOutputs, LossTerms
from .losses import cross_entropy, kl_divergence


class HeterogeneousKD(LossTerms):
    """Soft labels with separate temperatures, so that the student need not reproduce the range of the teacher's logits.

    The divergence is smallest at ``z = (tau_S / tau_T) z_A`` (up to a constant). With a student temperature below the
    teacher's this means smaller logits, which take fewer spikes.
    """

    title = "heterogeneous-temperature distillation (HT-KD)"
    equation = "L = (1 - alpha) CE(z, y) + alpha s KL(softmax(z_A/tau_T) || softmax(z/tau_S))"
    source = (
        "Lee, Park, Kim, Doh, Yoon 2021, arXiv 2106.07172; we know only the abstract: the form of the loss, s = "
        "tau_S^2 and all defaults are our interpretation"
    )
    confidence = "low"
    needs = frozenset({"teacher logits"})

    alpha: float = Field(0.7, ge=0, le=1, description="weight of the soft labels; the labels have 1 - alpha")
    teacher_temperature: float = Field(4.0, gt=0, description="tau_T")
    student_temperature: float = Field(1.0, gt=0, description="tau_S; a value below tau_T saves spikes")
    scale: Literal["student", "product", "teacher", "none"] = Field(
        "student", description="factor s: tau_S^2, tau_S tau_T, tau_T^2 or 1"
    )

    def terms(self, batch: BatchOutputs) -> dict[str, Tensor]:
        tau_t, tau_s = self.teacher_temperature, self.student_temperature
        scale = {"student": tau_s**2, "product": tau_s * tau_t, "teacher": tau_t**2, "none": 1.0}[self.scale]
        divergence = kl_divergence(batch.teacher, batch.student.logits, tau_t, tau_s)
        return {
            "cross_entropy": (1 - self.alpha) * cross_entropy(batch),
            "distillation": self.alpha * scale * divergence,
        }
