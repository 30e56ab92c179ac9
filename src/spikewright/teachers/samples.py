"""How a network takes samples: as images, series or vectors, normalised, in colour, of another size."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from ..base.errors import arg, did_you_mean, refuse

Shape: TypeAlias = tuple[int, int, int]
Layout = Literal["images", "series", "channels", "vectors"]
LAYOUTS: dict[Layout, str] = {
    "images": "(B, C, H, W)",
    "series": "(B, T, C)",
    "channels": "(B, C, T)",
    "vectors": "(B, F)",
}
"""By layout, the axes of a batch: C channels, T steps in time, F numbers of any order."""
IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Mean and deviation of each colour, by which torchvision's networks were trained on ImageNet."""
NORMALIZE_WORDS = "may be imagenet, none, or MEAN/STD, each one number or one for each channel, as in 0.5/0.25"

Given: TypeAlias = str | tuple[Sequence[float] | float, Sequence[float] | float]
Batch = TypeVar("Batch", Tensor, npt.NDArray[Any])


@dataclass(frozen=True)
class SampleFormat:
    """How a network takes samples ``(B, C, H, W)``; without anything set it takes them as they are.

    First grey images get their channels, then the size changes, then ``(x - mean) / std`` is taken, then the axes are
    ordered.

    Attributes:
        layout: the order of the axes; None for images, or for what an ONNX model's own axes tell.
        mean, std: one number, or one for each channel; None where nothing is normalised.
        channels: that the network takes; those of grey images are copies of the one that they have.
        size: height and width that the network takes; others are interpolated bilinearly, with antialiasing.
    """

    layout: Layout | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    channels: int | None = None
    size: tuple[int, int] | None = None

    @classmethod
    def of(
        cls,
        layout: str | None = None,
        normalize: Given | None = None,
        channels: int | None = None,
        size: str | int | tuple[int, int] | None = None,
    ) -> SampleFormat:
        """The format that a user describes; None leaves samples as they are.

        Args:
            layout: a name in :data:`LAYOUTS`.
            normalize: ``imagenet``, ``none``, ``MEAN/STD`` with commas between channels, or mean and std themselves.
            channels: that the network takes.
            size: height and width, or one number for both; as text ``224`` or ``224x224``.

        Raises:
            InputError: values that cannot be read, all of them at once.
        """
        faults: list[str] = []
        chosen = next((name for name in LAYOUTS if name == layout), None)
        if layout is not None and chosen is None:
            faults.append(f"{arg('layout', layout)}: is unknown; {did_you_mean(str(layout), LAYOUTS)}")
        if channels is not None and (not isinstance(channels, int) or channels < 1):
            faults.append(f"{arg('channels', channels)}: must be a whole number of at least 1")
        try:
            mean, std = _normalization(normalize)
        except ValueError:
            faults.append(f"{arg('normalize', normalize)}: {NORMALIZE_WORDS}, with std above 0")
        try:
            sides = _size(size)
        except ValueError:
            faults.append(f"{arg('size', size)}: is no height and width, such as 224 or 224x224")
        refuse("teacher", faults)
        return cls(chosen, mean, std, channels, sides)

    def faults(self, shape: Shape) -> Iterator[str]:
        """Why samples of ``shape`` cannot be taken so."""
        if self.channels not in (None, shape[0]) and shape[0] != 1:
            yield (
                f"{arg('channels', self.channels)}: samples have {shape[0]} channels, and those of grey images alone, "
                "which have one, can be copied"
            )
        if self.size is not None and self.layout not in (None, "images"):
            yield f"{arg('size')}: is for images, and the network takes {self.layout}; leave it out"
        if self.layout in ("series", "channels") and series_shape(self.shape_of(shape)) is None:
            yield (
                f"{arg('layout', self.layout)}: samples of {by(shape)} are images of several channels, not series of "
                "channels over time"
            )
        taken = self.shape_of(shape)[0]
        if numbers := {len(each) for each in (self.mean, self.std) if each is not None} - {1, taken}:
            copies = f", or {arg('channels', max(numbers))} to copy that of grey images" if taken == 1 else ""
            yield (
                f"{arg('normalize')}: is for {max(numbers)} channels, and the network takes {taken}; give one number, "
                f"or one for each channel{copies}"
            )

    def shape_of(self, shape: Shape) -> Shape:
        """The shape of a sample of the data in the network's channels and size, before its axes are ordered."""
        return (self.channels or shape[0], *(self.size or shape[1:]))

    def prepared(self, samples: Tensor) -> Tensor:
        """The samples ``(B, C, H, W)`` in the network's channels and size, normalised."""
        if self.channels not in (None, samples.shape[1]):
            samples = samples.expand(-1, self.channels or 1, -1, -1)
        if self.size not in (None, tuple(samples.shape[2:])):
            samples = F.interpolate(samples, self.size, mode="bilinear", align_corners=False, antialias=True)
        if self.mean is None or self.std is None:
            return samples
        mean, std = (torch.tensor(each, device=samples.device).view(1, -1, 1, 1) for each in (self.mean, self.std))
        return (samples - mean) / std

    def __call__(self, samples: Tensor) -> Tensor:
        """The samples ``(B, C, H, W)`` as the network takes them."""
        return arranged(self.prepared(samples), self.layout or "images")

    def __str__(self) -> str:
        layout = self.layout or "images"
        words = [f"as {layout} {LAYOUTS[layout]}"]
        if self.channels is not None:
            words.append(f"with {self.channels} channels")
        if self.size is not None:
            words.append(f"at {by(self.size)} pixels")
        if self.mean is None or self.std is None:
            return ", ".join([*words, "not normalised"])
        mean, std = (", ".join(f"{value:g}" for value in each) for each in (self.mean, self.std))
        return ", ".join([*words, f"normalised by mean {mean} and deviation {std}"])


def arranged(samples: Batch, layout: Layout) -> Batch:
    """Samples ``(B, C, H, W)`` in the order of axes that ``layout`` names, with time as in :func:`series_shape`."""
    if layout == "images":
        return samples
    if layout == "vectors":
        return samples.reshape(len(samples), math.prod(samples.shape[1:]))
    _, channels, height, width = samples.shape
    found = series_shape((channels, height, width))
    assert found is not None
    over_time = samples.reshape(len(samples), *found)
    if channels > 1:  # which come before time in memory
        over_time = samples.reshape(len(samples), found[1], found[0]).swapaxes(1, 2)
    return over_time if layout == "series" else over_time.swapaxes(1, 2)


def series_shape(shape: Shape) -> tuple[int, int] | None:
    """Steps in time and channels of a series that lies in ``(C, T, 1)``, ``(1, T, C)`` or ``(C, 1, T)``.

    A sample of one row is a series along it. None for images of several channels.
    """
    channels, height, width = shape
    if height == 1 and width > 1:
        return width, channels
    if width == 1:
        return height, channels
    return (height, width) if channels == 1 else None


def by(shape: Sequence[int]) -> str:
    """A shape in words, such as ``1 x 8 x 8``."""
    return " x ".join(map(str, shape))


def _normalization(given: Given | None) -> tuple[tuple[float, ...], tuple[float, ...]] | tuple[None, None]:
    """Mean and deviation; a ValueError where there are none in what was given."""
    if given is None or given == "none":
        return None, None
    if given == "imagenet":
        return IMAGENET
    pair = [part.split(",") for part in given.split("/")] if isinstance(given, str) else given
    if len(pair) != 2:
        raise ValueError
    mean, std = (tuple(map(float, np.atleast_1d(np.asarray(each, dtype=object)))) for each in pair)
    if not mean or not std or not all(map(math.isfinite, mean)) or not all(0 < each < math.inf for each in std):
        raise ValueError
    return mean, std


def _size(given: str | int | tuple[int, int] | None) -> tuple[int, int] | None:
    """Height and width; a ValueError where there are none in what was given."""
    if given is None:
        return None
    numbers = re.fullmatch(r"(\d+)(?:\s*x\s*(\d+))?", given) if isinstance(given, str) else None
    if isinstance(given, str):
        if numbers is None:
            raise ValueError
        sides = int(numbers[1]), int(numbers[2] or numbers[1])
    else:
        sides = (given, given) if isinstance(given, int) else (int(given[0]), int(given[1]))
    if min(sides) < 1:
        raise ValueError
    return sides
