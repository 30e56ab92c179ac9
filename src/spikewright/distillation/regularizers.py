"""Regularizers that reduce the student's activity, to be added to any method."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from .base import EITHER, BatchOutputs, LossTerms
from .losses import trainable_spikes

_LOUIS = "Louis, Miramond, Pegatoquet, Girard 2024, arXiv 2406.18350"
_OURS = "not known: the equation is our interpretation of the abstract and of the laboratory's public configurations"


class ActivationRegularization(LossTerms):
    """A penalty on the spikes of every firing layer, with equal weight for each layer."""

    title = "activation regularization"
    equation = "L_act = weight * mean_layers mean_{t,b,i} S   (l1), or mean_layers mean_i (mean_t S)^2 (l2)"
    source = _LOUIS
    differs = _OURS
    confidence = "medium"
    tasks = EITHER

    weight: float = Field(0.1, ge=0, description="lambda_a, the factor of the mean over time, batch and neurons")
    norm: Literal["l1", "l2"] = Field("l1", description="l2 squares firing rates, so the most active neurons dominate")

    def terms(self, batch: BatchOutputs) -> dict[str, Tensor]:
        trains = trainable_spikes(batch)
        costs = [s.mean() if self.norm == "l1" else s.mean(0).square().mean() for s in trains]
        return {"activation": self.weight * torch.stack(costs).mean()}


class LogitsRegularization(LossTerms):
    """A penalty on the student's logits: smaller logits take fewer spikes."""

    title = "logits regularization"
    equation = "L_log = weight * (1/(B K)) sum z^2   (l2), or sum |z|   (l1)"
    source = _LOUIS
    differs = _OURS
    confidence = "medium"
    tasks = EITHER

    weight: float = Field(0.01, ge=0, description="lambda, the factor of the mean over batch and classes")
    norm: Literal["l1", "l2"] = Field("l2", description="l2 squares the logits, so that the largest dominate")

    def terms(self, batch: BatchOutputs) -> dict[str, Tensor]:
        logits = batch.student.logits
        cost = logits.abs().mean() if self.norm == "l1" else logits.square().mean()
        return {"logits": self.weight * cost}


class SpikeCountPenalty(LossTerms):
    """A penalty on each spike of the layers that are trained."""

    title = "L1 spike penalty"
    equation = "L = weight * (1/B) sum_{t,b,i} S / 1000"
    source = "in common use"
    differs = """snnTorch's functional.l1_rate_sparsity also sums over the batch, so that its weight depends on the
        batch size"""
    confidence = "high"
    tasks = EITHER

    weight: float = Field(0.1, ge=0, description="loss per 1000 spikes of one inference")

    def terms(self, batch: BatchOutputs) -> dict[str, Tensor]:
        samples = len(batch.labels)
        counts = torch.stack([spikes.sum() for spikes in trainable_spikes(batch)]).sum() / samples
        return {"spikes": self.weight * counts / 1000}


class SynapticOperationsLoss(LossTerms):
    """A penalty on the relative deviation of the synaptic operations per inference from a target."""

    title = "SynOp loss"
    equation = "L = weight * ((S - S_0) / S_0)^2,  S = mean synaptic operations per inference"
    source = "Sorbaro, Liu, Bortone, Sheik 2020, arXiv 1912.01268"
    differs = "in nothing; weight is 1 there"
    confidence = "high"
    tasks = EITHER

    target: float = Field(100_000, gt=0, description="S_0, synaptic operations per inference")
    weight: float = Field(1.0, ge=0, description="weight of the loss")

    def terms(self, batch: BatchOutputs) -> dict[str, Tensor]:
        if batch.synaptic_ops is None:
            raise ValueError("this loss needs synaptic operations and the trainer counted none")
        return {"synops": self.weight * ((batch.synaptic_ops - self.target) / self.target).square()}
