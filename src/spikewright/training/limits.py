"""The limits that a budget names, each with the controller that holds the training to it."""

from __future__ import annotations

import re
from collections.abc import Callable

import torch

from ..base.errors import BelowFloor, InputError, SpikewrightError, arg, refuse
from ..data.dataset import Dataset
from ..profile.profile import HardwareProfile, load_profile
from ..profile.units import OPS_PREFIXES, Amount, parse_budget
from .budget import BudgetController
from .constraints import FLOOR_SAMPLES, Constraint, EnergyLimit, Limit, OperationsLimit, RateLimit
from .cost import SpikeCost
from .settings import Budget
from .sizing import Size

_COUNT = re.compile(r"\s*(\d+\.?\d*|\.\d+)\s*([kMG]?)(?:ops)?\s*")


def limits_of(
    asked: Budget, size: Size, dataset: Dataset, profile: HardwareProfile, energy: Amount | None, steps: int
) -> tuple[Limit, ...]:
    """Every limit of a training, each with its controller.

    Args:
        energy: the budget on ``profile``, as read from ``asked``.
        steps: of the optimiser, over the whole training.

    Raises:
        InputError: what cannot be read, or lies below what an inference costs before any hidden neuron fires; every
            fault at once.
    """
    found: list[Constraint] = [] if energy is None else [EnergyLimit(energy.value, profile, size.cost)]
    faults: list[str] = []
    operations = () if asked.max_synaptic_ops is None else (asked.max_synaptic_ops,)
    others: tuple[tuple[Callable[[str, Size], Constraint], tuple[str, ...]], ...] = (
        (_other_chip, asked.also_within),
        (_operations, operations),
        (_rate, asked.max_rate),
    )
    for make, texts in others:
        for text in texts:
            try:
                found.append(make(text, size))
            except InputError as error:
                faults.append(error.message)
    refuse("limits", faults)
    drive = size.student.drive(torch.from_numpy(dataset.train.images[:FLOOR_SAMPLES]))
    return tuple(_limit(constraint, size, drive, steps, asked.reserve) for constraint in found)


def _limit(constraint: Constraint, size: Size, drive: torch.Tensor, steps: int, reserve: float) -> Limit:
    floor, usable = constraint.floor(size.student, drive), (1 - reserve) * constraint.limit
    if usable <= floor:
        reserved = f", less {arg('reserve', f'{reserve:g}')}," if reserve else ":"
        raise BelowFloor(
            f"{constraint.argument}{reserved} is below the floor of {constraint.say(floor)}, spent before any hidden "
            f"neuron fires; a smaller {arg('width')} or fewer {arg('timesteps')} lower it"
            f"{'; or reserve less' if reserve else ''}"
        )
    return Limit(constraint, BudgetController(usable, floor, steps, size.student.config.classes))


def _other_chip(text: str, size: Size) -> EnergyLimit:
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
    return EnergyLimit(budget.value, profile, cost, is_main=False)


def _operations(text: str, size: Size) -> OperationsLimit:
    match = _COUNT.fullmatch(text)
    if match is None or float(match[1]) <= 0:
        raise InputError(f"{arg('max_synaptic_ops', text)}: is no positive count, e.g. 300k or 1.5M")
    return OperationsLimit(float(match[1]) * OPS_PREFIXES[match[2]], size.cost)


def _rate(text: str, size: Size) -> RateLimit:
    pattern, equals, amount = text.rpartition("=")
    try:
        rate = float(amount)
    except ValueError:
        rate = -1.0
    if not equals or not 0 < rate <= 1:
        raise InputError(
            f"{arg('max_rate', text)}: is not layer=rate with a rate above 0 and up to 1, such as lif1=0.05"
        )
    return RateLimit(pattern, rate, size.student.spiking_layers)
