"""Noise-smoothed logits distillation (NLD)."""

from __future__ import annotations

import math
from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from .base import BatchOutputs, LossTerms
from .losses import cross_entropy, kl_of_logs

DIVERGENCE = "gamma tau^2 KL(softmax(z_A/tau) || q)"
NOISY = (
    "xi ~ N(0, 1), sigma the standard deviation of z over the classes;  logits: q = softmax((z + noise sigma "
    "xi)/tau);  probabilities: q = (1 - noise) softmax(z/tau) + noise softmax(sigma^2 xi/tau)"
)


class NoiseSmoothedKD(LossTerms):
    """Soft labels compared with the student's logits plus noise, whose size follows the spread of these logits.

    The noise is sampled from torch's global generator, which the training seeds in every epoch, and enters only this
    loss. The paper's noise has the mean of the logits; it is left out here, since softmax does not change when all
    logits are shifted by the same amount.
    """

    title = "noise-smoothed logits distillation (NLD)"
    equation = f"L = CE(z, y) + {DIVERGENCE},  {NOISY}"
    source = (
        "Liu, Xia, Zhou, Xu, Guo 2026, arXiv 2511.06902, without its activation maps (SAMD); noise on the logits is "
        "the form of the paper, which we know second-hand, noise on the probabilities that of the released code "
        "(SinoLeu/CKDSNN)"
    )
    confidence = "medium"
    needs = frozenset({"teacher logits"})

    gamma: float = Field(1.0, ge=0, description="weight of the divergence")
    temperature: float = Field(2.0, gt=0, description="tau")
    noise: float = Field(0.1, ge=0, lt=1, description="lambda, factor of the noise, or its share of the probabilities")
    form: Literal["logits", "probabilities"] = Field(
        "logits", description="what the noise is added to: logits as in the paper, or probabilities as in the code"
    )

    def terms(self, batch: BatchOutputs) -> dict[str, Tensor]:
        log_p = F.log_softmax(batch.teacher.detach() / self.temperature, dim=-1)
        divergence = kl_of_logs(log_p, self._log_noisy(batch.student.logits))
        return {"cross_entropy": cross_entropy(batch), "distillation": self.gamma * self.temperature**2 * divergence}

    def _log_noisy(self, logits: Tensor) -> Tensor:
        # As in the released code, the standard deviation is that of a sample (K - 1) and has a gradient.
        deviation = logits.std(dim=-1, keepdim=True)
        drawn = torch.randn_like(logits)
        if self.form == "logits":
            return F.log_softmax((logits + self.noise * deviation * drawn) / self.temperature, dim=-1)
        own = F.log_softmax(logits / self.temperature, dim=-1)
        if self.noise == 0:
            return own
        random = F.log_softmax(deviation.square() * drawn / self.temperature, dim=-1)
        return torch.logaddexp(own + math.log1p(-self.noise), random + math.log(self.noise))
