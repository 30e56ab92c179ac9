"""Plots of what the network did: spikes of single compartments, and rates step by step; layers below each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.ticker import MaxNLocator

from ..chip.activity import Trace
from ..energy.report import EnergyReport, Spikes
from .plot_style import FAINT, INK, PART_STYLE, RULE, in_style, panels, plain_axis, svg

ROW_IN, LEAST_IN = 0.0125, 0.32
"""Height of a compartment in the raster, and of the lowest panel."""
PANEL_IN = 0.62
BARS_LABELLED = 8
"""Up to so many steps every bar says its rate; beyond, the highest one."""


def active(report: EnergyReport) -> list[Spikes]:
    """Populations that spike at all, with what is known of their steps."""
    return [each for each in report.spikes if each.spikes]


def silent(report: EnergyReport) -> list[str]:
    """Names of the others."""
    return [each.population for each in report.spikes if not each.spikes]


@in_style
def raster_plot(report: EnergyReport, raster: dict[str, Trace]) -> str:
    """Spikes of the first sample: a row for each kept compartment, a mark for each spike."""
    shown = active(report)
    heights = [max(LEAST_IN, ROW_IN * len(raster[each.population].compartments)) for each in shown]
    drawn, every = panels(heights)
    for axes, each, height in zip(every, shown, heights, strict=True):
        trace = raster[each.population]
        _marks(axes, trace.fired, 72 * height / len(trace.compartments), PART_STYLE[each.part][0])
        axes.set_ylim(len(trace.compartments) - 0.5, -0.5)
        _name(axes, each.population, f"{len(trace.compartments)} of {each.neurons:,}")
    _steps(every, report.timesteps)
    return svg(drawn)


@in_style
def rates_plot(report: EnergyReport) -> str:
    """Spikes per neuron at each step, the mean over samples, one panel a layer, on one scale."""
    shown = active(report)
    drawn, every = panels([PANEL_IN] * len(shown))
    most = max(max(report.rates[each.population]) for each in shown)
    steps = np.arange(1, report.timesteps + 1)
    for axes, each in zip(every, shown, strict=True):
        rates, (fill, hatch) = report.rates[each.population], PART_STYLE[each.part]
        axes.bar(steps, rates, width=0.8, color=fill, hatch=hatch, edgecolor="white", linewidth=0.5)
        _say_rates(axes, rates)
        axes.set_ylim(0, most * 1.45)
        mean = sum(rates) / len(rates)
        _name(axes, each.population, f"mean {mean:.1%}" if len(rates) > 1 else "")
    _steps(every, report.timesteps)
    return svg(drawn)


def _marks(axes: Any, fired: npt.NDArray[np.bool_], row_points: float, colour: str) -> None:
    """Every spike as a dash as wide as most of its step; one path for all of them keeps the page small."""
    step, row = np.nonzero(fired)
    gap = np.full(len(step), np.nan)
    x = np.stack([step + 0.6, step + 1.4, gap], axis=1).reshape(-1)
    y = np.stack([row, row, gap], axis=1).reshape(-1)
    dark = INK if colour == PART_STYLE["readout"][0] else colour
    axes.plot(x, y, color=dark, linewidth=max(0.7, 0.8 * row_points), solid_capstyle="butt")


def _say_rates(axes: Any, rates: Sequence[float]) -> None:
    every = range(len(rates)) if len(rates) <= BARS_LABELLED else [int(np.argmax(rates))]
    for i in every:
        axes.text(i + 1, rates[i], f"{rates[i]:.1%}", ha="center", va="bottom", fontsize=8.5, color=INK)


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
        plain_axis(axes)
        axes.spines["bottom"].set_color(RULE)
        axes.tick_params(axis="x", length=0)
    every[-1].set_xlim(0.5, timesteps + 0.5)
    every[-1].xaxis.set_major_locator(MaxNLocator(nbins=12, integer=True, steps=[1, 2, 5, 10]))
    every[-1].set_xlabel("step")
