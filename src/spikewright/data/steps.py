"""Recordings step by step: fewer steps, and level crossings as events."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..sources.rows import Array

Values = npt.NDArray[np.float32]
Flags = npt.NDArray[np.bool_]


def crossings(values: Values, levels: npt.NDArray[np.floating[Any]], there: Flags) -> Flags:
    """Level crossings up and down: delta modulation, step by step.

    A channel remembers a value ``r``, at first 0. With ``d = (x_t - r) / level`` an event goes up where ``d >= 1`` and
    down where ``d <= -1``, at most one a step; ``r`` then moves by one level in its direction. So ``r`` is ``level x
    (events up - events down)``: what a receiver knows of the value follows it by at most one level a step.

    Args:
        values: ``(n, steps, channels)``.
        levels: of each channel, above 0.
        there: which steps lie before the end of a recording, ``(n, steps)``; no events behind it.

    Returns:
        ``(n, steps, 2 x channels)``: up, then down.

    Source: the step-forward code of B. Petro, N. Kasabov, R. M. Kiss 2020, IEEE Trans. Neural Networks and Learning
    Systems 31(2), whose remembered value starts with the first sample, however.
    """
    count, steps, channels = values.shape
    events = np.zeros((count, steps, 2 * channels), bool)
    levels_away = np.zeros((count, channels))
    for step in range(steps):
        difference = values[:, step] / levels - levels_away
        up, down = difference >= 1, difference <= -1
        for ends, way in ((up, 1), (down, -1)):
            ends &= there[:, step, None]
            levels_away += way * ends
        events[:, step, :channels], events[:, step, channels:] = up, down
    return events


def joined(frames: Array, steps: int, how: np.ufunc) -> Array:
    """Frames ``(n, steps before, ...)`` joined into ``steps`` frames by a function such as ``np.logical_or``."""
    if frames.shape[1] == steps:
        return frames
    return np.asarray(how.reduceat(frames, _starts(frames.shape[1], steps), axis=1))


def means(values: Values, there: Flags, steps: int) -> tuple[Values, Flags]:
    """Means of consecutive steps, so that ``steps`` are left; what lies behind the end of a recording does not count.

    Args:
        values: ``(n, steps before, channels)``, 0 behind the end.
        there: which steps lie before the end of a recording, ``(n, steps before)``.

    Returns:
        ``(n, steps, channels)``, and which of these steps hold something, ``(n, steps)``.
    """
    if values.shape[1] == steps:
        return values, there
    counts = joined(there.astype(np.float32), steps, np.add)
    made = joined(values, steps, np.add) / np.maximum(counts, 1)[..., None]
    return made.astype(np.float32), counts > 0


def _starts(steps: int, fewer: int) -> npt.NDArray[np.int64]:
    """The first of ``steps`` steps that falls into each of ``fewer``: step ``k`` falls into ``k * fewer // steps``."""
    return np.searchsorted(np.arange(steps) * fewer // steps, np.arange(fewer)).astype(np.int64)
