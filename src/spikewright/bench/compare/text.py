"""A comparison as a table, with fewer columns on the terminal than in Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from rich import box
from rich.console import Group as RichGroup
from rich.table import Table
from rich.text import Text

from ...pages.measure import Spread
from ...pages.numbers import count
from ..text import energy, markdown_page, terminal_page
from .result import VALUES, ComparisonEntry, ComparisonResult, Group
from .rows import Variant

WIDTH = 100
Say = Callable[[ComparisonResult, ComparisonEntry], str]


@dataclass(frozen=True)
class Column:
    """A column of the table.

    Attributes:
        heading: in Markdown.
        short: heading on the terminal, in two lines; empty if the column is not shown there.
        cell: text of an entry.
        narrow: text of an entry on the terminal, if it must be shorter there.
    """

    heading: str
    short: str
    cell: Say
    narrow: Say | None = None


def _mean(spread: Spread | None, say: Callable[[float], str]) -> str:
    return "-" if spread is None else say(spread.mean)


def _value(name: str, say: Callable[[float], str]) -> Say:
    """The mean of one of :data:`.result.VALUES`."""
    return lambda _, entry: _mean(entry.spread(VALUES[name]), say)


def _gain(result: ComparisonResult, entry: ComparisonEntry) -> str:
    """Gain in points over the baseline, which has none itself."""
    gain = None if entry.row == result.baseline else result.gain(entry, "validation")
    return result.measure.spread(gain, sign="+")


def _accuracy(split: str) -> Say:
    return lambda result, entry: result.measure.spread(entry.accuracy(split))


def _mean_accuracy(name: str) -> Say:
    """The mean of an accuracy among :data:`.result.VALUES`."""
    return lambda result, entry: _mean(entry.spread(VALUES[name]), result.measure.number)


def duration(seconds: float) -> str:
    """A duration in seconds, minutes or hours, with at most three digits."""
    if seconds < 99.5:
        return f"{seconds:.0f} s" if seconds >= 9.95 else f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5970 else f"{seconds / 3600:.1f} h"


def kilo(value: float) -> str:
    """A count; a large one in thousands or millions with three digits."""
    if value >= 999_500:
        return f"{value / 1e6:.3g}M"
    return f"{value / 1e3:.3g}k" if value >= 1e4 else count(round(value, 1))


COLUMNS = (
    Column("rank", "#", lambda _, entry: "-" if entry.rank is None else str(entry.rank)),
    Column("method", "method", lambda _, entry: str(entry.row)),
    Column("n", "n", lambda _, entry: str(len(entry.records))),
    Column(
        "validation, %",
        "accuracy\nvalidation",
        _accuracy("validation"),
        lambda result, entry: _mean(entry.accuracy("validation"), result.measure.number),
    ),
    Column("gain, points", "\ngain", _gain),
    Column("test, %", "accuracy\ntest", _accuracy("test")),
    Column("float, %", "\nfloat", _mean_accuracy("float_accuracy")),
    Column("step 1, %", "\nstep 1", _mean_accuracy("first_step_accuracy")),
    Column("input spikes", "", _value("input_spikes", count)),
    Column("hidden spikes", "\nspikes", _value("hidden_spikes", kilo)),
    Column("readout spikes", "", _value("readout_spikes", count)),
    Column("synaptic operations", "\nsynops", _value("synaptic_ops", kilo)),
    Column(
        "energy",
        "\nenergy",
        lambda result, entry: energy(result, entry.energy("test")),
        lambda result, entry: _mean(entry.energy("test"), result.say),
    ),
    Column("floor", "", lambda result, entry: _mean(entry.spread(VALUES["floor"]), result.say)),
    Column("logit range, student", "", _value("student_logit_range", lambda v: f"{v:.1f}")),
    Column("teacher", "", _value("teacher_logit_range", lambda v: f"{v:.1f}")),
    Column("epochs", "", _value("epochs", lambda v: f"{v:.3g}")),
    Column("training", "\ntime", _value("processor_seconds", duration)),
)


def remarks(result: ComparisonResult) -> Iterator[str]:
    """What the table cannot hold: sizes of the students, best rows, what is over budget, refused, failed or missing."""
    for group in result.groups:
        yield from _of_group(result, group)
    yield from _refused(result)
    for sentence in dict.fromkeys(result.left_out.values()):
        rows = dict.fromkeys(str(row) for (row, _), why in result.left_out.items() if why == sentence)
        yield f"not trained: {', '.join(rows)}: {sentence}"
    yield from (f"failed: {sentence}" for sentence in result.failures)
    if result.missing:
        first = result.missing[0].job
        yield f"missing: {len(result.missing)} of {len(result.results)} trainings; the next is {first}"
    for facts in result.teachers:
        seen = " on the static images" if facts.twins else ""
        name = "" if result.measure.in_percent else f"{result.measure.name} "
        accuracy = ", ".join(f"{name}{result.measure.say(value)} on {split}" for split, value in facts.accuracy.items())
        yield f"teacher {facts.name}{seen}: {accuracy}"


def markdown(result: ComparisonResult) -> str:
    """The comparison as a Markdown page: one table for each budget, and what its columns mean."""
    table = [["setting", *(result.measure.heading(column.heading) for column in COLUMNS)]]
    table += [
        [group.title, *(column.cell(result, entry) for column in COLUMNS)]
        for group in result.groups
        for entry in group.entries
        if entry.records
    ]
    banner, measure = result.profile.banner, result.measure
    page = markdown_page(title(result), banner, "compare.svg", table, note(result), remarks(result), measure)
    return page + ("\n![Accuracy against labels](compare-labels.svg)\n" if result.has_curves else "")


def note(result: ComparisonResult) -> str:
    """A paragraph on what the columns mean and how rows are ranked."""
    return result.measure.heading(
        "Ranked by mean accuracy on validation, among those that keep the budget there with every seed. Accuracy is "
        "the integer network's, in %: mean ± standard deviation over n seeds. gain: on validation, in points over "
        f"{result.baseline}, seed by seed. float: the same weights in float arithmetic; step 1: read out after the "
        "first of several steps; spikes: of the hidden layers; synops: synaptic operations; energy: per inference on "
        "the profile; these on test. time: the processor's, of all epochs, the teacher's apart. Not clearly behind: "
        "by less than the standard deviation of the differences, seed by seed."
    )


def title(result: ComparisonResult) -> str:
    """The title: data set and profile."""
    return f"Methods side by side: {result.title}"


def renderable(result: ComparisonResult) -> RichGroup:
    """The comparison for a rich console of :data:`WIDTH` columns."""
    below = (Text(f"- {remark}") for remark in remarks(result))
    return terminal_page(title(result), result.profile.banner, _table(result), note(result), below)


def _table(result: ComparisonResult) -> Table:
    shown = [column for column in COLUMNS if column.short]
    table = Table(box=box.SIMPLE_HEAD, padding=0, pad_edge=False, show_edge=False)
    for column in shown:
        wraps = column.short == "method"
        heading = result.measure.heading(column.short)
        table.add_column(heading, justify="left" if wraps else "right", no_wrap=not wraps, overflow="fold")
    for group in result.groups:
        entries = [entry for entry in group.entries if entry.records]
        if entries:
            table.add_row("", group.title, style="bold")
        for entry in entries:
            table.add_row(*((column.narrow or column.cell)(result, entry) for column in shown))
        table.add_section()
    return table


def _of_group(result: ComparisonResult, group: Group) -> Iterator[str]:
    records = [record for entry in group.entries for record in entry.records]
    if records:
        yield f"{group.title}: {' / '.join(dict.fromkeys(record.outcome.student for record in records))}"
    if group.best is not None:
        near = ", ".join(str(entry.row) for entry in group.as_good_as_best())
        test = result.measure.spread(group.best.accuracy("test"))
        beside = f"; not clearly behind it: {near}" if near else ""
        unit = " %" if result.measure.in_percent else ""
        yield f"{group.title}, best on validation: {group.best.row} (test {test}{unit}){beside}"
    cheaper = [str(entry.row) for entry in group.entries if entry.pareto and entry.rank != 1]
    if group.budget is None and cheaper:
        yield f"{group.title}, Pareto-optimal on validation besides, for less energy: {', '.join(cheaper)}"
    for entry in group.entries:
        for record in entry.over_budget:
            spent = result.say(record.outcome.energy["validation"])
            yield f"{group.title}: {entry.row}, seed {record.seed}: over budget on validation, {spent}"


def _refused(result: ComparisonResult) -> Iterator[str]:
    """Each reason for a refusal once, with the settings and rows that it concerns."""
    about: dict[str, list[tuple[Variant, str | None]]] = {}
    for row_and_budget, sentence in result.refusals.items():
        about.setdefault(sentence, []).append(row_and_budget)
    for sentence, refused in about.items():
        rows = dict.fromkeys(str(row) for row, _ in refused)
        budgets = dict.fromkeys(budget for _, budget in refused)
        settings = "" if len(budgets) == len(result.budgets) else f" ({', '.join(b or 'no budget' for b in budgets)})"
        yield f"not trained: {', '.join(rows)}{settings}: {sentence}"
