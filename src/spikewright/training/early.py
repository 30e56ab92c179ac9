"""Refusals that need no training library: what can be said of settings before torch is loaded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..base.errors import InputError, SpikewrightError, arg, refuse
from ..data.load import DATASETS
from ..profile.profile import load_profile
from ..profile.units import parse_budget
from .settings import DistillSettings


def check_early(settings: DistillSettings) -> None:
    """Refuse what is wrong with profiles, budgets and paths.

    Raises:
        InputError: every fault at once.
    """
    found = [*_faults(settings)]
    if len(found) == 1:
        raise InputError(found[0])
    refuse("settings", found)


def _faults(settings: DistillSettings) -> Iterator[str]:
    limits = settings.limits
    try:
        profile = load_profile(limits.profile)
        if limits.energy_budget:
            parse_budget(limits.energy_budget, profile)
    except SpikewrightError as error:
        yield error.message
    for text in limits.also_within:
        name, equals, amount = text.rpartition("=")
        if equals:
            try:
                parse_budget(amount, load_profile(name), f"{arg('also_within', name)}:")
            except SpikewrightError as error:
                yield error.message
    name = settings.data.name
    if name not in DATASETS and (Path(name).suffix or "/" in name) and ".py:" not in name and not Path(name).exists():
        yield f"{name}: there is no such file or folder"
    for argument, given in (("teacher", settings.teacher.name), ("architecture", settings.student.architecture)):
        text = given or ""
        file = text.rpartition(":")[0] if ".py:" in text else text
        if file.endswith((".py", ".onnx", ".pt")) and not Path(file).is_file():
            yield f"{arg(argument, text)}: there is no file {file}"
