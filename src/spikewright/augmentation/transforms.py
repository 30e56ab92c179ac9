"""Transforms of training samples that leave their class as it is: names, amounts, and which samples each is for.

What they do to a batch is in :mod:`spikewright.augmentation.augment`; nothing here needs torch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import ClassVar, Literal

from ..data.dataset import Dataset
from ..sources.found import View

Kind = Literal["images", "vectors", "series", "events"]


@dataclass(frozen=True)
class Form:
    """What the axes of prepared samples mean.

    Attributes:
        kind: of the samples.
        shape: ``(channels, height, width)`` of one image or frame.
        steps: frames of a sample of events, or steps of a series; None for images and vectors.
        channels: of a series, those of the recording; else the first of ``shape``.
        view: of a series, how it is taken.
        signed: of vectors and series, whether positive and negative parts are channels of their own.
    """

    kind: Kind
    shape: tuple[int, int, int]
    steps: int | None = None
    channels: int = 1
    view: View | None = None
    signed: bool = False

    @staticmethod
    def of(dataset: Dataset) -> Form:
        """The form of a data set's samples."""
        rule, shape = dataset.input_rule, dataset.shape
        if rule is None:
            kind: Kind = "images" if dataset.timesteps is None else "events"
            return Form(kind, shape, dataset.timesteps, shape[0])
        if rule.layout == "series":
            return Form("series", shape, rule.shape[0], rule.shape[1], rule.view, rule.signed)
        if rule.layout == "vectors":
            return Form("vectors", shape, None, rule.shape[0], signed=rule.signed)
        return Form("events" if rule.layout == "events" else "images", shape, rule.frames, shape[0])


@dataclass(frozen=True)
class Transform:
    """A random change of each sample of a batch.

    Attributes:
        name: in text.
        words: what it does.
        suits: the kinds of samples that it is for.
        least, most: of its amount; a least of 0 is not reached.
    """

    name: ClassVar[str]
    words: ClassVar[str]
    suits: ClassVar[frozenset[Kind]]
    least: ClassVar[float] = 0.0
    most: ClassVar[float] = float("inf")

    def __post_init__(self) -> None:
        if problem := self.problem(self.amount):
            raise ValueError(f"{self.name}: {problem}")

    @property
    def amount(self) -> float | None:
        """How much; None for a transform without an amount."""
        own = fields(self)
        return getattr(self, own[0].name) if own else None

    @classmethod
    def problem(cls, amount: float | None) -> str:
        """What is wrong with an amount; empty if nothing is."""
        if amount is None:
            return ""
        whole = fields(cls)[0].type == "int"
        fits = math.isfinite(amount) and (cls.least < amount <= cls.most or cls.least == amount >= 1)
        if fits and (not whole or amount == int(amount)):
            return ""
        number = "whole number" if whole else "number"
        upper = "" if cls.most == float("inf") else f", at most {cls.most:g}"
        lower = f"of {cls.least:g} or more" if cls.least >= 1 else f"above {cls.least:g}"
        return f"{fields(cls)[0].name} is {amount:g}; must be a {number} {lower}{upper}"

    def misfit(self, form: Form) -> str:
        """Why it cannot be applied to samples of this form; empty if it can."""
        if form.kind not in self.suits:
            return f"is for {_listed(sorted(self.suits))}, and the samples are {form.kind}"
        return self.too_large(form)

    def too_large(self, form: Form) -> str:  # noqa: ARG002
        """Why its amount is too large for samples of this form; empty if it is not."""
        return ""

    def __str__(self) -> str:
        return self.name if self.amount is None else f"{self.name}:{self.amount:g}"


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


_PICTURES: frozenset[Kind] = frozenset({"images", "events"})
_OVER_TIME: frozenset[Kind] = frozenset({"series", "events"})


@dataclass(frozen=True)
class Shift(Transform):
    """Moves a sample by up to ``pixels`` down or up and right or left, all places equally likely; zeros enter."""

    name = "shift"
    words = "by up to so many pixels in both directions, zeros enter"
    suits = _PICTURES
    least = 1

    pixels: int

    def too_large(self, form: Form) -> str:
        return _beyond_pixels(self.pixels, form)


@dataclass(frozen=True)
class Flip(Transform):
    """Mirrors half of the samples from left to right."""

    name = "flip"
    words = "half of the samples from left to right"
    suits = _PICTURES


@dataclass(frozen=True)
class CutOut(Transform):
    """Sets a square of ``size`` pixels, whose centre is any pixel, to zero.

    Source: T. DeVries and G. W. Taylor 2017, arXiv 1708.04552.
    """

    name = "cutout"
    words = "a square of so many pixels is set to zero"
    suits = _PICTURES
    least = 1

    size: int

    def too_large(self, form: Form) -> str:
        return _beyond_pixels(self.size, form)


@dataclass(frozen=True)
class MixUp(Transform):
    """Mixes each sample with another of the batch, and their labels alike: ``s x + (1 - s) x'``, ``s ~ Beta(a, a)``.

    The larger part has the share ``s >= 1/2``. The teacher is asked about the mixture.

    Source: H. Zhang et al. 2018, arXiv 1710.09412; with a teacher L. Beyer et al. 2022, arXiv 2106.05237.
    """

    name = "mixup"
    words = "with another sample, labels alike, in shares of Beta(a, a)"
    suits = frozenset({"images", "vectors", "series"})

    alpha: float = 0.2


@dataclass(frozen=True)
class TimeShift(Transform):
    """Moves a recording by up to ``steps`` in time; zeros enter."""

    name = "time-shift"
    words = "by up to so many steps, zeros enter"
    suits = _OVER_TIME
    least = 1

    steps: int

    def too_large(self, form: Form) -> str:
        return _beyond_steps(self.steps, form)


@dataclass(frozen=True)
class TimeMask(Transform):
    """Sets a stretch of 0 to ``steps`` steps to zero.

    Source: D. S. Park et al. 2019 (SpecAugment), arXiv 1904.08779.
    """

    name = "time-mask"
    words = "a stretch of up to so many steps is set to zero"
    suits = frozenset({"series"})
    least = 1

    steps: int

    def too_large(self, form: Form) -> str:
        return _beyond_steps(self.steps, form)


@dataclass(frozen=True)
class FrequencyMask(Transform):
    """Sets 0 to ``bands`` neighbouring channels to zero.

    Source: D. S. Park et al. 2019 (SpecAugment), arXiv 1904.08779.
    """

    name = "frequency-mask"
    words = "up to so many neighbouring channels are set to zero"
    suits = frozenset({"series"})
    least = 1

    bands: int

    def too_large(self, form: Form) -> str:
        if self.bands < form.channels:
            return ""
        return f"takes up to {self.bands} channels of {form.channels}; ask for fewer"


@dataclass(frozen=True)
class Jitter(Transform):
    """Adds normal noise of this standard deviation, in scaled units, to each value.

    Source: T. T. Um et al. 2017, arXiv 1706.00527.
    """

    name = "jitter"
    words = "normal noise of this standard deviation, in scaled units"
    suits = frozenset({"images", "vectors", "series"})

    deviation: float = 0.05


@dataclass(frozen=True)
class Scaling(Transform):
    """Multiplies each channel of a series, or a whole vector, by a normal factor of mean 1 and this deviation.

    Source: T. T. Um et al. 2017, arXiv 1706.00527.
    """

    name = "scale"
    words = "by a factor of mean 1 and this standard deviation"
    suits = frozenset({"vectors", "series"})

    deviation: float = 0.1


@dataclass(frozen=True)
class DropEvents(Transform):
    """Removes each event with this probability.

    Source: F. Gu et al. 2021 (EventDrop, random drop), arXiv 2106.05836.
    """

    name = "drop"
    words = "each event with this probability"
    suits = frozenset({"events"})
    most = 0.99

    share: float


@dataclass(frozen=True)
class TimeJitter(Transform):
    """Moves each event by up to ``steps`` steps in time; those that leave the recording are lost."""

    name = "time-jitter"
    words = "each event by up to so many steps"
    suits = frozenset({"events"})
    least = 1

    steps: int

    def too_large(self, form: Form) -> str:
        return _beyond_steps(self.steps, form)


def _beyond_pixels(pixels: int, form: Form) -> str:
    height, width = form.shape[1:]
    return "" if pixels < min(height, width) else f"is of {pixels} pixels, and the samples have {height} x {width}"


def _beyond_steps(steps: int, form: Form) -> str:
    has = form.steps or 1
    return "" if steps < has else f"is of {steps} steps, and the samples have {has}"


TRANSFORMS: dict[str, type[Transform]] = {
    kind.name: kind
    for kind in (
        *(Shift, Flip, CutOut, MixUp, TimeShift, TimeMask, FrequencyMask, Jitter, Scaling),
        *(DropEvents, TimeJitter),
    )
}
"""By name."""
