"""Refusals that need no training library: what can be said of settings before torch is loaded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..base.errors import InputError, SpikewrightError, arg, refuse
from ..base.own_code import is_own
from ..data.load import DATASETS, load
from ..profile.profile import load_profile
from ..profile.units import parse_budget
from ..teachers.foreign import WEIGHT_FILES
from .settings import DistillSettings


def check_early(settings: DistillSettings) -> None:
    """Refuse what is wrong with profiles, budgets and paths, and then with data of one's own, which stay in memory.

    Raises:
        InputError: every fault at once.
    """
    found = [*_faults(settings)]
    if len(found) == 1:
        raise InputError(found[0])
    refuse("settings", found)
    if settings.data.name not in DATASETS:
        student = settings.student
        own = load(settings.data.name, settings.data.data_dir, student.timesteps, settings.data)
        own.for_student(student.encoding, student.architecture, student.timesteps)


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
    yield from _missing(settings)


def _missing(settings: DistillSettings) -> Iterator[str]:
    """Files that are named and not there."""
    name = settings.data.name
    if name not in DATASETS and (Path(name).suffix or "/" in name) and ".py:" not in name and not Path(name).exists():
        yield f"{name}: there is no such file or folder"
    more = settings.data.unlabelled
    if settings.data.has_unlabelled_path and ".py:" not in str(more) and not Path(str(more)).exists():
        yield f"{arg('unlabelled', more)}: there is no such file or folder; may be a number, rest, or a path"
    teacher = (settings.teacher.name or "").rpartition("taught_by=")[2]
    for argument, text in (("teacher", teacher), ("architecture", settings.student.architecture or "")):
        file = text.rpartition(":")[0] if is_own(text) else text
        if file.endswith((".py", ".onnx", *WEIGHT_FILES)) and not Path(file).is_file():
            yield f"{arg(argument, text)}: there is no file {file}"
    if (weights := settings.teacher.weights) is not None and not weights.is_file():
        yield f"{arg('teacher_weights', weights)}: there is no file {weights}"
