"""Numbers in words and rows of tables, the same for the terminal, Markdown, the page and the plots."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from rich import box
from rich.table import Table

from ..chip.agreement import Agreement
from ..energy.ann import AnnCost
from ..energy.report import PARTS, EnergyReport, EnergyRow, Part
from ..placing.placement import Placement, Use
from ..profile.units import quantity

WIDTH = 100
"""Characters of a line where a table is not printed on a terminal."""
STEPS_SHOWN = 16
PART_TITLES: dict[Part, str] = {"input": "Input", "hidden": "Hidden layers", "readout": "Readout"}
AGREEMENT_HEADINGS = ("level", ">accuracy", ">samples", "values that differ")
AGREEMENT_NOT_KNOWN = (
    "Nothing lies beside this activity that tells how other levels do; `spikewright run` compares teacher, student, "
    "floats, integers and Lava, and leaves an agreement.json that a report takes up."
)


def table_of(*headings: str) -> Table:
    """An empty table for a rich console; a heading that starts with ``>`` has its column aligned to the right."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1))
    for heading in headings:
        table.add_column(heading.lstrip(">"), justify="right" if heading.startswith(">") else "left", overflow="fold")
    return table


def filled(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """A table for a rich console with these rows."""
    table = table_of(*headings)
    for row in rows:
        table.add_row(*row)
    return table


def markdown_table(*rows: Sequence[str]) -> list[str]:
    """The lines of a Markdown table; the first row is its heading."""
    head, *body = ([cell.replace("|", "\\|").replace("\n", " ") for cell in row] for row in rows)
    return ["| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *body)]


def count(value: float | None) -> str:
    """A count per inference: whole from 100 on, below with two digits after the point; words where unknown."""
    if value is None:
        return "not counted"
    if value >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:,.2f}" if value >= 0.01 else f"{value:.2g}"


def share(part: float, whole: float) -> str:
    """A percentage, never rounded to zero; a dash where the whole is zero."""
    if not whole:
        return "-"
    return "<0.1%" if 0 < part / whole < 0.0005 else f"{part / whole:.1%}"


def beside(report: EnergyReport) -> list[str]:
    """What is known beside the total, a line each: spread, other constants, steps, time and static energy."""
    found, say = [], report.say
    if (spread := report.spread) is not None:
        found.append(
            f"mean of {spread.samples:,} samples: 95 % interval {say(spread.low)} to {say(spread.high)}; single "
            f"inferences take {say(spread.least)} to {say(spread.most)}, half of them at most {say(spread.median)}, "
            f"95 % at most {say(spread.p95)}"
        )
    if (band := report.band) is not None:
        others = " and ".join(f"{say(energy)} with {name}" for name, energy in band.energies.items())
        found.append(f"constants published for this chip disagree by a factor of {band.high / band.low:.2f}: {others}")
    if 1 < len(report.steps) <= STEPS_SHOWN:
        found.append(f"by step: {', '.join(say(energy) for energy in report.steps)}")
    if report.time is not None:
        found += [f"time: {report.time.sentence()}", *filter(None, [report.time.static_sentence()])]
    return found


def by_part(report: EnergyReport) -> Iterator[tuple[Part, list[EnergyRow]]]:
    """Rows of input, hidden layers and readout; parts without rows are left out."""
    for part in PARTS:
        rows = [row for row in report.rows if row.part == part]
        if rows:
            yield part, rows


def place_of(row: EnergyRow) -> str:
    """Where the events of a row happen: a connection as ``a → b``, or a population."""
    return row.connection.replace("->", " → ") if row.connection else row.population


def used(use: Use) -> str:
    """``used of limit``, in the resource's own unit."""
    if use.resource == "synapse memory":
        amount, limit = f"{use.used / 8192:.1f} KiB", None if use.limit is None else f"{use.limit / 8192:g} KiB"
    else:
        amount, limit = f"{use.used:,}", None if use.limit is None else f"{use.limit:,}"
    return f"{amount} (no known limit)" if limit is None else f"{amount} of {limit}"


def where(use: Use) -> str:
    """On which core, and of which chip if there are several, or on the whole of them."""
    if use.core is None:
        return "whole chip"
    of_chip = "" if use.chip is None else f" of chip {use.chip}"
    return f"core {use.core}{of_chip}, {use.population}"


def binding(placement: Placement) -> str:
    """The resource nearest to its limit, its use and its place, in words."""
    use = placement.binding
    if use is None:
        return "none: the profile has no limits of size"
    return f"{use.resource}, {used(use)} ({use.share:.0%}) on {where(use)}"


def times(teacher: AnnCost, report: EnergyReport) -> str:
    """The teacher's energy as a multiple of the spiking network's modelled energy; a dash where that is zero."""
    return f"{teacher.energy / report.total:.3g}" if report.total else "-"


def class_rows(report: EnergyReport) -> list[tuple[str, ...]]:
    """Class, samples, accuracy and mean energy, class by class."""
    return [
        (str(each.label), str(each.samples), f"{each.accuracy:.2%}", report.say(each.energy)) for each in report.classes
    ]


def unmodelled_rows(report: EnergyReport) -> list[tuple[str, ...]]:
    """What is left out, how often it happens, and why it is."""
    return [(item.words, count(item.count), item.why) for item in report.not_modelled]


def fit_rows(placement: Placement) -> list[tuple[str, ...]]:
    """Resource, used, share and where, on the fullest core of each resource."""
    return [
        (
            use.resource + (" (binding)" if use == placement.binding else ""),
            used(use),
            f"{use.share:.0%}" if use.limit else "",
            where(use),
        )
        for use in placement.worst
    ]


def constant_rows(report: EnergyReport) -> list[tuple[str, ...]]:
    """Event, value, kind and scope, and source of each constant that was used."""
    used_once = {row.event: row for row in report.rows}
    return [
        (row.event.words, quantity(row.constant, report.unit), f"{row.kind}, {row.scope}", row.source)
        for row in used_once.values()
    ]


def measured(report: EnergyReport) -> str:
    """Samples, split, timesteps, simulator and accuracy, in one line."""
    split = f" of the {report.split} split" if report.split else ""
    accuracy = "" if report.accuracy is None else f", accuracy {report.accuracy:.2%}"
    samples = f"{report.samples:,} {'sample' if report.samples == 1 else 'samples'}"
    return f"{samples}{split}, {report.timesteps} timesteps, {report.backend} simulation{accuracy}"


def agreement_rows(agreement: Agreement) -> list[tuple[str, ...]]:
    """Level, accuracy, samples and differing values; of a level that was not run, why not."""
    compared = {one if one != "integer" else other: pair for pair, (one, other) in agreement.pairs.items()}
    found: list[tuple[str, ...]] = []
    for level, words in agreement.levels.items():
        if level in agreement.accuracy:
            accuracy, samples = f"{agreement.accuracy[level]:.2%}", f"{agreement.samples[level]:,}"
            found.append((words, accuracy, samples, _differs(agreement, compared.get(level, ""))))
        elif level in agreement.skipped:
            found.append((words, "-", "-", f"not run: {agreement.skipped[level]}"))
    return found


def _differs(agreement: Agreement, pair: str) -> str:
    """How many spikes, currents and membrane potentials differ from those of the integer network."""
    if pair not in agreement.mismatches:
        return ""
    values, samples = agreement.mismatches[pair], agreement.compared[pair]
    return f"{'none' if values == 0 else f'{values:,} values'} on {samples:,} {'sample' if samples == 1 else 'samples'}"
