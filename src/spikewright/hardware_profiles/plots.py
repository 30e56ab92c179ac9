"""Plots of a report as SVG: every bar is told by a hatch and a label as well as by its colour."""

from __future__ import annotations

from collections.abc import Sequence
from io import StringIO
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from ..energy_report import WORDS, EnergyReport
from . import numbers

INK, FAINT, RULE = "#1f2933", "#66727f", "#c9d1d9"
BLUE, PALE, SAND = "#2f5d8a", "#9db8d2", "#d9a441"
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
    "input_event": ("#b5651d", "//"),
}
PART_STYLE = {"input": (SAND, "\\\\\\"), "hidden": (BLUE, ""), "readout": (PALE, "///")}
WIDTH_IN = 5.4
GAP = 0.015
"""Between the end of a bar and its label, as a share of the axes' width."""
STYLE: dict[str, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 10.5,
    "svg.fonttype": "path",
    "svg.hashsalt": "spikewright",
    "hatch.linewidth": 0.7,
    "axes.edgecolor": RULE,
    "axes.labelcolor": FAINT,
    "text.color": INK,
    "xtick.color": FAINT,
    "ytick.color": INK,
}


def budget_plot(report: EnergyReport) -> str:
    """Energy of input, hidden layers and readout in one bar, against floor and budget."""
    figure, axes = _figure(1.95)
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
    _quantity_axis(axes, report)
    figure.legend(loc="outside lower left", ncols=3, frameon=False, handlelength=1.8, fontsize=9.5, labelcolor=INK)
    return _svg(figure)


def layers_plot(report: EnergyReport) -> str:
    """Energy of each layer, stacked by event."""
    names, events = list(report.by_population()), report.by_event()
    figure, axes = _figure(0.75 + 0.42 * len(names) + 0.25 * ((len(events) + 1) // 2))
    left = np.zeros(len(names))
    for event in events:
        energy = np.array([sum(r.energy for r in report.rows if (r.population, r.event) == (n, event)) for n in names])
        fill, hatch = EVENT_STYLE[event]
        axes.barh(names, energy, left=left, height=0.62, color=fill, hatch=hatch, edgecolor="white", label=WORDS[event])
        left += energy
    _end_labels(axes, left, [report.say(value) for value in left])
    axes.invert_yaxis()
    _quantity_axis(axes, report)
    figure.legend(loc="outside lower left", ncols=2, frameon=False, handlelength=1.8, fontsize=9, labelcolor=INK)
    return _svg(figure)


def events_plot(report: EnergyReport) -> str:
    """Energy of each kind of event, over the whole network."""
    energies = report.by_event()
    figure, axes = _figure(0.75 + 0.42 * len(energies))
    for event, energy in energies.items():
        fill, hatch = EVENT_STYLE[event]
        axes.barh(WORDS[event], energy, height=0.62, color=fill, hatch=hatch, edgecolor="white")
    values = np.array(list(energies.values()))
    _end_labels(axes, values, [f"{report.say(v)} ({numbers.share(v, report.total)})" for v in values])
    axes.invert_yaxis()
    _quantity_axis(axes, report)
    return _svg(figure)


def spikes_plot(report: EnergyReport) -> str:
    """Spikes of each layer in one inference, with the mean rate of its neurons."""
    names = [s.population for s in report.spikes]
    figure, axes = _figure(0.75 + 0.42 * len(names))
    for item in report.spikes:
        fill, hatch = PART_STYLE[item.part]
        axes.barh(item.population, item.spikes, height=0.62, color=fill, hatch=hatch, edgecolor="white")
    labels = [
        f"{numbers.count(s.spikes)} ({s.spikes / (s.neurons * report.timesteps):.1%} of steps)" for s in report.spikes
    ]
    _end_labels(axes, np.array([s.spikes for s in report.spikes]), labels)
    axes.invert_yaxis()
    axes.set_xlabel("spikes (input: events) per inference")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}" if value >= 10 else f"{value:g}")
    axes.locator_params(axis="x", nbins=5)
    _plain_axis(axes)
    return _svg(figure)


def fit_plot(report: EnergyReport) -> str:
    """Used share of each limited resource on its fullest core."""
    uses = [use for use in report.fit if use.limit]
    figure, axes = _figure(0.75 + 0.42 * len(uses))
    for use in uses:
        bound = use == report.binding
        axes.barh(use.resource, 1, height=0.62, color="white", edgecolor=RULE, linewidth=1)
        axes.barh(
            use.resource, use.share, height=0.62, color=BLUE if bound else PALE, hatch="" if bound else "///",
            edgecolor="white",
        )  # fmt: skip
        axes.text(
            use.share, use.resource, f"{use.share:.0%}: {numbers.used(use)}{', binding' if bound else ''}",
            va="center", fontsize=9, color=INK, bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5},
            in_layout=False,
        )  # fmt: skip
    axes.set_xlim(0, 1.0)
    axes.invert_yaxis()
    axes.set_xlabel("share of the limit, fullest core")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    _plain_axis(axes)
    _place_beside(figure, axes, [use.share for use in uses])
    return _svg(figure)


def comparison_plot(reports: Sequence[EnergyReport]) -> str:
    """Energy on several profiles that share a unit, split into input, hidden layers and readout."""
    figure, axes = _figure(1.2 + 0.42 * len(reports))
    left = np.zeros(len(reports))
    names = [report.profile.name for report in reports]
    for part, (fill, hatch) in PART_STYLE.items():
        energy = np.array([dict(report.by_part())[part] for report in reports])  # type: ignore[index]
        axes.barh(names, energy, left=left, height=0.62, color=fill, hatch=hatch, edgecolor="white", label=part)
        left += energy
    _end_labels(axes, left, [report.say(report.total) for report in reports])
    axes.invert_yaxis()
    _quantity_axis(axes, reports[0])
    figure.legend(loc="outside lower left", ncols=3, frameon=False, handlelength=1.8, fontsize=9.5, labelcolor=INK)
    return _svg(figure)


def _figure(height_in: float) -> tuple[Figure, Any]:
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH_IN, height_in), layout="constrained")
        FigureCanvasSVG(figure)
        return figure, figure.add_subplot()


def _place_beside(figure: Figure, axes: Any, values: Sequence[float]) -> None:
    """Put each text behind the end of its bar, else before it, else, where it fits on neither side, over it.

    The texts must have no part in the layout: the axes would be made narrower for the places that they had before.
    """
    with mpl.rc_context(STYLE):
        figure.draw_without_rendering()  # only now is it known how wide the axes and the texts are
    for text, value in zip(axes.texts, values, strict=True):
        left, right = axes.transData.inverted().transform(text.get_window_extent().get_points())[:, 0]
        width, least = right - left, GAP * np.ptp(axes.get_xlim())
        behind, before, last = value + least, value - least - width, axes.get_xlim()[1] - least - width
        text.set_x(behind if behind <= last else before if before >= 0 else last)


def _svg(figure: Figure) -> str:
    with mpl.rc_context(STYLE):
        text = StringIO()
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None})
    return text.getvalue()


def _quantity_axis(axes: Any, report: EnergyReport) -> None:
    axes.xaxis.set_major_formatter(lambda value, _: report.say(value) if value else "0")
    axes.locator_params(axis="x", nbins=4)
    axes.set_xlabel("energy per inference" if report.unit == "J" else "relative cost per inference")
    _plain_axis(axes)


def _plain_axis(axes: Any) -> None:
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", labelsize=9, length=3)
    axes.xaxis.label.set_size(9.5)


def _end_labels(axes: Any, values: np.ndarray[Any, Any], labels: Sequence[str]) -> None:
    reach = float(values.max()) if values.size and values.max() > 0 else 1.0
    for position, (value, label) in enumerate(zip(values, labels, strict=True)):
        axes.text(value + GAP * reach, position, label, va="center", fontsize=9, color=INK)
    axes.set_xlim(0, reach * 1.42)
