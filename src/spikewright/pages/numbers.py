"""Numbers in words for every kind of report, so that the table, the page and the plots say the same."""

from __future__ import annotations

from collections.abc import Iterator

from ..energy.report import PARTS, EnergyReport, EnergyRow, Part, TeacherCost
from ..placing.placement import Use
from ..profile.units import quantity
from .placement_text import lines

STEPS_SHOWN = 16
PART_TITLES: dict[Part, str] = {"input": "Input", "hidden": "Hidden layers", "readout": "Readout"}


def count(value: float | None) -> str:
    """A count per inference: whole from a hundred on, two digits after the point below; a dash where unknown."""
    if value is None:
        return "not counted"
    if value >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:,.2f}" if value >= 0.01 else f"{value:.2g}"


def share(part: float, whole: float) -> str:
    """A percentage, never rounded to nothing; a dash where there is no whole."""
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
    if report.neurobench is not None:
        found.append(report.neurobench.sentence())
    return found


def by_part(report: EnergyReport) -> Iterator[tuple[Part, list[EnergyRow]]]:
    """Rows of input, hidden layers and readout, those without rows left out."""
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


def placement(report: EnergyReport) -> list[str]:
    """How the cores lie, and what crosses between chips."""
    return [line[:1].upper() + line[1:] for line in lines(report.placement)]


def binding(report: EnergyReport) -> str:
    """The resource nearest to its limit, in words."""
    use = report.binding
    if use is None:
        return "none: the profile has no limits of size"
    return f"{use.resource}, {used(use)} ({use.share:.0%}) on {where(use)}"


def constants(report: EnergyReport) -> list[tuple[str, EnergyRow]]:
    """Each constant used once: its value in words, and a row that has it."""
    seen = {row.event: row for row in report.rows}
    return [(quantity(row.constant, report.unit), row) for row in seen.values()]


def times(teacher: TeacherCost, report: EnergyReport) -> str:
    """How many times the spiking network's modelled energy the teacher costs; a dash where that is nothing."""
    return f"{teacher.energy / report.total:.3g}" if report.total else "-"


def class_rows(report: EnergyReport) -> list[tuple[str, ...]]:
    """Class, samples, accuracy and energy."""
    return [
        (str(each.label), str(each.samples), f"{each.accuracy:.2%}", report.say(each.energy)) for each in report.classes
    ]


def unmodelled_rows(report: EnergyReport) -> list[tuple[str, ...]]:
    """What is left out, how often it happens, and why it is."""
    return [(item.words, count(item.count), item.why) for item in report.not_modelled]


def fit_rows(report: EnergyReport) -> list[tuple[str, ...]]:
    """Resource, used, share and where."""
    return [
        (
            use.resource + (" (binding)" if use == report.binding else ""),
            used(use),
            f"{use.share:.0%}" if use.limit else "",
            where(use),
        )
        for use in report.fit
    ]


def constant_rows(report: EnergyReport) -> list[tuple[str, ...]]:
    """Event, value, kind and scope, source."""
    return [(row.words, value, f"{row.kind}, {row.scope}", row.source) for value, row in constants(report)]


def origin(report: EnergyReport) -> list[tuple[str, str]]:
    """What made the report, by name: command, files and their hashes; what is not known is left out."""
    found = []
    if isinstance(command := report.provenance.get("command"), str):
        found.append(("command", command))
    for name in ("activity", "chip"):
        facts = report.provenance.get(name)
        if isinstance(facts, dict):
            by = f", by {facts['source']}" if "source" in facts else ""
            found.append((f"{name} file", f"{facts['file']}, SHA-256 {facts['sha256']}{by}"))
    return [*found, ("profile", f"{report.profile.name}, SHA-256 {report.profile.sha256}")]


def measured(report: EnergyReport) -> str:
    """What was run, in one line."""
    split = f" of the {report.split} split" if report.split else ""
    accuracy = "" if report.accuracy is None else f", accuracy {report.accuracy:.2%}"
    samples = f"{report.samples:,} {'sample' if report.samples == 1 else 'samples'}"
    return f"{samples}{split}, {report.timesteps} timesteps, {report.backend} simulation{accuracy}"
