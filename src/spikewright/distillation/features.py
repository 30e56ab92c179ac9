"""What methods that learn from feature maps have in common: both sides of each pair, their range, their distance.

A vector is treated as a map of one pixel, so that what is said of channels and pixels holds for both.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn

from .base import BatchOutputs
from .stages import Pair, mean_over_time, same_size

Scale = Literal["percentile", "max", "none"]
Reduction = Literal["mean", "sum"]

QUANTILE = 0.999
SCALE = (
    "what each channel of the teacher's map is divided by, over batch and pixels, before it is cut off at 1: its 99.9 "
    "percentile, its largest value, or nothing"
)
REDUCTION = "squares averaged over batch, channels and pixels, or summed and divided by the batch"


class Paired(nn.Module):
    """Values of the teacher and layers of the student that belong together.

    Attributes:
        pairs: shallow ones first.
        through: for each, what the student's rates go through before they are compared.
    """

    def __init__(self, pairs: tuple[Pair, ...], through: Callable[[Pair], nn.Module]) -> None:
        super().__init__()
        self.pairs = pairs
        self.through = nn.ModuleList([through(pair) for pair in pairs])

    def rates(self, batch: BatchOutputs) -> list[Tensor]:
        """The student's time-averaged spikes of each pair, ``(B, C, H, W)``, in [0, 1]."""
        return [as_map(mean_over_time(batch, pair.student)) for pair in self.pairs]

    def learnt(self, batch: BatchOutputs) -> list[Tensor]:
        """What the rates become, ``(B, C, H, W)`` with the teacher's channels."""
        return [module(rates) for module, rates in zip(self.through, self.rates(batch), strict=True)]

    def taught(self, batch: BatchOutputs) -> list[Tensor]:
        """The teacher's rectified values, ``(B, C, H, W)`` with the student's height and width, as constants.

        A teacher of ours rectifies its stages itself; values of an ONNX file may come from before that.
        """
        values = [(batch.teacher_features[pair.teacher].detach(), pair.student_shape) for pair in self.pairs]
        return [as_map(same_size(value, shape)).relu() for value, shape in values]


def paired(batch: BatchOutputs) -> Paired:
    """The pairs that the method made before training, with their modules."""
    if not isinstance(batch.auxiliary, Paired):
        raise ValueError("this method needs the modules that its auxiliary() makes and the trainer gave none")
    return batch.auxiliary


def as_map(values: Tensor) -> Tensor:
    """Maps ``(B, C, H, W)`` as they are, vectors ``(B, N)`` as maps of one pixel."""
    return values if values.ndim == 4 else values[:, :, None, None]


def aligned(pair: Pair, norm: bool) -> nn.Module:
    """A 1 x 1 convolution, normalised where asked, from the student's channels to another number; else nothing."""
    inputs, outputs = pair.student_shape[0], pair.teacher_shape[0]
    if inputs == outputs:
        return nn.Identity()
    if norm:
        return nn.Sequential(nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs))
    return nn.Conv2d(inputs, outputs, 1)


def to_unit(maps: Tensor, scale: Scale) -> Tensor:
    """Maps ``(B, C, H, W)`` of at least 0, each channel divided and cut off at 1: rates cannot be larger.

    The percentile is the smallest value that a share of at least 0.999 of the channel's values does not exceed. A
    channel for which it is 0 is not divided.
    """
    if scale == "none":
        return maps
    values = maps.transpose(0, 1).flatten(1)
    rank = values.shape[1] if scale == "max" else math.ceil(QUANTILE * values.shape[1])
    largest = values.kthvalue(rank, dim=1).values
    whole = torch.where(largest > 0, largest, 1.0)
    return (maps / whole[None, :, None, None]).clamp(max=1)


def squared_error(found: Tensor, wanted: Tensor, reduction: Reduction) -> Tensor:
    """``mean (found - wanted)^2``, or ``(1/B) sum (found - wanted)^2``."""
    squares = (found - wanted).square()
    return squares.mean() if reduction == "mean" else squares.sum() / len(squares)
