"""What the results of sweeps and comparisons have in common: spreads over seeds, Pareto marks, the head of the JSON."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

from ..base.shown import Shown
from ..pages.measure import MEASURES, Measure, Merit, Spread
from ..pages.numbers import pareto
from ..profile.profile import HardwareProfile
from ..profile.units import quantity
from .point import SPLITS, Outcome
from .work import J, JobResult, R

Each = TypeVar("Each", bound="Seeds")  # type: ignore[type-arg]


@dataclass(frozen=True, repr=False)
class Seeds(ABC, Generic[J, R]):
    """All seeds of one kind of student within one budget.

    Attributes:
        budget: None for students that were trained without one.
        limit: the budget in the profile's unit; infinite without one.
        pareto: whether no other kind costs at most as much and is at least as accurate, by means on validation.
    """

    budget: str | None
    limit: float
    results: tuple[JobResult[J, R], ...]
    pareto: bool = field(default=False, kw_only=True)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.budget or 'no budget'}, {len(self.outcomes)} of {len(self.results)} done)"

    @property
    @abstractmethod
    def outcomes(self) -> list[Outcome]:
        """Of the seeds that are done."""

    def energy(self, split: str) -> Spread | None:
        """Of the integer network per inference, in the profile's unit; None if no seed is done."""
        return spread_of(outcome.energy[split] for outcome in self.outcomes)

    def accuracy(self, split: str) -> Spread | None:
        """Of the integer network, from 0 to 1, or R^2 of a regression; None if no seed is done."""
        return spread_of(outcome.accuracy[split] for outcome in self.outcomes)

    @property
    def merit(self) -> tuple[float, float]:
        """What sorts the more accurate first, and then the cheaper: negative mean accuracy, and mean energy."""
        accuracy, energy = self.accuracy("validation"), self.energy("validation")
        assert accuracy is not None and energy is not None
        return -accuracy.mean, energy.mean


@dataclass(frozen=True, repr=False)
class BenchResult(Shown, ABC):
    """Students of one data set on one chip.

    Attributes:
        settings: JSON-able; what all students have in common, so that a folder holds one sweep or comparison.
    """

    profile: HardwareProfile
    data: str
    settings: dict[str, object]

    @property
    @abstractmethod
    def outcomes(self) -> list[Outcome]:
        """Of all students that are done."""

    @property
    def merit(self) -> Merit:
        """By which number students are compared."""
        return next((outcome.merit for outcome in self.outcomes), "accuracy")

    @property
    def measure(self) -> Measure:
        """The same in words."""
        return MEASURES[self.merit]

    @property
    def title(self) -> str:
        """Data set and profile, for people."""
        return f"{self.data} on {self.profile.name}"

    def say(self, energy: float) -> str:
        """An energy in the profile's unit, for people."""
        return quantity(energy, self.profile.cost_unit)

    def head(self) -> dict[str, object]:
        """What the result's JSON says of chip and data; its energies are in ``unit``.

        Of a regression it has ``accuracy_is``: what stands under ``accuracy`` then is R^2.
        """
        profile, unit = self.profile, self.profile.cost_unit
        merit = {} if self.merit == "accuracy" else {"accuracy_is": self.merit}
        return {"profile": profile.name, "profile_sha256": profile.sha256, "unit": unit, "data": self.data, **merit}


def spread_of(values: Iterable[float | None]) -> Spread | None:
    """The spread of those values that are known; None if none is."""
    known = [value for value in values if value is not None]
    return Spread.of(known) if known else None


def by_split(spread: Callable[[str], Spread | None]) -> dict[str, dict[str, object]]:
    """A spread as JSON, by part of the data set."""
    return {split: vars(found) for split in SPLITS if (found := spread(split))}


def with_marks(entries: Sequence[Each]) -> list[Each]:
    """Entries of one table with their Pareto marks; one without a student has none."""
    marks = iter(pareto([(each.merit[1], -each.merit[0]) for each in entries if each.outcomes]))
    return [replace(each, pareto=bool(each.outcomes) and next(marks)) for each in entries]
