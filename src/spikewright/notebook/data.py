"""The view of a data set: its parts, how many samples each class has, and a sample of several classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from ..base.shown import VIEWS
from ..data.dataset import Dataset
from ..data.describe import Description, describe
from ..data.split import Split
from ..data.summary import headline, lines
from ..pages.colours import BLUE, FAINT, INK, PALE
from ..pages.data import part_rows
from ..pages.pictures import Picture
from ..pages.plot_style import bare_figure, figure, in_style, plain_axis, svg
from . import html

DRAWN = 10
"""Samples that are drawn, of as many classes where there are classes."""
COLUMNS = 5
WORD = 15
"""Width of the first word in the lines of a description."""
LOOKED_AT = 500
"""Samples of each part from which ranges and rates are taken."""
SAMPLES = (
    "One sample of each of several classes, as the network gets it: events averaged over time, and of two channels "
    "(OFF and ON) the first blue, the second red."
)
CLASSES_NAMED = 20
"""Up to so many classes each has a name below its bar."""


@VIEWS.of(Dataset)
def data_view(data: Dataset) -> str:
    """Parts, class balance, what encodings make of the samples, and a few samples as the network gets them."""
    found = describe(data, samples=LOOKED_AT)
    facts = [f"{line[:WORD].strip()}: {line[WORD:].strip()}" for line in lines(found)[1 + len(found.parts) :]]
    shown = [Picture("Samples", SAMPLES, svg(samples_plot(data)))]
    if data.output.is_classes:
        counts = found.parts["train"].counts
        words = f"Bars of samples by class, {min(counts)} to {max(counts)} of a class in the training part."
        shown.insert(0, Picture("Samples of each class", words, svg(balance_plot(data, found))))
    return html.view(headline(found), html.table(part_rows(found)), html.text(*facts), html.pictures(shown))


@in_style
def balance_plot(data: Dataset, found: Description) -> Figure:
    """Samples of each class, part by part."""
    drawn, axes = figure(2.4)
    names = [data.output.name_of(i) for i in range(data.classes)]
    floor = np.zeros(data.classes)
    style = {"train": (BLUE, ""), "validation": (PALE, "///"), "test": ("white", "")}
    for name, part in found.parts.items():
        fill, hatch = style[name]
        axes.bar(
            range(data.classes), part.counts, bottom=floor, color=fill, hatch=hatch, edgecolor=FAINT, linewidth=0.5,
            label=name,
        )  # fmt: skip
        floor += part.counts
    if data.classes <= CLASSES_NAMED:
        slanted = max(map(len, names)) > 3
        axes.set_xticks(range(data.classes), names, rotation=45 if slanted else 0, ha="right" if slanted else "center")
    plain_axis(axes)
    axes.tick_params(axis="y", labelsize=9)
    axes.set_xlabel("class")
    drawn.legend(loc="outside lower left", ncols=3, frameon=False, fontsize=9, labelcolor=INK)
    return drawn


@in_style
def samples_plot(data: Dataset) -> Figure:
    """A sample of each of several classes, or the first samples where labels are values."""
    part = data.train
    chosen = _chosen(part, data.output.is_classes)
    rows = -(-len(chosen) // COLUMNS)
    drawn = bare_figure(0.2 + 1.2 * rows)
    for place, row in enumerate(chosen):
        axes = drawn.add_subplot(rows, COLUMNS, place + 1)
        image, options = picture_of(np.asarray(part.samples[np.array([row])])[0])
        axes.imshow(image, interpolation="nearest", aspect="equal" if _is_square(image) else "auto", **options)
        label: Any = part.labels[row]
        named = data.output.name_of(int(label)) if data.output.is_classes else ", ".join(f"{v:.3g}" for v in label)
        axes.set_title(named, fontsize=9, color=INK)
        axes.set_axis_off()
    return drawn


def _chosen(part: Split, is_classes: bool) -> Sequence[int]:
    if not is_classes:
        return range(min(DRAWN, len(part)))
    return [int(np.argmax(part.labels == label)) for label in np.unique(part.labels)[:DRAWN]]


def _is_square(image: npt.NDArray[Any]) -> bool:
    height, width = image.shape[:2]
    return max(height, width) <= 3 * min(height, width)


def picture_of(sample: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], dict[str, Any]]:
    """A sample as an image, and how matplotlib is to colour it.

    Args:
        sample: ``(channels, height, width)``, or frames ``(T, channels, height, width)``: those of single pixels become
            an image of channels over time, others are averaged over time. Of two channels the first is blue, the second
            red; three are colours; of single columns the channels are rows and steps run to the right.
    """
    grey = {"cmap": "gray_r", "vmin": 0, "vmax": 1}
    if sample.ndim == 4:
        if sample.shape[2:] == (1, 1):
            return sample[:, :, 0, 0].T, grey
        sample = sample.mean(0)
        grey = {"cmap": "gray_r", "vmin": 0, "vmax": max(float(sample.max()), 1e-9)}
    channels, height, width = sample.shape
    if channels == 3 and min(height, width) > 1:
        return np.clip(sample.transpose(1, 2, 0), 0, 1), {}
    if channels == 2 and min(height, width) > 1:
        most = max(float(np.abs(sample).max()), 1e-9)
        return sample[0] - sample[1], {"cmap": "RdBu", "vmin": -most, "vmax": most}
    if (height, width) == (1, 1):
        return sample.reshape(1, channels), grey
    return sample.reshape((channels, height) if width == 1 else (channels * height, width)), grey
