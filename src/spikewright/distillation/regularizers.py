"""Activity regularisers of Louis et al. (arXiv 2406.18350), to be added to any method."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from .base import BatchOutputs, Confidence, LossTerms, hidden_rates

_SOURCE = (
    "Louis, Miramond, Pegatoquet, Girard 2024, arXiv 2406.18350; the equation is our reading of the abstract and of "
    "the laboratory's public configurations"
)


class ActivationRegularization(LossTerms):
    """Penalises spikes in every firing layer, each layer weighing the same."""

    title: ClassVar[str] = "activation regularization"
    equation: ClassVar[str] = (
        "L_act = weight * mean_layers mean_{t,b,i} S   (l1), or mean_layers mean_i (mean_t S)^2 (l2)"
    )
    source: ClassVar[str] = _SOURCE
    confidence: ClassVar[Confidence] = "medium"

    weight: float = Field(0.1, ge=0, description="lambda_a, on a mean over time, batch and neurons")
    norm: Literal["l1", "l2"] = Field("l1", description="l2 squares each neuron's rate: it bears on the busiest")

    def terms(self, batch: BatchOutputs) -> dict[str, Tensor]:
        trains = hidden_rates(batch)
        costs = [s.mean() if self.norm == "l1" else s.mean(0).square().mean() for s in trains]
        return {"activation": self.weight * torch.stack(costs).mean()}


class LogitsRegularization(LossTerms):
    """Penalises the size of the student's logits, which spares the spikes that large logits need."""

    title: ClassVar[str] = "logits regularization"
    equation: ClassVar[str] = "L_log = weight * (1/(B K)) sum z^2   (l2), or sum |z|   (l1)"
    source: ClassVar[str] = _SOURCE
    confidence: ClassVar[Confidence] = "medium"

    weight: float = Field(0.01, ge=0, description="lambda, on a mean over batch and classes")
    norm: Literal["l1", "l2"] = Field("l2", description="l2 squares the logits: it bears on the largest")

    def terms(self, batch: BatchOutputs) -> dict[str, Tensor]:
        logits = batch.student.logits
        cost = logits.abs().mean() if self.norm == "l1" else logits.square().mean()
        return {"logits": self.weight * cost}
