"""Temporal and spatial self-distillation (TSSD)."""

from __future__ import annotations

from typing import Literal

import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from .base import BatchOutputs, LossTerms, NetworkShapes
from .features import MIDDLE, hidden_layer
from .losses import cross_entropy, kl_divergence, label_loss


class WeakHead(nn.Module):
    """A classifier on the firing rates of one layer: global average pooling of a map, then a dense layer."""

    def __init__(self, layer: str, shape: tuple[int, ...], classes: int) -> None:
        """``shape`` is that of one sample in one timestep, ``(C, H, W)`` or ``(N,)``."""
        super().__init__()
        self.layer = layer
        self.linear = nn.Linear(shape[0], classes)

    def forward(self, spikes: Tensor) -> Tensor:
        """Spikes ``(T, B, *shape)`` to logits ``(B, K)``."""
        rates = spikes.mean(0)
        logits: Tensor = self.linear(rates.mean((2, 3)) if rates.ndim == 4 else rates)
        return logits


class TemporalSpatialSelfDistillation(LossTerms):
    """Distillation from a run over more timesteps, and from the readout to an intermediate classifier; no teacher."""

    title = "temporal and spatial self-distillation (TSSD)"
    equation = """L = CE(z, y) + alpha tau^2 D(z_long/tau, z/tau) + beta tau^2 D(z/tau, z_weak/tau) + long_labels
        CE(z_long, y) + weak_labels CE(z_weak, y),  the first argument of D without gradient;  z over T timesteps,
        z_long over factor T, z_weak = W mean_pixels(mean_t s_stage) + b"""
    source = "our interpretation of Zuo et al. 2024, arXiv 2406.07862, known from notes by others"
    differs = """not known: which part is distilled from which is in the notes, the form of both losses and all weights
        are inferred"""
    confidence = "medium"
    needs = frozenset({"student features", "longer horizon", "auxiliary modules"})

    alpha: float = Field(1.0, ge=0, description="weight of the longer run; omitted if this and long_labels are 0")
    beta: float = Field(0.1, ge=0, description="weight of the readout as target; 1 was too large for small students")
    temperature: float = Field(2.0, gt=0, description="tau, of all divergences")
    factor: float = Field(2.0, gt=1, description="timesteps of the longer run, in multiples of T")
    stage: str = Field(MIDDLE, description="the layer that feeds the weak classifier; middle: among the hidden layers")
    divergence: Literal["kl", "mse"] = Field("kl", description="D: KL divergence, or squared distance of the softmaxes")
    long_labels: float = Field(0.0, ge=0, description="weight of the cross-entropy of the longer run")
    weak_labels: float = Field(0.0, ge=0, description="weight of the cross-entropy of the weak classifier")

    def training_timesteps(self, timesteps: int) -> int:
        if self.alpha == 0 and self.long_labels == 0:
            return timesteps
        return max(timesteps + 1, round(self.factor * timesteps))

    def auxiliary(self, shapes: NetworkShapes) -> nn.Module | None:
        if self.beta == 0 and self.weak_labels == 0:
            return None
        layer = hidden_layer(self.stage, shapes, "tssd")
        return WeakHead(layer, shapes.student[layer], shapes.classes)

    def terms(self, batch: BatchOutputs) -> dict[str, Tensor]:
        logits = batch.student.logits
        terms = {"cross_entropy": cross_entropy(batch)}
        if batch.longer is not None:
            long = batch.longer.logits
            if batch.longer.counts_spikes:  # spike counts grow with the timesteps, means of currents do not
                long = long * (len(batch.student.step_logits) / len(batch.longer.step_logits))
            terms["temporal"] = self.alpha * self._distance(long, logits)
            if self.long_labels:
                terms["long_labels"] = self.long_labels * label_loss(batch, long)
        if isinstance(batch.auxiliary, WeakHead):
            weak = batch.auxiliary(batch.student.spikes[batch.auxiliary.layer])
            terms["spatial"] = self.beta * self._distance(logits, weak)
            if self.weak_labels:
                terms["weak_labels"] = self.weak_labels * label_loss(batch, weak)
        return terms

    def _distance(self, teacher: Tensor, student: Tensor) -> Tensor:
        """``tau^2 D`` of logits ``(B, K)``, averaged over the batch; ``teacher`` has no gradient."""
        tau = self.temperature
        if self.divergence == "kl":
            return tau**2 * kl_divergence(teacher, student, tau, tau)
        gap = F.softmax(teacher.detach() / tau, dim=1) - F.softmax(student / tau, dim=1)
        return tau**2 * gap.square().sum(1).mean()
