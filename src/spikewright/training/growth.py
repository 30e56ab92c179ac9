"""Larger students where a budget is left unspent: one timestep more, or the next width, as long as validation gains."""

from __future__ import annotations

from collections.abc import Callable

from ..base.progress import Listeners
from ..data.dataset import Dataset
from ..profile.profile import load_profile
from ..profile.units import parse_budget, quantity
from .objects import objects_of
from .result import Distillation
from .settings import DistillSettings
from .sizing import larger

UNSPENT = 0.7
"""A student that uses less than this share of its budget leaves room for a larger one."""
MOST = 4
"""Larger students that are tried at most."""


def grown(
    train: Callable[[DistillSettings, int], Distillation],
    settings: DistillSettings,
    dataset: Dataset,
    listeners: Listeners,
) -> Distillation:
    """The student of ``settings``, or a larger one that is better on validation and within the budget too.

    Args:
        train: trains the student of settings; its second argument counts the trainings from 0.
        dataset: the whole data set.
    """
    best = train(settings, 0)
    profile, text = load_profile(settings.limits.profile), settings.limits.energy_budget
    if text is None or not _may_grow(settings, dataset):
        return best
    budget = parse_budget(text, profile)
    number, goes_on = 0, True
    while goes_on and number < MOST and best.certificate.met and best.certificate.energy < UNSPENT * budget.value:
        goes_on = False
        for width, timesteps in larger(best.student.config, settings.student, dataset, profile, budget):
            number += 1
            used = f"{quantity(best.certificate.energy, profile.cost_unit)} of {budget}"
            listeners.say(f"{used} are used: a larger student is tried, width {width}, T = {timesteps}")
            tried = train(settings.changed({"width": width, "timesteps": timesteps}), number)
            if tried.certificate.met and tried.certificate.quality > best.certificate.quality:
                best, goes_on = tried, True
                break
            if number == MOST:
                break
    if number:
        config = best.student.config
        listeners.say(f"best on validation: width {config.width}, T = {config.timesteps}")
    return best


def _may_grow(settings: DistillSettings, dataset: Dataset) -> bool:
    """Whether the size of the student was left to the budget."""
    given = objects_of(settings)
    is_given = given.config is not None or given.network is not None or given.ann is not None
    fixed = settings.student.width is not None and (dataset.timesteps or settings.student.timesteps) is not None
    return settings.training.grow and not is_given and not fixed and settings.training.shorten is None
