"""Distillation of features in KDSNN, and its blurred form in BKDSNN."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from . import features
from .base import BatchOutputs, LossTerms, NetworkShapes, RequestedValues
from .features import FeaturePair, FeaturePairs, Reduction, Scale, pairs_of, projection
from .losses import cross_entropy, targets_of
from .soft_labels import ConventionalKD

Blurred = Literal["channels", "pixels"]


class KDSNN(LossTerms):
    """Soft labels, or firing rates that are matched with the teacher's feature maps, or both."""

    title = "response and feature distillation of KDSNN"
    equation = """response: L = (1 - alpha) CE(z, y) + alpha tau^2 KL(softmax(z_A/tau) || softmax(z/tau));  feature: L =
        CE(z, y) + feature_weight sum_l mean (F_A - phi_l(r))^2,  F_A the teacher's feature map in [0, 1], r firing
        rates, phi_l a 1 x 1 convolution if the numbers of channels differ;  both: response plus the sum over l"""
    source = "Xu, Li, Shen, Liu, Tang, Pan 2023, arXiv 2304.05627, known from notes by others"
    differs = """not known: tau^2, the weights, tau, F_A in [0, 1], the mean, phi_l without normalization and form=both
        are our interpretation. The form that the authors of BKDSNN made of it:
        form=feature,pairs=last,scale=none,reduction=sum,feature_weight=0.002"""
    confidence = "low"
    needs = frozenset({"teacher logits", "teacher features", "student features", "auxiliary modules"})

    form: Literal["response", "feature", "both"] = Field("response", description="soft labels, feature maps, or both")
    alpha: float = Field(0.9, ge=0, le=1, description="response: weight of the soft labels; unknown, our choice")
    temperature: float = Field(4.0, gt=0, description="response: tau, of both networks; unknown, our choice")
    feature_weight: float = Field(1.0, ge=0, description="feature: weight of the feature error; unknown, our choice")
    norm: bool = Field(False, description="feature: whether a batch normalization follows the convolution of phi_l")
    pairs: str = Field(features.AUTO, description=f"feature: {features.PAIRS}")
    scale: Scale = Field("percentile", description=f"feature: {features.SCALE}")
    reduction: Reduction = Field("mean", description=f"feature: {features.REDUCTION}")

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


class Blur(nn.Module):
    """Sets randomly chosen channels, or pixels, of each sample to zero, as dropout does but without rescaling.

    They are sampled from torch's global generator, which the training seeds in every epoch.
    """

    def __init__(self, ratio: float, blurred: Blurred) -> None:
        super().__init__()
        self.ratio, self.blurred = ratio, blurred

    def forward(self, maps: Tensor) -> Tensor:
        """Maps ``(B, C, H, W)`` to maps of the same shape."""
        batch, channels, height, width = maps.shape
        shape = (batch, channels, 1, 1) if self.blurred == "channels" else (batch, 1, height, width)
        return maps * (torch.rand(shape, device=maps.device) >= self.ratio)


class BlurredKD(LossTerms):
    """Auxiliary modules must restore the teacher's feature maps from randomly blurred firing rates of the student."""

    title = "blurred knowledge distillation (BKDSNN)"
    equation = """L = CE(z, y) + alpha mean (G(B A(r)) - F_A)^2 + weight tau^2 mean_b w_b CE(softmax(z_A/tau),
        softmax(z/tau)),  r firing rates, F_A the teacher's feature map, A a 1 x 1 convolution if the numbers of
        channels differ, B a random mask that is 0 with probability ratio, G two 3 x 3 convolutions with ReLU between
        them, w_b = 1 - exp(-CE(z, y)/(CE(z_A, y) + 1e-7)) without gradient, y = softmax(z_A) where a label is
        missing"""
    source = """Xu, You, Guo, Wang, He 2024, arXiv 2407.09083; from the released code
        (Intelligent-Computing-Research-Group/BKDSNN)"""
    differs = """the code sums the squares of a sample: reduction=sum,alpha=0.002. That is the mean with a weight of
        0.002 C H W: 12.5 for maps of 128 x 7 x 7 (28 x 28 pixels and the usual teacher), of which the default is 0.4,
        and 1.0 for 128 x 2 x 2 (digits). The mean, whose weight does not depend on the size of the maps, is our choice.
        The code has ratio=0.15, a note on the paper 0.6"""
    confidence = "high"
    needs = frozenset({"teacher logits", "teacher features", "student features", "auxiliary modules"})

    alpha: float = Field(5.0, ge=0, description="weight of the feature error; our choice for reduction=mean")
    reduction: Reduction = Field("mean", description=features.REDUCTION)
    ratio: float = Field(0.15, ge=0, lt=1, description="probability that a channel, or pixel, is set to zero")
    blur: Blurred = Field("channels", description="what is set to zero, separately in each sample")
    clip: bool = Field(
        False, description="whether F_A is scaled to the maximum of A(r), which has a gradient, as in the code"
    )
    weight: float = Field(1.0, ge=0, description="weight of the soft labels")
    temperature: float = Field(2.0, gt=0, description="tau")
    pairs: str = Field(features.LAST, description=features.PAIRS)

    def requested_values(self, shapes: NetworkShapes) -> RequestedValues:
        return RequestedValues(features=tuple(pair.teacher for pair in pairs_of(self.pairs, shapes, "bkd")))

    def auxiliary(self, shapes: NetworkShapes) -> nn.Module | None:
        return FeaturePairs(pairs_of(self.pairs, shapes, "bkd"), self._restoring)

    def terms(self, batch: BatchOutputs) -> dict[str, Tensor]:
        pairs = FeaturePairs.of(batch)
        targets = pairs.targets(batch)
        if self.clip:
            targets = [_clipped(teacher, own) for teacher, own in zip(targets, _aligned(pairs, batch), strict=True)]
        errors = pairs.errors(batch, targets, self.reduction)
        return {
            "cross_entropy": cross_entropy(batch),
            "features": self.alpha * errors.sum(),
            "distillation": self.weight * weighted_soft_labels(batch, self.temperature),
        }

    def _restoring(self, pair: FeaturePair) -> nn.Module:
        channels = pair.teacher_shape[0]
        size = 3 if len(pair.student_shape) == 3 else 1  # a vector is a map of one pixel, which has no neighbours
        first, second = (nn.Conv2d(channels, channels, size, padding=size // 2) for _ in range(2))
        return Restoring(projection(pair, norm=False), Blur(self.ratio, self.blur), first, nn.ReLU(), second)


class Restoring(nn.Sequential):
    """The modules between firing rates and the teacher's feature map: alignment, blur, two convolutions."""

    def aligned(self, rates: Tensor) -> Tensor:
        """Firing rates with the teacher's number of channels, ``(B, C, H, W)``."""
        aligned: Tensor = self[0](rates)
        return aligned


def _aligned(pairs: FeaturePairs, batch: BatchOutputs) -> list[Tensor]:
    """The firing rates of each pair with the teacher's number of channels, neither blurred nor restored."""
    restoring = [module for module in pairs.through if isinstance(module, Restoring)]
    return [module.aligned(rates) for module, rates in zip(restoring, pairs.rates(batch), strict=True)]


def _clipped(teacher: Tensor, aligned: Tensor) -> Tensor:
    """The teacher's map with the largest value of the aligned rates as its own, which has a gradient."""
    largest = teacher.max()
    return teacher / torch.where(largest > 0, largest, 1.0) * aligned.max()


def weighted_soft_labels(batch: BatchOutputs, temperature: float) -> Tensor:
    """Soft labels with a larger weight for samples on which the student is worse than the teacher.

    ``tau^2 mean_b w_b CE(softmax(z_A/tau), softmax(z/tau))`` with ``w_b = 1 - exp(-CE(z, y)/(CE(z_A, y) + 1e-7))``,
    which has no gradient. Where a label is missing, the teacher's answer ``softmax(z_A)`` takes its place, so that both
    cross-entropies are what they would be on average if the teacher were right about its own certainty: our addition.

    Source: Zhou et al. 2021, arXiv 2102.00650, as used in the code of BKDSNN.
    """
    teacher, student = batch.teacher.detach(), batch.student.logits
    right = targets_of(batch, F.softmax(teacher, dim=-1))
    behind = F.cross_entropy(student.detach(), right, reduction="none")
    before = F.cross_entropy(teacher, right, reduction="none")
    weights = 1 - torch.exp(-behind / (before + 1e-7))
    soft = F.cross_entropy(student / temperature, F.softmax(teacher / temperature, dim=-1), reduction="none")
    return temperature**2 * (weights * soft).mean()
