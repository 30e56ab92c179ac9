"""The report as a table for the terminal, and as plain text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from io import StringIO

from rich import box
from rich.console import Console, Group, JustifyMethod, RenderableType
from rich.table import Table
from rich.text import Text

from ..energy.report import EnergyReport
from . import against, agreement_tables, core_tables, numbers, run_tables
from .runs import RunTable

WIDTH = 100


def as_text(report: EnergyReport) -> str:
    """The report as plain text, without colour."""
    console = Console(file=StringIO(), width=WIDTH, color_system=None, force_terminal=False, legacy_windows=False)
    with console.capture() as captured:
        console.print(renderable(report))
    return "\n".join(line.rstrip() for line in captured.get().splitlines())


def renderable(report: EnergyReport) -> Group:
    """The report for a rich console: verdict first, then what it is made of, what is left out, and the fit."""
    parts: list[RenderableType] = [
        Text(f"{report.profile.name}: {report.profile.title}", style="bold"),
        Text(report.verdict, style=_verdict_style(report)),
    ]
    if report.profile.banner:
        parts.append(Text(report.profile.banner, style="yellow"))
    parts += [Text(numbers.measured(report)), Text(f"floor with no hidden spike: {report.say(report.floor)}")]
    if line := teacher_line(report):
        parts.append(Text(line))
    parts += [Text(line) for line in numbers.beside(report)]
    parts += [Text(), _rows(report), *_agreement(report), *_against(report)]
    parts += [
        Text("\nNot modelled, so the total is at least what it says", style="bold"),
        filled(("what", ">count", "why"), numbers.unmodelled_rows(report)),
        Text("\nFit", style="bold"),
        _fit(report),
    ]
    if report.cores:
        parts += [Text("\nCores and messages", style="bold"), *(Text(line) for line in numbers.placement(report))]
        parts += [
            Text(),
            filled(("population", ">cores", ">least work", ">mean", ">most"), core_tables.seat_rows(report)),
            Text(),
            filled(core_tables.way_headings(report), core_tables.way_rows(report)),
        ]
    return Group(*parts)


def runs_renderable(table: RunTable) -> Group:
    """Several runs on one profile for a rich console."""
    return Group(
        Text(run_tables.title(table), style="bold"),
        filled(run_tables.HEADINGS, run_tables.rows(table)),
        *(Text(remark, style="yellow") for remark in run_tables.remarks(table)),
    )


def teacher_line(report: EnergyReport) -> str:
    """The artificial network beside the spiking one, or why it is not there; empty where no constant exists for it."""
    teacher = report.teacher
    if teacher is None:
        known = report.profile.energy.teacher_mac is not None
        return "ANN teacher: left out, since the network does not say how many MACs its teacher has" if known else ""
    times = f", {numbers.times(teacher, report)} times the spiking network" if report.total else ""
    return f"ANN teacher: {teacher.macs:,} MACs, {report.say(teacher.energy)} per inference{times}"


def _verdict_style(report: EnergyReport) -> str:
    return {None: "bold", True: "bold green", False: "bold red"}[report.within_budget]


def table_of(*headings: str) -> Table:
    """An empty table; a heading that starts with ``>`` has its column aligned to the right."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1))
    for heading in headings:
        side: JustifyMethod = "right" if heading.startswith(">") else "left"
        table.add_column(heading.lstrip(">"), justify=side, overflow="fold")
    return table


def filled(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """A table with these rows."""
    table = table_of(*headings)
    for row in rows:
        table.add_row(*row)
    return table


def _rows(report: EnergyReport) -> Table:
    table = table_of("event", "where", ">count", ">each", ">energy", ">share")
    for part, rows in numbers.by_part(report):
        energy = report.by_part()[part]
        cells = (numbers.PART_TITLES[part], "", "", "", report.say(energy), numbers.share(energy, report.total))
        table.add_row(*cells, style="bold")
        for row in rows:
            table.add_row(
                f"  {row.words}",
                numbers.place_of(row),
                numbers.count(row.count),
                report.say(row.constant),
                report.say(row.energy),
                numbers.share(row.energy, report.total),
            )
    table.add_section()
    table.add_row("Total", "at least" if report.at_least else "", "", "", report.say(report.total), "", style="bold")
    return table


def _agreement(report: EnergyReport) -> list[RenderableType]:
    if report.agreement is None:
        return []
    return [
        Text("\nAgreement", style="bold"),
        filled(agreement_tables.HEADINGS, agreement_tables.rows(report.agreement)),
    ]


def _against(report: EnergyReport) -> list[RenderableType]:
    """The artificial network against the spiking one; the sources of its numbers are in the files."""
    parts: list[RenderableType] = [Text("\nANN against SNN", style="bold")]
    parts += [Text(f"* {sentence}") for sentence in against.sentences(report)]
    for caption, standings in against.tables(report):
        parts += [Text(f"\n{caption}"), filled(against.HEADINGS, against.rows(report, standings))]
    return parts


def _fit(report: EnergyReport) -> RenderableType:
    if report.binding is None:
        return Text("the profile has no limits of size")
    return filled(("resource", ">fullest", ">share", "where"), numbers.fit_rows(report))
