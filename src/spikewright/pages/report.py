"""A report of one activity on one profile: its energy, and what stands beside it; as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import StringIO
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ..base.shown import Shown
from ..base.terminal import terminal
from ..chip.activity import Trace
from ..chip.agreement import Agreement
from ..chip.neuron_models import resets_of
from ..energy.ann import AnnCost, AnnCosts, standings
from ..energy.macs import COUNT
from ..energy.neurobench import NeuroBench
from ..energy.provenance import Provenance
from ..energy.report import EnergyReport
from ..placing.placement import Use
from ..profile.anchors import Anchors
from ..profile.resets import reset_sentences
from . import against, anchors, cores, numbers, quality
from .anchors import AnchorTable, of_report
from .cores import PlacedCores
from .network import placement_json, placement_sentences

SCHEMA_VERSION = 1
"""Of the report's JSON; grows where a field changes its meaning or goes, not where one is added."""


@dataclass(frozen=True, eq=False, repr=False)
class Report(Shown, PlacedCores):
    """What one activity costs on one profile, and what else there is to say of it; a placed network with its price.

    Attributes of the energy are attributes of the report as well: ``report.total`` is ``report.energy.total``.
    ``print(report)`` shows it as a table.

    Attributes:
        energy: rows of count x constant, their total, the budget, and how they split.
        ann: artificial networks beside it.
        neurobench: the network and its activity in NeuroBench's terms.
        rates: by population, spikes per neuron at each step, the mean over samples; empty where not counted.
        raster: by population, spikes of the first sample; None where they were not kept.
        agreement: accuracy at every level of this chip network, and where they differ; None where nobody looked.
        provenance: where network and activity came from.
        overflows: a sentence for each kind of overflow of each population, where there were any.
        anchors: published points to stand beside; None where none were asked for.
    """

    energy: EnergyReport
    ann: AnnCosts
    neurobench: NeuroBench
    rates: Mapping[str, tuple[float, ...]]
    raster: Mapping[str, Trace] | None
    provenance: Provenance
    agreement: Agreement | None = None
    overflows: tuple[str, ...] = ()
    anchors: Anchors | None = None

    def __getattr__(self, name: str) -> Any:
        if name == "energy" or name.startswith("__"):  # while an instance is copied or unpickled
            raise AttributeError(name)
        return getattr(self.energy, name)

    @property
    def fit(self) -> tuple[Use, ...]:
        """For each resource, the fullest core; then the number of cores."""
        return self.placement.worst

    @property
    def binding(self) -> Use | None:
        """The use nearest to its limit; None where there are no limits."""
        return self.placement.binding

    @property
    def teacher(self) -> AnnCost | None:
        """The teacher on the profile itself; None where that is not known."""
        return self.ann.teacher

    @property
    def published(self) -> AnchorTable | None:
        """The published points beside this report; None where none were asked for."""
        return None if self.anchors is None else of_report(self.anchors, self.energy, self.provenance.data)

    def __repr__(self) -> str:
        levels = "" if self.agreement is None else f"; {self.agreement.in_words()}"
        return f"Report({self.energy!r}{levels})"

    def __str__(self) -> str:
        console = terminal(
            file=StringIO(), width=numbers.WIDTH, color_system=None, force_terminal=False, legacy_windows=False
        )
        with console.capture() as captured:
            console.print(renderable(self))
        return "\n".join(line.rstrip() for line in captured.get().splitlines())

    def as_json(self) -> dict[str, object]:
        """The report as one JSON object; energies in the profile's unit (``unit``)."""
        energy, ann = self.energy, self.ann
        machines = [each.as_json() for each in standings(energy, ann, ann.macs)] if ann.macs.count else []
        teacher_macs = {COUNT: None} if ann.teacher_macs is None else ann.teacher_macs.as_facts
        return {
            "schema_version": SCHEMA_VERSION,
            "profile": energy.profile.name,
            "profile_sha256": energy.profile.sha256,
            "title": energy.profile.title,
            "assumed": energy.assumed,
            "banner": energy.profile.banner,
            "unit": energy.unit,
            "verdict": energy.verdict,
            "energy": energy.total,
            "at_least": energy.at_least,
            "budget": None if energy.budget is None else energy.budget.value,
            "within_budget": energy.within_budget,
            "floor": energy.floor,
            "by_part": dict(energy.by_part()),
            "by_population": energy.by_population(),
            "by_event": {event.name: value for event, value in energy.by_event().items()},
            "rows": [row.as_json() for row in energy.rows],
            "not_modelled": [vars(item) for item in energy.not_modelled],
            "spikes": [vars(item) for item in energy.spikes],
            "synaptic_ops": energy.synaptic_ops,
            "fit": [_use_json(use) for use in self.fit],
            "binding": None if self.binding is None else _use_json(self.binding),
            "placement": placement_json(self.placement),
            "cores": [vars(core) for core in self.cores],
            "ways": [{**vars(way), "mean_hops": way.mean_hops} for way in self.ways],
            "teacher": None if ann.teacher is None else ann.teacher.as_json(),
            "teacher_elsewhere": [each.as_json() for each in ann.elsewhere],
            "ann": {"macs": ann.macs.count, **teacher_macs, "against": machines},
            **{name: getattr(energy, name) for name in ("samples", "split", "timesteps", "accuracy", "backend")},
            "time": None if energy.time is None else energy.time.as_json(),
            "by_step": list(energy.steps),
            "rates": {name: list(rates) for name, rates in self.rates.items()},
            "spread": None if energy.spread is None else vars(energy.spread),
            "by_class": [each.as_json() for each in energy.classes],
            "quality": quality.quality_json(energy),
            "band": energy.band,
            "state_resets": None if energy.resets is None else energy.resets.as_json(),
            "zero_weights": vars(energy.zeros),
            "neurobench": vars(self.neurobench),
            "agreement": None if self.agreement is None else self.agreement.facts,
            **({"overflows": list(self.overflows)} if self.overflows else {}),
            **({} if self.published is None else {"anchors": self.published.as_json()}),
            "uncertainty": energy.profile.uncertainty,
            "sources": {name: source.model_dump() for name, source in energy.profile.sources.items()},
            "provenance": self.provenance.as_json(),
        }


def _use_json(use: Use) -> dict[str, object]:
    return {**vars(use), "share": use.share}


def beside(report: Report) -> list[str]:
    """What stands beside the total, a line each."""
    overflows = (f"registers overflowed: {each}" for each in report.overflows)
    resets = reset_sentences(resets_of(report.placement.chip), report.energy.profile)
    return [*overflows, *resets, *numbers.beside(report.energy), report.neurobench.sentence()]


def teacher_line(report: Report) -> str:
    """The artificial network beside the spiking one, or why it is not there; empty where no constant exists for it."""
    teacher, energy = report.ann.teacher, report.energy
    if teacher is None:
        known = energy.profile.energy.teacher_mac is not None
        return "ANN teacher: left out, since the network does not say how many MACs its teacher has" if known else ""
    least = "at least " if teacher.macs.is_lower_bound else ""
    times = f", {least}{teacher.energy / energy.total:.3g} times the spiking network" if energy.total else ""
    left_out = f"; {teacher.macs.left_out}" if least else ""
    return f"ANN teacher: {teacher.macs} MACs, {least}{energy.say(teacher.energy)} per inference{times}{left_out}"


def renderable(report: Report) -> Group:
    """The report for a rich console: verdict first, then what it is made of, what is left out, and the fit."""
    energy = report.energy
    style = {None: "bold", True: "bold green", False: "bold red"}[energy.within_budget]
    banner = energy.profile.banner
    return Group(
        Text(f"{energy.profile.name}: {energy.profile.title}", style="bold"),
        Text(energy.verdict, style=style),
        *([Text(banner, style="yellow")] if banner else []),
        Text(numbers.measured(energy)),
        Text(f"floor with no hidden spike: {energy.say(energy.floor)}"),
        *(Text(line) for line in [teacher_line(report), *beside(report)] if line),
        Text(),
        _rows(energy),
        *_further(report),
    )


def _rows(energy: EnergyReport) -> Table:
    table = numbers.table_of("event", "where", ">count", ">each", ">energy", ">share")
    for part, rows in numbers.by_part(energy):
        whole = energy.by_part()[part]
        cells = (numbers.PART_TITLES[part], "", "", "", energy.say(whole), numbers.share(whole, energy.total))
        table.add_row(*cells, style="bold")
        for row in rows:
            event, where, constant = f"  {row.event.words}", numbers.place_of(row), energy.say(row.constant)
            cost, share = energy.say(row.energy), numbers.share(row.energy, energy.total)
            table.add_row(event, where, numbers.count(row.count), constant, cost, share)
    table.add_section()
    table.add_row("Total", "at least" if energy.at_least else "", "", "", energy.say(energy.total), "", style="bold")
    return table


def _further(report: Report) -> Iterator[RenderableType]:
    """What follows the energy; the sources of the artificial network's numbers are in the files alone."""
    energy = report.energy
    if energy.quality is not None:
        yield from (_heading("Answers"), numbers.filled(quality.quality_rows(energy)))
        if len(found := quality.confusion_rows(energy)) > 1:
            yield from (Text(f"\n{quality.confusion_title(energy)}"), numbers.filled(found))
    if report.agreement is not None:
        yield from (_heading("Agreement"), numbers.filled(numbers.agreement_rows(report.agreement)))
    yield _heading("ANN against SNN")
    for sentence in against.sentences(energy, report.ann, report.agreement):
        yield Text(f"* {sentence}")
    for caption, rows in against.tables(energy, report.ann):
        yield from (Text(f"\n{caption}"), numbers.filled(rows))
    if (table := report.published) is not None:
        yield from (_heading(anchors.title(table)), numbers.filled(anchors.rows(table, sources=False)))
        yield from (Text(sentence) for sentence in [*anchors.remarks(table), anchors.KEY])
    yield _heading("Not modelled, so the total is at least what it says")
    yield from (numbers.filled(numbers.unmodelled_rows(energy)), _heading("Fit"))
    fits = report.binding is not None
    yield numbers.filled(numbers.fit_rows(report.placement)) if fits else Text("the profile has no limits of size")
    if report.cores:
        yield _heading("Cores and messages")
        yield from (Text(line) for line in placement_sentences(report.placement))
        for rows in (cores.population_rows(report), cores.way_rows(report)):
            yield from (Text(), numbers.filled(rows))


def _heading(words: str) -> Text:
    return Text(f"\n{words}", style="bold")
