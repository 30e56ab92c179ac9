"""Temporal-wise distillation (TWD)."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from .base import BatchOutputs, LossTerms
from .losses import step_cross_entropy, step_divergence


class TemporalWiseKD(LossTerms):
    """Each timestep is trained on the labels, the teacher's logits and the mean logits of the timesteps."""

    title = "temporal-wise distillation (TWD)"
    equation = (
        "L = (1/T) sum_t [CE(z_t, y) + alpha tau^2 KL(softmax(z_A/tau) || softmax(z_t/tau)) + beta tau^2 "
        "KL(softmax(z_ens/tau) || softmax(z_t/tau))],  z_ens without gradient"
    )
    source = (
        "Yu et al. 2025, arXiv 2501.15925; equation and weights of the released code "
        "(Intelli-Chip-Lab/snn_temporal_decoupling_distillation)"
    )
    confidence = "high"
    needs = frozenset({"teacher logits", "step logits"})

    alpha: float = Field(0.2, ge=0, description="weight of the soft labels")
    beta: float = Field(0.5, ge=0, description="weight of the ensemble of timesteps")
    temperature: float = Field(3.0, gt=0, description="tau, of all three")
    ensemble: Literal["correct", "all"] = Field(
        "correct", description="z_ens: mean logits of the correct timesteps (released code) or of all timesteps (paper)"
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
        chosen = torch.eq(steps.argmax(-1), batch.labels).unsqueeze(-1)
        return (steps * chosen).sum(0) / chosen.sum(0).clamp(min=1)
