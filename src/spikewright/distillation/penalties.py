"""Fixed penalties on activity: the usual ways to save spikes, and what a budget is compared with."""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from .base import BatchOutputs, Confidence, LossTerms, hidden_rates


class SpikeCountPenalty(LossTerms):
    """A fixed price for each spike of the layers that learn."""

    title: ClassVar[str] = "L1 spike penalty"
    equation: ClassVar[str] = "L = weight * (1/B) sum_{t,b,i} S / 1000"
    source: ClassVar[str] = (
        "customary; snnTorch's functional.l1_rate_sparsity sums over the batch as well, which makes its weight depend "
        "on the batch's size"
    )
    confidence: ClassVar[Confidence] = "high"

    weight: float = Field(0.1, ge=0, description="price of a thousand spikes of one inference")

    def terms(self, batch: BatchOutputs) -> dict[str, Tensor]:
        samples = len(batch.labels)
        counts = torch.stack([spikes.sum() for spikes in hidden_rates(batch)]).sum() / samples
        return {"spikes": self.weight * counts / 1000}


class SynapticOperationsLoss(LossTerms):
    """Pulls the synaptic operations of an inference to a target, from both sides."""

    title: ClassVar[str] = "SynOp loss"
    equation: ClassVar[str] = "L = weight * ((S - S_0) / S_0)^2,  S = mean synaptic operations of an inference"
    source: ClassVar[str] = "Sorbaro, Liu, Bortone, Sheik 2020, arXiv 1912.01268 (weight 1 there)"
    confidence: ClassVar[Confidence] = "high"

    target: float = Field(100_000, gt=0, description="S_0, synaptic operations per inference")
    weight: float = Field(1.0, ge=0, description="of the loss")

    def terms(self, batch: BatchOutputs) -> dict[str, Tensor]:
        if batch.synaptic_ops is None:
            raise ValueError("this loss needs synaptic operations and the trainer counted none")
        return {"synops": self.weight * ((batch.synaptic_ops - self.target) / self.target).square()}
