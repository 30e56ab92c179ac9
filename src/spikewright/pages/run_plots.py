"""Accuracy against energy, run by run: the front told by filled marks and a line, every mark by its name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from .chart import energy_figure, label_axes
from .plot_style import BLUE, FAINT, INK, RULE, in_style, svg
from .runs import RunTable

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


@in_style
def pareto_plot(table: RunTable) -> str:
    """Every run with known energy and accuracy, and the budget."""
    energies = [report.total for _, report, _ in table.points]
    budget = table.points[0][1].budget
    drawn = energy_figure(SIZE_IN, "", [*energies, *([budget.value] if budget else [])], BESIDE)
    (axes,) = drawn.axes
    if budget is not None:
        axes.axvline(budget.value, color=RULE, linewidth=1, zorder=0)
        axes.annotate(
            f"budget {budget}", (budget.value, 1.0), xycoords=("data", "axes fraction"), xytext=(0, 3),
            textcoords="offset points", ha="center", va="bottom", fontsize=9, color=INK,
        )  # fmt: skip
    _front(axes, table)
    label_axes(axes, table.profile, table.points[0][1].say)
    axes.set_xlabel("energy per inference" if table.profile.has_joules else "relative cost per inference")
    axes.set_ylabel("accuracy")
    axes.margins(y=0.2)
    drawn.legend(loc="outside lower left", ncols=2, frameon=False, fontsize=9, labelcolor=INK)
    _names(drawn, axes, [(row.name, report.total, accuracy) for row, report, accuracy in table.points])
    return svg(drawn)


def _front(axes: Any, table: RunTable) -> None:
    """Marks, and stairs through those that no other run beats."""
    points = [(report.total, accuracy, bool(row.pareto)) for row, report, accuracy in table.points]
    best = sorted((energy, accuracy) for energy, accuracy, front in points if front)
    axes.step(*zip(*best, strict=True), where="post", color=FAINT, linewidth=1.1, zorder=1)
    for front, words in ((True, "on the front: no run is cheaper and as accurate"), (False, "another run is better")):
        those = [(energy, accuracy) for energy, accuracy, mark in points if mark is front]
        if those:
            axes.plot(
                *zip(*those, strict=True), "o" if front else "D", color=BLUE, markersize=8 if front else 6.5,
                markerfacecolor=BLUE if front else "white", markeredgewidth=1.5, linestyle="none", label=words,
                zorder=3,
            )  # fmt: skip


def _names(drawn: Figure, axes: Any, points: Sequence[tuple[str, float, float]]) -> None:
    """Write each name beside its mark, where nothing else is; far from it with a thin line between."""
    drawn.draw_without_rendering()  # only now is it known where marks are and how wide texts
    taken = [_around(axes.transData.transform((energy, accuracy))) for _, energy, accuracy in points]
    taken += [box for line in axes.lines if line.get_linestyle() != "None" for box in _along(line)]
    for name, energy, accuracy in points:
        text = axes.annotate(
            name, (energy, accuracy), xytext=(RINGS[0], 0), textcoords="offset points", fontsize=9, color=INK,
            va="center", in_layout=False, zorder=4,
            arrowprops={"arrowstyle": "-", "color": FAINT, "linewidth": 0.5, "shrinkA": 0, "shrinkB": 5},
        )  # fmt: skip
        taken.append(_settle(drawn, axes, text, taken))


def _around(point: Any) -> Bbox:
    """The bounding box of a mark, in pixels."""
    x, y = point
    return Bbox.from_extents(x - 6, y - 6, x + 6, y + 6)


def _along(line: Any) -> Iterator[Bbox]:
    """Boxes of a line's pieces, all of them level or upright."""
    ends = line.get_transform().transform_path(line.get_path()).vertices
    for (x0, y0), (x1, y1) in pairwise(ends):
        yield Bbox.from_extents(min(x0, x1) - 1, min(y0, y1) - 1, max(x0, x1) + 1, max(y0, y1) + 1)


def _settle(drawn: Figure, axes: Any, text: Any, taken: Sequence[Bbox]) -> Bbox:
    """Move a name to the first place that is free, and return its box; the last one tried where none is."""
    inside = Bbox.from_extents(axes.bbox.x0, axes.bbox.y0, drawn.bbox.x1, axes.bbox.y1)
    box = inside
    for side, offset in _places():
        text.set_ha(side)
        text.xyann = offset
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


def _places() -> Iterator[tuple[str, tuple[float, float]]]:
    for ring in RINGS:
        for side, x, y in AROUND:
            yield side, (x * ring, y * ring)
