"""Random changes of training samples, and still images of events for an ANN."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..data.dataset import Dataset
from ..data.input_rule import InputRule
from .changes import drawn, mixing, partners
from .text import read_transforms
from .transforms import Form, MixUp


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


def augmented(images: Tensor, augmentation: str, generator: torch.Generator, reach: int = 2) -> Tensor:
    """Images ``(B, C, H, W)`` with transforms applied, one after the other.

    Args:
        augmentation: text for :func:`~spikewright.augmentation.transforms.read_transforms`; ``none`` returns the images
            themselves.
    """
    form = Form("images", (images.shape[1], images.shape[2], images.shape[3]))
    for transform in read_transforms(augmentation, reach):
        images = drawn(transform, len(images), form, generator)(images, form)
    return images


@dataclass(frozen=True, eq=False)
class Shown:
    """The samples of a batch as they are seen in an epoch.

    Attributes:
        samples: of the data set, ``(B, C, H, W)`` or ``(B, T, C, H, W)``.
        twins: the same samples of the data set's twin; None where nothing was changed, or where there is no twin.
        mixed: of samples that are mixed of two, the row in the batch of the other one, ``(B,)``, and the share of the
            larger one, ``(B,)``, whose place it is; None where they are not.
    """

    samples: Tensor
    twins: Tensor | None = None
    mixed: tuple[Tensor, Tensor] | None = None


class Augmenter:
    """Shows the training samples of a data set with transforms applied.

    Images, vectors and frames are changed as they are; where events were made from images, both alike. A series that is
    taken step by step is changed as its twin, which is the whole recording, and its frames are made from that anew.
    """

    def __init__(self, dataset: Dataset, augmentation: str, reach: int) -> None:
        """Take the text of the transforms, and the reach of shifts without an amount."""
        self.transforms = read_transforms(augmentation, reach)
        self._dataset, self._form = dataset, Form.of(dataset)
        self._twin = None if dataset.twin is None else Form.of(dataset.twin)

    def __call__(self, rows: Tensor, generator: torch.Generator) -> Shown:
        """The training samples of these rows; what happens to them is drawn from the generator alone."""
        samples = _of_rows(self._dataset, rows)
        if not self.transforms:
            return Shown(samples)
        twins = None if self._dataset.twin is None else _of_rows(self._dataset.twin, rows)
        remade = twins is not None and self._form.kind == "series"
        mixed = None
        for transform in self.transforms:
            if isinstance(transform, MixUp):
                mixed = partners(transform, len(rows), generator)
                change = mixing(*mixed)
            else:
                change = drawn(transform, len(rows), self._form, generator)
            if twins is not None and self._twin is not None:
                twins = change(twins, self._twin)
            if not remade:
                samples = change(samples, self._form)
        if remade:
            assert twins is not None and self._dataset.input_rule is not None
            samples = _frames(twins, self._dataset.input_rule)
        return Shown(samples, twins, mixed)


def _of_rows(dataset: Dataset, rows: Tensor) -> Tensor:
    return torch.from_numpy(dataset.train.samples[rows.numpy()])


def _frames(twins: Tensor, rule: InputRule) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(rule.from_channels(twins.numpy())))
