"""How alike two sets of activities are, whatever their scale and rotation: centred kernel alignment (CKA)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

LEAST = 4
"""Samples that the unbiased estimator takes."""


def linear_cka(first: Tensor, second: Tensor, unbiased: bool) -> Tensor:
    """``<K', L'> / (|K'| |L'|)`` of the centred Gram matrices ``K = X X^T`` and ``L = Y Y^T`` of a batch, step by step.

    In few samples of many numbers each, any two sets look alike to the biased estimator, which is at least 0; the
    unbiased one is about 0 for sets that have nothing in common, and may be below.

    Args:
        first: X, ``(T, B, *shape)``.
        second: Y, ``(T, B, *other shape)``, of the same samples.
        unbiased: centre as the U-statistic does; B must then be at least :data:`LEAST`.

    Returns:
        ``(T,)``, at most 1; 0 where one of the two is the same for all samples.

    Source: Kornblith et al. 2019, arXiv 1905.00414; unbiased: Song et al. 2012, Feature Selection via Dependence
    Maximization, JMLR 13.
    """
    centre = _centred_u if unbiased else _centred
    grams = [centre(_gram(activity.flatten(2))).flatten(1) for activity in (first, second)]
    return F.cosine_similarity(grams[0], grams[1], dim=1)


def _gram(activity: Tensor) -> Tensor:
    """``(T, B, D)`` to ``(T, B, B)``; subtracting the mean sample changes nothing that is left after centring."""
    spread = activity - activity.mean(1, keepdim=True)
    return spread @ spread.transpose(1, 2)


def _centred(gram: Tensor) -> Tensor:
    """``H K H`` with ``H = 1 - 1/B``."""
    return gram - gram.mean(1, keepdim=True) - gram.mean(2, keepdim=True) + gram.mean((1, 2), keepdim=True)


def _centred_u(gram: Tensor) -> Tensor:
    """``K_ij - (sum_j K_ij + sum_i K_ij) / (B-2) + sum_ij K_ij / ((B-1)(B-2))``; the diagonals of both are zero."""
    count = gram.shape[1]
    off = 1.0 - torch.eye(count, device=gram.device, dtype=gram.dtype)
    kept = gram * off
    rows, columns = kept.sum(2, keepdim=True) / (count - 2), kept.sum(1, keepdim=True) / (count - 2)
    whole = kept.sum((1, 2), keepdim=True) / ((count - 1) * (count - 2))
    return (kept - rows - columns + whole) * off
