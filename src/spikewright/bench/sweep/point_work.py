"""One point: a student within its budget, made and measured in a folder of its own."""

from __future__ import annotations

from pathlib import Path

from ...training.settings import DistillSettings
from ..making import make
from ..outcome import Outcome
from ..point import Point

POINTS = "points"


def folder_of(point: Point, out: Path) -> Path:
    """Where the files of a point go."""
    return out / POINTS / point.name


def settings_of(point: Point, settings: DistillSettings) -> DistillSettings:
    """The settings that make the student of a point."""
    return settings.within(point.budget).changed({"seed": point.seed})


def work(point: Point, settings: DistillSettings, out: Path) -> Outcome:
    """Make the student of a point and measure what it does and costs on the chip.

    Raises:
        BelowFloor: no candidate is small enough for the budget.
        SpikewrightError: a step refused its input, or the network does not fit the profile.
    """

    return make(settings_of(point, settings), folder_of(point, out), out).outcome
