"""Plot of accuracy against deployed energy by method, with numbers and shapes instead of colours."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from sklearn.isotonic import isotonic_regression

from ...pages.chart import energy_figure, label_axes, write_chart
from ...pages.colours import BLUE, FAINT, INK, RULE
from ...pages.measure import Spread
from ...pages.plot_style import in_style
from .result import ComparisonEntry, ComparisonResult, Group

SIZE_IN = (8.6, 5.4)
"""Width and least height; a long list of rows makes the figure higher."""
LINE_IN = 0.17
"""Height of a row in the list of rows."""
BESIDE = 1.3
"""Room left and right of the outermost marks for the numbers, as a factor of energy."""
SHAPES = "Dos^vPX"
"""Markers of the settings in order, used again if there are more settings."""
ROOM = 0.1
"""Room above and below the outermost accuracies, as a share of their distance."""
AROUND_IN = 1.2
"""Height of the figure above and below the axes."""
GAP_IN = 0.134
"""Vertical distance of two numbers."""
ASIDE = 0.035
"""Distance from the rightmost mark of a cluster to its numbers, as a share of the axes' width."""
BETWEEN = 0.07
"""Marks that are nearer to each other are one cluster, as a share of the axes' width."""
LEADER = {"arrowstyle": "-", "color": FAINT, "linewidth": 0.5, "shrinkA": 1, "shrinkB": 3, "relpos": (0.0, 0.5)}
"""The line from a mark to its number."""


@dataclass(frozen=True)
class _Place:
    """A mark and the end of its right error bar, in shares of the axes."""

    x: float
    y: float
    end: float
    number: int


def write_plot(result: ComparisonResult, stem: Path) -> dict[str, Path]:
    """Write ``stem``.svg and .png; returns paths by format.

    A mark is the mean of a row over seeds on test, its error bars are one standard deviation; the shape names the
    setting, the number the row. The best row of a setting on validation is filled.
    """
    return write_chart(lambda: compare_plot(result), stem)


def numbers_of(result: ComparisonResult) -> dict[str, int]:
    """The number of each row that is drawn."""
    drawn = {str(entry.row) for group in result.groups for entry in group.entries if entry.records}
    return {name: i for i, name in enumerate([str(row) for row in result.rows if str(row) in drawn], 1)}


def apart(wanted: Sequence[float], gap: float) -> list[float]:
    """Places in [0, 1] with the least squared distance to the wanted ones, in their order and at least ``gap`` apart.

    After ``i * gap`` is subtracted from place ``i``, the places need only ascend: this is isotonic regression.

    Args:
        wanted: in ascending order.
        gap: taken smaller if there is no room for it.
    """
    if not wanted:
        return []
    step = min(gap, 1 / len(wanted))
    steps = step * np.arange(len(wanted))
    levels = isotonic_regression(np.asarray(wanted) - steps, y_min=0.0, y_max=1 - steps[-1])
    return [float(place) for place in levels + steps]


@in_style
def compare_plot(result: ComparisonResult) -> Figure:
    """Accuracy against energy: see :func:`write_plot`."""
    groups = [(group, entries) for group in result.groups if (entries := [e for e in group.entries if e.records])]
    every = [entry for _, entries in groups for entry in entries]
    energies = [each for entry in every for each in _ends(entry.energy("test"))]
    energies += [group.limit for group, _ in groups if math.isfinite(group.limit)]
    numbers = numbers_of(result)
    height_in = max(SIZE_IN[1], LINE_IN * (len(numbers) + 2))
    seeds = len(result.seeds)
    spread = f"; mean and standard deviation over {seeds} seeds" if seeds > 1 else ""
    figure = energy_figure((SIZE_IN[0], height_in), result.title + spread, energies, BESIDE)
    (axes,) = figure.axes
    accuracies = [each for entry in every for each in _ends(entry.accuracy("test"))]
    if accuracies:
        room = max(ROOM * (max(accuracies) - min(accuracies)), 0.002)
        axes.set_ylim(min(accuracies) - room, max(accuracies) + room)
    for i, (group, entries) in enumerate(groups):
        _budget(axes, group)
        _marks(axes, entries, SHAPES[i % len(SHAPES)])
        _numbers(axes, entries, numbers, GAP_IN / (height_in - AROUND_IN))
    label_axes(axes, result.profile, result.say, result.measure)
    _legend(figure, [group.title for group, _ in groups], numbers)
    return figure


def _ends(spread: Spread | None) -> tuple[float, float]:
    """Mean minus and plus the standard deviation."""
    assert spread is not None
    return spread.mean - (spread.deviation or 0.0), spread.mean + (spread.deviation or 0.0)


def _budget(axes: Any, group: Group) -> None:
    if group.budget is None:
        return
    axes.axvline(group.limit, color=RULE, linewidth=0.9, zorder=0)
    axes.annotate(
        group.budget, (group.limit, 1.0), xycoords=("data", "axes fraction"), xytext=(0, 3),
        textcoords="offset points", ha="center", va="bottom", fontsize=8.5, color=INK,
    )  # fmt: skip


def _marks(axes: Any, entries: Sequence[ComparisonEntry], shape: str) -> None:
    for entry in entries:
        energy, accuracy = entry.energy("test"), entry.accuracy("test")
        assert energy is not None and accuracy is not None
        best = entry.rank == 1
        axes.errorbar(
            energy.mean, accuracy.mean, xerr=energy.deviation, yerr=accuracy.deviation, fmt=shape, color=BLUE,
            ecolor=FAINT, elinewidth=0.8, markersize=6, markeredgewidth=1.3,
            markerfacecolor=BLUE if best else "white", zorder=4 if best else 3,  # the best is not hidden by others
        )  # fmt: skip


def _numbers(axes: Any, entries: Sequence[ComparisonEntry], numbers: dict[str, int], gap: float) -> None:
    """Write the rows' numbers in a column right of each cluster of marks, with a thin line from each to its mark.

    Args:
        gap: between two numbers, as a share of the axes' height.
    """
    to_axes = axes.transScale + axes.transLimits
    places = []
    for entry in entries:
        energy, accuracy = entry.energy("test"), entry.accuracy("test")
        assert energy is not None and accuracy is not None
        x, y = to_axes.transform((energy.mean, accuracy.mean))
        end = to_axes.transform((energy.mean + (energy.deviation or 0.0), accuracy.mean))[0]
        places.append(_Place(float(x), float(y), float(end), numbers[str(entry.row)]))
    for cluster in _clusters(places):
        cluster.sort(key=lambda place: place.y)
        column = max(place.end for place in cluster) + ASIDE
        for place, height in zip(cluster, apart([place.y for place in cluster], gap), strict=True):
            axes.annotate(
                str(place.number), (place.x, place.y), xycoords="axes fraction", xytext=(column, height),
                textcoords="axes fraction", ha="left", va="center", fontsize=8, color=INK,
                arrowprops=LEADER,
            )  # fmt: skip


def _clusters(places: Sequence[_Place]) -> list[list[_Place]]:
    """Marks grouped along the axis of energy so that there is room for numbers between the groups."""
    clusters: list[list[_Place]] = []
    for place in sorted(places, key=lambda place: place.x):
        if clusters and place.x - max(other.end for other in clusters[-1]) < BETWEEN:
            clusters[-1].append(place)
        else:
            clusters.append([place])
    return clusters


def _legend(figure: Figure, titles: Sequence[str], numbers: dict[str, int]) -> None:
    """Explain shapes and fillings below the axes, and list the rows by number on the right."""
    if not titles:
        return
    marks = [(SHAPES[i % len(SHAPES)], "white", title) for i, title in enumerate(titles)]
    marks.append((SHAPES[0], BLUE, "filled: the best of its setting on validation"))
    handles = [
        Line2D(
            [], [], marker=shape, color=BLUE, linestyle="none", markersize=6, markeredgewidth=1.3,
            markerfacecolor=face, label=label,
        )
        for shape, face, label in marks
    ]  # fmt: skip
    figure.legend(
        handles=handles, loc="outside lower left", ncols=min(4, len(marks)), frameon=False, fontsize=8.5, labelcolor=INK
    )
    rows = [Line2D([], [], linestyle="none", label=f"{number}  {name}") for name, number in numbers.items()]
    figure.legend(
        handles=rows, loc="outside right upper", frameon=False, fontsize=8, labelcolor=INK, handlelength=0,
        handletextpad=0,
    )  # fmt: skip
