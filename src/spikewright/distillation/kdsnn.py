"""Response and feature distillation of KDSNN."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from .base import BatchOutputs, Confidence, LossTerms, Need, NetworkShapes, RequestedValues, cross_entropy
from .conventional import ConventionalKD
from .features import REDUCTION, SCALE, Paired, Reduction, Scale, aligned, paired, squared_error, to_unit
from .stages import AUTO, PAIRS, Pair, pairs_of


class KDSNN(LossTerms):
    """Learns from the teacher's answers, or its rates from the teacher's features, or both."""

    title: ClassVar[str] = "response and feature distillation of KDSNN"
    equation: ClassVar[str] = (
        "response: L = (1 - alpha) CE(z, y) + alpha tau^2 KL(softmax(z_A/tau) || softmax(z/tau));  feature: "
        "L = CE(z, y) + feature_weight sum_l mean (F_A - phi_l(r))^2,  F_A the teacher's map in [0, 1], r rates, phi_l "
        "a 1 x 1 convolution where channels differ;  both: response plus the sum over l"
    )
    source: ClassVar[str] = (
        "Xu, Li, Shen, Liu, Tang, Pan 2023, arXiv 2304.05627; known from notes by others; tau^2, weights, tau, F_A in "
        "[0, 1], the mean, phi_l without normalisation and both forms at once are our reading. Its re-implementation "
        "in the code of BKDSNN: form=feature,pairs=last,scale=none,reduction=sum,feature_weight=0.002"
    )
    confidence: ClassVar[Confidence] = "low"
    needs: ClassVar[frozenset[Need]] = frozenset(
        {"teacher logits", "teacher features", "student features", "auxiliary modules"}
    )

    form: Literal["response", "feature", "both"] = Field(
        "response", description="on soft labels, on feature maps, or on both at once"
    )
    alpha: float = Field(
        0.9, ge=0, le=1, description="response: weight of the teacher against the labels; unknown, our choice"
    )
    temperature: float = Field(4.0, gt=0, description="response: tau of both networks; unknown, our choice")
    feature_weight: float = Field(1.0, ge=0, description="feature: weight of the features; unknown, our choice")
    norm: bool = Field(False, description="feature: whether phi_l normalises over the batch behind its convolution")
    pairs: str = Field(AUTO, description=f"feature: {PAIRS}")
    scale: Scale = Field("percentile", description=f"feature: {SCALE}")
    reduction: Reduction = Field("mean", description=f"feature: {REDUCTION}")

    def requested_values(self, shapes: NetworkShapes) -> RequestedValues:
        return RequestedValues(features=tuple(pair.teacher for pair in self._pairs(shapes)))

    def auxiliary(self, shapes: NetworkShapes) -> nn.Module | None:
        pairs = self._pairs(shapes)
        return Paired(pairs, lambda pair: aligned(pair, norm=self.norm)) if pairs else None

    def terms(self, batch: BatchOutputs) -> dict[str, Tensor]:
        if self.form == "feature":
            return {"cross_entropy": cross_entropy(batch), "features": self._features(batch)}
        response = ConventionalKD(alpha=self.alpha, temperature=self.temperature).terms(batch)
        return response if self.form == "response" else {**response, "features": self._features(batch)}

    def _pairs(self, shapes: NetworkShapes) -> tuple[Pair, ...]:
        return () if self.form == "response" else pairs_of(self.pairs, shapes, "kdsnn")

    def _features(self, batch: BatchOutputs) -> Tensor:
        stages = paired(batch)
        errors = [
            squared_error(learnt, to_unit(taught, self.scale), self.reduction)
            for learnt, taught in zip(stages.learnt(batch), stages.taught(batch), strict=True)
        ]
        return self.feature_weight * torch.stack(errors).sum()
