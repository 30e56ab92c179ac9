"""Saliency-scaled activation map distillation (SAMD), alone and together with NLD."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from ..base.errors import refuse
from .base import BatchOutputs, LossTerms, NetworkShapes, RequestedValues
from .features import LAST, PAIRS, FeaturePair, FeaturePairs, Fit, pairs_of, same_size
from .losses import cross_entropy, kl_of_logs
from .soft_labels import DIVERGENCE, NOISY, NoiseSmoothedKD

_MAPS = Fit(
    lambda teacher, student: teacher[1:] == student[1:] != (1, 1), "of more than one pixel has the height and width of"
)
_ON_MAPS = "beta tau_M^2 sum_l KL(softmax(N(M_A)/tau_M) || softmax(N(M_S)/tau_M))"
_WHERE = """softmax over the pixels of a feature pair l, M_A = ReLU(sum_c w_c F_c) of the teacher's feature map F, w_c =
    1/C or the mean gradient of the predicted class's logit over channel c, M_S = sum_t sum_c S of the student's spikes
    S, N min-max normalization"""
_SOURCE = "Liu, Xia, Zhou, Xu, Guo 2026, arXiv 2511.06902"
_DIFFERS = """Grad-CAM and tau_M^2 are the form of the paper, which we know second-hand; map_squared=false and
    normalise=batch that of the released code (SinoLeu/CKDSNN), whose maps are CAM, which equals Grad-CAM up to a
    constant if one dense layer follows the pooled map. normalise=sample and map=mean are our additions"""


class ActivationMapKD(LossTerms):
    """The student's spatial distribution of spikes is matched with the saliency map of the teacher."""

    name: ClassVar[str] = "samd"
    title = "saliency-scaled activation map distillation (SAMD)"
    equation = f"L = CE(z, y) + {_ON_MAPS},  {_WHERE}"
    source = f"{_SOURCE}, without its noise (NLD)"
    differs = _DIFFERS
    confidence = "medium"
    needs = frozenset({"teacher saliency", "student features"})

    beta: float = Field(1.0, ge=0, description="weight of the divergence of the maps")
    map_temperature: float = Field(2.0, gt=0, description="tau_M")
    map_squared: bool = Field(True, description="whether the divergence has the factor tau_M^2; it is small without")
    map: Literal["grad-cam", "mean"] = Field(
        "grad-cam", description="w_c: the mean gradient, or 1/C, which needs no gradients and so suits ONNX teachers"
    )
    normalise: Literal["sample", "batch", "none"] = Field(
        "sample", description="N: minimum and maximum of each sample's map, or of all maps of the batch, or no N"
    )
    pairs: str = Field(LAST, description=PAIRS)

    def requested_values(self, shapes: NetworkShapes) -> RequestedValues:
        names = tuple(pair.teacher for pair in self._pairs(shapes))
        return RequestedValues(saliency=names) if self.map == "grad-cam" else RequestedValues(features=names)

    def auxiliary(self, shapes: NetworkShapes) -> nn.Module | None:
        return FeaturePairs(self._pairs(shapes), lambda _: nn.Identity())

    def terms(self, batch: BatchOutputs) -> dict[str, Tensor]:
        divergences = [self._divergence(batch, pair) for pair in FeaturePairs.of(batch).pairs]
        factor = self.map_temperature**2 if self.map_squared else 1.0
        return {"cross_entropy": cross_entropy(batch), "maps": self.beta * factor * torch.stack(divergences).sum()}

    def _pairs(self, shapes: NetworkShapes) -> tuple[FeaturePair, ...]:
        pairs = pairs_of(self.pairs, shapes, self.name, _MAPS)
        flat = [str(pair) for pair in pairs if pair.student_shape[1:] in ((), (1, 1))]
        refuse(f"method {self.name}", [f"{pair} are maps of a single pixel; choose larger maps" for pair in flat])
        return pairs

    def _divergence(self, batch: BatchOutputs, pair: FeaturePair) -> Tensor:
        student = batch.student.spikes[pair.student].sum((0, 2))
        if self.map == "grad-cam":
            teacher = batch.teacher_saliency[pair.teacher].detach()
        else:
            teacher = batch.teacher_features[pair.teacher].detach().mean(1).relu()
        teacher = same_size(teacher[:, None], pair.student_shape)[:, 0]
        return kl_of_logs(self._log_softmax(teacher), self._log_softmax(student))

    def _log_softmax(self, maps: Tensor) -> Tensor:
        """``log softmax(N(M)/tau_M)`` over the pixels, ``(B, H W)``."""
        return F.log_softmax(self._normalised(maps).flatten(1) / self.map_temperature, dim=1)

    def _normalised(self, maps: Tensor) -> Tensor:
        if self.normalise == "none":
            return maps
        if self.normalise == "batch":  # the 1e-3 is the released code's
            return (maps - maps.min()) / (maps.max() - maps.min() + 1e-3)
        low = maps.amin((1, 2), keepdim=True)
        span = maps.amax((1, 2), keepdim=True) - low
        # A constant map stays constant, for example one without spikes.
        return (maps - low) / torch.where(span > 0, span, 1.0)


class MapAndNoiseKD(ActivationMapKD, NoiseSmoothedKD):
    """SAMD and NLD together: distillation from saliency maps and from logits with noise."""

    name = "samd-nld"
    title = "activation maps and noise-smoothed logits (SAMD + NLD, CKDSNN)"
    equation = f"L = CE(z, y) + {_ON_MAPS} + {DIVERGENCE},  {_WHERE};  {NOISY}"
    source = _SOURCE
    differs = f"{_DIFFERS}. form=logits is the noise of the paper, form=probabilities that of the code"
    needs = ActivationMapKD.needs | NoiseSmoothedKD.needs

    def terms(self, batch: BatchOutputs) -> dict[str, Tensor]:
        return {**NoiseSmoothedKD.terms(self, batch), **ActivationMapKD.terms(self, batch)}
