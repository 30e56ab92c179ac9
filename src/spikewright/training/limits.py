"""The limits that settings name, each with the controller that holds the training to it."""

from __future__ import annotations

import re
from collections.abc import Callable

import torch

from ..base.errors import BelowFloor, InputError, SpikewrightError, refuse
from ..data.dataset import Dataset
from ..energy.estimate import Budget, parse_budget
from ..profile.profile import HardwareProfile, load_profile
from ..profile.units import OPS_PREFIXES
from .budget import BudgetController
from .constraints import Constraint, EnergyLimit, OperationsLimit, RateLimit
from .cost import SpikeCost
from .settings import DistillSettings
from .sizing import Size
from .trainer import FLOOR_SAMPLES, Held

_COUNT = re.compile(r"\s*(\d+\.?\d*|\.\d+)\s*([kMG]?)(?:ops)?\s*")


def limits_of(
    settings: DistillSettings, size: Size, dataset: Dataset, profile: HardwareProfile, budget: Budget | None, steps: int
) -> tuple[Held, ...]:
    """Every limit of a training of ``steps`` optimiser steps.

    Raises:
        InputError: what cannot be read, or lies below what an inference costs before any hidden neuron fires; every
            fault at once.
    """
    found: list[Constraint] = [] if budget is None else [EnergyLimit(budget.value, profile, size.cost)]
    faults: list[str] = []
    operations = () if settings.max_synaptic_ops is None else (settings.max_synaptic_ops,)
    asked: tuple[tuple[Callable[[str, Size], Constraint], tuple[str, ...]], ...] = (
        (_other_chip, settings.also_within),
        (_operations, operations),
        (_rate, settings.max_rate),
    )
    for make, texts in asked:
        for text in texts:
            try:
                found.append(make(text, size))
            except InputError as error:
                faults.append(str(error))
    refuse("limits", faults)
    drive = size.student.drive(torch.from_numpy(dataset.train.images[:FLOOR_SAMPLES]))
    return tuple(_held(constraint, size, drive, steps, settings.reserve) for constraint in found)


def _held(constraint: Constraint, size: Size, drive: torch.Tensor, steps: int, reserve: float) -> Held:
    floor, usable = constraint.floor(size.student, drive), (1 - reserve) * constraint.limit
    if usable <= floor:
        less, smaller = (f", less --reserve {reserve:g},", "; or reserve less") if reserve else (":", "")
        raise BelowFloor(
            f"{constraint.title} {constraint.say(constraint.limit)}{less} is below the floor of "
            f"{constraint.say(floor)}, spent before any hidden neuron fires; a smaller --width or fewer --timesteps "
            f"lower it{smaller}"
        )
    return Held(constraint, BudgetController(usable, floor, steps, size.student.config.classes))


def _other_chip(text: str, size: Size) -> EnergyLimit:
    name, equals, amount = text.rpartition("=")
    if not equals:
        raise InputError(f"--also-within {text}: is not profile=budget, such as loihi1-davies=5uJ")
    profile = load_profile(name)
    budget = parse_budget(amount, profile, f"--also-within {name}:")
    try:
        cost = SpikeCost.of(size.student, profile)
    except SpikewrightError as error:
        raise InputError(f"--also-within {text}: the student does not run on {name}: {error.message}") from error
    return EnergyLimit(budget.value, profile, cost, is_main=False)


def _operations(text: str, size: Size) -> OperationsLimit:
    match = _COUNT.fullmatch(text)
    if match is None or float(match[1]) <= 0:
        raise InputError(f"--max-synaptic-ops {text}: is no positive count, e.g. 300k or 1.5M")
    return OperationsLimit(float(match[1]) * OPS_PREFIXES[match[2]], size.cost)


def _rate(text: str, size: Size) -> RateLimit:
    pattern, equals, amount = text.rpartition("=")
    try:
        rate = float(amount)
    except ValueError:
        rate = -1.0
    if not equals or not 0 < rate <= 1:
        raise InputError(f"--max-rate {text}: is not layer=rate with a rate above 0 and up to 1, such as lif1=0.05")
    return RateLimit(pattern, rate, size.student.spiking_layers)
