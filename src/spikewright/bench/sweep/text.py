"""A sweep as a table, on the terminal and in Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from ...pages import anchors
from ...pages import markdown as escaped
from ...pages.measure import Spread
from ...pages.numbers import filled
from ..text import energy, markdown_page, terminal_page
from .result import SweepResult, SweepRow

WIDTH = 160
"""Of the table if stdout is no terminal, in columns."""
NOTE = (
    "Energy per inference of the integer network; of none: of what it is without a budget. Over several seeds: mean ± "
    "sample standard deviation (of energy in % of the mean, of accuracy in points); of the budget, the largest. "
    "Pareto: no other budget costs at most as much and is at least as accurate, by means on validation. Best within: "
    "of all students that cost at most the budget on validation, the one most accurate there; its accuracy on test, "
    "and which it is."
)


def _of_none(result: SweepResult, row: SweepRow) -> str:
    """Mean energy as a share of that of the students without a budget, both on test."""
    mine, free = row.energy("test"), next((row.energy("test") for row in result.rows if row.budget is None), None)
    return "-" if mine is None or free is None else f"{mine.mean / free.mean:.1%}"


def _of_budget(_: SweepResult, row: SweepRow) -> str:
    shares = [row.share(split) for split in ("validation", "test")]
    return " / ".join(f"{share:.1%}" for share in shares if share is not None) or "-"


def _accuracy(result: SweepResult, spread: Spread | None) -> str:
    return result.measure.spread(spread, unit=True, around=" ± ")


def _best(result: SweepResult, row: SweepRow) -> str:
    best = row.best and row.best.value
    return f"{result.measure.say(best.accuracy['test'])} ({row.best.job})" if row.best and best else "-"


COLUMNS: dict[str, Callable[[SweepResult, SweepRow], str]] = {
    "budget": lambda _, row: row.budget or "none",
    "student": lambda _, row: " / ".join(dict.fromkeys(outcome.student for outcome in row.outcomes)) or "-",
    "energy, test": lambda result, row: energy(result, row.energy("test"), around=" ± "),
    "of none": _of_none,
    "of budget, val/test": _of_budget,
    "accuracy, validation": lambda result, row: _accuracy(result, row.accuracy("validation")),
    "accuracy, test": lambda result, row: _accuracy(result, row.accuracy("test")),
    "Pareto": lambda _, row: "yes" if row.pareto else "",
    "best within, test": _best,
}
"""By heading, which is written for accuracies, the text of a row."""


def headings(result: SweepResult) -> list[str]:
    """The headings of the table."""
    return [result.measure.heading(heading) for heading in COLUMNS]


def cells(result: SweepResult) -> list[list[str]]:
    """The table's body, row by row, a cell for each of :data:`COLUMNS`."""
    return [[cell(result, row) for cell in COLUMNS.values()] for row in result.rows]


def remarks(result: SweepResult) -> Iterator[str]:
    """What the table cannot hold: students over their budget, and points without a student."""
    for row in result.rows:
        for each in row.results:
            if each.value is not None and each.value.energy["validation"] > row.limit:
                yield f"{each.job}: over budget on validation, {result.say(each.value.energy['validation'])}"
        yield from (f"{each.job}: {each.state}: {each.sentence}" for each in row.results if each.value is None)


def markdown(result: SweepResult) -> str:
    """The sweep as a Markdown page: a row for each student, and what its columns mean."""
    measure, table = result.measure, [headings(result), *cells(result)]
    title, note = (measure.heading(words) for words in (f"Accuracy within energy budgets: {result.title}", NOTE))
    page = markdown_page(title, result.profile.banner, "pareto.svg", table, note, remarks(result), measure)
    return page + _published(result)


def _published(result: SweepResult) -> str:
    """The published points as a section of a Markdown page; empty where none were asked for."""
    if (table := result.published) is None:
        return ""
    heading, sentences = f"## {escaped.inline(anchors.title(table))}", [*anchors.remarks(table), anchors.KEY]
    return "\n" + "\n\n".join([heading, *map(escaped.text, sentences), escaped.table(*anchors.rows(table))])


def renderable(result: SweepResult) -> Group:
    """The sweep for a rich console."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in headings(result):
        table.add_column(heading, justify="left" if heading in ("student", "Pareto") else "right")
    for row, texts in zip(result.rows, cells(result), strict=True):
        table.add_row(*texts, style="bold" if row.pareto else "")
    below = (Text(remark, style="yellow") for remark in remarks(result))
    page = terminal_page(result.title, result.profile.banner, table, result.measure.heading(NOTE), below)
    if (published := result.published) is None:
        return page
    sentences = (Text(sentence) for sentence in [*anchors.remarks(published), anchors.KEY])
    above = Text(f"\n{anchors.title(published)}", style="bold")
    return Group(page, above, filled(anchors.rows(published, sources=False)), *sentences)
