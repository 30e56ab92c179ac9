"""Views of what was measured: counts, energy, quality, trainings, and many students side by side."""

from __future__ import annotations

from collections.abc import Iterable

from ..base.errors import Message
from ..base.shown import VIEWS
from ..bench.compare import text as compare_text
from ..bench.compare.result import ComparisonResult
from ..bench.sweep import text as sweep_text
from ..bench.sweep.result import SweepResult
from ..chip.activity import Activity, overflow_sentences
from ..data.quality import Quality
from ..energy.report import EnergyReport
from ..pages import anchors, numbers, plots
from ..pages.numbers import Rows
from ..pages.pictures import Picture, activity_pictures
from ..pages.plot_style import svg
from ..pages.report import Report
from ..profile.schema import CostUnit
from ..profile.units import quantity
from ..training.deployment import Certificate
from ..training.result import Distillation
from . import html, plot

REMARKS = 6
"""Remarks of a comparison or a sweep that are shown."""


@VIEWS.of(Activity)
def activity_view(activity: Activity) -> str:
    """Spikes and operations of each population, and how they come step by step."""
    each = plot.spikes_of(activity)
    rows: Rows = [("population", ">neurons", ">spikes", ">rate", ">synaptic operations", ">updates")]
    for item in each:
        share = numbers.share(item.spikes, item.neurons * activity.timesteps)
        counts = (numbers.count(item.spikes), share, numbers.count(item.synaptic_ops), numbers.count(item.updates))
        rows.append((item.population, f"{item.neurons:,}", *counts))
    which = f" of the {activity.split} split" if activity.split else ""
    accuracy = "" if activity.accuracy is None else f", accuracy {activity.accuracy:.2%}"
    if activity.quality is not None and activity.accuracy is None:
        accuracy = f", {activity.quality}"
    samples = numbers.samples_in_words(activity.samples)
    facts = f"{samples}{which}, T = {activity.timesteps}, {activity.backend} simulation{accuracy}. Per inference:"
    shown = html.pictures(activity_pictures(each, activity.rates, activity.raster))
    overflows = html.text(*overflow_sentences(activity))
    return html.view("Activity", html.text(facts), html.table(rows), overflows, shown)


@VIEWS.of(EnergyReport)
def energy_view(report: EnergyReport) -> str:
    """The energy of an inference by kind of event, and by layer against the budget."""
    return html.view(f"{report.profile.name}: {report.profile.title}", *_energy(report))


@VIEWS.of(Report)
def report_view(report: Report) -> str:
    """The energy of an inference, the resource nearest to its limit, and how levels agree."""
    levels = "" if report.agreement is None else f"agreement: {report.agreement.in_words()}"
    fit = f"nearest limit of the chip: {numbers.binding(report.placement)}"
    title = f"{report.energy.profile.name}: {report.energy.profile.title}"
    return html.view(title, *_energy(report.energy), html.text(fit, levels, faint=True))


def _energy(report: EnergyReport) -> Iterable[str]:
    rows: Rows = [("event", ">count", ">each", ">energy", ">share", "constant is")]
    for event, energy in report.by_event().items():
        mine = [row for row in report.rows if row.event is event]
        count, share = sum(row.count for row in mine), numbers.share(energy, report.total)
        kind = f"{mine[0].kind}, {mine[0].scope}"
        rows.append((event.words, numbers.count(count), report.say(mine[0].constant), report.say(energy), share, kind))
    missing = ", ".join(item.words for item in report.not_modelled)
    yield html.text(report.verdict, report.profile.banner, numbers.measured(report))
    yield html.table(rows)
    yield html.text(f"not modelled: {missing}" if missing else "", faint=True)
    layers = ", ".join(f"{name} {report.say(energy)}" for name, energy in report.by_population().items())
    parts = ", ".join(f"{part} {report.say(energy)}" for part, energy in report.by_part().items())
    title = "Against the budget" if report.budget else "Input, hidden layers and readout"
    yield html.pictures(
        [
            Picture("Energy by layer and event", f"Bars: {layers}.", svg(plots.layers_plot(report))),
            Picture(title, f"One bar: {parts}.", svg(plots.budget_plot(report))),
        ]
    )


@VIEWS.of(Quality)
def quality_view(quality: Quality) -> str:
    """The numbers, and the confusion matrix of classes."""
    rows: Rows = [
        ("what", ">value"),
        *((name.replace("_", " "), f"{value:.4g}") for name, value in quality.facts.items()),
    ]
    shown: list[Picture] = []
    if quality.confusion is not None:
        words = f"A cell for each true class and each answer; {quality.correct:,} of {quality.samples:,} are right."
        shown = [Picture("True class and answer", words, svg(plot.confusion(quality)))]
    return html.view(f"Quality on {numbers.samples_in_words(quality.samples)}", html.table(rows), html.pictures(shown))


def _certificate_rows(found: Certificate) -> Rows:
    unit: CostUnit = "J" if found.unit == "J" else "ops"
    rows: Rows = [("what", ">measured", ">limit", "kept")]
    rows.append(("accuracy" if found.accuracy is not None else "answers", found.in_words, "", ""))
    beside = (("balanced accuracy", found.balanced_accuracy), ("F1", found.f1))
    rows += [(name, f"{value:.2%}", "", "") for name, value in beside if value is not None]
    if found.budget is None:
        rows.append(("energy per inference", quantity(found.energy, unit), "none", ""))
    for name, (measured, limit) in found.limits.items():
        words, say = (name, f"{measured:,.4g}"), f"{limit:,.4g}"
        if name == "budget":
            words, say = ("energy per inference", quantity(measured, unit)), quantity(limit, unit)
        rows.append((*words, say, "yes" if measured <= limit else "no"))
    rows.append(("synaptic operations", numbers.count(found.synaptic_ops), "", ""))
    return rows


def _certificate_line(found: Certificate) -> str:
    kept = "Every limit is kept" if found.met else "A limit is not kept"
    return (
        f"{kept if found.limits else 'No limit was set'}; measured on the chip network for {found.profile}, "
        f"{found.samples:,} {found.split} samples (SHA-256 {found.split_sha256[:12]})"
    )


@VIEWS.of(Certificate)
def certificate_view(found: Certificate) -> str:
    """What the chip network was measured to spend, limit by limit."""
    return html.view(
        "Certificate",
        html.text(_certificate_line(found), str(Message(found.about_overflows()))),
        html.table(_certificate_rows(found)),
    )


@VIEWS.of(Distillation)
def distillation_view(trained: Distillation) -> str:
    """The certificate of a student, and how its training went."""
    config, history = trained.student.config, trained.history
    last = history[-1]
    words = f"Accuracy or R^2, and energy, of {len(history)} epochs; in the last: {last.in_words}."
    title = f"Distilled: {config.architecture}, width {config.width}, T = {config.timesteps}, {config.encoding} input"
    shown = html.pictures([Picture("Epoch by epoch", words, svg(plot.history(trained)))])
    found = trained.certificate
    return html.view(
        title,
        html.text(_certificate_line(found), str(Message(found.about_overflows()))),
        html.table(_certificate_rows(found)),
        shown,
    )


@VIEWS.of(SweepResult)
def sweep_view(result: SweepResult) -> str:
    """The table of a sweep and its plot."""
    numeric = ("energy, test", "of none", "of budget, val/test", "accuracy, validation", "accuracy, test")
    head = tuple(f">{name}" if name in numeric else name for name in sweep_text.COLUMNS)
    rows: Rows = [head, *map(tuple, sweep_text.cells(result))]
    remarks = html.text(*list(sweep_text.remarks(result))[:REMARKS], faint=True)
    done = any(row.outcomes for row in result.rows)
    words, said = f"Accuracy against energy of {len(result.rows)} budgets.", ""
    if (published := result.published) is not None:
        words += anchors.in_words(published)
        said = html.text(*anchors.remarks(published), anchors.KEY, faint=True)
    shown = html.pictures(
        [Picture("Accuracy against energy", words, svg(plot.pareto(result)))] if done else [], wide=True
    )
    return html.view(f"Sweep: {result.title}", html.text(result.profile.banner), html.table(rows), remarks, shown, said)


@VIEWS.of(ComparisonResult)
def comparison_view(result: ComparisonResult) -> str:
    """The table of a comparison and its plot."""
    shown = [column for column in compare_text.COLUMNS if column.short]
    rows: Rows = [("setting", *(name if name == "method" else f">{name}" for name in (c.heading for c in shown)))]
    for group in result.groups:
        for entry in group.entries:
            if entry.records:
                rows.append((group.title, *((column.narrow or column.cell)(result, entry) for column in shown)))
    remarks = html.text(*list(compare_text.remarks(result))[:REMARKS], faint=True)
    words = f"Accuracy against energy of {len(result.rows)} methods in {len(result.groups)} settings."
    drawn = [Picture("Accuracy against energy", words, svg(plot.comparison(result)))] if len(rows) > 1 else []
    return html.view(
        compare_text.title(result),
        html.text(result.profile.banner),
        html.table(rows),
        remarks,
        html.pictures(drawn, wide=True),
    )
