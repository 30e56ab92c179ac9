"""The pictures of a report, each with its heading and what it shows in words."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..chip.activity import Trace
from ..energy.report import EnergyReport, Spikes
from ..placing.placement import Placement
from . import anchors, chart, cores, numbers, plots, runs
from .cores import PlacedCores
from .plot_style import svg
from .report import Report
from .runs import RunTable


@dataclass(frozen=True)
class Picture:
    """A picture with its heading, and in words what it shows."""

    title: str
    alt: str
    svg: str
    key: str = ""
    """A caption that says how to read the picture."""

    @property
    def uri(self) -> str:
        """The picture as a data URI, so that the page loads nothing."""
        return "data:image/svg+xml;base64," + base64.b64encode(self.svg.encode()).decode()


def energy_pictures(report: EnergyReport) -> Iterator[Picture]:
    """Where the energy goes, and how much each layer spikes."""
    say, total = report.say, report.total
    parts = ", ".join(f"{part} {say(energy)}" for part, energy in report.by_part().items())
    title = "Against the budget" if report.budget else "Input, hidden layers and readout"
    words = f"{report.verdict}: {parts}; the floor with no hidden spike is {say(report.floor)}."
    yield Picture(title, words, svg(plots.budget_plot(report)))
    events = ", ".join(f"{event.words} {say(e)} ({numbers.share(e, total)})" for event, e in report.by_event().items())
    yield Picture("Energy by event", f"Bars of energy by event: {events}.", svg(plots.events_plot(report)))
    layers = ", ".join(f"{name} {say(energy)}" for name, energy in report.by_population().items())
    words = f"Bars of energy by layer, stacked by event: {layers}."
    yield Picture("Energy by layer and event", words, svg(plots.layers_plot(report)))
    spikes = ", ".join(f"{s.population} {numbers.count(s.spikes)}" for s in report.spikes)
    yield Picture("Spikes by layer", f"Bars of spikes per inference: {spikes}.", svg(plots.spikes_plot(report)))


def fit_picture(placement: Placement) -> Picture:
    """Bars of how much of each resource the fullest core uses."""
    fit = ", ".join(f"{use.resource} {numbers.used(use)}" for use in placement.worst if use.limit)
    return Picture("Fit", f"Bars of used limits: {fit}.", svg(plots.fit_plot(placement.worst, placement.binding)))


def activity_pictures(
    spikes: Sequence[Spikes], rates: Mapping[str, Sequence[float]], raster: Mapping[str, Trace] | None
) -> Iterator[Picture]:
    """What the network did, step by step and spike by spike, as far as it was kept.

    Args:
        spikes: of each population.
        rates: by population, at each step; empty where steps were not counted.
        raster: by population, of the first sample; None where it was not kept.
    """
    if not plots.active(spikes):
        return
    if rates:
        yield Picture("Rates by step", _rates_in_words(spikes, rates), svg(plots.rates_plot(spikes, rates)))
    if raster is not None:
        words = _raster_in_words(spikes, raster)
        yield Picture("Spikes of the first sample", words, svg(plots.raster_plot(spikes, raster)))


def _rates_in_words(spikes: Sequence[Spikes], by_population: Mapping[str, Sequence[float]]) -> str:
    words = []
    for each in plots.active(spikes):
        rates = by_population[each.population]
        most = max(rates)
        peak = f", most at step {rates.index(most) + 1} with {most:.1%}" if len(rates) > 1 else ""
        words.append(f"{each.population} {sum(rates) / len(rates):.1%} of its neurons spike at a step{peak}")
    return f"One panel for each layer, a bar for each step: {'; '.join(words)}.{_silence(spikes)}"


def _raster_in_words(spikes: Sequence[Spikes], raster: Mapping[str, Trace]) -> str:
    words, timesteps = [], 0
    for each in plots.active(spikes):
        trace = raster[each.population]
        timesteps, n = len(trace.fired), int(np.count_nonzero(trace.fired))
        neurons = f"{len(trace.compartments)} out of {each.neurons:,} neurons"
        words.append(f"{each.population}: {n} {'spike' if n == 1 else 'spikes'} of {neurons}")
    steps = "1 step" if timesteps == 1 else f"{timesteps} steps"
    return f"A row for each neuron, a dash for each spike, over {steps}: {'; '.join(words)}.{_silence(spikes)}"


def _silence(spikes: Sequence[Spikes]) -> str:
    names = plots.silent(spikes)
    return f" Without any spike: {', '.join(names)}." if names else ""


def core_pictures(placed: PlacedCores) -> Iterator[Picture]:
    """A map for each chip; none where no mesh is known."""
    if placed.placement.profile.limits.mesh is None:
        return
    several = placed.placement.arrangement.chips > 1
    for chip in sorted({core.chip for core in placed.cores}):
        title = f"Work of the cores of chip {chip}" if several else "Work of the cores"
        yield Picture(title, cores.in_words(placed, chip), cores.core_map(placed, chip), cores.key(placed, chip))


def run_picture(table: RunTable) -> Picture | None:
    """Accuracy against energy, run by run; None where fewer than two have both."""
    if len(table.points) < 2:
        return None
    title = f"Accuracy against energy on {table.profile.name}"
    return Picture(title, runs.in_words(table), svg(chart.pareto_plot(table)))


def anchor_picture(report: Report, table: RunTable | None = None) -> Picture | None:
    """Accuracy against energy beside published points; None where ours has no accuracy, or the points no place.

    Args:
        table: of several runs on the report's profile; None for the report alone.
    """
    beside = report.published
    table = table or runs.table_of(report.energy.profile, {"this network": report})
    if beside is None or not beside.drawn or not table.points:
        return None
    words = runs.in_words(table) + anchors.in_words(beside)
    return Picture(f"Beside published chips: {beside.anchors.title}", words, svg(chart.pareto_plot(table, beside)))


def comparison(reports: Sequence[EnergyReport]) -> list[Picture]:
    """One picture for each unit that several profiles share."""
    found = []
    for unit in dict.fromkeys(report.unit for report in reports):
        alike = [report for report in reports if report.unit == unit]
        if len(alike) > 1:
            words = f"Bars: {', '.join(f'{r.profile.name} {r.say(r.total)}' for r in alike)}."
            found.append(Picture("The same activity on several profiles", words, svg(plots.comparison_plot(alike))))
    return found
