"""Figures: ``sw.plot.NAME(object)`` returns a matplotlib ``Figure``, to be changed, saved or shown.

Every mark is told by a hatch, a shape or a label as well as by its colour. Nothing here touches pyplot: the figures
belong to the caller, and a notebook shows the one that stands in a cell's last line.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from ..base.errors import InputError, a_kind, arg
from ..base.types import IntArray
from ..bench.compare.plot import compare_plot
from ..bench.compare.result import ComparisonResult
from ..bench.sweep.plot import sweep_plot
from ..bench.sweep.result import SweepResult
from ..chip.activity import Activity
from ..data.dataset import Dataset
from ..data.quality import Quality
from ..energy.report import EnergyReport, Spikes
from ..pages import plots
from ..pages.chart import pareto_plot
from ..pages.colours import BLUE, FAINT, INK, RULE, SAND
from ..pages.plot_style import figure, in_style, panels, plain_axis
from ..pages.pricing import AnyAnchors
from ..pages.report import Report
from ..pages.runs import table_of
from ..pages.samples import encodings_figure
from ..profile.anchors import anchors_beside
from ..profile.schema import CostUnit
from ..profile.units import quantity
from ..training.records import EpochRecord
from ..training.result import Distillation

__all__ = [
    "anchors",
    "budget",
    "comparison",
    "confusion",
    "encodings",
    "energy_by_event",
    "energy_by_layer",
    "fit",
    "history",
    "pareto",
    "raster",
    "rates",
    "spikes",
]


def __dir__() -> list[str]:
    return __all__


NAMED = 30
"""Up to so many classes are named on the axes of a confusion matrix; more are numbered by matplotlib."""
COUNTED = 12
"""Up to so many classes the cells of a confusion matrix say their numbers."""


def energy_by_event(report: Report | EnergyReport) -> Figure:
    """Energy of each kind of event over the whole network, the largest first."""
    return plots.events_plot(_energy(report))


def energy_by_layer(report: Report | EnergyReport) -> Figure:
    """Energy of each layer, stacked by kind of event."""
    return plots.layers_plot(_energy(report))


def budget(report: Report | EnergyReport) -> Figure:
    """Energy of input, hidden layers and readout in one bar, against the floor and the budget."""
    return plots.budget_plot(_energy(report))


def spikes(report: Report | EnergyReport) -> Figure:
    """Spikes of each layer in one inference, with the mean rate of its neurons."""
    return plots.spikes_plot(_energy(report))


def fit(report: Report) -> Figure:
    """Used share of each limited resource of the chip on its fullest core.

    Raises:
        InputError: the profile has no limits of size.
    """
    _must_be("report", report, Report, "what `sw.report` returns")
    if not any(use.limit for use in report.fit):
        raise InputError(f"{arg('report')}: {report.profile.name} has no limits of size to compare with")
    return plots.fit_plot(report.fit, report.binding)


def raster(counted: Activity | Report) -> Figure:
    """Spikes of the first sample: a panel for each layer, a row for each kept neuron, a dash for each spike.

    Raises:
        InputError: spikes of single steps were not kept, or there are none.
    """
    _must_be("counted", counted, (Activity, Report), "what `sw.simulate` or `sw.report` returns")
    if counted.raster is None:
        raise InputError("the spikes of the first sample were not kept; simulate with `on` an integer simulator")
    return plots.raster_plot(_spiking(counted), counted.raster)


def rates(counted: Activity | Report) -> Figure:
    """Spikes per neuron at each step, the mean over samples, a panel for each layer, on one scale.

    Raises:
        InputError: steps were not counted, or nothing spikes.
    """
    _must_be("counted", counted, (Activity, Report), "what `sw.simulate` or `sw.report` returns")
    if not counted.rates:
        raise InputError("the spikes of single steps were not counted; simulate with `on` an integer simulator")
    return plots.rates_plot(_spiking(counted), counted.rates)


def encodings(data: Dataset, sample: int = 0, timesteps: int | None = None) -> Figure:
    """A sample of the training part as found, and what each encoding that suits makes of it.

    Args:
        sample: its number.
        timesteps: T of samples that are the same at every step; None for 4.

    Raises:
        InputError: there is no such sample.
    """
    _must_be("data", data, Dataset, "a `sw.Dataset`")
    return encodings_figure(data, sample, timesteps)


def history(trained: Distillation | Sequence[EpochRecord], unit: CostUnit = "J") -> Figure:
    """Accuracy, or R^2 of values, and energy, epoch by epoch.

    Args:
        trained: the result of :func:`spikewright.distill`, or the records that its callbacks received.
        unit: of the energies of records; of a result it is known.

    Raises:
        InputError: there are no records.
    """
    records = tuple(trained.history) if isinstance(trained, Distillation) else tuple(trained)
    if not records:
        raise InputError("there is no epoch to plot yet")
    return _history(records, "J" if isinstance(trained, Distillation) and trained.certificate.unit == "J" else unit)


def confusion(quality: Quality | IntArray, names: Sequence[str] = ()) -> Figure:
    """How often each true class (rows) was answered with which class (columns); shades are shares of the row.

    Args:
        quality: with a confusion matrix, or the matrix, ``(K, K)`` counts.
        names: of the classes, in their order; without them those that ``quality`` has, or numbers.

    Raises:
        InputError: it is about values and not about classes, or the names are not as many as the classes.
    """
    counts = quality.confusion if isinstance(quality, Quality) else np.asarray(quality)
    if counts is None:
        raise InputError("a regression has no confusion matrix; its errors are in `mae` and `r2`")
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1]:
        raise InputError(f"{arg('quality')}: has shape {counts.shape}; a confusion matrix is (classes, classes)")
    if names and len(names) != len(counts):
        raise InputError(f"{arg('names')}: {len(names)} names for {len(counts)} classes; give one for each, or none")
    if not names and isinstance(quality, Quality) and len(quality.names) == len(counts):
        names = quality.names
    return _confusion(counts, list(names) or [str(i) for i in range(len(counts))])


def pareto(result: SweepResult, anchors: AnyAnchors | None = None) -> Figure:
    """Accuracy against energy of a sweep: a mark for each budget, filled where it is Pareto-optimal on validation.

    Args:
        anchors: published points to draw with it, a name, a TOML file, or points; None for those of the sweep.

    Raises:
        InputError: unknown points.
    """
    _must_be("result", result, SweepResult, "what `sw.sweep` returns")
    return sweep_plot(result if anchors is None else replace(result, anchors=anchors_beside(anchors, [result.profile])))


def anchors(report: Report, anchors: AnyAnchors | None = None) -> Figure:
    """Accuracy against energy of a report beside published points.

    Args:
        anchors: a name, a TOML file, or points; None for those of the report.

    Raises:
        InputError: unknown or no points, or the report has no accuracy.
    """
    _must_be("report", report, Report, "what `sw.report` returns")
    shown = report if anchors is None else replace(report, anchors=anchors_beside(anchors, [report.energy.profile]))
    if shown.published is None:
        raise InputError(f"{arg('anchors')}: the report has no published points; give e.g. anchors='mnist'")
    table = table_of(shown.energy.profile, {"this network": shown})
    if not table.points:
        raise InputError(f"{arg('report')}: has no accuracy; simulate labelled data")
    return pareto_plot(table, shown.published)


def comparison(result: ComparisonResult) -> Figure:
    """Accuracy against energy of compared methods: a number for each, a shape for each setting, the best one filled."""
    _must_be("result", result, ComparisonResult, "what `sw.compare` returns")
    return compare_plot(result)


def _energy(report: Report | EnergyReport) -> EnergyReport:
    _must_be("report", report, (Report, EnergyReport), "what `sw.report` returns")
    return report.energy if isinstance(report, Report) else report


def _must_be(name: str, given: object, kinds: type | tuple[type, ...], what: str) -> None:
    if not isinstance(given, kinds):
        raise InputError(f"{arg(name)}: is {a_kind(type(given).__name__)}; may be {what}")


def spikes_of(activity: Activity) -> list[Spikes]:
    """Spikes of each population per inference, as far as an activity alone tells; who reads out, it does not tell."""
    count, found = max(activity.samples, 1), []
    for name, seen in activity.populations.items():
        part, role = ("hidden", "hidden") if seen.updates else ("input", "input")
        sent = sum(ops for way, ops in activity.synaptic_ops.items() if way.split("->")[0] == name)
        each = (seen.spikes.size, float(seen.spikes.sum()) / count, seen.updates / count, sent / count)
        found.append(Spikes(name, part, role, *each))  # type: ignore[arg-type]
    return found


def _spiking(counted: Activity | Report) -> Sequence[Spikes]:
    found = spikes_of(counted) if isinstance(counted, Activity) else counted.energy.spikes
    if not plots.active(found):
        raise InputError("nothing spikes in these samples, so there is nothing to plot")
    return found


@in_style
def _history(records: Sequence[EpochRecord], unit: CostUnit) -> Figure:
    drawn, (above, below) = panels([1.5, 1.1])
    epochs = [record.epoch + 1 for record in records]
    is_share = all(record.validation_accuracy is not None for record in records)
    validation = [record.validation_accuracy if is_share else record.quality["r2"] for record in records]
    training = [record.train_accuracy if is_share else record.train_r2 for record in records]
    for values, words, mark, dark in ((validation, "validation", "o-", INK), (training, "training", "x--", FAINT)):
        above.plot(epochs, values, mark, color=dark, markersize=4, linewidth=1.2, label=words)
    if not is_share:
        above.set_title("R²", fontsize=9.5, color=FAINT, loc="left")
    below.plot(
        epochs, [record.cost for record in records], "o-", color=BLUE, markersize=4, linewidth=1.2, label="energy"
    )
    targets = [(record.epoch + 1, record.targets["budget"]) for record in records if "budget" in record.targets]
    if targets:
        below.plot(*zip(*targets, strict=True), "s:", color=SAND, markersize=3, linewidth=1.2, label="its target")
    on_integers = next((record.epoch + 1 for record in records if record.on_integers), None)
    for axes in (above, below):
        plain_axis(axes)
        axes.tick_params(axis="y", labelsize=9)
        axes.spines["bottom"].set_color(RULE)
        if on_integers is not None and on_integers > epochs[0]:
            axes.axvline(on_integers - 0.5, color=RULE, linewidth=1, zorder=0)
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, fontsize=9, labelcolor=INK)
    if on_integers is not None and on_integers > epochs[0]:
        above.annotate(
            "on integers", (on_integers - 0.5, 1.0), xycoords=("data", "axes fraction"), xytext=(3, 2),
            textcoords="offset points", fontsize=8.5, color=FAINT,
        )  # fmt: skip
    above.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}" if is_share else f"{value:g}")
    below.yaxis.set_major_formatter(lambda value, _: quantity(value, unit) if value else "0")
    below.locator_params(axis="y", nbins=4)
    below.set_ylim(bottom=0)
    below.xaxis.get_major_locator().set_params(integer=True)
    below.set_xlabel("epoch")
    return drawn


@in_style
def _confusion(counts: IntArray, names: Sequence[str]) -> Figure:
    classes = len(counts)
    drawn, axes = figure(min(5.2, 1.3 + 0.34 * max(classes, 3)))
    of_class = counts.sum(1, keepdims=True)
    shares = np.divide(counts, of_class, out=np.zeros(counts.shape), where=of_class > 0)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    if classes <= COUNTED:
        for row, column in np.argwhere(counts > 0):
            dark = shares[row, column] > 0.5
            colour = "white" if dark else INK
            axes.text(column, row, f"{counts[row, column]:,}", ha="center", va="center", fontsize=8, color=colour)
    if classes <= NAMED:
        longest = max(map(len, names))
        axes.set_xticks(
            range(classes), names, rotation=45 if longest > 3 else 0, ha="right" if longest > 3 else "center"
        )
        axes.set_yticks(range(classes), names)
    _frame(axes)
    drawn.colorbar(image, ax=axes, format=lambda value, _: f"{value:.0%}", label="of the true class", shrink=0.8)
    return drawn


def _frame(axes: Any) -> None:
    for side in axes.spines.values():
        side.set_color(RULE)
    axes.tick_params(length=0, labelsize=9)
    axes.set_xlabel("answer")
    axes.set_ylabel("true class")
