"""Distilling Spikes: a spiking teacher's output spikes, counted in windows of time."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from .base import BatchOutputs, LossTerms, NetworkShapes, RequestedValues
from .losses import kl_divergence

STEPS = "steps"
"""What a spiking teacher calls the output of each of its steps."""


class DistillingSpikes(LossTerms):
    """The student's readout is to spike as often as a spiking teacher's, window by window."""

    title = "Distilling Spikes: windows of a spiking teacher's output"
    equation = (
        "L = (1 - alpha) CE(z/tau_y, y) + alpha (1/J) sum_j D_j,  D_j = tau^2 KL(softmax(c_j^A/tau) || "
        "softmax(c_j/tau))   (kl), or ||c_j^A - c_j||^2   (mse),  c_j = sum of the output over the steps of window j;  "
        "tensor: ||A^A - A||^2 of the whole output A (T x K)"
    )
    source = "our reading of Kushawaha et al. 2020, arXiv 2005.00288, of which only the abstract is known to us"
    confidence = "low"
    needs = frozenset({"spiking teacher", "step logits"})

    alpha: float = Field(0.5, ge=0, le=1, description="weight of the teacher against the labels")
    temperature: float = Field(2.0, gt=0, description="tau (kl)")
    label_temperature: float = Field(1.0, gt=0, description="tau_y")
    distance: Literal["kl", "mse", "tensor"] = Field(
        "kl", description="of what is counted in windows, or of the whole output, step by step"
    )
    window: int = Field(5, ge=1, description="steps of a window; the last one ends with T (kl, mse)")
    stride: int = Field(0, ge=0, description="from one window to the next; 0: as many steps as a window has (kl, mse)")

    def requested_values(self, shapes: NetworkShapes) -> RequestedValues:  # noqa: ARG002
        return RequestedValues(features=(STEPS,))

    def terms(self, batch: BatchOutputs) -> dict[str, Tensor]:
        student = batch.student
        cross_entropy = F.cross_entropy(student.logits / self.label_temperature, batch.labels)
        return {
            "cross_entropy": (1 - self.alpha) * cross_entropy,
            "distillation": self.alpha * self._distance(batch),
        }

    def _distance(self, batch: BatchOutputs) -> Tensor:
        own = batch.student.step_logits
        teacher = batch.teacher_features[STEPS].detach().transpose(0, 1)[: len(own)]  # a student may be shortened
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
        """Of one window, ``(w, B, K)`` of each, averaged over the batch: counts of spikes, or means of currents.

        A membrane readout's logits are means over time, and so are its windows'.
        """
        c_teacher, c_student = (part.sum(0) if counts else part.mean(0) for part in (teacher, student))
        if self.distance == "mse":
            return (c_teacher - c_student).square().sum(1).mean()
        return self.temperature**2 * kl_divergence(c_teacher, c_student, self.temperature, self.temperature)
