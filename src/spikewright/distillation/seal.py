"""Selective alignment (SeAl-KD)."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from .base import BatchOutputs, LossTerms
from .losses import entropy, step_cross_entropy, step_divergence


class SelectiveAlignmentKD(LossTerms):
    """Soft labels corrected at timesteps with a wrong prediction, and distillation between similar timesteps."""

    title = "selective alignment (SeAl-KD)"
    equation = (
        "L = (1/T) sum_t [CE(z_t, y) + alpha tau^2 KL(softmax(z_A'/tau) || softmax(z_t'/tau)) + beta tau^2 "
        "KL(softmax(sum_s w_ts z_s / tau) || softmax(z_t/tau))];  z' where timestep t predicts c != y: z_t'[c] = "
        "z_t[y], z_A'[c] = z_A'[y] = min(z_A[c], z_A[y]);  w_t = softmax over s != t of (1 - H(softmax(z_s))/log K) "
        "cos(z_t, z_s), the weighted sum without gradient"
    )
    source = "Sun et al. 2026, arXiv 2605.14252; equation and weights of the released code (KaiSUN1/SeAl)"
    confidence = "high"
    needs = frozenset({"teacher logits", "step logits"})

    alpha: float = Field(0.6, ge=0, description="weight of the soft labels")
    beta: float = Field(0.15, ge=0, description="weight of the other timesteps; unused if T = 1")
    temperature: float = Field(3.0, gt=0, description="tau, of both divergences; not of confidence and similarity")

    def terms(self, batch: BatchOutputs) -> dict[str, Tensor]:
        tau, steps = self.temperature, batch.student.step_logits
        teacher, student = _aligned(batch)
        others = step_divergence(_other_steps(steps), steps, tau) if len(steps) > 1 else steps.new_zeros(())
        return {
            "cross_entropy": step_cross_entropy(batch),
            "distillation": self.alpha * tau**2 * step_divergence(teacher, student, tau),
            "steps": self.beta * tau**2 * others,
        }


def _aligned(batch: BatchOutputs) -> tuple[Tensor, Tensor]:
    """Logits of teacher and student, ``(T, B, K)``, with equal values for the label and the prediction.

    Where the prediction is the label, both are unchanged.
    """
    steps = batch.student.step_logits
    teacher = batch.teacher.detach().expand_as(steps)
    label = batch.labels.expand(steps.shape[:2]).unsqueeze(-1)
    answer = steps.argmax(-1, keepdim=True)
    smaller = torch.minimum(teacher.gather(-1, label), teacher.gather(-1, answer))
    levelled = teacher.scatter(-1, label, smaller).scatter(-1, answer, smaller)
    return levelled, steps.scatter(-1, answer, steps.gather(-1, label))


def _other_steps(steps: Tensor) -> Tensor:
    """For each timestep the logits of the others, ``(T, B, K)``, weighted by confidence and similarity."""
    known = steps.detach().transpose(0, 1)
    confidence = 1 - entropy(known) / math.log(known.shape[-1])
    direction = F.normalize(known, dim=-1)
    scores = direction @ direction.transpose(1, 2) * confidence.unsqueeze(1)
    itself = torch.eye(len(steps), dtype=torch.bool, device=steps.device)
    weights = F.softmax(scores.masked_fill(itself, -math.inf), dim=-1)
    return (weights @ known).transpose(0, 1)
