"""How plots are drawn: every mark told by a hatch and a label as well as by its colour."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from io import BytesIO, StringIO
from typing import Any, ParamSpec

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from ..energy.report import EnergyReport, Part
from .colours import BLUE, FAINT, INK, PALE, RULE, SAND

P = ParamSpec("P")
PART_STYLE: dict[Part, tuple[str, str]] = {"input": (SAND, "\\\\\\"), "hidden": (BLUE, ""), "readout": (PALE, "///")}
WIDTH_IN = 5.4
LABEL_GAP = 12
"""Before and behind the label of a bar, together, in pixels."""
STYLE: dict[str, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 10.5,
    "svg.fonttype": "path",
    "text.parse_math": False,  # a name may hold dollars, and is no formula
    "svg.hashsalt": "spikewright",
    "hatch.linewidth": 0.7,
    "axes.edgecolor": RULE,
    "axes.labelcolor": FAINT,
    "text.color": INK,
    "xtick.color": FAINT,
    "ytick.color": INK,
}


WITHOUT_TIME: dict[str, dict[str, Any]] = {
    "svg": {"Date": None},
    "pdf": {"CreationDate": None},
    "png": {"Software": None},
}
"""By format, what keeps a picture's file free of the time of its making."""


@contextmanager
def style() -> Iterator[None]:
    """Draw in our style in place of matplotlib's own; letters that its font lacks are boxes, without a word of it."""
    with mpl.rc_context(STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"(?s)Glyph \d+ \(.*\) missing from", UserWarning)
        yield


class Plot(Figure):
    """A figure that a notebook shows, whether or not pyplot was ever imported."""

    def _repr_png_(self) -> bytes:
        """The figure on white, at twice the resolution of a usual screen."""
        with style():
            data = BytesIO()
            self.savefig(data, format="png", dpi=144)
        return data.getvalue()


def in_style(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """``draw`` with our style in place of matplotlib's own."""

    @wraps(draw)
    def drawing(*args: P.args, **kwargs: P.kwargs) -> Figure:
        with style():
            return draw(*args, **kwargs)

    return drawing


def figure(height_in: float) -> tuple[Figure, Any]:
    """A figure as wide as half a page, with one pair of axes."""
    drawn = bare_figure(height_in)
    return drawn, drawn.add_subplot()


def panels(heights_in: Sequence[float]) -> tuple[Figure, list[Any]]:
    """A figure with axes below each other that share the horizontal one."""
    drawn = bare_figure(sum(heights_in) + 0.6)
    grid = drawn.subplots(len(heights_in), 1, sharex=True, squeeze=False, gridspec_kw={"height_ratios": heights_in})
    return drawn, list(grid[:, 0])


def bare_figure(height_in: float) -> Figure:
    """A figure as wide as half a page."""
    drawn = Plot(figsize=(WIDTH_IN, height_in), layout="constrained")
    FigureCanvasSVG(drawn)
    return drawn


def svg(drawn: Figure) -> str:
    """The figure as the text of an SVG file, the same for the same figure."""
    text = StringIO()
    with style():
        drawn.savefig(text, format="svg", transparent=True, metadata={"Date": None})
    return text.getvalue()


def quantity_axis(axes: Any, report: EnergyReport) -> None:
    """Energies along the horizontal axis, in the report's unit."""
    axes.xaxis.set_major_formatter(lambda value, _: report.say(value) if value else "0")
    axes.locator_params(axis="x", nbins=4)
    axes.set_xlabel("energy per inference" if report.unit == "J" else "relative cost per inference")
    plain_axis(axes)


def plain_axis(axes: Any) -> None:
    """Remove the frame except for the horizontal axis."""
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", labelsize=9, length=3)
    axes.xaxis.label.set_size(9.5)


def end_labels(axes: Any, values: npt.NDArray[np.float64], labels: Sequence[str]) -> None:
    """A label behind the end of each bar, and room for it; the names on the other axis must be there."""
    texts = [
        axes.annotate(
            label, (value, position), xytext=(4, 0), textcoords="offset points", va="center", fontsize=9, color=INK,
            in_layout=False,
        )
        for position, (value, label) in enumerate(zip(values, labels, strict=True))
    ]  # fmt: skip
    axes.set_xlim(0, float(values.max()) if values.size and values.max() > 0 else 1.0)
    axes.figure.draw_without_rendering()  # only now is it known how wide the axes and the texts are
    width = axes.bbox.width
    shares = [1 - (text.get_window_extent().width + LABEL_GAP) / width for text in texts]
    reach = max((value / share for value, share in zip(values, shares, strict=True)), default=0.0)
    axes.set_xlim(0, reach or 1.0)
