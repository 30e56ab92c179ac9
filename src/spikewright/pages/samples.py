"""One sample of data as found, and what each encoding makes of it, drawn below each other."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..base.errors import InputError, arg
from ..base.types import INPUT_BITS, Encoding, FloatArray
from ..chip.encoding import encode, full_scale
from ..chip.law import Law, State
from ..data.dataset import Dataset
from ..data.describe import InputRate, describe, views_of, with_delta
from ..data.fitting import DELTA
from ..data.input_rule import InputRule
from ..data.own import when_asked
from ..data.summary import HOW, rate_words
from .colours import FAINT, INK
from .plot_style import Plot, in_style

WIDTH_IN, PANEL_IN, SIDE_IN = 7.2, 1.25, 1.9
LINES_NAMED = 12
"""Up to so many channels of a recording are drawn as found."""
SEEN = 500
"""Samples from which the average number of events is taken."""
TITLE, TICKS = 8, 7
"""Sizes of letters, in points."""


@dataclass(frozen=True, eq=False)
class Encoded:
    """One sample in one encoding.

    Attributes:
        rate: of the encoding over the training part.
        amounts: of each input line and step of a recording, or each pixel: events or payloads over all T, or for
            ``latency`` the step of the spike (NaN without one); a matrix to be drawn.
        unit: what the amounts are.
    """

    rate: InputRate
    amounts: FloatArray
    unit: str


@in_style
def encodings_figure(
    data: Dataset, sample: int = 0, timesteps: int | None = None, input_bits: int = INPUT_BITS["direct"]
) -> Figure:
    """A sample of the training part as found, and below it what each encoding that suits makes of it.

    Args:
        sample: its number.
        timesteps: T of samples that are the same at every step; None for 4.
        input_bits: width of direct input.

    Raises:
        InputError: there is no such sample.
    """
    count = len(data.train) if data.raw is None else len(data.raw.train)
    if not 0 <= sample < count:
        raise InputError(f"{arg('sample', sample)}: may be 0 to {count - 1}, the samples of the training part")
    found = describe(data, timesteps, input_bits, samples=SEEN)
    panels = [_amounts(rate, _sample(data, sample, rate), input_bits) for rate in found.rates]
    wide = found.layout in ("series", "vectors")
    columns = 1 if wide else 3
    rows = ceil((len(panels) + 1) / columns)
    drawn = Plot(figsize=(WIDTH_IN, rows * (PANEL_IN if wide else SIDE_IN) + 0.4), layout="constrained")
    axes = list(drawn.subplots(rows, columns, squeeze=False).flat)
    _draw_found(axes[0], data, sample, found.layout)
    for place, panel in zip(axes[1:], panels, strict=False):
        _draw(place, panel, wide)
    for unused in axes[len(panels) + 1 :]:
        unused.set_axis_off()
    return drawn


def _sample(data: Dataset, sample: int, rate: InputRate) -> npt.NDArray[Any]:
    """The sample, or its first window, prepared for an encoding, ``(1, *shape)`` or ``(1, T, *shape)``."""
    if data.raw is None or data.input_rule is None or rate.view is None:
        return np.asarray(data.train.samples[sample : sample + 1])
    still, stepped = views_of(data.input_rule, rate.timesteps if rate.view == "steps" else None)
    rule: InputRule = still if rate.view != "steps" else replace(stepped, delta=())
    if rate.encoding == DELTA:
        rule = with_delta(data.raw, stepped, data.options.delta_level if data.options else None)
    part = when_asked(data.raw.train, rule)
    first = sample if part.recordings is None else int(np.searchsorted(part.recordings, sample))
    return np.asarray(part.samples[first : first + 1])


def _amounts(rate: InputRate, prepared: npt.NDArray[Any], input_bits: int) -> Encoded:
    by_step = prepared.ndim == 5 and prepared.dtype != np.uint8
    is_events = prepared.dtype == np.uint8
    encoding = cast(Encoding, "events" if is_events else rate.encoding)
    bits = 8 if encoding == "current" else input_bits
    codes = encode(encoding, prepared, rate.timesteps, bits, by_step=by_step)[:, 0]
    steps = rate.timesteps
    if encoding == "current":
        codes, unit = _spikes_of_currents(codes / full_scale(encoding, bits), steps), "spikes"
    elif encoding == "direct":
        unit = f"payloads of 0 to {full_scale(encoding, bits)}{'' if by_step else ', at each step'}"
    elif encoding == "latency":
        first = np.where(codes.any(0), codes.argmax(0) + 1.0, np.nan)
        return Encoded(rate, _matrix(first, rate.view, np.fmin), "step of the spike")
    else:
        unit = "spikes" if encoding == "rate" else "events"
    if rate.view == "steps":
        return Encoded(rate, codes.reshape(steps, -1).T.astype(np.float64), unit)
    whole = codes[0] if len(codes) == 1 else codes.sum(0)
    return Encoded(
        rate,
        _matrix(whole.astype(np.float64), rate.view, np.add),
        unit if encoding == "direct" else f"{unit} in {steps} steps",
    )


def _spikes_of_currents(currents: FloatArray, timesteps: int) -> npt.NDArray[np.int64]:
    """Spikes of input neurons before training, ``(T, *shape)``, of currents ``(1 or T, *shape)``."""
    given = torch.from_numpy(np.broadcast_to(currents, (timesteps, *currents.shape[1:])).copy())
    law = Law(1.0, threshold=1.0 if timesteps > 1 else 0.5)
    state, spikes = State(torch.zeros_like(given[0]), torch.zeros_like(given[0])), []
    for arriving in given:
        state, _, fired = law.step(state, arriving)
        assert fired is not None
        spikes.append(fired)
    return torch.stack(spikes).to(torch.int64).numpy()


def _matrix(values: FloatArray, view: str | None, together: np.ufunc) -> FloatArray:
    """Values ``(channels, height, width)`` to draw: channels over the steps of a recording, pixels of all channels.

    Args:
        view: how a recording is taken, None of other samples.
        together: what is drawn of the channels of a pixel: their sum, or the smallest that is a number.
    """
    _, height, width = values.shape
    if view == "image":  # (parts, steps, channels)
        return np.asarray(together.reduce(values, 0)).T
    if width == 1:
        return values[:, :, 0] if height > 1 else values[:, 0, 0][None]
    return np.asarray(together.reduce(values, 0))


def _draw_found(axes: Any, data: Dataset, sample: int, layout: str) -> None:
    """The sample as found; of a recording that is cut into windows the first of them."""
    part = data.train if data.raw is None else data.raw.train
    values = np.asarray(part.samples[sample : sample + 1])[0].astype(np.float64)
    label = part.labels[sample]
    named = data.output.name_of(int(label)) if data.output.is_classes else ", ".join(f"{v:.4g}" for v in label)
    axes.set_title(f"sample {sample} as found: {named}", fontsize=TITLE, color=INK, loc="left")
    axes.tick_params(labelsize=TICKS, colors=FAINT)
    if layout == "series":
        steps = len(values) if data.input_rule is None else data.input_rule.shape[0]
        for channel in values[:steps].T[:LINES_NAMED]:
            axes.plot(channel, linewidth=0.9)
        axes.set_xlim(-0.5, steps - 0.5)
    elif layout == "vectors":
        axes.bar(range(len(values)), values, width=0.8)
        axes.set_xlim(-0.5, len(values) - 0.5)
    else:
        frames = values.sum(0) if values.ndim == 4 else values
        axes.imshow(np.moveaxis(_unit(frames), 0, -1) if len(frames) == 3 else frames.sum(0), cmap="Greys")
        axes.set_axis_off()


def _unit(values: FloatArray) -> FloatArray:
    least, most = float(values.min()), float(values.max())
    return (values - least) / ((most - least) or 1.0)


def _draw(axes: Any, panel: Encoded, wide: bool) -> None:
    rate = panel.rate
    head = f"{rate.encoding}{f', {HOW[rate.view]}' if rate.view else ''}: {panel.unit}"
    tail = f"{rate_words(rate)} {'spikes' if rate.encoding == 'current' else 'events'} a sample on average"
    axes.set_title(f"{head}; {tail}" if wide else f"{head}\n{tail}", fontsize=TITLE, color=INK, loc="left")
    late = rate.encoding == "latency"
    shown = axes.imshow(
        panel.amounts,
        aspect="auto" if wide else "equal",
        cmap="Blues_r" if late else "Blues",
        interpolation="nearest",
        vmin=1 if late else 0,
        vmax=rate.timesteps + 1 if late else max(1.0, float(np.nanmax(panel.amounts, initial=1.0))),
    )
    if wide:
        axes.tick_params(labelsize=TICKS, colors=FAINT)
        if len(panel.amounts) == 1:
            axes.set_yticks([])
        else:
            axes.set_ylabel("line", fontsize=TICKS)
    else:
        axes.set_axis_off()
    if late or np.nanmax(panel.amounts, initial=0.0) > 1:
        bar = axes.figure.colorbar(shown, ax=axes, fraction=0.03, pad=0.01)
        bar.ax.tick_params(labelsize=TICKS)
        if late:
            bar.set_ticks(np.unique(np.linspace(1, rate.timesteps, 4).round()).tolist())
        else:
            bar.locator = MaxNLocator(4, integer=True)
            bar.update_ticks()
