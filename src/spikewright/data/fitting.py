"""Fitting an input rule on the training part: scaling, signs, the length of a sample, and levels of the delta code."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..base.errors import InputError, arg, refuse
from ..base.types import FloatArray
from ..sources.found import View
from ..sources.recordings import FINEST_US, OPTIONS, recorded
from ..sources.rows import Array, Rows, bounds, chunks
from .input_rule import InputRule, Scaling
from .options import DataOptions
from .raw import RawData, RawPart
from .steps import means

REACH_QUANTILE = {"standard": 0.97, "robust": 0.95}
"""By scaling rule, the share of training values whose size after scaling is at most 1; larger ones are held at 1.

Spikes tell small values apart only where the largest ones do not take up the range (`docs/series.md`)."""
VALUES_FOR_QUANTILES = 2_000_000
"""Training values, evenly spaced, from which quantiles are taken."""
DELTA_QUANTILE = 0.7
"""The level of the delta code is this quantile of the changes from step to step in the training part: finer levels
send more events at the same accuracy, coarser ones cost accuracy (`docs/series.md`)."""
SMALLEST_LEVEL = 1 / 64
DELTA = "delta"


def fitted(
    raw: RawData,
    options: DataOptions,
    *,
    encoding: str | None = None,
    view: View | None = None,
    timesteps: int | None = None,
) -> InputRule:
    """The input rule that the training part of ``raw`` gives.

    Args:
        options: what was asked for.
        encoding: of the student's input; ``delta`` makes events of series.
        view: how the network takes a series, where the options leave it open.
        timesteps: that the network gets of series taken step by step, and of events; None for as many as there are.

    Raises:
        InputError: options that do not suit the data, or values that cannot be scaled; all faults at once.
    """
    refuse(f"data {raw.name}", list(_misfits(raw, options, encoding)))
    is_series = raw.layout == "series"
    shape = tuple(raw.train.samples.shape[1:])
    if is_series and options.window is not None:
        shape = (min(options.window, shape[0]), *shape[1:])
    chosen: View | None = (options.view or ("steps" if encoding == DELTA else view)) if is_series else None
    scaling, low, gain = _scaling(raw, options)
    is_still = chosen != "steps" and raw.layout != "events"
    rule = InputRule(
        layout=raw.layout,
        shape=shape,
        scaling=scaling,
        low=low,
        gain=gain,
        signed=_is_signed(raw, scaling),
        view=chosen,
        window=options.window,
        hop=options.hop or options.window,
        reading=dict(raw.reading),
        timesteps=None if is_still else _timesteps(raw, shape[0], timesteps, options.window),
    )
    if encoding == DELTA:
        rule = replace(rule, delta=delta_levels(rule, raw.train, options.delta_level))
    return rule


def _misfits(raw: RawData, options: DataOptions, encoding: str | None) -> Iterator[str]:
    """Options that have no effect on data of this layout."""
    is_recorded = recorded(raw.train.samples) is not None
    yield from _misfits_of_recordings(raw, options, is_recorded)
    if raw.layout != "series":
        for name in ("view", "delta_level") if is_recorded else ("view", "window", "hop", "delta_level"):
            if getattr(options, name) is not None:
                yield f"{arg(name, getattr(options, name))} is for series, and the samples are {raw.layout}"
        if encoding == DELTA:
            yield f"{arg('encoding', DELTA)} is for series, and the samples are {raw.layout}"
    if options.intensities is not None and raw.layout != "images":
        yield f"{arg('intensities')} is for images, and the samples are {raw.layout}"
    if options.scaling is not None and raw.layout in ("images", "events"):
        yield f"{arg('scaling', options.scaling)} is for vectors and series, and the samples are {raw.layout}"
    if options.hop is not None and options.window is None:
        yield f"{arg('hop', options.hop)} is the distance of windows; give {arg('window')} too"
    if encoding == DELTA and options.view not in (None, "steps"):
        yield f"{arg('encoding', DELTA)} goes step by step, and {arg('view', options.view)} does not; leave one out"
    if options.delta_level is not None and encoding != DELTA:
        yield f"{arg('delta_level', f'{options.delta_level:g}')} is for {arg('encoding', DELTA)}"


def _misfits_of_recordings(raw: RawData, options: DataOptions, is_recorded: bool) -> Iterator[str]:
    if not is_recorded:
        for name in OPTIONS:
            if getattr(options, name) is not None:
                yield f"{arg(name)} is for recordings of events, and the samples are {raw.layout} in an array"
    elif options.window is not None and options.duration is not None:
        window, duration = arg("window", options.window), arg("duration", f"{options.duration:g}")
        yield f"{window} and {duration} both say how long a sample is; leave one out"


def _timesteps(raw: RawData, steps: int, asked: int | None, window: int | None) -> int:
    most, what = steps, "the steps of a sample"
    if (found := recorded(raw.train.samples)) is not None:
        duration_us = found[0].framing.duration_us if window is None else 1000 * window
        most = max(1, duration_us // FINEST_US)
        what = f"a frame for each {FINEST_US / 1000:g} ms of a sample of {duration_us / 1000:g} ms"
    if asked is not None and not 1 <= asked <= most:
        raise InputError(f"data {raw.name}: {arg('timesteps', asked)}: may be 1 to {most}, {what}")
    return asked or min(steps, most)


def _scaling(raw: RawData, options: DataOptions) -> tuple[Scaling, tuple[float, ...], tuple[float, ...]]:
    """The scaling rule and its numbers: what becomes 0, and what the difference from it is multiplied by."""
    if raw.layout == "events":
        return "none", (0.0,), (1.0,)
    if raw.layout == "images":
        return "none", *_intensities(raw, options.intensities)
    scaling: Scaling = options.scaling or "standard"
    if scaling == "none":
        _refuse_outside(raw, -1.0, 1.0, f"choose another {arg('scaling')}, such as standard")
        return scaling, (0.0,), (1.0,)
    moments = _moments(raw.train.samples)
    if scaling == "minmax":
        low, spread = moments.least, moments.most - moments.least
        return scaling, tuple(low.tolist()), tuple(_inverse(spread).tolist())
    if scaling == "standard":
        low, spread = moments.mean, moments.deviation
    else:
        some = _some_values(raw.train.samples)
        quarters = np.nanquantile(some, (0.25, 0.5, 0.75), axis=0)
        low, spread = quarters[1], quarters[2] - quarters[0]
        spread = np.where(spread > 0, spread, moments.deviation)  # half of the values are equal, and not all of them
    gain = _inverse(spread)
    sizes = np.abs((_some_values(raw.train.samples) - low) * gain)
    reach = float(np.nanquantile(sizes, REACH_QUANTILE[scaling])) or 1.0
    return scaling, tuple(low.tolist()), tuple((gain / reach).tolist())


def _inverse(spread: FloatArray) -> FloatArray:
    """``1 / spread``, and 0 for a channel that never changes, which then carries nothing."""
    return np.divide(1.0, spread, out=np.zeros_like(spread), where=spread > 0)


def _is_signed(raw: RawData, scaling: Scaling) -> bool:
    if scaling == "none" and raw.layout in ("vectors", "series"):
        return bool(_moments(raw.train.samples).least.min() < 0)
    return scaling in ("standard", "robust")


def _intensities(raw: RawData, asked: tuple[float, float] | None) -> tuple[tuple[float], tuple[float]]:
    """The range of images; intensities outside of it are refused in every part.

    Raises:
        InputError: intensities outside the range, or an empty range.
    """
    dtype = raw.train.samples.dtype
    natural = 255.0 if dtype == np.uint8 else 1.0  # what wider integers reach, such as 12 bits of 16, they do not tell
    low, high = asked or (0.0, natural)
    if not low < high:
        raise InputError(f"data {raw.name}: {arg('intensities', f'{low:g},{high:g}')}: is no range; give LOW,HIGH")
    _refuse_outside(raw, low, high, f"declare their range with {arg('intensities', 'LOW,HIGH')}")
    return (low,), (1.0 / (high - low),)


def _refuse_outside(raw: RawData, low: float, high: float, advice: str) -> None:
    dtype = raw.train.samples.dtype
    if dtype.kind == "u" and low <= 0 and np.iinfo(dtype).max <= high:
        return  # the type holds nothing else
    faults = []
    for name, part in raw.parts.items():
        least, most = bounds_of(part)
        if least < low or most > high:
            faults.append(f"{name} reaches {least:g}..{most:g}, outside {low:g}..{high:g}; {advice}")
    refuse(f"data {raw.name}", faults)


def bounds_of(part: RawPart) -> tuple[float, float]:
    """The smallest and the largest number of a part, what pads recordings left out."""
    if part.lengths is None:
        return bounds(part.samples)
    found = [(np.nanmin(chunk), np.nanmax(chunk)) for chunk in chunks(part.samples)]
    return float(min(least for least, _ in found)), float(max(most for _, most in found))


@dataclass(frozen=True)
class _Moments:
    """Of each feature or channel over all samples and steps, NaN left out."""

    mean: FloatArray
    deviation: FloatArray
    least: FloatArray
    most: FloatArray


def _moments(samples: Rows) -> _Moments:
    axis_of_channels = 1 if samples.ndim == 4 else -1
    count: Any = 0
    mean: Any = 0.0
    squares: Any = 0.0
    least: Any = np.inf
    most: Any = -np.inf
    for chunk in chunks(samples):
        flat = np.moveaxis(chunk, axis_of_channels, -1).reshape(-1, chunk.shape[axis_of_channels])
        values = flat.astype(np.float64)
        there = (~np.isnan(values)).sum(0)
        sums = np.nansum(values, 0)
        of_chunk = sums / np.maximum(there, 1)
        deviations = np.nansum(np.square(values - of_chunk), 0)
        together = np.maximum(count + there, 1)
        squares = squares + deviations + np.square(of_chunk - mean) * count * there / together  # Chan's update
        mean = mean + (of_chunk - mean) * there / together
        count = count + there
        least, most = np.fmin(least, np.nanmin(values, 0)), np.fmax(most, np.nanmax(values, 0))
    return _Moments(mean, np.sqrt(squares / np.maximum(count, 1)), least, most)


def _some_values(samples: Rows) -> FloatArray:
    """Values of evenly spaced samples, ``(values, channels)``."""
    each = max(1, int(np.prod(samples.shape[1:])))
    step = max(1, -(-len(samples) * each // VALUES_FOR_QUANTILES))
    chosen = np.asarray(samples[np.arange(0, len(samples), step)], np.float64)
    return chosen.reshape(-1, chosen.shape[-1])


def delta_levels(rule: InputRule, train: RawPart, asked: float | None) -> tuple[float, ...]:
    """The level of each channel of a series that is taken step by step, in scaled units."""
    steps, channels = rule.shape
    if asked is not None:
        return (asked,) * channels
    every = max(1, -(-len(train) * int(np.prod(train.samples.shape[1:])) // VALUES_FOR_QUANTILES))
    raw: Array = np.asarray(train.samples[np.arange(0, len(train), every)])
    windows = raw[:, : raw.shape[1] // steps * steps].reshape(-1, steps, channels)
    values, there = means(rule.scaled(windows), ~np.isnan(windows).all(2), rule.timesteps or steps)
    both = there[:, 1:] & there[:, :-1]
    changes = np.abs(np.diff(values, axis=1))[both]
    if not len(changes):
        return (SMALLEST_LEVEL,) * channels
    return tuple(np.maximum(np.quantile(changes, DELTA_QUANTILE, axis=0), SMALLEST_LEVEL).tolist())
