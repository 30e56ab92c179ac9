"""The report as a table for the terminal, and as plain text."""

from __future__ import annotations

from io import StringIO

from rich import box
from rich.console import Console, Group, JustifyMethod, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ..energy_report import EnergyReport
from . import core_tables, numbers

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
    parts += [
        Text(),
        _rows(report),
        Text("\nNot modelled, so the total is at least what it says", style="bold"),
        _not_modelled(report),
        Text("\nFit", style="bold"),
        _fit(report),
    ]
    if report.cores:
        parts += [Text("\nCores and messages", style="bold")]
        parts += [*(Text(line) for line in numbers.placement(report)), Text(), _seats(report), Text(), _ways(report)]
    if report.elsewhere:
        heading = Text(f"\n{numbers.elsewhere_heading(report)}", style="bold")
        parts += [heading, _elsewhere(report), Text(numbers.ELSEWHERE)]
    return Group(*parts)


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


def _not_modelled(report: EnergyReport) -> RenderableType:
    table = table_of("what", ">count", "why")
    for item in report.not_modelled:
        table.add_row(item.words, numbers.count(item.count), item.why)
    return Padding(table, (0, 0))


def _fit(report: EnergyReport) -> RenderableType:
    if report.binding is None:
        return Text("the profile has no limits of size")
    table = table_of("resource", ">fullest", ">share", "where")
    for use in report.fit:
        mark = " (binding)" if use == report.binding else ""
        percent = f"{use.share:.0%}" if use.limit else ""
        table.add_row(use.resource + mark, numbers.used(use), percent, numbers.where(use))
    return table


def _seats(report: EnergyReport) -> RenderableType:
    table = table_of("population", ">cores", ">least work", ">mean", ">most")
    for each in core_tables.seats(report):
        work = (numbers.count(value) for value in (each.least, each.mean, each.most))
        table.add_row(f"{each.letter} {each.population}", str(each.cores), *work)
    return table


def _ways(report: EnergyReport) -> RenderableType:
    table = table_of("connection", ">messages", ">hops each")
    for way in report.ways:
        table.add_row(core_tables.name_of(way), numbers.count(way.messages), core_tables.hops(way))
    return table


def _elsewhere(report: EnergyReport) -> RenderableType:
    table = table_of("machine", ">each MAC", ">energy", ">times", "kind, scope")
    for each in report.elsewhere:
        cells = (each.title, report.say(each.constant), report.say(each.energy), numbers.times(each, report))
        table.add_row(*cells, f"{each.kind}, {each.scope}")
    return table
