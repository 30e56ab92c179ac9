"""A student of a bench: the budget and seed that it is made with, and what it does and costs on the chip."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field

from ..base.errors import InputError, arg
from ..base.types import Encoding
from ..pages.measure import Merit
from ..profile.schema import HardwareProfile
from ..profile.units import parse_budget, spelled
from ..training.settings import DistillSettings

SPLITS = ("validation", "test")


@dataclass(frozen=True)
class Point:
    """The energy budget within which a student is trained, and the seed.

    Attributes:
        budget: as :func:`spikewright.profile.units.spelled` writes it; None for no budget.
    """

    budget: str | None
    seed: int

    @property
    def name(self) -> str:
        """The name of its folder."""
        return f"{self.budget or 'no-budget'}-seed{self.seed}"

    def settings(self, common: DistillSettings) -> DistillSettings:
        """The settings that make its student, of those that all students have in common."""
        return common.within(self.budget).changed({"seed": self.seed})

    def __str__(self) -> str:
        return f"{self.budget or 'no budget'}, seed {self.seed}"


class Outcome(BaseModel):
    """A student on the chip: counts and energy of its integer network, per inference and by part of the data set.

    Attributes:
        energy: in the profile's unit, as `spikewright report` computes it.
        energy_is_at_least: whether the profile leaves something unmodelled.
        floor: what the network costs before any hidden neuron fires (validation).
        accuracy: from 0 to 1; of a regression the mean R^2 of its values, at most 1.
        spikes: input events included.
        certificate: the student's own; None if its training wrote none.
        files: relative to the folder of the bench on the machine ``host``.
        seconds: from the start of the worker that finished it.
        merit: what ``accuracy`` holds.
        quality: all that is known of how good the answers are, by name.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    energy: dict[str, float]
    energy_is_at_least: bool
    floor: float
    accuracy: dict[str, float]
    synaptic_ops: dict[str, float]
    spikes: dict[str, float]
    samples: dict[str, int]
    timesteps: int
    width: int
    encoding: Encoding
    certificate: object = None
    files: dict[str, str]
    made_by: str
    host: str
    seconds: float
    merit: Merit = "accuracy"
    quality: dict[str, dict[str, float]] = Field(default_factory=dict)

    @property
    def student(self) -> str:
        """Size and input of the student, for people."""
        return f"width {self.width}, T {self.timesteps}, {self.encoding}"


def read_budgets(texts: Sequence[str], profile: HardwareProfile, name: str) -> tuple[list[str], list[str]]:
    """Budgets from the largest down, each once and in its one spelling; and every fault of ``texts``.

    Args:
        name: of the argument that they were given as, for the faults.
    """
    values, faults = set(), []
    for text in [texts] if isinstance(texts, str) else texts:
        try:
            budget = parse_budget(str(text), profile, arg(name))
        except InputError as error:
            faults.append(error.message)
        else:
            values.add(spelled(budget.value, budget.unit))
    return sorted(values, key=lambda text: -limit_of(text, profile)), faults


def limit_of(budget: str | None, profile: HardwareProfile) -> float:
    """A budget in the profile's unit; infinite for no budget."""
    return math.inf if budget is None else parse_budget(budget, profile).value
