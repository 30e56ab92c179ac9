"""Plot of accuracy against deployed energy by budget, with shapes and labels instead of colours."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from ...pages.chart import anchor_marks, energy_figure, label_axes, name_marks, write_chart
from ...pages.colours import BLUE, FAINT, INK, RULE
from ...pages.plot_style import in_style
from .result import SweepResult, SweepRow

SIZE_IN = (7.2, 4.6)
BESIDE = 1.25
"""Room left and right of the outermost mark, as a factor of energy."""


def write_plot(result: SweepResult, stem: Path) -> dict[str, Path]:
    """Write ``stem``.svg and .png; returns paths by format.

    A large mark is the mean of a budget over seeds on test, filled if it is Pareto-optimal on validation, a diamond for
    the students without a budget; a small mark is one student. The steps show the test accuracy of the student that
    is most accurate on validation among those that spend at most the energy on the axis.
    """
    return write_chart(lambda: sweep_plot(result), stem)


@in_style
def sweep_plot(result: SweepResult) -> Figure:
    """Accuracy against energy: see :func:`write_plot`."""
    figure = energy_figure(SIZE_IN, result.title, list(_energies(result)), BESIDE)
    (axes,) = figure.axes
    rows = [row for row in result.rows if row.outcomes]
    _stairs(axes, rows)
    for row in rows:
        _marks(axes, row)
    _budgets(axes, result)
    named = anchor_marks(axes, result.published) if result.published is not None else []
    label_axes(axes, result.profile, result.say, result.measure)
    axes.margins(y=0.14)
    if axes.get_legend_handles_labels()[1]:
        figure.legend(loc="outside lower left", ncols=2, frameon=False, fontsize=9, labelcolor=INK)
    if named:
        name_marks(figure, axes, (), named)
    return figure


def _energies(result: SweepResult) -> Iterator[float]:
    for row in result.rows:
        if math.isfinite(row.limit):
            yield row.limit
        yield from (outcome.energy["test"] for outcome in row.outcomes)
    yield from result.published.energies if result.published is not None else ()


def _stairs(axes: Any, rows: list[SweepRow]) -> None:
    """Draw, from each budget to the next larger one, the accuracy of the best student within it."""
    ends = [(_end(row), row.best.value.accuracy["test"]) for row in rows if row.best and row.best.value]
    if len(ends) > 1:
        x, y = zip(*sorted(ends), strict=True)
        axes.step(x, y, where="post", color=FAINT, linewidth=1.2, label="best within the energy, chosen on validation")


def _end(row: SweepRow) -> float:
    """The energy at which the step of a row begins: its budget, or without one the energy that was spent."""
    energy = row.energy("validation")
    assert energy is not None
    return energy.high if math.isinf(row.limit) else row.limit


def _marks(axes: Any, row: SweepRow) -> None:
    energy, accuracy = row.energy("test"), row.accuracy("test")
    assert energy is not None and accuracy is not None
    shape, words = ("D", "no budget") if row.budget is None else ("o", "within a budget")
    words += ", Pareto-optimal" if row.pareto else ", dominated"
    known = axes.get_legend_handles_labels()[1]
    if len(row.outcomes) > 1:
        single = [(o.energy["test"], o.accuracy["test"]) for o in row.outcomes]
        label = None if "one seed" in known else "one seed"
        axes.plot(*zip(*single, strict=True), "x", color=BLUE, markersize=5, linestyle="none", label=label)
    axes.plot(
        energy.mean, accuracy.mean, shape, color=BLUE, markersize=8, markeredgewidth=1.6, linestyle="none",
        markerfacecolor=BLUE if row.pareto else "white", label=None if words in known else words,
    )  # fmt: skip


def _budgets(axes: Any, result: SweepResult) -> None:
    """Draw a line at each budget with its name, and its state if there is no student."""
    for row in result.rows:
        if row.budget is None:
            continue
        axes.axvline(row.limit, color=RULE, linewidth=0.9, linestyle="-" if row.outcomes else ":", zorder=0)
        name = row.budget if row.outcomes else f"{row.budget}: {row.results[0].state}"
        axes.annotate(
            name, (row.limit, 1.0), xycoords=("data", "axes fraction"), xytext=(-3, 2), textcoords="offset points",
            rotation=35, rotation_mode="anchor", ha="left", va="bottom", fontsize=8.5,
            color=INK if row.outcomes else FAINT,
        )  # fmt: skip
