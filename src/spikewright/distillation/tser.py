"""Temporal separation with entropy regularization (TSER)."""

from __future__ import annotations

from pydantic import Field
from torch import Tensor

from .base import BatchOutputs, LossTerms
from .losses import entropy, step_cross_entropy, step_divergence


class TemporalSeparationKD(LossTerms):
    """Labels and soft labels for each timestep separately, and a penalty on overconfident predictions."""

    title = "temporal separation with entropy regularization (TSER)"
    equation = (
        "L = (1/T) sum_t [(1 - alpha) CE(z_t/tau_y, y) + alpha tau^2 KL(softmax(z_A/tau) || softmax(z_t/tau)) - gamma "
        "H(softmax(z_t/tau))]"
    )
    source = (
        "Yu et al. 2025, arXiv 2503.03144; the equation is that of two independent re-implementations "
        "(matteogianferrari/tser-kd, anulum/sc-neurocore), the weights are our choice, between theirs"
    )
    confidence = "medium"
    needs = frozenset({"teacher logits", "step logits"})

    alpha: float = Field(0.5, ge=0, le=1, description="weight of the soft labels; the labels have 1 - alpha")
    gamma: float = Field(1e-3, ge=0, description="weight of the entropy H, which is maximized")
    temperature: float = Field(3.0, gt=0, description="tau, of divergence and entropy")
    label_temperature: float = Field(
        1.0, gt=0, description="tau_y, of the cross-entropy; one re-implementation uses tau"
    )

    def terms(self, batch: BatchOutputs) -> dict[str, Tensor]:
        tau, steps = self.temperature, batch.student.step_logits
        return {
            "cross_entropy": (1 - self.alpha) * step_cross_entropy(batch, self.label_temperature),
            "distillation": self.alpha * tau**2 * step_divergence(batch.teacher, steps, tau),
            "entropy": -self.gamma * entropy(steps / tau).mean(),
        }
