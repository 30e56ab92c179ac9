"""Response and feature distillation of KDSNN."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from torch import Tensor, nn

from .base import BatchOutputs, LossTerms, NetworkShapes, RequestedValues
from .features import AUTO, PAIRS, REDUCTION, SCALE, FeaturePair, FeaturePairs, Reduction, Scale, pairs_of, projection
from .losses import cross_entropy
from .soft_labels import ConventionalKD


class KDSNN(LossTerms):
    """Soft labels, or firing rates that are matched with the teacher's feature maps, or both."""

    title = "response and feature distillation of KDSNN"
    equation = (
        "response: L = (1 - alpha) CE(z, y) + alpha tau^2 KL(softmax(z_A/tau) || softmax(z/tau));  feature: L = CE(z, "
        "y) + feature_weight sum_l mean (F_A - phi_l(r))^2,  F_A the teacher's feature map in [0, 1], r firing rates, "
        "phi_l a 1 x 1 convolution if the numbers of channels differ;  both: response plus the sum over l"
    )
    source = (
        "Xu, Li, Shen, Liu, Tang, Pan 2023, arXiv 2304.05627; known from notes by others; tau^2, the weights, tau, F_A "
        "in [0, 1], the mean, phi_l without normalization and form=both are our interpretation. Its re-implementation "
        "in the code of BKDSNN: form=feature,pairs=last,scale=none,reduction=sum,feature_weight=0.002"
    )
    confidence = "low"
    needs = frozenset({"teacher logits", "teacher features", "student features", "auxiliary modules"})

    form: Literal["response", "feature", "both"] = Field("response", description="soft labels, feature maps, or both")
    alpha: float = Field(0.9, ge=0, le=1, description="response: weight of the soft labels; unknown, our choice")
    temperature: float = Field(4.0, gt=0, description="response: tau, of both networks; unknown, our choice")
    feature_weight: float = Field(1.0, ge=0, description="feature: weight of the feature error; unknown, our choice")
    norm: bool = Field(False, description="feature: whether a batch normalization follows the convolution of phi_l")
    pairs: str = Field(AUTO, description=f"feature: {PAIRS}")
    scale: Scale = Field("percentile", description=f"feature: {SCALE}")
    reduction: Reduction = Field("mean", description=f"feature: {REDUCTION}")

    def requested_values(self, shapes: NetworkShapes) -> RequestedValues:
        return RequestedValues(features=tuple(pair.teacher for pair in self._pairs(shapes)))

    def auxiliary(self, shapes: NetworkShapes) -> nn.Module | None:
        pairs = self._pairs(shapes)
        return FeaturePairs(pairs, lambda pair: projection(pair, norm=self.norm)) if pairs else None

    def terms(self, batch: BatchOutputs) -> dict[str, Tensor]:
        if self.form == "feature":
            return {"cross_entropy": cross_entropy(batch), "features": self._features(batch)}
        response = ConventionalKD(alpha=self.alpha, temperature=self.temperature).terms(batch)
        return response if self.form == "response" else {**response, "features": self._features(batch)}

    def _pairs(self, shapes: NetworkShapes) -> tuple[FeaturePair, ...]:
        return () if self.form == "response" else pairs_of(self.pairs, shapes, "kdsnn")

    def _features(self, batch: BatchOutputs) -> Tensor:
        pairs = FeaturePairs.of(batch)
        return self.feature_weight * pairs.errors(batch, pairs.targets(batch, self.scale), self.reduction).sum()
