"""Cross knowledge distillation (CKD): from an ANN for images to a spiking network for events made from them."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from ..base.errors import InputError, arg
from ..student.neurons import StudentOutput
from .base import BatchOutputs, LossTerms, NetworkShapes
from .features import LAST, hidden_layer
from .losses import FEWEST_SAMPLES, kl_divergence, label_loss, label_losses, linear_cka, mean_over_labelled

BRIGHT = 0.5


class Alignment(nn.Module):
    """The layer at which images and events are aligned, and a weight for each timestep.

    Attributes:
        steps: ``c_t``, ``(T,)``; None if all timesteps have equal weights.
    """

    def __init__(self, layer: str, timesteps: int, learnt: bool) -> None:
        super().__init__()
        self.layer = layer
        self.steps = nn.Parameter(torch.zeros(timesteps)) if learnt else None

    def shares(self, steps: Tensor) -> tuple[Tensor, Tensor]:
        """Weights of the alignment and of the events' cross-entropy in each timestep, ``(T,)`` each."""
        if self.steps is None:
            return torch.ones_like(steps), torch.ones_like(steps)
        share = torch.sigmoid(self.steps)
        return share, 1 - share


class CrossKD(LossTerms):
    """The student sees both the source images, with soft labels of an ANN, and the events, and is aligned on both."""

    title = "cross knowledge distillation between images and events (CKD)"
    equation = """L = CE(z_src) + w tau^2 KL(softmax(z_A/tau) || softmax(z_src/tau)) + CE_e + alignment (1/T) sum_t s_t
        (1 - CKA(h_t^src, h_t)),  h membrane potentials,  w = 1/(1 + exp(steepness (progress - switch))),  s_t =
        1,  CE_e = CE(z)   (equal), or s_t = sigmoid(c_t), CE_e weighted by 1 - s_t   (learnt);  z_src, h^src: the same
        student on the source image, which is replaced by the events with probability progress^power"""
    source = """our interpretation of the figure of Ye et al. 2025, arXiv 2507.09269, with losses and weights of the
        work it builds on, He et al. 2024, arXiv 2303.13077, from the released code (Brain-Cog-Lab/Transfer-for-DVS)"""
    differs = """not known of the authors' own code; the schedule of w is our choice. From the code of He et al.: the
        small quadratic term of its class loss is left out, weights of timesteps are learnt there and the labels' loss
        is that of each timestep (weights=learnt,labels=steps), and it takes 1 - |CKA| of the estimator that is never
        negative (estimator=biased). The unbiased one is negative where two sets are unlike by chance;
        magnitude=absolute takes its absolute value, which then draws them apart"""
    confidence = "medium"
    needs = frozenset({"teacher logits", "static twins", "membranes", "auxiliary modules"})

    temperature: float = Field(4.0, gt=0, description="tau, of both networks")
    steepness: float = Field(50.0, gt=0, description="slope of the schedule of w, as progress goes from 0 to 1")
    switch: float = Field(0.4, ge=0, le=1, description="the progress at which w is one half")
    mix: Literal["sum", "convex"] = Field("sum", description="on images: CE + w tau^2 KL, or (1 - w) CE + w tau^2 KL")
    alignment: float = Field(0.5, ge=0, description="weight of 1 - CKA; 0: no alignment and full weight of the labels")
    weights: Literal["equal", "learnt"] = Field(
        "equal", description="weights of the timesteps: s_t = 1 and unweighted labels, or trained c_t, as in He et al."
    )
    estimator: Literal["unbiased", "biased"] = Field(
        "unbiased", description="of CKA; biased needs batches of 64 or more"
    )
    magnitude: Literal["signed", "absolute"] = Field(
        "signed", description="1 - CKA, or 1 - |CKA| as in He et al.; they differ where the unbiased one is negative"
    )
    layer: str = Field(LAST, description="the layer whose membrane potentials are aligned; last: the last hidden layer")
    labels: Literal["mean", "steps"] = Field(
        "mean", description="CE of the time-averaged logits, or of each timestep and then averaged, as in He et al."
    )
    source_input: Literal["rate", "repeat"] = Field(
        "rate", description="images as spikes: sampled with the intensity as probability, or wherever it exceeds 1/2"
    )
    power: float = Field(3.0, gt=0, description="exponent of the progress in the probability that an image is replaced")

    def auxiliary(self, shapes: NetworkShapes) -> nn.Module | None:
        if self.alignment == 0:
            return None
        return Alignment(hidden_layer(self.layer, shapes, "cross-kd"), shapes.timesteps, self.weights == "learnt")

    def source_drive(self, events: Tensor, images: Tensor, progress: float) -> Tensor:
        """The largest channel of each image as spikes in every channel of the events, or the events themselves."""
        intensity = images.amax(1, keepdim=True).expand(-1, events.shape[2], -1, -1)
        chance = torch.rand_like(events) if self.source_input == "rate" else torch.full_like(events, BRIGHT)
        spikes = (chance < intensity).to(events)
        replaced = torch.rand(events.shape[1], device=events.device) < progress**self.power
        return torch.where(replaced[:, None, None, None], events, spikes)

    def teaching(self, progress: float) -> float:
        """The weight w of the soft labels at this point of the training."""
        return float(torch.sigmoid(torch.tensor(self.steepness * (self.switch - progress))))

    def terms(self, batch: BatchOutputs) -> dict[str, Tensor]:
        source, events = batch.source, batch.student
        assert source is not None
        w, tau = self.teaching(batch.progress), self.temperature
        of_labels = 1.0 if self.mix == "sum" else 1 - w
        divergence = tau**2 * kl_divergence(batch.teacher, source.logits, tau, tau)
        terms = {"source": of_labels * self._labels(source, batch).mean(), "distillation": w * divergence}
        by_step = self._labels(events, batch)
        if not isinstance(batch.auxiliary, Alignment):
            return {"cross_entropy": by_step.mean(), **terms}
        share, rest = batch.auxiliary.shares(by_step)
        alike = self._alike(source, events, batch.auxiliary.layer)
        terms["alignment"] = self.alignment * (share * (1 - alike)).mean()
        return {"cross_entropy": (rest * by_step).mean(), **terms}

    def _labels(self, output: StudentOutput, batch: BatchOutputs) -> Tensor:
        """Cross-entropy in each timestep, ``(T,)``; that of the time-averaged logits is repeated T times."""
        if self.labels == "mean":
            return label_loss(batch, output.logits).expand(len(output.step_logits))
        return mean_over_labelled(*label_losses(batch, output.step_logits))

    def _alike(self, source: StudentOutput, events: StudentOutput, layer: str) -> Tensor:
        first, second = (output.traces[layer].membrane for output in (source, events))
        if self.estimator == "unbiased" and first.shape[1] < FEWEST_SAMPLES:
            raise InputError(
                f"method cross-kd: the unbiased estimator of CKA takes {FEWEST_SAMPLES} samples, and a batch has "
                f"{first.shape[1]}; give {arg('batch', 64)}"
            )
        alike = linear_cka(first, second, self.estimator == "unbiased")
        return alike.abs() if self.magnitude == "absolute" else alike
