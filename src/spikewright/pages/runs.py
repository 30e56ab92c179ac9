"""Several runs side by side on the same profiles, and which of them no other beats."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..base.errors import refuse
from ..chip.activity_file import load_activity
from ..chip.chip_file import load_chip
from ..energy.pricing import Priced, priced, provenance_of
from ..energy.report import EnergyReport
from ..placing.placement import Placer
from ..profile.schema import HardwareProfile
from ..profile.units import Budget
from .spread import pareto

ACTIVITY, CHIP = "activity.json", "chip.h5"
"""What `spikewright run` calls its files, in the folder that it is given."""


@dataclass(frozen=True)
class Run:
    """One run by its name, priced on each profile."""

    name: str
    found: tuple[Priced, ...]


@dataclass(frozen=True, eq=False)
class RunRow:
    """A run on one profile.

    Attributes:
        report: None where the network does not fit, and ``refusal`` says why.
        pareto: whether no other run costs at most as much and is at least as accurate; None where the energy or the
            accuracy is not known, or of other data than the first run's.
    """

    name: str
    report: EnergyReport | None
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
            (row, row.report, row.report.accuracy)
            for row in self.rows
            if row.report is not None and row.report.accuracy is not None and row.pareto is not None
        ]

    def as_json(self) -> dict[str, object]:
        """The table as a JSON object; energies in the profile's unit."""
        return {
            "profile": self.profile.name,
            "unit": self.profile.cost_unit,
            "remarks": list(self.remarks),
            "rows": [_row_json(row) for row in self.rows],
        }


def tables_of(runs: Sequence[Run]) -> tuple[RunTable, ...]:
    """A table for each profile, runs in the order given; empty for a single run."""
    if len(runs) < 2:
        return ()
    return tuple(_table(runs, index) for index in range(len(runs[0].found)))


def load_runs(
    folders: Sequence[Path],
    names: Sequence[str],
    profiles: Sequence[HardwareProfile],
    budgets: Mapping[str, Budget],
    placer: Placer,
) -> list[Run]:
    """Read and price the runs in ``folders``.

    Raises:
        InputError: a file is missing, or an activity is not of the network beside it.
    """
    found = []
    for folder, name in zip(folders, names, strict=True):
        activity, chip = load_activity(folder / ACTIVITY), load_chip(folder / CHIP)
        facts = provenance_of(folder / ACTIVITY, folder / CHIP, activity, chip)
        found.append(Run(name, tuple(priced(activity, chip, profiles, budgets, facts, placer))))
    return found


def names_of(activity: Path, folders: Sequence[Path]) -> list[str]:
    """A short name for each run, the first one's from its activity: the last parts of the paths that tell them apart.

    Raises:
        InputError: the same run twice.
    """
    first = activity.resolve()
    paths = [first.parent if first.name == ACTIVITY else first, *(folder.resolve() for folder in folders)]
    again = [given for i, given in enumerate(folders, 1) if paths[i] in paths[:i]]
    refuse("--also", [f"{folder}: is there twice; name every run once" for folder in again])
    length = 1
    while len({path.parts[-length:] for path in paths}) < len(paths):
        length += 1
    return ["/".join(path.parts[-length:]) for path in paths]


def _table(runs: Sequence[Run], index: int) -> RunTable:
    found = [(run.name, run.found[index]) for run in runs]
    data = next((name for _, each in found if each.report is not None and (name := _data(each.report))), "")
    known = {
        name: (each.report.total, each.report.accuracy)
        for name, each in found
        if each.report is not None and each.report.accuracy is not None and _data(each.report) in (data, "")
    }
    marks = dict(zip(known, pareto(list(known.values())), strict=True))
    rows = tuple(RunRow(name, each.report, each.refusal, marks.get(name)) for name, each in found)
    return RunTable(runs[0].found[index].profile, rows, tuple(_remarks(rows, data)))


def _remarks(rows: Sequence[RunRow], data: str) -> Iterator[str]:
    """Runs on other data, and different samples of the same."""
    reports = {row.name: row.report for row in rows if row.report is not None}
    others = {name: _data(report) for name, report in reports.items() if _data(report) not in (data, "")}
    if others:
        each = ", ".join(f"{name} ({other})" for name, other in others.items())
        yield f"not compared with the others, which are on {data}: {each}"
    counted = {name: _samples(report) for name, report in reports.items() if name not in others}
    if len(set(counted.values())) > 1:
        each = ", ".join(f"{name} on {samples}" for name, samples in counted.items())
        yield f"not counted on the same samples, so compare with care: {each}"


def _data(report: EnergyReport) -> str:
    """The data set's name, empty where the activity does not say it."""
    facts = report.provenance.get("activity")
    name = facts.get("data") if isinstance(facts, dict) else None
    return name if isinstance(name, str) else ""


def _samples(report: EnergyReport) -> str:
    return " ".join(filter(None, [f"{report.samples:,}", _data(report), report.split, "samples"]))


def _row_json(row: RunRow) -> dict[str, object]:
    if (report := row.report) is None:
        return {"name": row.name, "refusal": row.refusal}
    return {
        "name": row.name,
        "energy": report.total,
        "at_least": report.at_least,
        "within_budget": report.within_budget,
        "accuracy": report.accuracy,
        "pareto": row.pareto,
        "timesteps": report.timesteps,
        "samples": report.samples,
        "split": report.split,
        "spikes": sum(each.spikes for each in report.spikes),
        "synaptic_ops": report.synaptic_ops,
        "provenance": report.provenance,
    }
