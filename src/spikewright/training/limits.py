"""Limits of a training: energy on a chip, synaptic operations, spike rates of layers.

Each constraint limits one measured quantity per inference and has its own controller (:mod:`.budget`), so that the
tightest of several binds.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from fnmatch import fnmatch

import torch
from torch import Tensor

from ..base.errors import BelowFloor, InputError, SpikewrightError, arg, did_you_mean, refuse
from ..data.dataset import Dataset
from ..profile.profile import HardwareProfile, load_profile
from ..profile.units import OPS_PREFIXES, Amount, parse_budget, quantity
from ..student.label_loss import CROSS_ENTROPY, LabelLoss, guess_of
from ..student.neurons import StudentOutput
from ..student.student import Student
from .budget import BudgetController
from .cost import CostReading, SpikeCost
from .settings import Budget
from .sizing import Size

HEATING, HOTTEST = 2.0, 32.0
"""The teacher's temperature grows by this factor for each 1 of the multipliers, up to so many times."""
FLOOR_SAMPLES = 500
"""Number of training samples over which a floor is measured."""


class Constraint(ABC):
    """An upper limit of a quantity that is measured in a forward pass.

    Attributes:
        name: of the constraint in records.
        title: of the quantity, in messages.
        argument: the setting and its value, in messages.
        limit: of the quantity, per inference.
    """

    name: str
    title: str
    argument: str
    limit: float

    @abstractmethod
    def value(self, output: StudentOutput, reading: CostReading) -> Tensor:
        """The quantity, a differentiable scalar; ``reading`` is the cost on the profile of the training."""

    @abstractmethod
    def floor(self, student: Student, drive: Tensor) -> float:
        """The quantity without hidden spikes, for encoded samples ``(1 or T, B, *input shape)``."""

    @abstractmethod
    def say(self, value: float) -> str:
        """A value of the quantity as text, with its unit."""

    def rebuild(self, student: Student) -> None:  # noqa: B027
        """Recompute the cost model after the network changed."""


@dataclass(frozen=True)
class Hold:
    """What limits are held by: each follows the sum of the multipliers of their controllers.

    Attributes:
        price: a term of the loss.
        temperature: the teacher's, which grows by the factor :data:`HEATING` for each 1 of the multipliers.
        regularizers: their weights, which grow by themselves for each 1.
    """

    price: bool = True
    temperature: bool = False
    regularizers: bool = False

    @classmethod
    def of(cls, text: str) -> Hold:
        """What the setting ``hold`` names, such as ``price+temperature``."""
        names = text.split("+")
        return cls(*(each.name in names for each in fields(cls)))

    def heat(self, multiplier: float) -> float:
        """The factor of the teacher's temperature."""
        return min(HEATING**multiplier, HOTTEST) if self.temperature else 1.0

    def weight(self, multiplier: float) -> float:
        """The factor of the regularizers' weights."""
        return 1 + multiplier if self.regularizers else 1.0


PRICED = Hold()
"""What limits are held by where nothing else is asked for."""


@dataclass(frozen=True, eq=False)
class Limit:
    """A constraint of a training, and its controller."""

    constraint: Constraint
    controller: BudgetController


class EnergyLimit(Constraint):
    """A limit of the estimated energy of one inference on one chip."""

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
    """A limit of the synaptic operations of one inference."""

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
    """A limit of the spikes per neuron and timestep of one layer."""

    def __init__(self, layer: str, limit: float, asked: str = "") -> None:
        """Limit ``layer`` to ``limit``; ``asked`` is the text of the setting, whose pattern may match several."""
        self.name, self.title, self.limit = f"rate_{layer}", f"spike rate of {layer}", limit
        self.argument = arg("max_rate", asked or f"{layer}={limit:g}")
        self._layer = layer

    def value(self, output: StudentOutput, reading: CostReading) -> Tensor:  # noqa: ARG002
        counts = output.mean_counts[self._layer]
        return counts.sum() / (counts.numel() * output.timesteps)

    def floor(self, student: Student, drive: Tensor) -> float:  # noqa: ARG002
        return 0.0

    def say(self, value: float) -> str:
        return f"{value:.4f} spikes per neuron and step"


_Reader = Callable[[str, Size], list[Constraint]]
"""From the text of a setting to the limits that it sets."""
_COUNT = re.compile(r"\s*(\d+\.?\d*|\.\d+)\s*([kMG]?)(?:ops)?\s*")


def limits_of(
    asked: Budget,
    size: Size,
    dataset: Dataset,
    profile: HardwareProfile,
    energy: Amount | None,
    steps: int,
    label_loss: LabelLoss = CROSS_ENTROPY,
) -> tuple[Limit, ...]:
    """Every limit of a training, each with its controller.

    Args:
        energy: the energy budget of ``asked`` on ``profile``.
        steps: of the optimiser, over the whole training.
        label_loss: of the training.

    Raises:
        InputError: limits that cannot be read, or two for one chip, all at once; or a limit below its floor, which is
            not met even without hidden spikes.
    """
    found: list[Constraint] = [] if energy is None else [EnergyLimit(energy.value, profile, size.cost)]
    faults: list[str] = []
    others: list[tuple[_Reader, str]] = [(_other_chip, text) for text in asked.also_within]
    others += [(_operations, asked.max_synaptic_ops)] if asked.max_synaptic_ops is not None else []
    for read, text in [*others, *((_rates, text) for text in asked.max_rate)]:
        try:
            found += read(text, size)
        except InputError as error:
            faults.append(error.message)
    refuse("limits", [*faults, *_named_twice(found)])
    found = _tightest(found)
    drive = size.student.drive(torch.from_numpy(dataset.train.samples[: dataset.train.at_once(FLOOR_SAMPLES)]))
    guess = guess_of(label_loss, dataset)
    return tuple(_limit(constraint, size, drive, steps, guess, asked.reserve) for constraint in found)


def _limit(constraint: Constraint, size: Size, drive: torch.Tensor, steps: int, guess: float, reserve: float) -> Limit:
    floor, usable = constraint.floor(size.student, drive), (1 - reserve) * constraint.limit
    if usable <= floor:
        reserved = f", less {arg('reserve', f'{reserve:g}')}," if reserve else ":"
        raise BelowFloor(
            f"{constraint.argument}{reserved} is below the floor of {constraint.say(floor)}, spent before any hidden "
            f"neuron fires; a smaller {arg('width')} or fewer {arg('timesteps')} lower it"
            f"{'; or reserve less' if reserve else ''}"
        )
    return Limit(constraint, BudgetController(usable, floor, steps, guess))


def _named_twice(found: list[Constraint]) -> Iterator[str]:
    """A sentence for each chip that has two energy limits: limits are known by their names, and one would be lost."""
    energies = [limit for limit in found if isinstance(limit, EnergyLimit)]
    for name in dict.fromkeys(each.name for each in energies):
        same = [each for each in energies if each.name == name]
        if len(same) > 1:
            yield f"{' and '.join(each.argument for each in same)}: are limits of one chip; give the lower one alone"


def _tightest(found: list[Constraint]) -> list[Constraint]:
    """The lowest limit of each layer's rate, where patterns overlap; every other limit as it is."""
    lowest: dict[str, Constraint] = {}
    for each in found:
        if each.name not in lowest or each.limit < lowest[each.name].limit:
            lowest[each.name] = each
    return list(lowest.values())


def _other_chip(text: str, size: Size) -> list[Constraint]:
    name, equals, amount = text.rpartition("=")
    if not equals:
        raise InputError(f"{arg('also_within', text)}: is not profile=budget, such as loihi1-davies=5uJ")
    profile = load_profile(name)
    budget = parse_budget(amount, profile, f"{arg('also_within', name)}:")
    try:
        cost = SpikeCost.of(size.student, profile)
    except SpikewrightError as error:
        where = arg("also_within", text)
        raise InputError(f"{where}: the student does not run on {name}: {error.message}") from error
    return [EnergyLimit(budget.value, profile, cost, is_main=False)]


def _operations(text: str, size: Size) -> list[Constraint]:
    match = _COUNT.fullmatch(text)
    if match is None or float(match[1]) <= 0:
        raise InputError(f"{arg('max_synaptic_ops', text)}: is no positive count, e.g. 300k or 1.5M")
    return [OperationsLimit(float(match[1]) * OPS_PREFIXES[match[2]], size.cost)]


def _rates(text: str, size: Size) -> list[Constraint]:
    """A limit for each layer that matches."""
    pattern, equals, amount = text.rpartition("=")
    try:
        rate = float(amount)
    except ValueError:
        rate = -1.0
    if not equals or not 0 < rate <= 1:
        raise InputError(
            f"{arg('max_rate', text)}: is not layer=rate with a rate above 0 and up to 1, such as lif1=0.05"
        )
    layers = size.student.spiking_layers
    matching = [name for name in layers if fnmatch(name, pattern)]
    if not matching:
        raise InputError(f"{arg('max_rate', text)}: there is no such layer; {did_you_mean(pattern, layers)}")
    return [RateLimit(layer, rate, text) for layer in matching]
