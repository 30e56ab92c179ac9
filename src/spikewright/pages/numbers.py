"""Numbers in words and tables, the same for the terminal, Markdown, the page and the plots.

A table is a list of rows, the headings first. A heading that starts with ``>`` has numbers below it, aligned to the
right; below one that starts with ``+`` are long texts, for which the page has a wide column.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich import box
from rich.table import Table

from ..chip.agreement import Agreement
from ..energy.report import PARTS, EnergyReport, EnergyRow, Part
from ..placing.placement import Placement, Use
from .measure import ACCURACY, R2, measure_of

WIDTH = 100
"""Characters of a line where a table is not printed on a terminal."""
STEPS_SHOWN = 16
PART_TITLES: dict[Part, str] = {"input": "Input", "hidden": "Hidden layers", "readout": "Readout"}
AGREEMENT_NOT_KNOWN = (
    "Nothing lies beside this activity that tells how other levels do; `spikewright run` compares teacher, student, "
    "floats, integers and Lava, and leaves an agreement.json that a report takes up."
)


Rows = list[tuple[str, ...]]


def pareto(points: Sequence[tuple[float, float]]) -> list[bool]:
    """Which of ``(energy, accuracy)`` no other beats by costing at most as much and being at least as accurate."""
    return [
        not any(other != point and other[0] <= point[0] and other[1] >= point[1] for other in points)
        for point in points
    ]


def table_of(*headings: str) -> Table:
    """An empty table for a rich console."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1))
    for heading in headings:
        table.add_column(heading.lstrip(">+"), justify="right" if heading.startswith(">") else "left", overflow="fold")
    return table


def filled(rows: Rows) -> Table:
    """A table for a rich console."""
    table = table_of(*rows[0])
    for row in rows[1:]:
        table.add_row(*row)
    return table


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
    """What is known beside the total, a line each: spread, other constants, steps, zeros, resets, time and power."""
    found, say = [], report.say
    if (spread := report.spread) is not None:
        found.append(
            f"mean of {spread.samples:,} samples: 95 % interval {say(spread.low)} to {say(spread.high)}; single "
            f"inferences take {say(spread.least)} to {say(spread.most)}, half of them at most {say(spread.median)}, "
            f"95 % at most {say(spread.p95)}"
        )
    if (band := report.band) is not None:
        others = " and ".join(f"{say(energy)} with {name}" for name, energy in band.items())
        factor = max(band.values()) / min(band.values())
        found.append(f"constants published for this chip disagree by a factor of {factor:.2f}: {others}")
    if 1 < len(report.steps) <= STEPS_SHOWN:
        found.append(f"by step: {', '.join(say(energy) for energy in report.steps)}")
    if report.zeros.operations:
        found.append(
            f"weights of zero are charged like any others: {count(report.zeros.operations)} synaptic operations, "
            f"{share(report.zeros.operations, report.synaptic_ops)} of them, {say(report.zeros.energy)} of the total"
        )
    if report.resets is not None:
        found.append(report.resets.sentence(report.total if report.unit == "J" else None))
    if report.time is not None:
        found += [f"time: {report.time.sentence()}", *filter(None, [report.time.static_sentence()])]
    return found


def by_part(report: EnergyReport) -> Iterator[tuple[Part, list[EnergyRow]]]:
    """Rows of input, hidden layers and readout; parts without rows are left out."""
    for part in PARTS:
        if rows := [row for row in report.rows if row.part == part]:
            yield part, rows


def place_of(row: EnergyRow) -> str:
    """Where the events of a row happen: a connection as ``a → b``, or a population."""
    return row.connection.replace("->", " → ") if row.connection else row.population


def used(use: Use) -> str:
    """``used of limit``, in the resource's own unit."""
    in_bits = use.resource == "synapse memory"
    amount = f"{use.used / 8192:.1f} KiB" if in_bits else f"{use.used:,}"
    if use.limit is None:
        return f"{amount} (no known limit)"
    return f"{amount} of {f'{use.limit / 8192:g} KiB' if in_bits else f'{use.limit:,}'}"


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


def class_rows(report: EnergyReport) -> Rows:
    """Class, samples, accuracy and mean energy, class by class."""
    rows = [(c.name or str(c.label), str(c.samples), f"{c.accuracy:.2%}", report.say(c.energy)) for c in report.classes]
    return [("class", ">samples", ">accuracy", ">energy"), *rows]


def unmodelled_rows(report: EnergyReport) -> Rows:
    """What is left out, how often it happens, and why it is."""
    return [("what", ">count", "+why"), *((item.words, count(item.count), item.why) for item in report.not_modelled)]


def fit_rows(placement: Placement) -> Rows:
    """Resource, used, share and where, on the fullest core of each resource."""
    found: Rows = [("resource", ">fullest", ">share", "where")]
    for use in placement.worst:
        resource = use.resource + (" (binding)" if use == placement.binding else "")
        found.append((resource, used(use), f"{use.share:.0%}" if use.limit else "", where(use)))
    return found


def constant_rows(report: EnergyReport) -> Rows:
    """Event, value, kind and scope, and source of each constant that was used."""
    rows = {
        row.event: (row.event.words, report.say(row.constant), f"{row.kind}, {row.scope}", row.source)
        for row in report.rows
    }
    return [("event", ">value", "kind, scope", "+source"), *rows.values()]


def measured(report: EnergyReport) -> str:
    """Samples, split, timesteps, simulator, and how good the answers are, in one line."""
    split = f" of the {report.split} split" if report.split else ""
    measure, windows = measure_of(report.outputs), ""
    merit = "" if report.merit is None else f", {measure.name} {measure.say(report.merit)}"
    if report.quality is not None and report.quality.samples != report.samples:
        windows = f", windows of {report.quality.samples:,} recordings"
    samples = samples_in_words(report.samples)
    return f"{samples}{split}{windows}, {report.timesteps} timesteps from rest, {report.backend} simulation{merit}"


def agreement_rows(agreement: Agreement) -> Rows:
    """Level, accuracy or R^2, samples and differing values; of a level that was not run, why not."""
    compared = {one if one != "integer" else other: pair for pair, (one, other) in agreement.pairs.items()}
    measure = R2 if agreement.r2 else ACCURACY
    found: Rows = [("level", f">{measure.name}", ">samples", "+values that differ")]
    for level, words in agreement.levels.items():
        if level in agreement.merits:
            pair, differ = compared.get(level, ""), ""
            if pair in agreement.mismatches:
                values, samples = agreement.mismatches[pair], agreement.compared[pair]
                differ = f"{f'{values:,} values' if values else 'none'} on {samples_in_words(samples)}"
            found.append((words, measure.say(agreement.merits[level]), f"{agreement.samples[level]:,}", differ))
        elif level in agreement.skipped:
            found.append((words, "-", "-", f"not run: {agreement.skipped[level]}"))
    return found


def samples_in_words(samples: int) -> str:
    """A number of samples as text: ``1 sample``, ``1,234 samples``."""
    return "1 sample" if samples == 1 else f"{samples:,} samples"
