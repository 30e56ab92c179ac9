"""Several runs side by side on the same profiles, and which of them no other beats, in words for every format."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Group
from rich.text import Text

from ..base.errors import AnswerIsNo, arg, refuse, with_flags
from ..chip.activity_file import load_activity
from ..chip.chip_file import load_chip
from ..energy.provenance import provenance_of
from ..energy.report import EnergyReport
from ..placing.placement import Placer
from ..profile.schema import HardwareProfile
from ..profile.units import Amount
from .measure import ACCURACY, Measure, measure_of
from .numbers import Rows, filled, pareto
from .pricing import priced
from .report import Report

ACTIVITY, CHIP = "activity.json", "chip.h5"
"""What `spikewright run` calls its files, in the folder that it is given."""


@dataclass(frozen=True, eq=False)
class RunRow:
    """A run on one profile.

    Attributes:
        report: None where the network does not fit, and ``refusal`` says why.
        pareto: whether no other run costs at most as much and is at least as accurate; None where the energy or the
            accuracy is not known, or of other data than the first run's.
    """

    name: str
    report: Report | None
    refusal: str
    pareto: bool | None


@dataclass(frozen=True)
class RunTable:
    """All runs on one profile.

    Attributes:
        remarks: why the rows are not to be compared without care.
    """

    profile: HardwareProfile
    rows: tuple[RunRow, ...]
    remarks: tuple[str, ...]

    @property
    def points(self) -> list[tuple[RunRow, EnergyReport, float]]:
        """Runs that can be compared: energy and accuracy are known, and of the first run's data."""
        return [
            (row, row.report.energy, row.report.energy.merit)
            for row in self.rows
            if row.report is not None and row.report.energy.merit is not None and row.pareto is not None
        ]

    @property
    def measure(self) -> Measure:
        """What is called accuracy here: that, or R^2 where the runs that can be compared answer with values."""
        return measure_of(self.points[0][1].outputs) if self.points else ACCURACY

    def as_json(self) -> dict[str, object]:
        """The table as a JSON object; energies in the profile's unit."""
        rows, profile = [_row_json(row) for row in self.rows], self.profile
        return {"profile": profile.name, "unit": profile.cost_unit, "remarks": list(self.remarks), "rows": rows}


def tables_of(
    profiles: Sequence[HardwareProfile], runs: Mapping[str, Sequence[Report | AnswerIsNo]]
) -> tuple[RunTable, ...]:
    """A table for each profile, of what the runs cost on it by name, in their order; empty for a single run."""
    if len(runs) < 2:
        return ()
    found = zip(profiles, zip(*runs.values(), strict=True), strict=True)
    return tuple(table_of(profile, dict(zip(runs, each, strict=True))) for profile, each in found)


def load_runs(
    folders: Sequence[Path],
    names: Sequence[str],
    profiles: Sequence[HardwareProfile],
    budgets: Mapping[str, Amount],
    placer: Placer,
) -> dict[str, list[Report | AnswerIsNo]]:
    """Read the runs in ``folders`` and price each on every profile; by name.

    Raises:
        InputError: a file is missing, or an activity is not of the network beside it.
    """
    found = {}
    for folder, name in zip(folders, names, strict=True):
        activity, chip = load_activity(folder / ACTIVITY), load_chip(folder / CHIP)
        facts = provenance_of(folder / ACTIVITY, folder / CHIP, activity, chip)
        found[name] = priced(activity, chip, profiles, budgets, facts, placer)
    return found


def names_of(activity: Path, folders: Sequence[Path]) -> list[str]:
    """A short name for each run, the first one's from its activity: the last parts of the paths that tell them apart.

    Raises:
        InputError: the same run twice.
    """
    first = activity.resolve()
    paths = [first.parent if first.name == ACTIVITY else first, *(folder.resolve() for folder in folders)]
    again = [given for i, given in enumerate(folders, 1) if paths[i] in paths[:i]]
    refuse(arg("also"), [f"{folder}: is there twice; name every run once" for folder in again])
    length = 1
    while len({path.parts[-length:] for path in paths}) < len(paths):
        length += 1
    return ["/".join(path.parts[-length:]) for path in paths]


def table_of(profile: HardwareProfile, runs: Mapping[str, Report | AnswerIsNo]) -> RunTable:
    """What runs cost on one profile, by name, and which of them no other beats."""
    reports = {name: each for name, each in runs.items() if isinstance(each, Report)}
    data = next((report.provenance.data for report in reports.values() if report.provenance.data), "")
    known = {
        name: (report.energy.total, report.energy.merit)
        for name, report in reports.items()
        if report.energy.merit is not None and report.provenance.data in (data, "")
    }
    marks = dict(zip(known, pareto(list(known.values())), strict=True))
    rows = tuple(
        RunRow(name, each, "", marks.get(name))
        if isinstance(each, Report)
        else RunRow(name, None, with_flags(each, {}), None)
        for name, each in runs.items()
    )
    return RunTable(profile, rows, tuple(_remarks(reports, data)))


def _remarks(reports: Mapping[str, Report], data: str) -> Iterator[str]:
    """Runs on other data, and different samples of the same."""
    names = {name: report.provenance.data for name, report in reports.items()}
    others = {name: other for name, other in names.items() if other not in (data, "")}
    if others:
        each = ", ".join(f"{name} ({other})" for name, other in others.items())
        yield f"not compared with the others, which are on {data}: {each}"
    counted = {
        name: " ".join(filter(None, [f"{report.samples:,}", report.provenance.data, report.split, "samples"]))
        for name, report in reports.items()
        if name not in others
    }
    if len(set(counted.values())) > 1:
        each = ", ".join(f"{name} on {samples}" for name, samples in counted.items())
        yield f"not counted on the same samples, so compare with care: {each}"


def _row_json(row: RunRow) -> dict[str, object]:
    if row.report is None:
        return {"name": row.name, "refusal": row.refusal}
    report = row.report.energy
    return {
        "name": row.name,
        "energy": report.total,
        **{name: getattr(report, name) for name in ("at_least", "within_budget", "accuracy")},
        **({} if report.outputs.is_classes else {"r2": report.merit}),
        "pareto": row.pareto,
        **{name: getattr(report, name) for name in ("timesteps", "samples", "split")},
        "spikes": sum(each.spikes for each in report.spikes),
        "synaptic_ops": report.synaptic_ops,
        "provenance": row.report.provenance.as_json(),
    }


def renderable(table: RunTable) -> Group:
    """Several runs on one profile for a rich console."""
    return Group(
        Text(title(table), style="bold"),
        filled(rows(table)),
        *(Text(remark, style="yellow") for remark in remarks(table)),
    )


def title(table: RunTable) -> str:
    """The caption of the table."""
    return f"{len(table.rows)} runs on {table.profile.name}"


def rows(table: RunTable) -> Rows:
    """What is known of each run; one that does not fit says so in place of its energy."""
    merit = f">{table.measure.name}"
    headings = ("run", merit, ">energy", ">budget", ">on the front", ">steps", ">spikes", ">synaptic operations")
    return [headings, *map(_cells, table.rows)]


def _cells(row: RunRow) -> tuple[str, ...]:
    if row.report is None:
        return (row.name, "-", "does not fit", "-", "-", "-", "-", "-")
    report = row.report.energy
    budget, within = report.budget, "within" if report.within_budget else "over"
    return (
        row.name,
        "not known" if report.merit is None else measure_of(report.outputs).say(report.merit),
        f"{'≥ ' if report.at_least else ''}{report.say(report.total)}",
        "none" if budget is None else f"{within}, {report.total / budget.value:.1%}",
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
    words = []
    for row, report, accuracy in points:
        front = ", on the front" if row.pareto else ""
        words.append(f"{row.name} {report.say(report.total)} and {table.measure.say(accuracy)}{front}")
    budget = points[0][1].budget
    line = f" A line marks the budget of {budget}." if budget else ""
    return table.measure.heading(f"Accuracy against energy, from the cheapest run up: {'; '.join(words)}.{line}")
