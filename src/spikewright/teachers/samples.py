"""How a network takes samples: as images, series or vectors, normalised, in colour, of another size."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias, cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..base.errors import InputError, arg, did_you_mean, refuse
from ..data.dataset import Dataset
from ..data.input_rule import InputRule

Shape: TypeAlias = tuple[int, int, int]
Layout = Literal["images", "series", "channels", "vectors"]
LAYOUTS: dict[Layout, str] = {
    "images": "(B, C, H, W)",
    "series": "(B, T, C)",
    "channels": "(B, C, T)",
    "vectors": "(B, F)",
}
"""By layout, the axes of a batch: C channels, T steps in time, F numbers of any order."""
Values = Literal["raw", "scaled"]
VALUES: tuple[Values, ...] = ("raw", "scaled")
IN_UNITS = ("vectors", "series")
"""Layouts of data of one's own that other networks know in the units of the data; images are intensities anyway."""
IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Mean and deviation of each colour, by which torchvision's networks were trained on ImageNet."""
NORMALIZE_WORDS = "may be imagenet, none, or MEAN/STD, each one number or one for each channel, as in 0.5/0.25"

Given: TypeAlias = str | tuple[Sequence[float] | float, Sequence[float] | float]


@dataclass(frozen=True)
class SampleFormat:
    """How a network takes samples ``(B, C, H, W)``; without anything set it takes them as they are.

    First the scaling of the data is undone, then grey images get their channels, the size changes, the axes are put in
    order, and ``(x - mean) / std`` is taken.

    Attributes:
        layout: the order of the axes; None for images, or for what an ONNX model's own axes tell.
        mean, std: one number, or one for each channel (of vectors: each number); None where nothing is normalised.
        channels: that the network takes; those of grey images are copies of the one that they have.
        size: height and width that the network takes; others are interpolated bilinearly, with antialiasing.
        values: ``raw`` for the units in which the data were found, ``scaled`` for the scaling that a student gets; None
            for ``raw`` of vectors and series of one's own, and ``scaled`` of everything else.
        rule: by which the data were scaled, where that is undone.
    """

    layout: Layout | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    channels: int | None = None
    size: tuple[int, int] | None = None
    values: Values | None = None
    rule: InputRule | None = None

    @classmethod
    def of(
        cls,
        layout: str | None = None,
        normalize: Given | None = None,
        channels: int | None = None,
        size: str | int | tuple[int, int] | None = None,
        values: str | None = None,
    ) -> SampleFormat:
        """The format that a user describes; None leaves samples as they are.

        Args:
            layout: a name in :data:`LAYOUTS`.
            normalize: ``imagenet``, ``none``, ``MEAN/STD`` with commas between channels, or mean and std themselves.
            channels: that the network takes.
            size: height and width, or one number for both; as text ``224`` or ``224x224``.
            values: ``raw`` or ``scaled``.

        Raises:
            InputError: values that cannot be read, all of them at once.
        """
        faults = [
            f"{arg(name, value)}: is unknown; {did_you_mean(str(value), known)}"
            for name, value, known in (("layout", layout, LAYOUTS), ("values", values, VALUES))
            if value is not None and value not in known
        ]
        if channels is not None and (not isinstance(channels, int) or channels < 1):
            faults.append(f"{arg('channels', channels)}: must be a whole number of at least 1")
        mean, std, sides = None, None, None
        try:
            mean, std = _normalization(normalize)
        except ValueError:
            faults.append(f"{arg('normalize', normalize)}: {NORMALIZE_WORDS}, with std above 0")
        try:
            sides = _size(size)
        except ValueError:
            faults.append(f"{arg('size', size)}: is no height and width, such as 224 or 224x224")
        refuse("teacher", faults)
        return cls(cast("Layout | None", layout), mean, std, channels, sides, cast("Values | None", values))

    def for_data(self, dataset: Dataset) -> SampleFormat:
        """The same format where the samples are those of a data set.

        Raises:
            InputError: raw values are asked for, of data that are not scaled.
        """
        rule = dataset.input_rule
        if rule is None and self.values == "raw":
            raise InputError(
                f"{arg('values', 'raw')}: {dataset.name} is taken as it is, and has no other values; leave it out"
            )
        is_raw = rule is not None and (self.values or ("raw" if rule.layout in IN_UNITS else "scaled")) == "raw"
        return replace(self, rule=rule if is_raw else None)

    def faults(self, shape: Shape) -> Iterator[str]:
        """Why samples of ``shape`` cannot be taken so."""
        found = self.unscaled_shape(shape)
        if self.channels not in (None, found[0]) and found[0] != 1:
            yield (
                f"{arg('channels', self.channels)}: samples have {found[0]} channels, and those of grey images alone, "
                "which have one, can be copied"
            )
        if self.size is not None and self.layout not in (None, "images"):
            yield f"{arg('size')}: is for images, and the network takes {self.layout}; leave it out"
        if self.layout in ("series", "channels") and series_shape(self.shape_of(shape)) is None:
            yield (
                f"{arg('layout', self.layout)}: samples of {by(shape)} are images of several channels, not series of "
                "channels over time"
            )
            return
        taken = self._normalized(shape)
        if numbers := {len(each) for each in (self.mean, self.std) if each is not None} - {1, taken}:
            copies = f", or {arg('channels', max(numbers))} to copy that of grey images" if taken == 1 else ""
            yield (
                f"{arg('normalize')}: is for {max(numbers)} channels, and the network takes {taken}; give one number, "
                f"or one for each channel{copies}"
            )

    def shape_of(self, shape: Shape) -> Shape:
        """The shape of a sample of the data in the network's channels and size, before its axes are ordered."""
        channels, *sides = self.unscaled_shape(shape)
        height, width = self.size or sides
        return self.channels or channels, height, width

    def seen_shape(self, shape: Shape) -> Shape:
        """The same in one form: of series channels, steps and 1, however the data hold them."""
        found = self.shape_of(shape)
        over_time = series_shape(found) if self.layout in ("series", "channels") else None
        return found if over_time is None else (over_time[1], over_time[0], 1)

    def __call__(self, samples: Tensor) -> Tensor:
        """The samples ``(B, C, H, W)`` as the network takes them."""
        samples = samples if self.rule is None else unscaled(samples, self.rule)
        if self.channels not in (None, samples.shape[1]):
            samples = samples.expand(-1, self.channels or 1, -1, -1)
        if self.size not in (None, tuple(samples.shape[2:])):
            samples = F.interpolate(samples, self.size, mode="bilinear", align_corners=False, antialias=True)
        samples = arranged(samples, self.layout or "images")
        if self.mean is None or self.std is None:
            return samples
        sizes = [1] * samples.ndim
        sizes[-1 if self.layout == "series" else 1] = -1
        mean, std = (torch.tensor(each, device=samples.device).view(sizes) for each in (self.mean, self.std))
        return (samples - mean) / std

    def __str__(self) -> str:
        layout = self.layout or "images"
        words = [f"as {layout} {LAYOUTS[layout]}"]
        if self.rule is not None:
            words.append("in the units of the data")
        if self.channels is not None:
            words.append(f"with {self.channels} channels")
        if self.size is not None:
            words.append(f"at {by(self.size)} pixels")
        if self.mean is None or self.std is None:
            return ", ".join([*words, "not normalised"])
        mean, std = (", ".join(f"{value:g}" for value in each) for each in (self.mean, self.std))
        return ", ".join([*words, f"normalised by mean {mean} and deviation {std}"])

    def remark(self, name: str, shape: Shape) -> str:
        """The sentence that a network called ``name`` takes samples of the data so, whose own shape is ``shape``."""
        return f"{name} takes samples of {by(self.unscaled_shape(shape))} {self}"

    def unscaled_shape(self, shape: Shape) -> Shape:
        """The shape of a sample of the data before it was scaled, where that is undone."""
        return (shape[0] // 2, *shape[1:]) if self.rule is not None and self.rule.signed else shape

    def _normalized(self, shape: Shape) -> int:
        """How many means there may be: channels of images and series, numbers of vectors."""
        found = self.seen_shape(shape)
        return math.prod(found) if self.layout == "vectors" else found[0]


def unscaled(samples: Tensor, rule: InputRule) -> Tensor:
    """Prepared samples ``(B, C, H, W)`` in the units of the data.

    Values beyond the range of the rule stay at its ends, and behind the end of a recording is what scales to 0.
    """
    if rule.signed:
        above, below = samples.chunk(2, dim=1)
        samples = above - below
    axis = 3 if rule.view == "image" else 1
    sizes = [-1 if place == axis else 1 for place in range(4)]
    low, gain = (torch.tensor(each, device=samples.device).view(sizes) for each in (rule.low, rule.gain))
    return samples / gain + low


def arranged(samples: Tensor, layout: Layout) -> Tensor:
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
