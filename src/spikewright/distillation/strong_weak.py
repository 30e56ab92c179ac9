"""Self-distillation between the surest and the least sure step (Strong2Weak and Weak2Strong)."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from .base import BatchOutputs, LossTerms
from .losses import cross_entropy, kl_of_logs


class StrongWeakSelfDistillation(LossTerms):
    """No teacher: one time step teaches another, so that there have to be two."""

    title = "self-distillation between steps (Strong2Weak, Weak2Strong)"
    equation = (
        "L = CE(z, y) + weight KL(softmax(z_s/tau) || softmax(z_w/tau)),  s and w the steps of largest and smallest "
        "confidence mean_b max_k softmax(z_t); weak-to-strong the other way round; cascade: the mean over the T - 1 "
        "pairs of steps with neighbouring confidence"
    )
    source = (
        "Ding, Zuo, Jing, Yang, He, Xie 2025, arXiv 2510.07924; equation, weights and pseudocode from a copy of "
        "the paper's text by others"
    )
    confidence = "medium"
    needs = frozenset({"step logits"})
    fewest_timesteps = 2

    direction: Literal["strong-to-weak", "weak-to-strong"] = Field("strong-to-weak", description="who teaches whom")
    pairs: Literal["extremes", "cascade"] = Field(
        "extremes", description="the surest step and the least sure one, or all neighbours in the order of confidence"
    )
    weight: float = Field(1.0, ge=0, description="of the divergence; there is no tau^2 in the paper")
    temperature: float = Field(2.0, gt=0, description="tau of both steps; confidence has none")
    constant_teacher: bool = Field(
        True, description="no gradient through the teaching step; the paper's pseudocode does not say, our reading"
    )

    def terms(self, batch: BatchOutputs) -> dict[str, Tensor]:
        steps = batch.student.step_logits
        found = [self._divergence(steps[strong], steps[weak]) for strong, weak in self._pairs(steps)]
        divergence = torch.stack(found).mean() if found else steps.new_zeros(())
        return {"cross_entropy": cross_entropy(batch), "steps": self.weight * divergence}

    def _pairs(self, steps: Tensor) -> list[tuple[int, int]]:
        """Steps ``(stronger, weaker)``."""
        confidence = F.softmax(steps.detach(), dim=-1).amax(-1).mean(-1)
        ranked = confidence.argsort(descending=True, stable=True).tolist()
        neighbours = list(pairwise(ranked))
        return neighbours if self.pairs == "cascade" or not neighbours else [(ranked[0], ranked[-1])]

    def _divergence(self, strong: Tensor, weak: Tensor) -> Tensor:
        teacher, learner = (strong, weak) if self.direction == "strong-to-weak" else (weak, strong)
        log_p = F.log_softmax((teacher.detach() if self.constant_teacher else teacher) / self.temperature, dim=-1)
        log_q = F.log_softmax(learner / self.temperature, dim=-1)
        return kl_of_logs(log_p, log_q)
