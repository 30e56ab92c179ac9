"""Runs side by side in words, the same for the terminal, Markdown and the page."""

from __future__ import annotations

from ..energy.report import EnergyReport
from .runs import RunRow, RunTable

HEADINGS = ("run", ">accuracy", ">energy", ">budget", ">on the front", ">steps", ">spikes", ">synaptic operations")


def title(table: RunTable) -> str:
    """What the table is of."""
    return f"{len(table.rows)} runs on {table.profile.name}"


def rows(table: RunTable) -> list[tuple[str, ...]]:
    """Every run under ``HEADINGS``."""
    return [_cells(row) for row in table.rows]


def _cells(row: RunRow) -> tuple[str, ...]:
    """A run under each heading; one that does not fit says so in place of its energy."""
    if (report := row.report) is None:
        return (row.name, "-", "does not fit", "-", "-", "-", "-", "-")
    return (
        row.name,
        "not known" if report.accuracy is None else f"{report.accuracy:.2%}",
        f"{'≥ ' if report.at_least else ''}{report.say(report.total)}",
        _budget(report),
        {True: "yes", False: "no", None: "-"}[row.pareto],
        str(report.timesteps),
        f"{sum(each.spikes for each in report.spikes):,.0f}",
        f"{report.synaptic_ops:,.0f}",
    )


def remarks(table: RunTable) -> list[str]:
    """What to know before comparing: other samples, and why runs do not fit."""
    refusals = [f"{row.name} does not fit: {row.refusal}" for row in table.rows if row.report is None]
    return [*(remark[:1].upper() + remark[1:] for remark in table.remarks), *refusals]


def in_words(table: RunTable) -> str:
    """The plot of accuracy against energy for those who do not see it."""
    points = sorted(table.points, key=lambda point: point[1].total)
    words = [
        f"{row.name} {report.say(report.total)} and {accuracy:.2%}{', on the front' if row.pareto else ''}"
        for row, report, accuracy in points
    ]
    budget = points[0][1].budget
    line = f" A line marks the budget of {budget}." if budget else ""
    return f"Accuracy against energy, from the cheapest run up: {'; '.join(words)}.{line}"


def _budget(report: EnergyReport) -> str:
    if report.budget is None:
        return "none"
    return f"{'within' if report.within_budget else 'over'}, {report.total / report.budget.value:.1%}"
