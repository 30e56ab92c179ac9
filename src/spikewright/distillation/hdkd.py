"""Direct feature distillation between stages of equal shape, and two heads (HDKD)."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from ..base.errors import arg, refuse
from .base import BatchOutputs, LossTerms, NetworkShapes, RequestedValues
from .features import AUTO, LAST, PAIRS, SCALE, FeaturePair, FeaturePairs, Fit, Scale, pairs_of, projection
from .losses import kl_divergence, label_loss

_SAME_SHAPE = Fit(
    lambda teacher, student: teacher == student,
    "has the channels, height and width of",
    f"give the student the teacher's channels with {arg('width')}, or let it learn through convolutions with "
    "project=conv",
)


class TwoHeads(FeaturePairs):
    """Feature pairs, and half the difference between a head for the labels and one for the soft labels.

    Attributes:
        layer: the student's last hidden layer.
        apart: a dense layer from the firing rates of ``layer`` to half the difference.
    """

    def __init__(self, pairs: tuple[FeaturePair, ...], layer: str, size: int, classes: int) -> None:
        super().__init__(pairs, lambda pair: projection(pair, norm=False))
        self.layer = layer
        self.apart = nn.Linear(size, classes)

    def difference(self, batch: BatchOutputs) -> Tensor:
        """Half the difference ``d`` of the two heads, ``(B, K)``."""
        difference: Tensor = self.apart(batch.rates(self.layer).flatten(1))
        return difference


class SharedStagesKD(LossTerms):
    """Firing rates are matched with the teacher's feature maps; separate heads serve labels and soft labels.

    The student's own head is the average ``z`` of the two heads ``z + d`` and ``z - d``, which is what HDKD uses for
    inference. An auxiliary layer that computes ``d`` exists only in training.
    """

    title = "direct feature distillation between equal stages and two heads (HDKD)"
    equation = """L = (1 - alpha) CE(z + d, y) + alpha tau^2 KL(softmax(z_A/tau) || softmax((z - d)/tau)) + weight sum_i
        i^kappa mean (F_A,i - r_i)^2,  d a linear function of the firing rates of the last hidden layer, used in
        training only, F_A,i the teacher's feature map of stage i in [0, 1], r_i firing rates of the same shape"""
    source = """EL-Assiouti, Hamed, Khattab, Ebied 2024, arXiv 2407.07516; from the released code (omarsherif200/HDKD),
        whose networks do not spike"""
    differs = """the code divides the divergence by the number of classes as well, reduction=numel: of ten classes the
        soft labels weigh ten times as much here. Firing rates as features, F_A in [0, 1] and project=conv are our
        additions; z + d and z - d are our notation for its two heads, which it averages"""
    confidence = "medium"
    needs = frozenset({"teacher logits", "teacher features", "student features", "auxiliary modules"})

    alpha: float = Field(0.5, ge=0, le=1, description="weight of the soft labels; the labels have 1 - alpha")
    temperature: float = Field(1.0, gt=0, description="tau")
    reduction: Literal["batch", "numel"] = Field(
        "batch", description="divergence divided by the batch size, or also by the classes, as in the released code"
    )
    weight: float = Field(10.0, ge=0, description="lambda, weight of the feature error")
    kappa: float = Field(1.0, description="exponent of the number of a stage; the shallowest stage has number 1")
    scale: Scale = Field("percentile", description=SCALE)
    project: Literal["none", "conv"] = Field(
        "none", description="pairs of equal shape only, or also 1 x 1 convolutions between unequal numbers of channels"
    )
    pairs: str = Field(AUTO, description=PAIRS)

    def requested_values(self, shapes: NetworkShapes) -> RequestedValues:
        return RequestedValues(features=tuple(pair.teacher for pair in self._pairs(shapes)))

    def auxiliary(self, shapes: NetworkShapes) -> nn.Module | None:
        layer = shapes.hidden[-1]
        shape = shapes.student[layer]
        return TwoHeads(self._pairs(shapes), layer, torch.Size(shape).numel(), shapes.classes)

    def terms(self, batch: BatchOutputs) -> dict[str, Tensor]:
        heads = batch.auxiliary
        assert isinstance(heads, TwoHeads)
        logits, difference = batch.student.logits, heads.difference(batch)
        tau, size = self.temperature, 1 if self.reduction == "batch" else logits.shape[1]
        divergence = kl_divergence(batch.teacher, logits - difference, tau, tau) / size
        terms = {
            "cross_entropy": (1 - self.alpha) * label_loss(batch, logits + difference),
            "distillation": self.alpha * tau**2 * divergence,
        }
        errors = heads.errors(batch, heads.targets(batch, self.scale))
        weighted = [number**self.kappa * error for number, error in enumerate(errors, start=1)]
        return {**terms, "features": self.weight * torch.stack(weighted).sum()}

    def _pairs(self, shapes: NetworkShapes) -> tuple[FeaturePair, ...]:
        if self.project == "conv":
            return pairs_of(self.pairs, shapes, "hdkd")
        by_rule = self.pairs in (AUTO, LAST)
        pairs = pairs_of(AUTO if by_rule else self.pairs, shapes, "hdkd")
        shared = tuple(pair for pair in pairs if pair.teacher_shape == pair.student_shape)
        if by_rule:
            shared = shared or pairs_of(AUTO, shapes, "hdkd", _SAME_SHAPE)
            return shared[-1:] if self.pairs == LAST else shared
        unlike = [str(pair) for pair in pairs if pair not in shared]
        refuse("method hdkd", [f"{pair} are not of one shape; {_SAME_SHAPE.remedy}" for pair in unlike])
        return shared
