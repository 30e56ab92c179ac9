"""Accuracy against the number of labels, by row: a table as CSV and a plot."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from ...base.artefacts import write_text
from ...pages.chart import write_chart
from ...pages.colours import BLUE, INK, SAND
from .result import ComparisonEntry, ComparisonResult, Group

WIDTH_IN, HEIGHT_IN = 6.4, 3.6
"""Size of the axes of one budget."""
MARKS = "osD^vPX*"
"""Markers of the rows in order, used again if there are more rows."""
LINES = ("-", "--", ":", "-.")
COLUMNS = (
    *("budget", "label_fraction", "labelled", "unlabelled", "method", "n"),
    *("validation", "validation_deviation", "test", "test_deviation", "energy", "over_budget"),
)
"""Of the CSV file; accuracies from 0 to 1, the energy on test in the profile's unit."""


def write_curves(result: ComparisonResult, stem: Path) -> dict[str, Path]:
    """Write ``stem``.csv, .svg and .png; returns paths by format.

    A mark is the mean of a row over seeds on test, its error bars are one standard deviation.
    """
    table = stem.with_name(f"{stem.name}.csv")
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(_lines(result))
    write_text(table, text.getvalue())
    return {"labels.csv": table, **{f"labels.{f}": p for f, p in write_chart(lambda: _figure(result), stem).items()}}


def _lines(result: ComparisonResult) -> Iterator[dict[str, object]]:
    for group in result.groups:
        for entry in sorted(group.entries, key=lambda each: result.rows.index(each.row)):
            if entry.records and group.labels is not None:
                yield dict(zip(COLUMNS, _line(group, entry), strict=True))


def _line(group: Group, entry: ComparisonEntry) -> Iterator[object]:
    assert group.labels is not None
    energy = entry.energy("test")
    yield from (group.budget or "", group.labels.fraction, group.labels.labelled)
    yield from (entry.records[0].samples.get("unlabelled", 0), str(entry.row), len(entry.records))
    for split in ("validation", "test"):
        found = entry.accuracy(split)
        assert found is not None
        yield f"{found.mean:.6f}"
        yield "" if found.deviation is None else f"{found.deviation:.6f}"
    yield "" if energy is None else f"{energy.mean:.6g}"
    yield len(entry.over_budget)


def _figure(result: ComparisonResult) -> Figure:
    budgets = [b for b in result.budgets if any(e.records for g in result.groups if g.budget == b for e in g.entries)]
    figure = Figure(figsize=(WIDTH_IN, HEIGHT_IN * max(1, len(budgets)) + 0.6), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(_title(result), fontsize=10.5, x=0.01, ha="left", color=INK)
    if not budgets:
        return figure
    panels = figure.subplots(len(budgets), 1, sharex=True, squeeze=False)[:, 0]
    for axes, budget in zip(panels, budgets, strict=True):
        groups = [group for group in result.groups if group.budget == budget]
        _curves(axes, result, groups)
        _label(axes, "no budget" if budget is None else f"within {budget}", groups)
    panels[-1].set_xlabel("samples with labels")
    handles, names = panels[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower left", ncols=2, frameon=False, fontsize=8.5, labelcolor=INK)
    return figure


def _title(result: ComparisonResult) -> str:
    seeds = len(result.seeds)
    return result.title + (f"; mean and standard deviation over {seeds} seeds" if seeds > 1 else "")


def _curves(axes: Any, result: ComparisonResult, groups: Sequence[Group]) -> None:
    """A line for each row; those with samples without labels are filled."""
    for number, row in enumerate(result.rows):
        points = []
        for group in groups:
            entry = group.entry(row)
            found = None if entry is None else entry.accuracy("test")
            if found is not None and group.labels is not None:
                points.append((group.labels.labelled, found.mean, found.deviation or 0.0))
        if not points:
            continue
        x, y, deviations = zip(*points, strict=True)
        colour = BLUE if row.unlabelled is not None else SAND
        axes.errorbar(
            x, y, yerr=deviations, fmt=MARKS[number % len(MARKS)], linestyle=LINES[number % len(LINES)], color=colour,
            elinewidth=0.8, markersize=5.5, linewidth=1.2, capsize=2, label=str(row),
            markerfacecolor=colour if row.unlabelled is not None else "white",
        )  # fmt: skip


def _label(axes: Any, title: str, groups: Sequence[Group]) -> None:
    counts = [group.labels.labelled for group in groups if group.labels is not None]
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(counts))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0%}"))
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.set_ylabel("accuracy of the integer\nnetwork, test")
    axes.set_title(title, fontsize=9.5, loc="left", color=INK)
