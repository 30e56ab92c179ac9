"""Soft labels of a teacher on the logits of a whole inference, and the control that trains on labels alone."""

from __future__ import annotations

import math
from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from .base import EITHER, BatchOutputs, LossTerms
from .losses import cross_entropy, kl_divergence, kl_of_logs

DIVERGENCE = "gamma tau^2 KL(softmax(z_A/tau) || q)"
NOISY = """xi ~ N(0, 1), sigma the standard deviation of z over the classes;  logits: q = softmax((z + noise sigma
    xi)/tau);  probabilities: q = (1 - noise) softmax(z/tau) + noise softmax(sigma^2 xi/tau)"""


class LabelsOnly(LossTerms):
    """The loss of the student's logits against the labels, without a teacher."""

    title = "labels only"
    equation = "L = CE(z, y);  values: L = l(z, y), l the squared or the Huber error"
    source = "control without distillation"
    differs = "nothing was published: it is the control"
    confidence = "high"
    tasks = EITHER

    def terms(self, batch: BatchOutputs) -> dict[str, Tensor]:
        return {batch.label_loss.kind: cross_entropy(batch)}


class ConventionalKD(LossTerms):
    """Soft labels of an ANN teacher, with one temperature for both networks; of values those of the teacher."""

    title = "conventional knowledge distillation"
    equation = """L = (1 - alpha) CE(z, y) + alpha tau^2 KL(softmax(z_A/tau) || softmax(z/tau));  values: L = (1 -
        alpha) l(z, y) + alpha l(z, z_A), l the squared or the Huber error"""
    source = "Hinton, Vinyals, Dean 2015, arXiv 1503.02531"
    differs = "of classes in nothing; the form for values is ours"
    confidence = "high"
    needs = frozenset({"teacher logits"})
    tasks = EITHER
    of_classes = frozenset({"temperature"})

    alpha: float = Field(0.7, ge=0, le=1, description="weight of the soft labels; the labels have 1 - alpha")
    temperature: float = Field(4.0, gt=0, description="tau, of both networks")

    def terms(self, batch: BatchOutputs) -> dict[str, Tensor]:
        loss, logits, tau = batch.label_loss, batch.student.logits, self.temperature
        labels: dict[str, Tensor] = {loss.kind: (1 - self.alpha) * cross_entropy(batch)}
        if loss.kind != "cross_entropy":
            return {**labels, "distillation": self.alpha * loss(logits, batch.teacher.detach())}
        return {**labels, "distillation": self.alpha * tau**2 * kl_divergence(batch.teacher, logits, tau, tau)}


class HeterogeneousKD(LossTerms):
    """Soft labels with separate temperatures, so that the student need not reproduce the range of the teacher's logits.

    The divergence is smallest at ``z = (tau_S / tau_T) z_A`` (up to a constant). With a student temperature below the
    teacher's this means smaller logits, which take fewer spikes.
    """

    title = "heterogeneous-temperature distillation (HT-KD)"
    equation = "L = (1 - alpha) CE(z, y) + alpha s KL(softmax(z_A/tau_T) || softmax(z/tau_S))"
    source = "Lee, Park, Kim, Doh, Yoon 2021, arXiv 2106.07172"
    differs = """not known, since we know only the abstract: the form of the loss, s = tau_S^2 and all defaults are our
        interpretation"""
    confidence = "low"
    needs = frozenset({"teacher logits"})
    takes_heat = True

    alpha: float = Field(0.7, ge=0, le=1, description="weight of the soft labels; the labels have 1 - alpha")
    teacher_temperature: float = Field(4.0, gt=0, description="tau_T")
    student_temperature: float = Field(1.0, gt=0, description="tau_S; a value below tau_T saves spikes")
    scale: Literal["student", "product", "teacher", "none"] = Field(
        "student", description="factor s: tau_S^2, tau_S tau_T, tau_T^2 or 1"
    )

    def terms(self, batch: BatchOutputs) -> dict[str, Tensor]:
        tau_t, tau_s = self.teacher_temperature * batch.heat, self.student_temperature
        scale = {"student": tau_s**2, "product": tau_s * tau_t, "teacher": tau_t**2, "none": 1.0}[self.scale]
        divergence = kl_divergence(batch.teacher, batch.student.logits, tau_t, tau_s)
        return {
            "cross_entropy": (1 - self.alpha) * cross_entropy(batch),
            "distillation": self.alpha * scale * divergence,
        }


class HeadTailKD(LossTerms):
    """Forward KL divergence weighted by the error on the teacher's likely classes, reverse by that on the others."""

    title = "head-tail-aware divergence (HTA-KL)"
    equation = """L = (1 - alpha) CE(z, y) + alpha tau^2 [w KL(p || q) + (1 - w) KL(q || p)],  p = softmax(z_A/tau), q =
        softmax(z/tau), w = g_head/(g_head + g_tail) without gradient, g = sum |p - q| over the head (the smallest set
        of classes whose probabilities p sum to mass) or over the tail (all other classes)"""
    source = """Zhang, Zhu, Yu, Wang 2025, arXiv 2504.20445, and the method for ANNs on which it builds, Wu et al. 2024,
        arXiv 2404.02657"""
    differs = """not known, since we do not know its equations: the divergence is that of the method for ANNs; tau^2, w
        without gradient, alpha, tau and the treatment of time are our interpretation"""
    confidence = "low"
    needs = frozenset({"teacher logits"})

    alpha: float = Field(0.7, ge=0, le=1, description="weight of the soft labels; unknown, that of kd")
    temperature: float = Field(4.0, gt=0, description="tau, of both networks; unknown, that of kd")
    mass: float = Field(0.5, gt=0, lt=1, description="total probability of the head")
    time: Literal["mean", "steps"] = Field(
        "mean", description="divergence of the time-averaged logits, or mean over timesteps; unknown, our choice"
    )

    def terms(self, batch: BatchOutputs) -> dict[str, Tensor]:
        student = batch.student.logits if self.time == "mean" else batch.student.step_logits
        divergence = self._divergence(batch.teacher.detach(), student)
        return {
            "cross_entropy": (1 - self.alpha) * cross_entropy(batch),
            "distillation": self.alpha * self.temperature**2 * divergence,
        }

    def _divergence(self, teacher: Tensor, student: Tensor) -> Tensor:
        """The divergence of logits, averaged over the batch, and over time if ``student`` is ``(T, B, K)``."""
        log_p = F.log_softmax(teacher / self.temperature, dim=-1)
        log_q = F.log_softmax(student / self.temperature, dim=-1)
        p, q = log_p.exp(), log_q.exp()
        head = head_of(p, self.mass)
        gap = (p - q).abs().detach()
        whole = gap.sum(-1).clamp(min=torch.finfo(gap.dtype).tiny)  # equal distributions weigh a divergence of zero
        weight = (gap * head).sum(-1) / whole
        forward, reverse = (p * (log_p - log_q)).sum(-1), (q * (log_q - log_p)).sum(-1)
        return (weight * forward + (1 - weight) * reverse).mean()


def head_of(probabilities: Tensor, mass: float) -> Tensor:
    """The smallest set of classes whose probabilities sum to ``mass``, as a mask ``(B, K)``."""
    sorted_p, order = probabilities.sort(dim=-1, descending=True, stable=True)
    before = sorted_p.cumsum(-1) - sorted_p
    return torch.empty_like(before, dtype=torch.bool).scatter(-1, order, before < mass)


class NoiseSmoothedKD(LossTerms):
    """Soft labels compared with the student's logits plus noise, whose size follows the spread of these logits.

    The noise is sampled from torch's global generator, which the training seeds in every epoch, and enters only this
    loss. The paper's noise has the mean of the logits; it is left out here, since softmax does not change when all
    logits are shifted by the same amount.
    """

    title = "noise-smoothed logits distillation (NLD)"
    equation = f"L = CE(z, y) + {DIVERGENCE},  {NOISY}"
    source = "Liu, Xia, Zhou, Xu, Guo 2026, arXiv 2511.06902, without its activation maps (SAMD)"
    differs = """noise on the logits is the form of the paper, which we know second-hand; the released code
        (SinoLeu/CKDSNN) has it on the probabilities: form=probabilities"""
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
