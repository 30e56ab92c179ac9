"""What charts of accuracy against deployed energy have in common; they are told by shapes and words, not by colour."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from ..base.artefacts import atomic_write
from ..profile.profile import HardwareProfile
from .plot_style import INK, STYLE

DPI = 160
FORMATS = ("svg", "png")


def write_chart(draw: Callable[[], Figure], stem: Path) -> dict[str, Path]:
    """Draw in our style and write ``stem``.svg and .png; returns paths by format."""
    files = {form: stem.with_name(f"{stem.name}.{form}") for form in FORMATS}
    with mpl.rc_context(STYLE):
        figure = draw()
        for form, path in files.items():
            metadata = {"Date": None} if form == "svg" else {"Software": None}
            with atomic_write(path) as temporary:
                figure.savefig(temporary, format=form, dpi=DPI, metadata=metadata, facecolor="white")
    return files


def energy_figure(size_in: tuple[float, float], title: str, energies: Sequence[float], beside: float) -> Figure:
    """A figure with one pair of axes, its energy logarithmic.

    Args:
        energies: that must be seen.
        beside: room left and right of the outermost of them, as a factor of energy.
    """
    figure = Figure(figsize=size_in, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title, fontsize=10.5, x=0.01, ha="left", color=INK)
    axes = figure.add_subplot()
    axes.set_xscale("log")
    if energies:  # before anything is drawn: around a point alone matplotlib's own bounds would be equal
        axes.set_xlim(min(energies) / beside, max(energies) * beside)
    return figure


def label_axes(axes: Any, profile: HardwareProfile, say: Callable[[float], str]) -> None:
    """Name both axes and their ticks."""
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.set_xlabel("deployed energy per inference, test" if profile.has_joules else "relative cost, test")
    axes.set_ylabel("accuracy of the integer network, test")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.1%}"))
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: say(value)))
    axes.xaxis.set_minor_formatter(NullFormatter())
