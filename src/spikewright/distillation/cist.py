"""Soft labels with a temperature of its own for each sample and each of the two networks (CIST)."""

from __future__ import annotations

from typing import Literal

import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from .base import BatchOutputs, LossTerms
from .losses import cross_entropy


class SampleTemperatureKD(LossTerms):
    """The largest logit of a sample, divided by its temperature, is the same for all samples and both networks.

    How soft a softmax is depends mostly on that ratio. With one temperature for all, the labels of samples on which the
    teacher is sure are hard, and those of the others flat. The student is compared at a temperature of its own, so it
    need not reproduce the range of the teacher's logits. The gradient by the student's logits is ``tau_A (q - p)``
    where ``s = tau_A tau_S``: a sample counts by how sure the teacher is of it.
    """

    title = "temperatures by sample (CIST)"
    equation = """L = CE(z, y) + weight mean_b s KL(p || q),  p = softmax(z_A/tau_A), q = softmax(z/tau_S);  of each
        sample tau_A = max(max_k z_A / rho, least) and tau_S = max(max_k z / rho, least), both without gradient,  s =
        tau_A tau_S"""
    source = "Luong, Vo, Zhao, Chen 2026, arXiv 2605.20357"
    differs = """not known, since we know only the abstract and a summary by others: temperatures of each sample and of
        each of the two networks, the ratio rho between the largest logit and the teacher's temperature, the weight and
        the product of the temperatures are in them. That the student's temperature follows the same rule, least, no
        gradient and the values of rho and weight are our interpretation. The paper has no networks that spike"""
    confidence = "low"
    needs = frozenset({"teacher logits"})

    weight: float = Field(1.0, ge=0, description="lambda_KL, weight of the soft labels; unknown, our choice")
    rho: float = Field(
        3.0, gt=0, description="the largest logit over the temperature; unknown, our choice: of 10 classes about 0.7"
    )
    least: float = Field(
        0.1, gt=0, description="least temperature, of samples whose largest logit is small or negative; our addition"
    )
    student: Literal["own", "teacher"] = Field(
        "own", description="tau_S from the student's largest logit, or tau_A, as a control"
    )
    logits: Literal["raw", "centred"] = Field(
        "raw", description="the largest logit as it is, or above the mean of the sample's, which no offset changes"
    )
    factor: Literal["product", "teacher", "student", "none"] = Field(
        "product", description="s: tau_A tau_S, tau_A^2, tau_S^2 or 1"
    )
    time: Literal["mean", "steps"] = Field(
        "mean", description="divergence of the time-averaged logits, or mean over timesteps; our addition"
    )

    def terms(self, batch: BatchOutputs) -> dict[str, Tensor]:
        student = batch.student.logits if self.time == "mean" else batch.student.step_logits
        return {"cross_entropy": cross_entropy(batch), "distillation": self.weight * self._divergence(batch, student)}

    def temperature(self, logits: Tensor) -> Tensor:
        """The temperature of each sample, ``(..., B, 1)``, of logits ``(..., B, K)``, without gradient."""
        known = logits.detach()
        largest = known.amax(-1, keepdim=True)
        if self.logits == "centred":
            largest = largest - known.mean(-1, keepdim=True)
        return (largest / self.rho).clamp(min=self.least)

    def _divergence(self, batch: BatchOutputs, student: Tensor) -> Tensor:
        """The divergence averaged over the batch, and over time if ``student`` is ``(T, B, K)``."""
        teacher = batch.teacher.detach()
        tau_a = self.temperature(teacher)
        tau_s = tau_a if self.student == "teacher" else self.temperature(student)
        log_p, log_q = F.log_softmax(teacher / tau_a, dim=-1), F.log_softmax(student / tau_s, dim=-1)
        divergence = (log_p.exp() * (log_p - log_q)).sum(-1, keepdim=True)
        squares = {"product": tau_a * tau_s, "teacher": tau_a**2, "student": tau_s**2}
        return (squares[self.factor] * divergence if self.factor in squares else divergence).mean()
