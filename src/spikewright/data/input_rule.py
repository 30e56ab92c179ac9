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

Scaling = Literal["none", "minmax", "standard", "robust"]
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
        if (self.layout == "series") != (self.view is not None):
            yield f"view is {self.view!r} for {self.layout}; series have one of {', '.join(VIEWS)}, others none"
        if self.delta and self.view != "steps":
            yield f"delta encodes step by step, and the view is {self.view!r}"
        if not self.shape or min(self.shape) < 1:
            yield f"shape is {self.shape}; sizes must be at least 1"
        if len(self.low) != len(self.gain):
            yield f"low has {len(self.low)} numbers and gain {len(self.gain)}"

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
        return np.nan_to_num(np.clip(values, -1.0 if self.signed else 0.0, 1.0), copy=False).astype(np.float32)

    def unbounded(self, raw: Array) -> FloatArray:
        """Scaled values that may lie beyond the ends of the range; NaN behind the end of a recording."""
        low, gain = np.asarray(self.low), np.asarray(self.gain)
        if self.layout == "images":
            low, gain = low[:, None, None], gain[:, None, None]
        return (np.asarray(raw, np.float64) - low) * gain

    def __call__(self, raw: Array) -> Array:
        """Prepared samples ``(n, *sample_shape)`` of raw ones ``(n, *shape)``."""
        if self.layout == "events":
            return _binned(raw > 0, self._steps, np.logical_or).astype(np.uint8)
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
        if self.delta:
            events = crossings(values, np.asarray(self.delta), np.isnan(raw))
            return _binned(events, self._steps, np.logical_or).astype(np.uint8)[..., None, None]
        if self.view == "image":
            parts = _split_signs(values[:, None], 1) if self.signed else values[:, None]
            return np.ascontiguousarray(parts)
        if self.signed:
            values = _split_signs(values, 2)
        if self.view == "channels":
            return np.ascontiguousarray(values.transpose(0, 2, 1)[..., None])
        return _means(values, self._steps)[..., None, None]


def _split_signs(values: npt.NDArray[np.float32], axis: int) -> npt.NDArray[np.float32]:
    """Positive parts, then negative parts, side by side along an axis."""
    return np.concatenate([np.maximum(values, 0), np.maximum(-values, 0)], axis)


def crossings(
    values: npt.NDArray[np.float32], levels: npt.NDArray[np.floating[Any]], missing: npt.NDArray[np.bool_]
) -> npt.NDArray[np.bool_]:
    """Level crossings up and down: send-on-delta sampling.

    A channel remembers the value of its last event, at first that of step 0. At a step whose value lies more than a
    level above it, an event goes up, more than a level below it, down; the remembered value then moves by whole levels
    towards the value. There is at most one event a step: a jump over several levels is one.

    Args:
        values: ``(n, steps, channels)``.
        levels: of each channel, above 0.
        missing: where a recording has ended, ``(n, steps, channels)``; no events there.

    Returns:
        ``(n, steps, 2 x channels)``: up, then down.

    Source: M. Miskowicz 2006, Sensors 6(1), Send-on-delta concept.
    """
    count, steps, channels = values.shape
    events = np.zeros((count, steps, 2 * channels), bool)
    remembered = values[:, 0].astype(np.float64)
    for step in range(1, steps):
        moved = np.trunc((values[:, step] - remembered) / levels)
        moved[missing[:, step]] = 0
        events[:, step, :channels], events[:, step, channels:] = moved > 0, moved < 0
        remembered += moved * levels
    return events


def _starts(steps: int, fewer: int) -> npt.NDArray[np.int64]:
    """The first of ``steps`` steps that falls into each of ``fewer``: step ``k`` falls into ``k * fewer // steps``."""
    return np.searchsorted(np.arange(steps) * fewer // steps, np.arange(fewer)).astype(np.int64)


def _binned(frames: Array, steps: int, how: np.ufunc) -> Array:
    """Frames ``(n, steps before, ...)`` joined into fewer."""
    if frames.shape[1] == steps:
        return frames
    return np.asarray(how.reduceat(frames, _starts(frames.shape[1], steps), axis=1))


def _means(values: npt.NDArray[np.float32], steps: int) -> npt.NDArray[np.float32]:
    """Means of consecutive steps ``(n, steps before, ...)``, so that fewer are left."""
    before = values.shape[1]
    if before == steps:
        return values
    sums = np.add.reduceat(values, _starts(before, steps), axis=1)
    sizes = np.diff(np.append(_starts(before, steps), before)).astype(np.float32)
    return np.asarray(sums / sizes.reshape(1, -1, *[1] * (values.ndim - 2)), np.float32)


def bytes_of(rule: InputRule, samples: int) -> int:
    """The memory that prepared samples take."""
    return samples * prod(rule.sample_shape) * rule.dtype.itemsize
