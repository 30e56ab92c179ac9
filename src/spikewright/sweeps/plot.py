"""Accuracy against deployed energy: told by the shape of a mark and its label, not by colour."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from ..artefacts import atomic_write
from ..hardware_profiles.plots import BLUE, FAINT, INK, RULE, STYLE
from .result import Row, SweepResult

SIZE_IN = (7.2, 4.6)
DPI = 160
BESIDE = 1.25
"""Room left and right of the outermost point, as a factor of energy."""
FORMATS = ("svg", "png")


def write_plot(result: SweepResult, stem: Path) -> dict[str, Path]:
    """Write ``stem``.svg and .png; returns paths by format.

    A large mark is a budget's mean over seeds on test, filled where it is Pareto-optimal on validation, a diamond for
    the students without a budget; a small one is a single student. The stairs are the test accuracy of the student
    that is most accurate on validation among those that keep within the energy on the axis.
    """
    files = {form: stem.with_name(f"{stem.name}.{form}") for form in FORMATS}
    with mpl.rc_context(STYLE):
        figure = _figure(result)
        for form, path in files.items():
            metadata = {"Date": None} if form == "svg" else {"Software": None}
            with atomic_write(path) as temporary:
                figure.savefig(temporary, format=form, dpi=DPI, metadata=metadata, facecolor="white")
    return files


def _figure(result: SweepResult) -> Figure:
    figure = Figure(figsize=SIZE_IN, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(f"{result.data} on {result.profile.name}", fontsize=10.5, x=0.01, ha="left", color=INK)
    axes = figure.add_subplot()
    axes.set_xscale("log")
    _bounds(axes, result)
    rows = [row for row in result.rows if row.outcomes]
    _stairs(axes, rows)
    for row in rows:
        _marks(axes, row)
    _budgets(axes, result)
    _axis(axes, result)
    if rows:
        figure.legend(loc="outside lower left", ncols=2, frameon=False, fontsize=9, labelcolor=INK)
    return figure


def _bounds(axes: Any, result: SweepResult) -> None:
    """Set before anything is drawn: around a point alone matplotlib's own bounds would be equal."""
    places = [row.limit for row in result.rows if math.isfinite(row.limit)]
    places += [outcome.energy["test"] for row in result.rows for outcome in row.outcomes]
    if places:
        axes.set_xlim(min(places) / BESIDE, max(places) * BESIDE)


def _stairs(axes: Any, rows: list[Row]) -> None:
    """From each budget to the next one up, the accuracy of the best student within it."""
    ends = [(_end(row), row.best.outcome.accuracy["test"]) for row in rows if row.best and row.best.outcome]
    if len(ends) > 1:
        x, y = zip(*sorted(ends), strict=True)
        axes.step(x, y, where="post", color=FAINT, linewidth=1.2, label="best within the energy, chosen on validation")


def _end(row: Row) -> float:
    """Where a row's stair begins: its budget; without one, the energy that was spent."""
    energy = row.energy("validation")
    assert energy is not None
    return energy.high if math.isinf(row.limit) else row.limit


def _marks(axes: Any, row: Row) -> None:
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
    """A line at each budget with its name, and what became of it where there is no student."""
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


def _axis(axes: Any, result: SweepResult) -> None:
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.set_xlabel("deployed energy per inference, test" if result.profile.has_joules else "relative cost, test")
    axes.set_ylabel("accuracy of the integer network, test")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.1%}"))
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: result.say(value)))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.margins(y=0.14)
