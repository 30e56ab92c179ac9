"""Plots of a report: every mark is told by a hatch and a label as well as by its colour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..chip.activity import Trace
from ..energy.report import EnergyReport, Spikes
from ..placing.placement import Use
from . import numbers, plot_style
from .colours import BLUE, FAINT, INK, PALE, RULE, SAND
from .plot_style import PART_STYLE, in_style

ROW_IN, LEAST_IN = 0.0125, 0.32
"""Height of a compartment in the raster, and of the lowest panel."""
PANEL_IN = 0.62
BARS_LABELLED = 8
"""Up to so many steps every bar says its rate; beyond, the highest one."""

# A fill and a hatch for each event, the same in every plot. Lines only: dots make the page ten times as large.
EVENT_STYLE = {
    "synaptic_op": (BLUE, ""),
    "synaptic_op_conv": ("#5b86ad", "xxx"),
    "synaptic_op_graded": ("#17375e", "|||"),
    "neuron_update_active": (SAND, "\\\\\\"),
    "neuron_update_inactive": ("#e8cf9c", "---"),
    "neuron_access": ("#e8cf9c", "---"),
    "neuron_active_extra": (SAND, "\\\\\\"),
    "spike_read": ("#a8c3ab", "///"),
    "spike_read_conv": ("#a8c3ab", "xxx"),
    "spike_out": ("#7a9e7e", "+++"),
    "message": (PALE, "///"),
    "hop_x": ("#8c7aa9", "||"),
    "hop_y": ("#b5a5cc", "--"),
    "chip_crossing": ("#5f4b7d", "xx"),
    "input_event": ("#b5651d", "//"),
    "bias_write": ("#b5651d", "xx"),
}
OTHER_EVENT_STYLE = ("#6b7280", "++")
"""Fill and hatch of an event that is not in ``EVENT_STYLE``."""


@in_style
def budget_plot(report: EnergyReport) -> Figure:
    """Energy of input, hidden layers and readout in one bar, against floor and budget."""
    drawn, axes = plot_style.figure(1.95)
    left = 0.0
    for part, energy in report.by_part().items():
        fill, hatch = PART_STYLE[part]
        axes.barh(0, energy, left=left, height=0.5, color=fill, hatch=hatch, edgecolor="white", label=f"{part}")
        left += energy
    reach = max(report.total, report.budget.value if report.budget else 0.0) or 1.0
    axes.set_xlim(0, reach * 1.12)
    axes.set_ylim(-0.45, 1.1)
    marks = [(report.floor, "floor", 0.48)] + ([(report.budget.value, "budget", 0.8)] if report.budget else [])
    for value, word, height in marks:
        axes.plot([value, value], [-0.35, height - 0.06], color=INK, linewidth=2 if word == "budget" else 1)
        side = "right" if value > 0.6 * reach else "left"
        axes.text(value, height, f"{word} {report.say(value)}", ha=side, fontsize=9.5, color=INK)
    axes.set_yticks([])
    plot_style.quantity_axis(axes, report)
    drawn.legend(loc="outside lower left", ncols=3, frameon=False, handlelength=1.8, fontsize=9.5, labelcolor=INK)
    return drawn


@in_style
def layers_plot(report: EnergyReport) -> Figure:
    """Energy of each layer, stacked by event."""
    names, events = list(report.by_population()), report.by_event()
    drawn, axes = plot_style.figure(0.75 + 0.42 * len(names) + 0.25 * ((len(events) + 1) // 2))
    left = np.zeros(len(names))
    for event in events:
        rows = [row for row in report.rows if row.event is event]
        energy = np.array([sum(row.energy for row in rows if row.population == name) for name in names])
        fill, hatch = EVENT_STYLE.get(event.name, OTHER_EVENT_STYLE)
        axes.barh(names, energy, left=left, height=0.62, color=fill, hatch=hatch, edgecolor="white", label=event.words)
        left += energy
    plot_style.end_labels(axes, left, [report.say(value) for value in left])
    axes.invert_yaxis()
    plot_style.quantity_axis(axes, report)
    drawn.legend(loc="outside lower left", ncols=2, frameon=False, handlelength=1.8, fontsize=9, labelcolor=INK)
    return drawn


@in_style
def events_plot(report: EnergyReport) -> Figure:
    """Energy of each kind of event, over the whole network."""
    energies = report.by_event()
    drawn, axes = plot_style.figure(0.75 + 0.42 * len(energies))
    for event, energy in energies.items():
        fill, hatch = EVENT_STYLE.get(event.name, OTHER_EVENT_STYLE)
        axes.barh(event.words.replace(" (", "\n("), energy, height=0.62, color=fill, hatch=hatch, edgecolor="white")
    values = np.array(list(energies.values()))
    plot_style.end_labels(axes, values, [f"{report.say(v)} ({numbers.share(v, report.total)})" for v in values])
    axes.invert_yaxis()
    plot_style.quantity_axis(axes, report)
    return drawn


@in_style
def spikes_plot(report: EnergyReport) -> Figure:
    """Spikes of each layer in one inference, with the mean rate of its neurons."""
    names = [s.population for s in report.spikes]
    drawn, axes = plot_style.figure(0.75 + 0.42 * len(names))
    for item in report.spikes:
        fill, hatch = PART_STYLE[item.part]
        axes.barh(item.population, item.spikes, height=0.62, color=fill, hatch=hatch, edgecolor="white")
    labels = [
        f"{numbers.count(s.spikes)} ({s.spikes / (s.neurons * report.timesteps):.1%} of steps)" for s in report.spikes
    ]
    plot_style.end_labels(axes, np.array([s.spikes for s in report.spikes]), labels)
    axes.invert_yaxis()
    axes.set_xlabel("spikes (input: events) per inference")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}" if value >= 10 else f"{value:g}")
    axes.locator_params(axis="x", nbins=5)
    plot_style.plain_axis(axes)
    return drawn


@in_style
def fit_plot(fit: Sequence[Use], binding: Use | None) -> Figure:
    """Used share of each limited resource on its fullest core; the numbers stand in a column behind the bars."""
    uses = [use for use in fit if use.limit]
    drawn, axes = plot_style.figure(0.75 + 0.42 * len(uses))
    for use in uses:
        bound = use == binding
        fill, hatch = (BLUE, "") if bound else (PALE, "///")
        axes.barh(use.resource, 1, height=0.62, color="white", edgecolor=RULE, linewidth=1)
        axes.barh(use.resource, use.share, height=0.62, color=fill, hatch=hatch, edgecolor="white")
        axes.annotate(
            f"{use.share:.0%}: {numbers.used(use)}" + (",\nbinding" if bound else ""), (1.0, use.resource),
            xytext=(6, 0), textcoords="offset points", va="center", fontsize=9, color=INK,
        )  # fmt: skip
    axes.set_xlim(0, 1.0)
    axes.set_xticks([0, 0.5, 1.0])
    axes.invert_yaxis()
    axes.set_xlabel("share of the limit, fullest core")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    plot_style.plain_axis(axes)
    return drawn


@in_style
def comparison_plot(reports: Sequence[EnergyReport]) -> Figure:
    """Energy on several profiles that share a unit, split into input, hidden layers and readout."""
    drawn, axes = plot_style.figure(1.2 + 0.42 * len(reports))
    left = np.zeros(len(reports))
    names = [report.profile.name for report in reports]
    for part, (fill, hatch) in PART_STYLE.items():
        energy = np.array([report.by_part()[part] for report in reports])
        axes.barh(names, energy, left=left, height=0.62, color=fill, hatch=hatch, edgecolor="white", label=part)
        left += energy
    plot_style.end_labels(axes, left, [report.say(report.total) for report in reports])
    axes.invert_yaxis()
    plot_style.quantity_axis(axes, reports[0])
    drawn.legend(loc="outside lower left", ncols=3, frameon=False, handlelength=1.8, fontsize=9.5, labelcolor=INK)
    return drawn


def active(spikes: Sequence[Spikes]) -> list[Spikes]:
    """The populations that emit at least one spike."""
    return [each for each in spikes if each.spikes]


def silent(spikes: Sequence[Spikes]) -> list[str]:
    """Names of populations that never spike."""
    return [each.population for each in spikes if not each.spikes]


@in_style
def raster_plot(spikes: Sequence[Spikes], raster: Mapping[str, Trace]) -> Figure:
    """Spikes of the first sample: a row for each kept compartment, a mark for each spike.

    Args:
        spikes: of each population; at least one of them spikes.
        raster: by population, what was kept of the first sample.
    """
    shown = active(spikes)
    heights = [max(LEAST_IN, ROW_IN * len(raster[each.population].compartments)) for each in shown]
    drawn, every = plot_style.panels(heights)
    for axes, each, height in zip(every, shown, heights, strict=True):
        trace = raster[each.population]
        _marks(axes, trace.fired, 72 * height / len(trace.compartments), PART_STYLE[each.part][0])
        axes.set_ylim(len(trace.compartments) - 0.5, -0.5)
        _name(axes, each.population, f"{len(trace.compartments)} of {each.neurons:,}")
    _steps(every, len(raster[shown[0].population].fired))
    return drawn


@in_style
def rates_plot(spikes: Sequence[Spikes], rates: Mapping[str, Sequence[float]]) -> Figure:
    """Spikes per neuron at each step, the mean over samples, one panel a layer, on one scale.

    Args:
        spikes: of each population; at least one of them spikes.
        rates: by population, at each step.
    """
    shown = active(spikes)
    drawn, every = plot_style.panels([PANEL_IN] * len(shown))
    most = max(max(rates[each.population]) for each in shown)
    steps = np.arange(1, len(rates[shown[0].population]) + 1)
    for axes, each in zip(every, shown, strict=True):
        own, (fill, hatch) = rates[each.population], PART_STYLE[each.part]
        axes.bar(steps, own, width=0.8, color=fill, hatch=hatch, edgecolor="white", linewidth=0.5)
        for i in range(len(own)) if len(own) <= BARS_LABELLED else [int(np.argmax(own))]:
            axes.text(i + 1, own[i], f"{own[i]:.1%}", ha="center", va="bottom", fontsize=8.5, color=INK)
        axes.set_ylim(0, most * 1.45)
        mean = sum(own) / len(own)
        _name(axes, each.population, f"mean {mean:.1%}" if len(own) > 1 else "")
    _steps(every, len(steps))
    return drawn


def _marks(axes: Any, fired: npt.NDArray[np.bool_], row_points: float, colour: str) -> None:
    """Every spike as a dash as wide as most of its step; one path for all of them keeps the page small."""
    step, row = np.nonzero(fired)
    gap = np.full(len(step), np.nan)
    x = np.stack([step + 0.6, step + 1.4, gap], axis=1).reshape(-1)
    y = np.stack([row, row, gap], axis=1).reshape(-1)
    dark = INK if colour == PART_STYLE["readout"][0] else colour
    axes.plot(x, y, color=dark, linewidth=max(0.7, 0.8 * row_points), solid_capstyle="butt")


def _name(axes: Any, population: str, beneath: str) -> None:
    axes.set_yticks([])
    axes.set_ylabel(population, rotation=0, ha="right", va="center", fontsize=10, color=INK, labelpad=6)
    if beneath:
        axes.annotate(
            beneath, (1.0, 0.5), xycoords="axes fraction", xytext=(5, 0), textcoords="offset points", va="center",
            fontsize=8.5, color=FAINT,
        )  # fmt: skip


def _steps(every: Sequence[Any], timesteps: int) -> None:
    for axes in every:
        plot_style.plain_axis(axes)
        axes.spines["bottom"].set_color(RULE)
        axes.tick_params(axis="x", length=0)
    every[-1].set_xlim(0.5, timesteps + 0.5)
    every[-1].xaxis.set_major_locator(MaxNLocator(nbins=12, integer=True, steps=[1, 2, 5, 10]))
    every[-1].set_xlabel("step")
