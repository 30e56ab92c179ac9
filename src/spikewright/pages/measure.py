"""The number by which answers are compared, in words: the accuracy of classes, or R^2 of values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan
from statistics import mean, stdev
from typing import Literal

from ..data.output_rule import OutputRule

Merit = Literal["accuracy", "r2"]


@dataclass(frozen=True)
class Spread:
    """A number over seeds.

    Attributes:
        deviation: sample standard deviation, None for a single seed.
    """

    mean: float
    deviation: float | None
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """The spread of one or more values."""
        return cls(mean(values), stdev(values) if len(values) > 1 else None, min(values), max(values))


@dataclass(frozen=True)
class Measure:
    """The number by which answers are compared, the higher the better.

    Attributes:
        name: as it is written.
        in_percent: whether it is a share.
    """

    name: str
    in_percent: bool

    def say(self, value: float | None) -> str:
        """A value with its unit; words where it is not defined."""
        if value is None or isnan(value):
            return "not defined"
        return f"{value:.2%}" if self.in_percent else f"{value:.3f}"

    def number(self, value: float) -> str:
        """A value below a heading that has the unit."""
        return f"{100 * value:.2f}" if self.in_percent else f"{value:.3f}"

    def spread(self, found: Spread | None, sign: str = "", unit: bool = False, around: str = " ±") -> str:
        """Mean and standard deviation, in % and points where it is a share.

        Args:
            sign: ``+`` to write that of a positive mean.
            unit: whether the mean has its unit.
            around: what stands between the two.
        """
        if found is None:
            return "-"
        scale, digits = (100, 2) if self.in_percent else (1, 3)
        deviation = "" if found.deviation is None else f"{around}{scale * found.deviation:.{digits}f}"
        return f"{scale * found.mean:{sign}.{digits}f}{'%' if unit and self.in_percent else ''}{deviation}"

    def heading(self, words: str) -> str:
        """A heading or a note that is written for accuracies, for this measure."""
        if self.in_percent:
            return words
        for accuracy, mine in (("accuracy", self.name), ("Accuracy", self.name), (", in %", ""), (", in points", "")):
            words = words.replace(accuracy, mine)
        return words.replace(", %", f", {self.name}").replace(", points", f", {self.name}").replace(" in points", "")


ACCURACY, R2 = Measure("accuracy", in_percent=True), Measure("R^2", in_percent=False)
MEASURES: dict[Merit, Measure] = {"accuracy": ACCURACY, "r2": R2}
"""By its name in files."""


def measure_of(outputs: OutputRule) -> Measure:
    """The number by which answers of this meaning are compared."""
    return ACCURACY if outputs.is_classes else R2
