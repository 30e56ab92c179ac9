"""What a training can be limited in: energy on a chip, synaptic operations, spike rates of layers.

Each constraint bounds one measured quantity per inference and gets a controller of its own (:mod:`.budget`), so that
the tightest of several binds.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from fnmatch import fnmatch

from torch import Tensor

from ..base.errors import InputError, arg, did_you_mean
from ..profile.profile import HardwareProfile
from ..profile.units import quantity
from ..student.neurons import StudentOutput
from ..student.student import Student
from .budget import BudgetController
from .cost import CostReading, SpikeCost

FLOOR_SAMPLES = 500
"""Training samples over which a floor is measured."""


class Constraint(ABC):
    """An upper bound of a quantity that a forward pass shows.

    Attributes:
        name: of the constraint in records.
        title: what is bounded, for messages.
        argument: the setting and its value, for refusals.
        limit: the bound, per inference.
    """

    name: str
    title: str
    argument: str
    limit: float

    @abstractmethod
    def value(self, output: StudentOutput, reading: CostReading) -> Tensor:
        """The bounded quantity, a differentiable scalar; ``reading`` is of the profile that is trained for."""

    @abstractmethod
    def floor(self, student: Student, drive: Tensor) -> float:
        """The quantity that is left when no hidden layer spikes, for encoded samples ``(1 or T, B, *input shape)``."""

    @abstractmethod
    def say(self, value: float) -> str:
        """A value with its unit."""

    def rebuild(self, student: Student) -> None:  # noqa: B027
        """Recompute the cost model after the network changed."""


@dataclass(frozen=True, eq=False)
class Limit:
    """A constraint and the controller that holds the training to it."""

    constraint: Constraint
    controller: BudgetController


class EnergyLimit(Constraint):
    """The estimated energy of one inference on one chip."""

    def __init__(self, limit: float, profile: HardwareProfile, cost: SpikeCost, is_main: bool = True) -> None:
        self.limit, self.profile, self.cost = limit, profile, cost
        self._is_main = is_main
        if is_main:
            self.name, self.title, self.argument = "budget", "energy", arg("energy_budget", self.say(limit))
        else:
            self.name, self.title = f"budget_{profile.name}", f"energy on {profile.name}"
            self.argument = arg("also_within", f"{profile.name} {self.say(limit)}")

    def value(self, output: StudentOutput, reading: CostReading) -> Tensor:
        return reading.total if self._is_main else self.cost.read(output).total

    def floor(self, student: Student, drive: Tensor) -> float:
        return self.cost.floor(drive, exact=student.grid is not None).total

    def say(self, value: float) -> str:
        return quantity(value, self.cost.unit)

    def rebuild(self, student: Student) -> None:
        self.cost = SpikeCost.of(student, self.profile)


class OperationsLimit(Constraint):
    """Synaptic operations of one inference."""

    name, title = "operations", "synaptic operations"

    def __init__(self, limit: float, cost: SpikeCost) -> None:
        self.limit, self._cost = limit, cost
        self.argument = arg("max_synaptic_ops", self.say(limit))

    def value(self, output: StudentOutput, reading: CostReading) -> Tensor:  # noqa: ARG002
        return reading.operations

    def floor(self, student: Student, drive: Tensor) -> float:  # noqa: ARG002
        return self._cost.operations_floor(drive)

    def say(self, value: float) -> str:
        return f"{value:,.0f} synaptic operations"

    def rebuild(self, student: Student) -> None:
        self._cost = SpikeCost.of(student, self._cost.profile)


class RateLimit(Constraint):
    """Spikes per neuron and timestep, averaged over the layers whose names match a pattern."""

    def __init__(self, pattern: str, limit: float, layers: list[str]) -> None:
        self.name, self.title, self.limit = f"rate_{pattern}", f"spike rate of {pattern}", limit
        self.argument = arg("max_rate", f"{pattern}={limit:g}")
        self._layers = [name for name in layers if fnmatch(name, pattern)]
        if not self._layers:
            raise InputError(f"{self.argument}: there is no such layer; {did_you_mean(pattern, layers)}")

    def value(self, output: StudentOutput, reading: CostReading) -> Tensor:  # noqa: ARG002
        timesteps = len(output.spikes[self._layers[0]])
        total = sum(output.mean_counts[name].sum() for name in self._layers)
        neurons = sum(output.mean_counts[name].numel() for name in self._layers)
        assert isinstance(total, Tensor)
        return total / (neurons * timesteps)

    def floor(self, student: Student, drive: Tensor) -> float:  # noqa: ARG002
        return 0.0

    def say(self, value: float) -> str:
        return f"{value:.4f} spikes per neuron and step"
