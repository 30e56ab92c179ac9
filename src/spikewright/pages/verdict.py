"""How a run ended: accuracy at every level, agreement, energy against the budget, and where the files are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

from ..base.errors import arg
from ..chip.activity import Overflows
from ..chip.agreement import Agreement
from ..chip.answers import Answers
from .measure import measure_of
from .numbers import binding
from .paths import Paths
from .report import Report


@dataclass(frozen=True)
class Verdict:
    """How a run ended.

    Attributes:
        agreement: accuracy at every level, and where levels differ.
        report: the integer network's cost per inference, against the budget where there is one.
        spikes: per inference, input events included; synaptic_ops likewise.
        overflows: registers of the chip network that overflowed; None where they were not counted.
        answers: scores and answers of the integer network on the test samples; None where nobody kept them.
    """

    agreement: Agreement
    report: Report
    timesteps: int
    spikes: float
    synaptic_ops: float
    paths: Paths
    overflows: Overflows | None = None
    answers: Answers | None = None

    @property
    def binding(self) -> str:
        """The resource nearest to its limit, in words."""
        return binding(self.report.placement)

    @property
    def faults(self) -> list[str]:
        """Why the run failed its checks: over the budget, overflows, or levels that differ; empty if it passed."""
        over = [self.report.energy.verdict] if self.report.energy.within_budget is False else []
        if self.overflows is not None and self.overflows.harmful:
            more = f"train with a larger {arg('scale_margin')}, or with {arg('scales', 'worst-case')}"
            over.append(f"registers overflowed {self.overflows.harmful} times; {more}")
        differing = [(pair.replace("_", " and "), n) for pair, n in self.agreement.mismatches.items() if n]
        return over + [f"{levels} differ in {n} values" for levels, n in differing]

    def artefacts(self) -> dict[str, Path]:
        """Paths of all files of the run by name, those of the report and the model card included."""
        card = self.paths.nir.with_suffix(".md")
        return {**vars(self.paths), "report": self.paths.report.with_suffix(".html"), "card": card}

    def as_json(self) -> dict[str, object]:
        """The verdict as one JSON object; energy, spikes and operations are per inference."""
        energy, known = self.report.energy, self.agreement
        limit = None if energy.budget is None else energy.budget.value
        costs: dict[str, float | None] = dict.fromkeys(("energy_j", "budget_j", "energy_ops", "budget_ops"))
        unit = energy.unit.lower()
        costs |= {f"energy_{unit}": energy.total, f"budget_{unit}": limit}
        return {
            "accuracy": {level: known.accuracy.get(level) for level in (*known.accuracy, "lava", "netx")},
            **({"r2": known.r2} if known.r2 else {}),
            "samples": known.samples,
            "mismatches": {pair: known.mismatches.get(pair) for pair in known.pairs},
            "skipped": known.skipped,
            **costs,
            "energy_is_at_least": energy.at_least,
            "within_budget": energy.within_budget,
            "binding_resource": self.binding,
            "profile": energy.profile.name,
            "timesteps": self.timesteps,
            "spikes": self.spikes,
            "synaptic_ops": self.synaptic_ops,
            "artefacts": {name: str(path) for name, path in self.artefacts().items()},
        }

    def renderable(self) -> Table:
        """The verdict for a rich console."""
        table = Table(show_header=False, box=None, pad_edge=False)
        known = self.agreement
        quality = self.report.quality
        # Of windows the answers are those of their recordings, and so are accuracy and R^2.
        of_windows = quality is not None and quality.samples != self.report.samples
        what = f"{known.split} {'windows' if of_windows else 'samples'}"
        on = {level: f"({samples} {what})" for level, samples in known.samples.items()}
        measure = measure_of(self.report.outputs)
        words = (f"{level} {measure.say(merit)} {on[level]}" for level, merit in known.merits.items())
        table.add_row(measure.name, ", ".join(words))
        table.add_row("agreement", self.agreement.in_words())
        table.add_row("energy", self.report.energy.verdict)
        table.add_row("spikes", f"{self.spikes:.0f} per inference, {self.synaptic_ops:.0f} synaptic operations")
        table.add_row("binding resource", self.binding)
        table.add_row("files", ", ".join(str(path) for path in self.artefacts().values()))
        return table
