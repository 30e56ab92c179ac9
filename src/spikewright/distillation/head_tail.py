"""Head-tail-aware divergence (HTA-KL)."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from .base import BatchOutputs, LossTerms
from .losses import cross_entropy


class HeadTailKD(LossTerms):
    """Forward KL divergence weighted by the error on the teacher's likely classes, reverse by that on the others."""

    title = "head-tail-aware divergence (HTA-KL)"
    equation = (
        "L = (1 - alpha) CE(z, y) + alpha tau^2 [w KL(p || q) + (1 - w) KL(q || p)],  p = softmax(z_A/tau), q = "
        "softmax(z/tau), w = g_head/(g_head + g_tail) without gradient, g = sum |p - q| over the head (the smallest "
        "set of classes whose probabilities p sum to mass) or over the tail (all other classes)"
    )
    source = (
        "Zhang, Zhu, Yu, Wang 2025, arXiv 2504.20445; we do not know its equations: the divergence is that of the "
        "method for ANNs on which it builds (Wu et al. 2024, arXiv 2404.02657); tau^2, w without gradient, alpha, tau "
        "and the treatment of time are our interpretation"
    )
    confidence = "low"
    needs = frozenset({"teacher logits"})

    alpha: float = Field(0.7, ge=0, le=1, description="weight of the soft labels; unknown, that of kd")
    temperature: float = Field(4.0, gt=0, description="tau, of both networks; unknown, that of kd")
    mass: float = Field(0.5, gt=0, lt=1, description="total probability of the head")
    time: Literal["mean", "steps"] = Field(
        "mean", description="divergence of the time-averaged logits, or mean over timesteps; unknown, our choice"
    )

    def terms(self, batch: BatchOutputs) -> dict[str, Tensor]:
        student = batch.student.logits if self.time == "mean" else batch.student.step_logits
        divergence = self._divergence(batch.teacher.detach(), student)
        return {
            "cross_entropy": (1 - self.alpha) * cross_entropy(batch),
            "distillation": self.alpha * self.temperature**2 * divergence,
        }

    def _divergence(self, teacher: Tensor, student: Tensor) -> Tensor:
        """The divergence of logits, averaged over the batch, and over time if ``student`` is ``(T, B, K)``."""
        log_p = F.log_softmax(teacher / self.temperature, dim=-1)
        log_q = F.log_softmax(student / self.temperature, dim=-1)
        p, q = log_p.exp(), log_q.exp()
        head = head_of(p, self.mass)
        gap = (p - q).abs().detach()
        whole = gap.sum(-1).clamp(min=torch.finfo(gap.dtype).tiny)  # equal distributions weigh a divergence of zero
        weight = (gap * head).sum(-1) / whole
        forward, reverse = (p * (log_p - log_q)).sum(-1), (q * (log_q - log_p)).sum(-1)
        return (weight * forward + (1 - weight) * reverse).mean()


def head_of(probabilities: Tensor, mass: float) -> Tensor:
    """The smallest set of classes whose probabilities sum to ``mass``, as a mask ``(B, K)``."""
    sorted_p, order = probabilities.sort(dim=-1, descending=True, stable=True)
    before = sorted_p.cumsum(-1) - sorted_p
    return torch.zeros_like(before, dtype=torch.bool).scatter(-1, order, before < mass)
