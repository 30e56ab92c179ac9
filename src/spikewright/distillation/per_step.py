"""Losses of each time step, averaged over the steps: what several methods are made of.

A step's logits are those of ``StudentOutput.step_logits``, ``(T, B, K)``: the current into a membrane readout, or the
spikes (0 or 1) of a count readout. Divergence and cross-entropy are convex, so the mean of a loss over the steps is
never below the loss of the mean logits.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from .base import BatchOutputs, kl_divergence


def step_cross_entropy(batch: BatchOutputs, temperature: float = 1.0) -> Tensor:
    """``(1/T) sum_t CE(softmax(z_t / temperature), y)``, averaged over the batch."""
    steps = batch.student.step_logits
    labels = batch.labels.expand(steps.shape[:2])
    return F.cross_entropy(steps.flatten(0, 1) / temperature, labels.flatten())


def step_divergence(target: Tensor, steps: Tensor, temperature: float) -> Tensor:
    """``(1/T) sum_t KL(softmax(target_t / tau) || softmax(z_t / tau))``, averaged over the batch.

    Args:
        target: logits ``(T, B, K)``, or ``(B, K)`` for the same at every step; treated as constant.
        steps: logits ``(T, B, K)`` of the student.
    """
    each = target.expand_as(steps).flatten(0, 1)
    return kl_divergence(each, steps.flatten(0, 1), temperature, temperature)


def entropy(logits: Tensor) -> Tensor:
    """``H = -sum_k p_k log p_k`` of ``p = softmax(logits)`` over the last axis, in nats."""
    log_p = F.log_softmax(logits, dim=-1)
    return -(log_p.exp() * log_p).sum(-1)


def correct_steps(batch: BatchOutputs) -> Tensor:
    """Where a step's largest logit is that of the label, ``(T, B)``."""
    return torch.eq(batch.student.step_logits.argmax(-1), batch.labels)
