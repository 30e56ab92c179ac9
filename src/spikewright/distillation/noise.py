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
    "xi ~ N(0, 1), sigma the deviation of z over the classes;  logits: q = softmax((z + noise sigma xi)/tau);  "
    "probabilities: q = (1 - noise) softmax(z/tau) + noise softmax(sigma^2 xi/tau)"
)


class NoiseSmoothedKD(LossTerms):
    """The teacher is compared with a noisy answer; the noise is as wide as the student's own logits.

    It is drawn from torch's global generator, which the training seeds in every epoch, and enters this loss alone: the
    student itself computes without noise. Its mean, that of the logits, is left out: it shifts all classes alike, and
    softmax does not see it.
    """

    title = "noise-smoothed logits distillation (NLD)"
    equation = f"L = CE(z, y) + {DIVERGENCE},  {NOISY}"
    source = (
        "Liu, Xia, Zhou, Xu, Guo 2026, arXiv 2511.06902, without its activation maps (SAMD); noise on the logits "
        "is the paper's form, at second hand, noise on the probabilities that of the released code (SinoLeu/CKDSNN)"
    )
    confidence = "medium"
    needs = frozenset({"teacher logits"})

    gamma: float = Field(1.0, ge=0, description="weight of the divergence")
    temperature: float = Field(2.0, gt=0, description="tau")
    noise: float = Field(0.1, ge=0, lt=1, description="lambda on the logits, or the noise's share of the probabilities")
    form: Literal["logits", "probabilities"] = Field(
        "logits", description="where the noise is: as in the paper, or as in the released code; they differ"
    )

    def terms(self, batch: BatchOutputs) -> dict[str, Tensor]:
        log_p = F.log_softmax(batch.teacher.detach() / self.temperature, dim=-1)
        log_q = self._log_noisy(batch.student.logits)
        divergence = kl_of_logs(log_p, log_q)
        return {
            "cross_entropy": cross_entropy(batch),
            "distillation": self.gamma * self.temperature**2 * divergence,
        }

    def _log_noisy(self, logits: Tensor) -> Tensor:
        # As in the released code the deviation is that of a sample (K - 1), and learns with the logits.
        deviation = logits.std(dim=-1, keepdim=True)
        drawn = torch.randn_like(logits)
        if self.form == "logits":
            return F.log_softmax((logits + self.noise * deviation * drawn) / self.temperature, dim=-1)
        own = F.log_softmax(logits / self.temperature, dim=-1)
        if self.noise == 0:
            return own
        random = F.log_softmax(deviation.square() * drawn / self.temperature, dim=-1)
        return torch.logaddexp(own + math.log1p(-self.noise), random + math.log(self.noise))
