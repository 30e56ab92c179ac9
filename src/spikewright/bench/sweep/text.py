"""A sweep as a table, on the terminal and in Markdown."""

from __future__ import annotations

from collections.abc import Iterator

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from ...pages.numbers import Spread
from ..text import markdown_page, terminal_page
from .result import SweepResult, SweepRow

WIDTH = 160
"""Of the table if stdout is no terminal, in columns."""
HEADINGS = (
    "budget",
    "student",
    "energy, test",
    "of none",
    "of budget, val/test",
    "accuracy, validation",
    "accuracy, test",
    "Pareto",
    "best within, test",
)
NOTE = (
    "Energy per inference of the integer network; of none: of what it is without a budget. Over several seeds: mean ± "
    "sample standard deviation (of energy in % of the mean, of accuracy in points); of the budget, the largest. "
    "Pareto: no other budget costs at most as much and is at least as accurate, by means on validation. Best within: "
    "of all students that cost at most the budget on validation, the one most accurate there; its accuracy on test, "
    "and which it is."
)


def cells(result: SweepResult) -> list[tuple[str, ...]]:
    """The table's body, row by row, a cell for each of :data:`HEADINGS`."""
    return [_cells(result, row) for row in result.rows]


def remarks(result: SweepResult) -> Iterator[str]:
    """What the table cannot hold: students over their budget, and points without a student."""
    for row in result.rows:
        for each in row.results:
            if each.value is not None and each.value.energy["validation"] > row.limit:
                yield f"{each.job}: over budget on validation, {result.say(each.value.energy['validation'])}"
        yield from (f"{each.job}: {each.state}: {each.sentence}" for each in row.results if each.value is None)


def markdown(result: SweepResult) -> str:
    """The sweep as a Markdown page: a row for each student, and what its columns mean."""
    title = f"Accuracy within energy budgets: {_title(result)}"
    return markdown_page(title, result.profile.banner, "pareto.svg", HEADINGS, cells(result), NOTE, remarks(result))


def renderable(result: SweepResult) -> Group:
    """The sweep for a rich console."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in HEADINGS:
        table.add_column(heading, justify="left" if heading in ("student", "Pareto") else "right")
    for row, texts in zip(result.rows, cells(result), strict=True):
        table.add_row(*texts, style="bold" if row.pareto else "")
    below = (Text(remark, style="yellow") for remark in remarks(result))
    return terminal_page(_title(result), result.profile.banner, table, NOTE, below)


def _title(result: SweepResult) -> str:
    return f"{result.data} on {result.profile.name}"


def _cells(result: SweepResult, row: SweepRow) -> tuple[str, ...]:
    energy, shares = row.energy("test"), [row.share(split) for split in ("validation", "test")]
    best = row.best and row.best.value
    return (
        row.budget or "none",
        " / ".join(dict.fromkeys(outcome.student for outcome in row.outcomes)) or "-",
        _energy(result, energy),
        _of_none(result, energy),
        " / ".join(f"{share:.1%}" for share in shares if share is not None) or "-",
        _percent(row.accuracy("validation")),
        _percent(row.accuracy("test")),
        "yes" if row.pareto else "",
        f"{best.accuracy['test']:.2%} ({row.best.job})" if row.best and best else "-",
    )


def _energy(result: SweepResult, energy: Spread | None) -> str:
    if energy is None:
        return "-"
    spread = "" if energy.deviation is None else f" ± {energy.deviation / energy.mean:.1%}"
    return result.say(energy.mean) + spread


def _of_none(result: SweepResult, energy: Spread | None) -> str:
    """Mean energy as a share of that of the students without a budget, both on test."""
    free = next((row.energy("test") for row in result.rows if row.budget is None), None)
    return "-" if energy is None or free is None else f"{energy.mean / free.mean:.1%}"


def _percent(spread: Spread | None) -> str:
    if spread is None:
        return "-"
    return f"{spread.mean:.2%}" + ("" if spread.deviation is None else f" ± {100 * spread.deviation:.2f}")
