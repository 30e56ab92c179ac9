"""Cores and their messages as rows, the same for the terminal, Markdown and the page."""

from __future__ import annotations

from dataclasses import dataclass

from ..energy.report import EnergyReport
from ..placing.core_load import CoreLoad, RouteTraffic
from .core_map import brief, grid_of, letters
from .numbers import count

SHOWN = 32
"""Cores in a list, the busiest ones."""

WORK = "Work: synaptic operations of the spikes that arrive, and updates of compartments, in one inference"


@dataclass(frozen=True)
class Seats:
    """The cores that hold compartments of one population; their work, that for other populations included."""

    letter: str
    population: str
    cores: int
    least: float
    mean: float
    most: float


def seats(report: EnergyReport) -> list[Seats]:
    """A row for each population that lies on cores."""
    found = []
    for name, letter in letters(report).items():
        work = [core.work for core in report.cores if name in core.compartments]
        found.append(Seats(letter, name, len(work), min(work), sum(work) / len(work), max(work)))
    return found


def busiest(report: EnergyReport) -> list[CoreLoad]:
    """The busiest cores, the busiest first."""
    return sorted(report.cores, key=lambda core: (-core.work, core.chip, core.core))[:SHOWN]


def rest(report: EnergyReport) -> str:
    """What the list of cores leaves out; empty where it is whole."""
    left = len(report.cores) - SHOWN
    return f"{left:,} more cores have less to do than these" if left > 0 else ""


def seat_rows(report: EnergyReport) -> list[tuple[str, ...]]:
    """Population, cores, and the least, mean and most work of these."""
    return [
        (f"{each.letter} {each.population}", str(each.cores), count(each.least), count(each.mean), count(each.most))
        for each in seats(report)
    ]


def busiest_rows(report: EnergyReport) -> list[tuple[str, ...]]:
    """Core, populations, synaptic operations and updates of the busiest cores."""
    several = report.placement.arrangement.chips > 1
    return [
        (
            f"{core.core} of chip {core.chip}" if several else str(core.core),
            ", ".join(core.compartments),
            count(core.synaptic_ops),
            count(core.updates),
        )
        for core in busiest(report)
    ]


def way_headings(report: EnergyReport) -> list[str]:
    """Of :func:`way_rows`; messages between chips only where there are several."""
    return ["connection", ">messages", ">hops each", *([">to other chips"] * (report.placement.arrangement.chips > 1))]


def way_rows(report: EnergyReport) -> list[tuple[str, ...]]:
    """A row for each connection; a dash where something is not known."""
    return [
        (
            way.connection.replace("->", " → "),
            count(way.messages),
            hops(way),
            *(["-" if way.crossings is None else count(way.crossings)] * (report.placement.arrangement.chips > 1)),
        )
        for way in report.ways
    ]


def hops(way: RouteTraffic) -> str:
    """Hops of a message, a dash where that is not known."""
    return "-" if way.mean_hops is None else f"{way.mean_hops:.2f}"


def chips(report: EnergyReport) -> list[int]:
    """Chips in use."""
    return sorted({core.chip for core in report.cores})


def key(report: EnergyReport, chip: int) -> str:
    """How to read the map of a chip."""
    most = count(max(core.work for core in report.cores))
    if grid_of(report, chip).is_written_out:
        return "A square is a core: the letter says whose, the number is its work; the darker, the more."
    return f"A square is a core: the letter says whose, the number is its work in tenths of the busiest core's, {most}."


def in_words(report: EnergyReport, chip: int) -> str:
    """The map of a chip for those who do not see it."""
    grid = grid_of(report, chip)
    here = [core for core in report.cores if core.chip == chip]
    words = []
    for each in seats(report):
        places = [report.placement.position(core.core) for core in here if each.population in core.compartments]
        if places:
            shown = ", ".join(f"{column}/{row}" for column, row in dict.fromkeys(places[:12]))
            more = f" and {len(places) - 12} more" if len(places) > 12 else ""
            words.append(f"{each.letter}, {each.population}, on tiles {shown}{more}")
    top = max(here, key=lambda core: core.work)
    column, row = report.placement.position(top.core)
    return (
        f"Map of the tiles in use, columns {grid.columns.start} to {grid.columns.stop - 1} and rows {grid.rows.start} "
        f"to {grid.rows.stop - 1}: {'; '.join(words)}. Busiest is core {top.core} ({' and '.join(top.compartments)}) "
        f"on tile {column}/{row} with {brief(top.work)} operations and updates."
    )
