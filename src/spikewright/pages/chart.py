"""Charts of accuracy against energy; they are told by shapes and words, not by colour."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from io import BytesIO
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from matplotlib.transforms import Bbox

from ..base.artefacts import write_bytes
from ..profile.profile import HardwareProfile
from .anchors import AnchorTable
from .colours import BLUE, FAINT, INK, RULE, SAND
from .measure import ACCURACY, Measure
from .plot_style import WITHOUT_TIME, Plot, in_style, style
from .runs import RunTable

DPI = 160
FORMATS = ("svg", "png")
SIZE_IN = (7.2, 4.2)
BESIDE = 1.5
"""Room left and right of the outermost mark, as a factor of energy: names stand there."""
RINGS = (9, 16, 24, 34, 45, 58, 72, 88, 106, 126, 148)
"""Distances of a name from its mark that are tried, in points."""
AROUND = (("right", -0.7, 0.7), ("left", 1, 0), ("right", -1, 0), ("left", 0.7, -0.7), ("left", 0.7, 0.7),
          ("center", 0, 1), ("right", -0.7, -0.7), ("center", 0, -1), ("left", 0.92, 0.38), ("left", 0.92, -0.38),
          ("right", -0.92, 0.38), ("right", -0.92, -0.38), ("center", 0.38, 0.92),
          ("center", -0.38, -0.92))  # fmt: skip
"""Alignments and directions that are tried, the best first."""
WIDE = 300.0
"""From this factor between the outermost energies on, only powers of ten are marked."""
Named = tuple[str, float, float]
"""A name, and the energy and accuracy of its mark."""


def write_chart(draw: Callable[[], Figure], stem: Path) -> dict[str, Path]:
    """Draw in our style and write ``stem``.svg and .png; returns paths by format."""
    files = {form: stem.with_name(f"{stem.name}.{form}") for form in FORMATS}
    with style():
        figure = draw()
        for form, path in files.items():
            drawn = BytesIO()
            figure.savefig(drawn, format=form, dpi=DPI, metadata=WITHOUT_TIME[form], facecolor="white")
            write_bytes(path, drawn.getbuffer())
    return files


def energy_figure(size_in: tuple[float, float], title: str, energies: Sequence[float], beside: float) -> Figure:
    """A figure with one pair of axes, its energy logarithmic.

    Args:
        energies: that must be seen.
        beside: room left and right of the outermost of them, as a factor of energy.
    """
    figure = Plot(figsize=size_in, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title, fontsize=10.5, x=0.01, ha="left", color=INK)
    axes = figure.add_subplot()
    axes.set_xscale("log")
    if energies:  # before anything is drawn: around a point alone matplotlib's own bounds would be equal
        axes.set_xlim(min(energies) / beside, max(energies) * beside)
    return figure


def label_axes(axes: Any, profile: HardwareProfile, say: Callable[[float], str], measure: Measure = ACCURACY) -> None:
    """Name both axes and their ticks."""
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.set_xlabel("deployed energy per inference, test" if profile.has_joules else "relative cost, test")
    axes.set_ylabel(f"{measure.name} of the integer network, test")
    digits = ".1%" if measure.in_percent else ".2f"
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:{digits}}"))
    low, high = axes.get_xlim()
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0,) if high > WIDE * low else (1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: say(value)))
    axes.xaxis.set_minor_formatter(NullFormatter())


@in_style
def pareto_plot(table: RunTable, beside: AnchorTable | None = None) -> Figure:
    """Every run with known energy and accuracy, named, and the budget; filled marks and a line tell the front.

    Args:
        table: with at least one such run.
        beside: published points to draw with them.
    """
    energies = [report.total for _, report, _ in table.points]
    budget = table.points[0][1].budget
    published = beside.energies if beside is not None else []
    drawn = energy_figure(SIZE_IN, "", [*energies, *published, *([budget.value] if budget else [])], BESIDE)
    (axes,) = drawn.axes
    if budget is not None:
        axes.axvline(budget.value, color=RULE, linewidth=1, zorder=0)
        axes.annotate(
            f"budget {budget}", (budget.value, 1.0), xycoords=("data", "axes fraction"), xytext=(0, 3),
            textcoords="offset points", ha="center", va="bottom", fontsize=9, color=INK,
        )  # fmt: skip
    _front(axes, table)
    anchors = anchor_marks(axes, beside) if beside is not None else []
    label_axes(axes, table.profile, table.points[0][1].say, table.measure)
    axes.set_xlabel("energy per inference" if table.profile.has_joules else "relative cost per inference")
    axes.set_ylabel(table.measure.name)
    axes.margins(y=0.2)
    drawn.legend(loc="outside lower left", ncols=2, frameon=False, fontsize=9, labelcolor=INK)
    name_marks(drawn, axes, [(row.name, report.total, accuracy) for row, report, accuracy in table.points], anchors)
    return drawn


def _front(axes: Any, table: RunTable) -> None:
    """Marks, and stairs through those that no other run beats."""
    points = [(report.total, accuracy, bool(row.pareto)) for row, report, accuracy in table.points]
    best = sorted((energy, accuracy) for energy, accuracy, front in points if front)
    axes.step(*zip(*best, strict=True), where="post", color=FAINT, linewidth=1.1, zorder=1)
    alone = len(table.rows) == 1
    on_it = "this network: modelled, dynamic" if alone else "on the front: no run is cheaper and as accurate"
    for front, words in ((True, on_it), (False, "another run is better")):
        those = [(energy, accuracy) for energy, accuracy, mark in points if mark is front]
        if those:
            axes.plot(
                *zip(*those, strict=True), "o" if front else "D", color=BLUE, markersize=8 if front else 6.5,
                markerfacecolor=BLUE if front else "white", markeredgewidth=1.5, linestyle="none", label=words,
                zorder=3,
            )  # fmt: skip


def anchor_marks(axes: Any, beside: AnchorTable) -> list[Named]:
    """Draw published points, filled squares where they are comparable; returns those that want a name.

    A point of which one number alone is known is a dotted line, which has its name at its end.
    """
    named: dict[bool, list[Named]] = {True: [], False: []}
    for point in beside.drawn:
        if point.energy is None:
            assert point.accuracy is not None
            _line(axes, point.name, accuracy=point.accuracy)
        elif point.accuracy is None:
            _line(axes, point.name, energy=point.energy.joules)
        else:
            named[not beside.differences(point)].append((point.name, point.energy.joules, point.accuracy))
    for alike, words in ((True, "published, comparable"), (False, "published, not comparable")):
        if named[alike]:
            _, energies, accuracies = zip(*named[alike], strict=True)
            axes.plot(
                energies, accuracies, "s", color=SAND, markersize=6.5, markerfacecolor=SAND if alike else "white",
                markeredgewidth=1.5, linestyle="none", label=words, zorder=2,
            )  # fmt: skip
    return [*named[True], *named[False]]


def _line(axes: Any, name: str, *, energy: float | None = None, accuracy: float | None = None) -> None:
    """A dotted line at the one number of a point that is known, and its name at the upper or the right end."""
    words = "published, accuracy alone" if energy is None else "published, energy alone"
    known = axes.get_legend_handles_labels()[1]
    style: dict[str, Any] = {"color": SAND, "linewidth": 1.3, "linestyle": ":", "zorder": 0}
    style["label"] = None if words in known else words
    text = {"textcoords": "offset points", "fontsize": 8.5, "color": FAINT, "ha": "right", "va": "bottom"}
    if accuracy is not None:
        axes.axhline(accuracy, **style)
        axes.annotate(name, (1.0, accuracy), xycoords=("axes fraction", "data"), xytext=(0, 2), **text)
    else:
        axes.axvline(energy, **style)
        place = {"xycoords": ("data", "axes fraction"), "xytext": (-2, -2), "rotation": 90, "rotation_mode": "default"}
        axes.annotate(name, (energy, 1.0), **text | {"va": "top"}, **place)


def name_marks(drawn: Figure, axes: Any, points: Sequence[Named], others: Sequence[Named] = ()) -> None:
    """Write each name beside its mark, where nothing else is; far from it with a thin line between.

    Args:
        others: are named last and fainter.
    """
    drawn.draw_without_rendering()  # only now is it known where marks are and how wide texts
    every = [*points, *others]
    taken = [_around(axes.transData.transform((energy, accuracy))) for _, energy, accuracy in every]
    taken += [_box_of(text) for text in axes.texts]
    for line in axes.lines:
        if line.get_linestyle() != "None":  # its pieces are level or upright
            ends = pairwise(line.get_transform().transform_path(line.get_path()).vertices)
            taken += [Bbox([np.minimum(*piece) - 1, np.maximum(*piece) + 1]) for piece in ends]
    for number, (name, energy, accuracy) in enumerate(every):
        text = axes.annotate(
            name, (energy, accuracy), xytext=(RINGS[0], 0), textcoords="offset points",
            fontsize=9 if number < len(points) else 8.5, color=INK if number < len(points) else FAINT, va="center",
            in_layout=False, zorder=4,
            arrowprops={"arrowstyle": "-", "color": FAINT, "linewidth": 0.5, "shrinkA": 0, "shrinkB": 5},
        )  # fmt: skip
        taken.append(_settle(drawn, axes, text, taken))


def _around(point: Any) -> Bbox:
    """The bounding box of a mark, in pixels."""
    x, y = point
    return Bbox.from_extents(x - 6, y - 6, x + 6, y + 6)


def _settle(drawn: Figure, axes: Any, text: Any, taken: Sequence[Bbox]) -> Bbox:
    """Move a name to the first place that is free, and return its box; the last one tried where none is."""
    inside = Bbox.from_extents(axes.bbox.x0, axes.bbox.y0, drawn.bbox.x1, axes.bbox.y1)
    box = inside
    for ring, (side, x, y) in product(RINGS, AROUND):
        text.set_ha(side)
        text.xyann = (x * ring, y * ring)
        box = _box_of(text)
        within = inside.x0 <= box.x0 and box.x1 <= inside.x1 and inside.y0 <= box.y0 and box.y1 <= inside.y1
        if within and not any(box.padded(1.5).overlaps(other) for other in taken):
            break
    text.arrow_patch.set_visible(max(abs(text.xyann[0]), abs(text.xyann[1])) > RINGS[0])
    return box


def _box_of(text: Any) -> Bbox:
    """Where a name stands; an annotation's own box has its line in it."""
    text.update_positions(text.figure._get_renderer())
    return Bbox(Text.get_window_extent(text).get_points())
