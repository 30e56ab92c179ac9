"""Self-distillation between the most and the least confident timestep (Strong2Weak and Weak2Strong)."""

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
    """Distillation from one timestep to another, without a teacher; needs T of at least 2."""

    title = "self-distillation between timesteps (Strong2Weak, Weak2Strong)"
    equation = (
        "L = CE(z, y) + weight KL(softmax(z_s/tau) || softmax(z_w/tau)),  s and w the timesteps with the largest and "
        "smallest confidence mean_b max_k softmax(z_t); weak-to-strong: s and w exchanged; cascade: the mean over the "
        "T - 1 pairs of timesteps that are adjacent when sorted by confidence"
    )
    source = (
        "Ding, Zuo, Jing, Yang, He, Xie 2025, arXiv 2510.07924; equation, weights and pseudocode from a copy of the "
        "paper's text, not from the paper itself"
    )
    confidence = "medium"
    needs = frozenset({"step logits"})
    fewest_timesteps = 2

    direction: Literal["strong-to-weak", "weak-to-strong"] = Field(
        "strong-to-weak", description="which timestep is the target of the other"
    )
    pairs: Literal["extremes", "cascade"] = Field(
        "extremes", description="most and least confident timestep, or all adjacent ones when sorted by confidence"
    )
    weight: float = Field(1.0, ge=0, description="weight of the divergence; the paper has no factor tau^2")
    temperature: float = Field(2.0, gt=0, description="tau, of both timesteps; confidence uses the logits as they are")
    constant_teacher: bool = Field(
        True, description="whether the target has no gradient; open in the paper, our choice"
    )

    def terms(self, batch: BatchOutputs) -> dict[str, Tensor]:
        steps = batch.student.step_logits
        found = [self._divergence(steps[strong], steps[weak]) for strong, weak in self._pairs(steps)]
        divergence = torch.stack(found).mean() if found else steps.new_zeros(())
        return {"cross_entropy": cross_entropy(batch), "steps": self.weight * divergence}

    def _pairs(self, steps: Tensor) -> list[tuple[int, int]]:
        """Pairs of timesteps, the more confident one first."""
        confidence = F.softmax(steps.detach(), dim=-1).amax(-1).mean(-1)
        ranked = confidence.argsort(descending=True, stable=True).tolist()
        neighbours = list(pairwise(ranked))
        return neighbours if self.pairs == "cascade" or not neighbours else [(ranked[0], ranked[-1])]

    def _divergence(self, strong: Tensor, weak: Tensor) -> Tensor:
        teacher, learner = (strong, weak) if self.direction == "strong-to-weak" else (weak, strong)
        log_p = F.log_softmax((teacher.detach() if self.constant_teacher else teacher) / self.temperature, dim=-1)
        log_q = F.log_softmax(learner / self.temperature, dim=-1)
        return kl_of_logs(log_p, log_q)
