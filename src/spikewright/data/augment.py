"""Random shifts and mirror images of training samples, and still images of events for an ANN."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from .recipe import Augmentation


def still(samples: Tensor) -> Tensor:
    """The samples as an ANN takes them, ``(B, C, H, W)`` in [0, 1].

    Images are taken as they are, frames ``(B, T, C, H, W)`` as their mean over time. Of frames of intensities the empty
    ones at the end, behind the end of a recording, do not count; those of events, bytes, all do.
    """
    if samples.ndim != 5:
        return samples
    if samples.dtype == torch.uint8:
        return samples.to(torch.float32).mean(1)
    before_the_end = samples.ne(0).flatten(2).any(2).flip(1).to(torch.uint8).cummax(1).values.flip(1)
    lasting = before_the_end.sum(1).clamp_min(1).to(samples.dtype)
    return samples.sum(1) / lasting[:, None, None, None]


def augmented(images: Tensor, augmentation: Augmentation, generator: torch.Generator, reach: int = 2) -> Tensor:
    """Shift each image ``(B, C, H, W)`` by up to ``reach`` pixels (zeros enter) and mirror half of them.

    Args:
        augmentation: ``none`` returns the images themselves, ``shift`` mirrors none of them.
    """
    if augmentation == "none":
        return images
    batch, _, height, width = images.shape
    padded = F.pad(images, (reach, reach, reach, reach))
    top, left = (torch.randint(0, 2 * reach + 1, (batch,), generator=generator) for _ in range(2))
    rows = top[:, None] + torch.arange(height)
    columns = left[:, None] + torch.arange(width)
    if augmentation == "shift-flip":
        flip = torch.rand(batch, generator=generator) < 0.5
        columns = torch.where(flip[:, None], columns.flip(1), columns)
    index = torch.arange(batch)[:, None, None]
    return padded[index, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2).contiguous()
