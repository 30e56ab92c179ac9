"""The result of a comparison: for each budget the rows, ranked on validation, with their numbers on test."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property, partial

from ...pages.measure import Spread
from ..point import Outcome, limit_of
from ..result import BenchResult, Seeds, by_split, spread_of, with_marks
from .jobs import TrainingJob, TrainingRecord, TrainingResult, jobs_of
from .labels import Labels
from .rows import Refusals, Variant
from .teachers import TeacherFacts

SCHEMA_VERSION = 1
LABELS_ONLY = Variant("none").facts
FAILED = ("failed", "infeasible")
"""States of a training that was begun and has no student; a budget that is known to be too low is refused before."""
Value = Callable[[TrainingRecord], float | None]
"""A number of a training; None if the training has none of that kind."""


@dataclass(frozen=True, repr=False)
class ComparisonEntry(Seeds[TrainingJob, TrainingRecord]):
    """All seeds of one row within one budget.

    Attributes:
        refusal: why the row cannot be trained; empty if it can.
        labels: that its students got; None where all have all of them.
        rank: from 1, by mean accuracy on validation, among those that keep the budget there with every seed; None for
            the others.
    """

    row: Variant
    refusal: str = ""
    labels: Labels | None = None
    rank: int | None = None

    @property
    def records(self) -> list[TrainingRecord]:
        """Of the seeds that are done."""
        return [result.value for result in self.results if result.value is not None]

    @property
    def outcomes(self) -> list[Outcome]:
        """The same on the chip."""
        return [record.outcome for record in self.records]

    @property
    def over_budget(self) -> list[TrainingRecord]:
        """Those that cost more than the budget on validation."""
        return [record for record in self.records if record.outcome.energy["validation"] > self.limit]

    def spread(self, value: Value) -> Spread | None:
        """A number over seeds; None if no seed has it."""
        return spread_of(map(value, self.records))

    def gain(self, other: ComparisonEntry, split: str) -> Spread | None:
        """By how much this row is more accurate than another, seed by seed; None if they share no seed.

        A seed gives both rows the same initial weights and order of samples, so that these differences spread less than
        the accuracies do.
        """
        mine, theirs = ({r.seed: r.outcome.accuracy[split] for r in each.records} for each in (self, other))
        return spread_of(mine[seed] - theirs[seed] for seed in mine if seed in theirs)


VALUES: dict[str, Value] = {
    "float_accuracy": lambda r: r.float_accuracy,
    "first_step_accuracy": lambda r: r.first_step_accuracy,
    "input_spikes": lambda r: r.spikes["input"],
    "hidden_spikes": lambda r: r.spikes["hidden"],
    "readout_spikes": lambda r: r.spikes["readout"],
    "synaptic_ops": lambda r: r.outcome.synaptic_ops["test"],
    "floor": lambda r: r.outcome.floor,
    "student_logit_range": lambda r: r.student_logit_range,
    "teacher_logit_range": lambda r: r.teacher_logit_range,
    "epochs": lambda r: float(r.epochs),
    "seconds": lambda r: r.seconds,
    "processor_seconds": lambda r: r.processor_seconds,
}
"""Numbers of an entry besides accuracy and energy: of the test split, except the floor and those of the training."""


@dataclass(frozen=True, repr=False)
class Group:
    """All rows within one budget, in the order of their ranks; rows without a rank come last.

    Attributes:
        labels: that all students of the group got; None where all of the comparison have all of them.
    """

    budget: str | None
    limit: float
    entries: tuple[ComparisonEntry, ...]
    labels: Labels | None = None

    def __repr__(self) -> str:
        return f"Group({self.title}: {', '.join(str(entry.row) for entry in self.entries)})"

    @property
    def title(self) -> str:
        """The name of the group in tables: its budget, or that it has none, and its share of the labels."""
        words = "no budget" if self.budget is None else f"within {self.budget}"
        return words if self.labels is None else f"{words}, {self.labels.title}"

    @property
    def best(self) -> ComparisonEntry | None:
        """The method with the highest mean accuracy on validation; None while none is ranked."""
        return next((entry for entry in self.entries if entry.rank == 1), None)

    def entry(self, row: Variant) -> ComparisonEntry | None:
        """The entry of a row, if any of its seeds is done."""
        return next((entry for entry in self.entries if entry.row == row and entry.records), None)

    def as_good_as_best(self) -> Iterator[ComparisonEntry]:
        """Rows that trail the best on validation by at most the standard deviation of the differences, seed by seed."""
        for entry in self.entries:
            if self.best is None or entry.rank in (None, 1):
                continue
            lead = self.best.gain(entry, "validation")
            if lead is not None and lead.deviation is not None and lead.mean <= lead.deviation:
                yield entry


@dataclass(frozen=True, repr=False)
class ComparisonResult(BenchResult):
    """Methods side by side; before the first training, a comparison without results.

    Attributes:
        rows: in the order in which they were asked for.
        budgets: None stands for no budget.
        labels: that students get; None where nobody asked for fewer or for samples without.
        left_out: by row and share of the labels, why there are no samples without labels for it.
    """

    rows: tuple[Variant, ...]
    budgets: tuple[str | None, ...]
    seeds: tuple[int, ...]
    results: tuple[TrainingResult, ...]
    refusals: Refusals
    teachers: tuple[TeacherFacts, ...]
    labels: tuple[Labels | None, ...] = (None,)
    left_out: Mapping[tuple[Variant, float], str] = field(default_factory=dict)

    @property
    def has_curves(self) -> bool:
        """Whether students get several shares of the labels."""
        return len(self.labels) > 1

    def __repr__(self) -> str:
        done = sum(result.state == "done" for result in self.results)
        return (
            f"ComparisonResult({self.title}: {len(self.rows)} methods, {len(self.budgets)} settings, {len(self.seeds)} "
            f"seeds, {done} of {len(self.results)} trainings done)"
        )

    @cached_property
    def jobs(self) -> list[TrainingJob]:
        """The trainings that are possible, in the order of work."""
        jobs = jobs_of(self.rows, self.budgets, self.seeds, self.labels)
        return [
            job
            for job in jobs
            if (job.row, job.point.budget) not in self.refusals and (job.row, job.fraction) not in self.left_out
        ]

    def with_results(self, results: Iterable[TrainingResult], teachers: Iterable[TeacherFacts]) -> ComparisonResult:
        """The same comparison with other results; jobs without one are unfinished."""
        known = {result.job: result for result in results}
        every = (known.get(job, TrainingResult(job, "unfinished")) for job in self.jobs)
        return replace(self, results=tuple(every), teachers=tuple(teachers))

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """One for each budget, in the order of ``budgets``, and within it for each share of the labels."""
        found = []
        for budget in self.budgets:
            limit = limit_of(budget, self.profile)
            for labels in self.labels:
                shown = labels if self.has_curves else None
                entries = [self._entry(row, budget, limit, labels) for row in self.rows]
                found.append(Group(budget, limit, tuple(_ranked(entries)), shown))
        return tuple(found)

    @property
    def baseline(self) -> Variant:
        """The row over which gains are measured: labels only, or the first row if that is not asked for."""
        return next((row for row in self.rows if row.facts == LABELS_ONLY), self.rows[0])

    def gain(self, entry: ComparisonEntry, split: str) -> Spread | None:
        """Gain in accuracy of an entry over the baseline within the same budget, with as many labels."""
        (group,) = (g for g in self.groups if (g.budget, g.labels) == (entry.budget, entry.labels))
        base = group.entry(self.baseline)
        return None if base is None else entry.gain(base, split)

    @property
    def outcomes(self) -> list[Outcome]:
        """Of all trainings that are done."""
        return [result.value.outcome for result in self.results if result.value is not None]

    @property
    def failures(self) -> list[str]:
        """Trainings that were begun and failed, with the reason."""
        return [f"{each.job}: {each.sentence}" for each in self.results if each.state in FAILED]

    @property
    def missing(self) -> list[TrainingResult]:
        """Trainings that no worker has finished."""
        return [each for each in self.results if each.state == "unfinished"]

    def as_json(self) -> dict[str, object]:
        """The object that ``compare.json`` holds and ``--json`` prints; energies in ``unit``, per inference."""
        groups = [
            {
                "budget": group.budget,
                **({} if group.labels is None else {"labels": asdict(group.labels)}),
                "limit": None if math.isinf(group.limit) else group.limit,
                "best": None if group.best is None else str(group.best.row),
                "ranking": [str(entry.row) for entry in group.entries if entry.rank is not None],
                "entries": [_entry_json(self, entry) for entry in group.entries],
            }
            for group in self.groups
        ]
        return {
            "schema_version": SCHEMA_VERSION,
            **self.head(),
            "settings": self.settings,
            "seeds": list(self.seeds),
            "teachers": [facts.as_json() for facts in self.teachers],
            "rows": [{"row": str(row), **row.facts} for row in self.rows],
            "baseline": str(self.baseline),
            "groups": groups,
        }

    def _entry(self, row: Variant, budget: str | None, limit: float, labels: Labels | None) -> ComparisonEntry:
        mine = tuple(r for r in self.results if (r.job.row, r.job.point.budget, r.job.labels) == (row, budget, labels))
        refusal = self.refusals.get((row, budget), "") or self.left_out.get((row, labels.fraction if labels else 1), "")
        return ComparisonEntry(budget, limit, mine, row, refusal, labels if self.has_curves else None)


def _ranked(entries: Sequence[ComparisonEntry]) -> list[ComparisonEntry]:
    """In order of rank, with Pareto marks; of equals the one that costs less comes first."""
    known = with_marks([entry for entry in entries if entry.records])
    admitted = sorted((entry for entry in known if not entry.over_budget), key=lambda entry: entry.merit)
    ranked = [replace(entry, rank=rank) for rank, entry in enumerate(admitted, 1)]
    over = [entry for entry in known if entry.over_budget]
    return [*ranked, *over, *(entry for entry in entries if not entry.records)]


def _entry_json(result: ComparisonResult, entry: ComparisonEntry) -> dict[str, object]:
    return {
        "row": str(entry.row),
        "rank": entry.rank,
        "pareto": entry.pareto,
        "refusal": entry.refusal,
        "n": len(entry.records),
        "over_budget": [record.seed for record in entry.over_budget],
        "accuracy": by_split(entry.accuracy),
        "gain": by_split(partial(result.gain, entry)),
        "energy": by_split(entry.energy),
        **{name: vars(found) for name, value in VALUES.items() if (found := entry.spread(value))},
        "trainings": [_training_json(result) for result in entry.results],
    }


def _training_json(result: TrainingResult) -> dict[str, object]:
    state = "missing" if result.state == "unfinished" else "failed" if result.state in FAILED else "done"
    return {
        "seed": result.job.point.seed,
        "state": state,
        "sentence": result.sentence if state == "failed" else "",
        "record": None if result.value is None else result.value.model_dump(mode="json"),
    }
