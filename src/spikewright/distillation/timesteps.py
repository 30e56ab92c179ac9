"""Distillation at each timestep, from a teacher and between the timesteps."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from .base import BatchOutputs, LossTerms
from .losses import cross_entropy, entropy, kl_of_logs, step_cross_entropy, step_divergence


class TemporalSeparationKD(LossTerms):
    """Labels and soft labels for each timestep separately, and a penalty on overconfident predictions."""

    title = "temporal separation with entropy regularization (TSER)"
    equation = """L = (1/T) sum_t [(1 - alpha) CE(z_t/tau_y, y) + alpha tau^2 KL(softmax(z_A/tau) || softmax(z_t/tau)) -
        gamma H(softmax(z_t/tau))]"""
    source = """Yu et al. 2025, arXiv 2503.03144; the equation is that of two independent re-implementations
        (matteogianferrari/tser-kd, anulum/sc-neurocore)"""
    differs = """not known of the authors' own code. The weights are our choice, between those of the two. The first of
        the two divides the logits by tau in the cross-entropy, too, whose gradient is then (softmax(z_t/tau) - y)/tau:
        alpha=0.01,gamma=0.001,temperature=5,label_temperature=5; the second has alpha=0.5,gamma=0.1,temperature=3 on
        averaged logits"""
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


class TemporalWiseKD(LossTerms):
    """Each timestep is trained on the labels, the teacher's logits and the mean logits of the timesteps."""

    title = "temporal-wise distillation (TWD)"
    equation = """L = (1/T) sum_t [CE(z_t, y) + alpha tau^2 KL(softmax(z_A/tau) || softmax(z_t/tau)) + beta tau^2
        KL(softmax(z_ens/tau) || softmax(z_t/tau))],  z_ens without gradient"""
    source = """Yu et al. 2025, arXiv 2501.15925; equation and weights of the released code
        (Intelli-Chip-Lab/snn_temporal_decoupling_distillation)"""
    differs = "in nothing from the code; the figure of the paper has ensemble=all"
    confidence = "high"
    needs = frozenset({"teacher logits", "step logits"})

    alpha: float = Field(0.2, ge=0, description="weight of the soft labels")
    beta: float = Field(0.5, ge=0, description="weight of the ensemble of timesteps")
    temperature: float = Field(3.0, gt=0, description="tau, of all three")
    ensemble: Literal["correct", "all"] = Field(
        "correct",
        description="z_ens: mean logits of the correct timesteps (released code) or of all timesteps (paper); of a "
        "sample without a label, of all",
    )

    def terms(self, batch: BatchOutputs) -> dict[str, Tensor]:
        tau, steps = self.temperature, batch.student.step_logits
        return {
            "cross_entropy": step_cross_entropy(batch),
            "distillation": self.alpha * tau**2 * step_divergence(batch.teacher, steps, tau),
            "ensemble": self.beta * tau**2 * step_divergence(self._ensemble(batch), steps, tau),
        }

    def _ensemble(self, batch: BatchOutputs) -> Tensor:
        steps = batch.student.step_logits
        if self.ensemble == "all":
            return steps.mean(0)
        chosen = (torch.eq(steps.argmax(-1), batch.labels) | ~batch.is_labelled).unsqueeze(-1)
        return (steps * chosen).sum(0) / chosen.sum(0).clamp(min=1)


class SelectiveAlignmentKD(LossTerms):
    """Soft labels corrected at timesteps with a wrong prediction, and distillation between similar timesteps."""

    title = "selective alignment (SeAl-KD)"
    equation = """L = (1/T) sum_t [CE(z_t, y) + alpha tau^2 KL(softmax(z_A'/tau) || softmax(z_t'/tau)) + beta tau^2
        KL(softmax(sum_s w_ts z_s / tau) || softmax(z_t/tau))];  z' where timestep t predicts c != y: z_t'[c] = z_t[y],
        z_A'[c] = z_A'[y] = min(z_A[c], z_A[y]), and z' = z without a label;  w_t = softmax over s != t of (1 -
        H(softmax(z_s))/log K) cos(z_t, z_s), the weighted sum without gradient"""
    source = "Sun et al. 2026, arXiv 2605.14252; equation and weights of the released code (KaiSUN1/SeAl)"
    differs = "in nothing from the code; samples without a label are our addition"
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

    Where the prediction is the label, and where a sample has no label, both are unchanged.
    """
    steps = batch.student.step_logits
    teacher = batch.teacher.detach().expand_as(steps)
    answer = steps.argmax(-1, keepdim=True)
    label = torch.where(batch.is_labelled[:, None], batch.labels[:, None], answer)
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


class StrongWeakSelfDistillation(LossTerms):
    """Distillation from one timestep to another, without a teacher; needs T of at least 2."""

    title = "self-distillation between timesteps (Strong2Weak, Weak2Strong)"
    equation = """L = CE(z, y) + weight KL(softmax(z_s/tau) || softmax(z_w/tau)),  s and w the timesteps with the
        largest and smallest confidence mean_b max_k softmax(z_t); weak-to-strong: s and w exchanged; cascade: the mean
        over the T - 1 pairs of timesteps that are adjacent when sorted by confidence"""
    source = """Ding, Zuo, Jing, Yang, He, Xie 2025, arXiv 2510.07924; equation, weights and pseudocode from a copy of
        the paper's text, not from the paper itself"""
    differs = "in nothing that is known; a target without gradient is our choice, which the text leaves open"
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
