"""Distilling Spikes: the output spikes of a spiking teacher, counted in time windows."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from .base import BatchOutputs, LossTerms, NetworkShapes, RequestedValues
from .losses import kl_divergence, label_loss

STEPS = "steps"
"""The name of the value of a spiking teacher that holds its output in each timestep, ``(B, T, K)``."""


class DistillingSpikes(LossTerms):
    """The spike counts of student and spiking teacher are matched in time windows."""

    title = "Distilling Spikes: output spikes of a spiking teacher in time windows"
    equation = """L = (1 - alpha) CE(z/tau_y, y) + alpha (1/J) sum_j D_j,  D_j = tau^2 KL(softmax(c_j^A/tau) ||
        softmax(c_j/tau))   (kl), or ||c_j^A - c_j||^2   (mse),  c_j = sum of the output over the timesteps of window
        j;  tensor: ||A^A - A||^2 of the whole output A (T x K)"""
    source = "our interpretation of Kushawaha et al. 2020, arXiv 2005.00288"
    differs = "not known, since we know only the abstract: losses, windows and all defaults are our interpretation"
    confidence = "low"
    needs = frozenset({"spiking teacher", "step logits"})

    alpha: float = Field(0.5, ge=0, le=1, description="weight of the teacher; the labels have 1 - alpha")
    temperature: float = Field(2.0, gt=0, description="tau (kl)")
    label_temperature: float = Field(1.0, gt=0, description="tau_y")
    distance: Literal["kl", "mse", "tensor"] = Field(
        "kl", description="distance of the counts in windows (kl, mse), or of the output of every timestep (tensor)"
    )
    window: int = Field(5, ge=1, description="timesteps of a window (kl, mse); the last window ends at T")
    stride: int = Field(0, ge=0, description="timesteps between windows (kl, mse); 0: the length of a window")

    def requested_values(self, shapes: NetworkShapes) -> RequestedValues:  # noqa: ARG002
        return RequestedValues(features=(STEPS,))

    def terms(self, batch: BatchOutputs) -> dict[str, Tensor]:
        student = batch.student
        cross_entropy = label_loss(batch, student.logits / self.label_temperature)
        return {"cross_entropy": (1 - self.alpha) * cross_entropy, "distillation": self.alpha * self._distance(batch)}

    def _distance(self, batch: BatchOutputs) -> Tensor:
        own = batch.student.step_logits
        teacher = batch.teacher_features[STEPS].detach().transpose(0, 1)[: len(own)]  # T of the student may be smaller
        if self.distance == "tensor":
            return (teacher - own).square().sum((0, 2)).mean()
        windows = [slice(start, start + self.window) for start in self._starts(len(own))]
        each = [self._of_window(teacher[part], own[part], batch.student.counts_spikes) for part in windows]
        return torch.stack(each).mean()

    def _starts(self, timesteps: int) -> range:
        """First timesteps of the windows; the first window that reaches T is the last."""
        stride = self.stride or self.window
        return range(0, min(timesteps, max(timesteps - self.window, 0) + stride), stride)

    def _of_window(self, teacher: Tensor, student: Tensor, counts: bool) -> Tensor:
        """``D_j`` of the outputs in one window, ``(w, B, K)``, averaged over the batch.

        Spikes, which count, are summed; currents of a membrane readout are averaged, as its logits are.
        """
        c_teacher, c_student = (part.sum(0) if counts else part.mean(0) for part in (teacher, student))
        if self.distance == "mse":
            return (c_teacher - c_student).square().sum(1).mean()
        return self.temperature**2 * kl_divergence(c_teacher, c_student, self.temperature, self.temperature)
