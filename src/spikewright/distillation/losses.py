"""Losses that the methods are made of.

Logits of single timesteps are those of ``StudentOutput.step_logits``, ``(T, B, K)``: the input current of a membrane
readout, or the spikes (0 or 1) of a count readout. KL divergence and cross-entropy are convex, so the mean of a loss
over the timesteps is never below the loss of the mean logits.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..data.output_rule import NO_LABEL
from .base import BatchOutputs


def cross_entropy(batch: BatchOutputs) -> Tensor:
    """``CE(softmax(z), y)`` of the student's logits ``z``, ``(B, K)``, averaged over the samples with a label."""
    return label_loss(batch, batch.student.logits)


def label_loss(batch: BatchOutputs, logits: Tensor) -> Tensor:
    """The loss against labels, averaged over time and the samples with a label; 0 where no sample has one.

    Args:
        logits: of the batch, ``(B, K)`` or ``(T, B, K)``.
    """
    if batch.mixed is None:
        steps = logits.shape[0] if logits.ndim == 3 else 1
        labels = batch.labels.repeat(steps, *[1] * (batch.labels.ndim - 1))
        return batch.label_loss(logits.flatten(0, -2), labels)
    return mean_over_labelled(*label_losses(batch, logits)).mean()


def label_losses(batch: BatchOutputs, logits: Tensor) -> tuple[Tensor, Tensor]:
    """The cross-entropy of each sample with its label times the weight of the sample, and that weight.

    The weight is that of the class, and 0 without a label. Of a sample that is mixed of two, with the shares ``s`` and
    ``1 - s``, it is ``s CE(z, y) + (1 - s) CE(z, y')``; a label that is missing takes its share from loss and weight.

    Args:
        logits: of the batch, ``(B, K)`` or ``(T, B, K)``.

    Returns:
        losses ``(B,)`` or ``(T, B)``, weights ``(B,)``.

    Source: of the mixed labels H. Zhang et al. 2018, arXiv 1710.09412.
    """
    weights = logits.new_tensor(batch.label_loss.weights or [1.0] * logits.shape[-1])

    def of(labels: Tensor) -> Tensor:
        flat = labels.expand(logits.shape[:-1]).flatten()
        each = F.cross_entropy(logits.flatten(0, -2), flat, weight=weights, ignore_index=NO_LABEL, reduction="none")
        return each.reshape(logits.shape[:-1])

    def weight(labels: Tensor) -> Tensor:
        known = labels != NO_LABEL
        return torch.where(known, weights[torch.where(known, labels, 0)], 0.0)

    if batch.mixed is None:
        return of(batch.labels), weight(batch.labels)
    share, second = batch.mixed.share, batch.mixed.labels
    losses = share * of(batch.labels) + (1 - share) * of(second)
    return losses, share * weight(batch.labels) + (1 - share) * weight(second)


def targets_of(batch: BatchOutputs, instead: Tensor) -> Tensor:
    """What is right for each sample: its class ``(B,)``; where samples are mixed or lack labels, shares ``(B, K)``.

    Args:
        instead: shares that take the place of a label that is missing, ``(B, K)``.
    """
    if batch.mixed is None and bool(batch.is_labelled.all()):
        return batch.labels

    def shares(labels: Tensor) -> Tensor:
        known = labels != NO_LABEL
        one = F.one_hot(torch.where(known, labels, 0), instead.shape[1]).to(instead.dtype)
        return torch.where(known[:, None], one, instead)

    if batch.mixed is None:
        return shares(batch.labels)
    share = batch.mixed.share[:, None]
    return share * shares(batch.labels) + (1 - share) * shares(batch.mixed.labels)


def mean_over_labelled(losses: Tensor, weights: Tensor) -> Tensor:
    """The mean over the samples of a batch, the last axis of ``losses``; 0 where all weights are 0."""
    return losses.sum(-1) / weights.sum().clamp(min=torch.finfo(losses.dtype).tiny)


def kl_of_logs(log_p: Tensor, log_q: Tensor) -> Tensor:
    """``KL(p || q)`` of log-probabilities ``(B, K)``, summed over classes, averaged over the batch."""
    return F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)


def kl_divergence(teacher: Tensor, student: Tensor, teacher_temperature: float, student_temperature: float) -> Tensor:
    """``KL(softmax(teacher / tau_T) || softmax(student / tau_S))``, summed over classes, averaged over the batch.

    Both are logits ``(B, K)``; the teacher's are treated as constant.
    """
    log_p = F.log_softmax(teacher.detach() / teacher_temperature, dim=-1)
    return kl_of_logs(log_p, F.log_softmax(student / student_temperature, dim=-1))


def step_cross_entropy(batch: BatchOutputs, temperature: float = 1.0) -> Tensor:
    """``(1/T) sum_t CE(softmax(z_t / temperature), y)``, averaged over the samples with a label."""
    return label_loss(batch, batch.student.step_logits / temperature)


def step_divergence(target: Tensor, steps: Tensor, temperature: float) -> Tensor:
    """``(1/T) sum_t KL(softmax(target_t / tau) || softmax(z_t / tau))``, averaged over the batch.

    Args:
        target: logits ``(T, B, K)``, or ``(B, K)`` for the same target at every timestep; treated as constant.
        steps: the student's logits ``(T, B, K)``.
    """
    targets = target.expand_as(steps).flatten(0, 1)
    return kl_divergence(targets, steps.flatten(0, 1), temperature, temperature)


def entropy(logits: Tensor) -> Tensor:
    """``H = -sum_k p_k log p_k`` of ``p = softmax(logits)`` over the last axis, in nats."""
    log_p = F.log_softmax(logits, dim=-1)
    return -(log_p.exp() * log_p).sum(-1)


def trainable_spikes(batch: BatchOutputs) -> list[Tensor]:
    """Spike trains ``(T, B, *shape)`` of every firing layer that has a gradient; a single zero if there is none."""
    trains = [spikes for spikes in batch.student.spikes.values() if spikes.requires_grad]
    return trains or [torch.zeros(1, device=batch.labels.device)]


FEWEST_SAMPLES = 4
"""The unbiased estimator of CKA needs at least this batch size."""


def linear_cka(first: Tensor, second: Tensor, unbiased: bool) -> Tensor:
    """Linear centred kernel alignment of two sets of activations, for each timestep.

    ``CKA = <K', L'> / (|K'| |L'|)`` with ``K'`` and ``L'`` the centred Gram matrices ``X X^T`` and ``Y Y^T`` of the
    batch. For high-dimensional activations of few samples the biased estimator, which is at least 0, is close to 1 for
    any two sets; the unbiased estimator is about 0 for independent sets and can be negative.

    Args:
        first: X, ``(T, B, *shape)``.
        second: Y, ``(T, B, *other shape)``, of the same samples.
        unbiased: center as the U-statistic does; needs a batch of at least :data:`FEWEST_SAMPLES`.

    Returns:
        ``(T,)``, at most 1; 0 where one of the two sets is the same for all samples.

    Source: Kornblith et al. 2019, arXiv 1905.00414; unbiased: Song et al. 2012, Feature Selection via Dependence
    Maximization, JMLR 13.
    """
    one, other = (_centered_gram(activations.flatten(2), unbiased).flatten(1) for activations in (first, second))
    return F.cosine_similarity(one, other, dim=1)


def _centered_gram(activations: Tensor, unbiased: bool) -> Tensor:
    """``(T, B, D)`` to ``(T, B, B)``: ``H K H`` with ``H = 1 - 1/B``, or :func:`_u_centered`."""
    deviations = activations - activations.mean(1, keepdim=True)  # which does not change the centred matrix
    gram = deviations @ deviations.transpose(1, 2)
    if unbiased:
        return _u_centered(gram)
    return gram - gram.mean(1, keepdim=True) - gram.mean(2, keepdim=True) + gram.mean((1, 2), keepdim=True)


def _u_centered(gram: Tensor) -> Tensor:
    """``K_ij - (sum_j K_ij + sum_i K_ij) / (B-2) + sum_ij K_ij / ((B-1)(B-2))``; the diagonals of both are zero."""
    count = gram.shape[1]
    off_diagonal = 1.0 - torch.eye(count, device=gram.device, dtype=gram.dtype)
    kept = gram * off_diagonal
    rows, columns = kept.sum(2, keepdim=True) / (count - 2), kept.sum(1, keepdim=True) / (count - 2)
    whole = kept.sum((1, 2), keepdim=True) / ((count - 1) * (count - 2))
    return (kept - rows - columns + whole) * off_diagonal
