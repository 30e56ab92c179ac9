"""How samples of one's own data become the input of a network: scaling, signs, windows, level crossings, and a shape.

A rule is fitted on the training part and stored with the student, its graph and its chip network; whoever runs one of
these on data applies it again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from math import prod
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ..base.errors import refuse
from ..base.types import FloatArray
from ..sources.found import LAYOUTS, VIEWS, Layout, View
from ..sources.rows import Array
from .output_rule import rule_of
from .steps import crossings, joined, means

Scaling = Literal["none", "minmax", "standard", "robust"]
AXES: dict[str, int] = {"vectors": 1, "images": 3, "series": 2, "events": 4}
"""By layout of raw samples, the number of axes of one."""
SCALINGS: dict[str, str] = {
    "none": "values are intensities from 0 to 1, or from -1 to 1, already",
    "minmax": "each channel from its smallest to its largest training value to 0..1",
    "standard": "mean 0 and standard deviation 1 of each channel, then divided by the reach",
    "robust": "median 0 and interquartile range 1 of each channel, then divided by the reach",
}
"""By scaling rule, what it does."""


@dataclass(frozen=True)
class InputRule:
    """How raw samples become the input of a network.

    Attributes:
        layout: of the raw samples.
        shape: of one raw sample; of series and events with the steps of the longest recording or of a window.
        scaling: name of the scaling rule.
        low: of each feature or channel, the value that becomes 0; of images one for all.
        gain: likewise, what the difference from ``low`` is multiplied by, so that it lies in 0..1 or -1..1.
        signed: whether scaled values have both signs; positive and negative parts then are channels of their own.
        view: of series, how the network takes a recording; None for other layouts.
        delta: of series that are encoded by level crossings, the level of each channel in scaled units; empty else.
        timesteps: of series taken step by step and of events, the steps that the network gets.
        window, hop: steps of a window and between windows; None: each recording is one sample.
        reading: how files were read; see :class:`~spikewright.data.raw.RawData`.

    Raises:
        InputError: fields that contradict each other, all of them at once.
    """

    layout: Layout
    shape: tuple[int, ...]
    scaling: Scaling = "none"
    low: tuple[float, ...] = (0.0,)
    gain: tuple[float, ...] = (1.0,)
    signed: bool = False
    view: View | None = None
    delta: tuple[float, ...] = ()
    timesteps: int | None = None
    window: int | None = None
    hop: int | None = None
    reading: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        refuse("input rule", list(self._faults()))

    def _faults(self) -> Iterator[str]:
        for name, value, known in (("layout", self.layout, LAYOUTS), ("scaling", self.scaling, SCALINGS)):
            if value not in known:
                yield f"{name} is {value!r}; may be {', '.join(known)}"
        if (self.layout == "series") != (self.view in VIEWS):
            yield f"view is {self.view!r} for {self.layout}; series have one of {', '.join(VIEWS)}, others none"
        if self.delta and self.view != "steps":
            yield f"delta encodes step by step, and the view is {self.view!r}"
        axes = AXES.get(self.layout, len(self.shape))
        if len(self.shape) != axes or min(self.shape, default=0) < 1:
            yield f"shape is {self.shape}; {self.layout} have {axes} sizes, each at least 1"
            return
        yield from self._number_faults()
        if (self.view == "steps" or self.layout == "events") != (self.timesteps is not None):
            yield f"timesteps is {self.timesteps}; samples that change from step to step have some, others none"
        for name, count in (("timesteps", self.timesteps), ("window", self.window), ("hop", self.hop)):
            if count is not None and count < 1:
                yield f"{name} is {count}; must be at least 1"

    def _number_faults(self) -> Iterator[str]:
        """Faults of the numbers of each channel."""
        channels = self.shape[0] if self.layout == "vectors" else self.shape[-1]
        for name, numbers in (("low", self.low), ("gain", self.gain), ("delta", self.delta)):
            if len(numbers) not in ((0, channels) if name == "delta" else (1, channels)):
                yield f"{name} has {len(numbers)} numbers for {channels} channels"
            if not np.isfinite(numbers).all():
                yield f"{name} holds NaN or infinity; must be finite"
        if min(self.delta, default=1) <= 0:
            yield f"delta holds {min(self.delta):g}; levels must be above 0"

    @classmethod
    def from_json(cls, facts: object) -> InputRule:
        """The rule that :meth:`as_json` wrote.

        Raises:
            InputError: ``facts`` is no such rule.
        """
        return rule_of(cls, facts)

    def as_json(self) -> dict[str, Any]:
        """The rule as a JSON-able dictionary."""
        return {**asdict(self), "reading": dict(self.reading)}

    @property
    def frames(self) -> int | None:
        """Timesteps of a sample that differs from step to step; None for one that is the same at each."""
        return self.timesteps if self.view == "steps" or self.layout == "events" else None

    @property
    def is_events(self) -> bool:
        """Whether samples become frames of events, 0 and 1."""
        return self.layout == "events" or bool(self.delta)

    @property
    def changes_each_step(self) -> bool:
        """Whether samples become frames of intensities, one for each timestep."""
        return self.frames is not None and not self.is_events

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """``(channels, height, width)`` of the network's input, at each step."""
        parts = 2 if self.signed or self.delta else 1
        if self.layout == "events":
            return self.shape[1], self.shape[2], self.shape[3]
        if self.layout == "images":
            return parts * self.shape[0], self.shape[1], self.shape[2]
        if self.layout == "vectors":
            return parts * self.shape[0], 1, 1
        steps, channels = self.shape
        by_view = {"steps": (parts * channels, 1, 1), "image": (parts, steps, channels)}
        return by_view.get(str(self.view), (parts * channels, steps, 1))

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """The shape of one prepared sample, with its timesteps where it has them."""
        return self.input_shape if self.frames is None else (self.frames, *self.input_shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of prepared samples."""
        return np.dtype(np.uint8 if self.is_events else np.float32)

    def scaled(self, raw: Array) -> npt.NDArray[np.float32]:
        """Raw values in 0..1, or -1..1 where signed; beyond it they are held at the ends, behind the end of a
        recording they are 0."""
        values = self.unbounded(raw)
        np.clip(values, -1.0 if self.signed else 0.0, 1.0, out=values)
        if self.layout == "series":
            np.nan_to_num(values, copy=False)
        return values.astype(np.float32)

    def unbounded(self, raw: Array) -> FloatArray:
        """Scaled values that may lie beyond the ends of the range; NaN behind the end of a recording."""
        low, gain = np.asarray(self.low), np.asarray(self.gain)
        if self.layout == "images":
            low, gain = low[:, None, None], gain[:, None, None]
        values = np.array(raw, np.float64)
        values -= low
        values *= gain
        return values

    def __call__(self, raw: Array) -> Array:
        """Prepared samples ``(n, *sample_shape)`` of raw ones ``(n, *shape)``."""
        if self.layout == "events":
            return joined(raw > 0, self._steps, np.logical_or).astype(np.uint8)
        values = self.scaled(raw)
        if self.layout == "series":
            return self._of_series(values, raw)
        if self.layout == "vectors":
            values = values[:, :, None, None]
        return _split_signs(values, 1) if self.signed else values

    def from_channels(self, samples: Array) -> Array:
        """Prepared samples of series of which the same rule with the view ``channels`` made others.

        Where all channels are 0 up to the end, a recording is taken to have ended.

        Args:
            samples: ``(n, channels, steps, 1)``, with their parts of both signs.
        """
        values = samples[..., 0].transpose(0, 2, 1)
        if self.signed:
            half = values.shape[2] // 2
            values = values[..., :half] - values[..., half:]
        there = (values != 0).any(2)
        ended = ~np.maximum.accumulate(there[:, ::-1], 1)[:, ::-1]
        return self._of_series(values, np.where(ended[..., None], np.nan, values))

    @property
    def _steps(self) -> int:
        assert self.timesteps is not None
        return self.timesteps

    def _of_series(self, values: npt.NDArray[np.float32], raw: Array) -> Array:
        """Prepared samples of scaled series ``(n, steps, channels)``."""
        if self.view == "image":
            parts = _split_signs(values[:, None], 1) if self.signed else values[:, None]
            return np.ascontiguousarray(parts)
        there = ~np.isnan(raw).all(2)
        if self.delta:
            values, there = means(values, there, self._steps)
            return crossings(values, np.asarray(self.delta), there).astype(np.uint8)[..., None, None]
        if self.signed:
            values = _split_signs(values, 2)
        if self.view == "channels":
            return np.ascontiguousarray(values.transpose(0, 2, 1)[..., None])
        return means(values, there, self._steps)[0][..., None, None]


def _split_signs(values: npt.NDArray[np.float32], axis: int) -> npt.NDArray[np.float32]:
    """Positive parts, then negative parts, side by side along an axis."""
    return np.concatenate([np.maximum(values, 0), np.maximum(-values, 0)], axis)


def bytes_of(rule: InputRule, samples: int) -> int:
    """The memory that prepared samples take."""
    return samples * prod(rule.sample_shape) * rule.dtype.itemsize
