"""Arguments of a type that a public function does not take: one sentence for each, before data are read."""

from __future__ import annotations

import reprlib
from collections.abc import Iterator
from pathlib import Path

from torch import nn

from ..base.bounds import MOST_COUNT, MOST_SEED, MOST_STUDENTS
from ..base.errors import InputError, arg, refuse
from ..distillation.base import LossTerms
from ..student.config import StudentConfig
from ..student.student import Student
from ..teachers.torch_teacher import Teacher
from .settings import Budget, StudentSpec, TeacherSpec, Training

KINDS: dict[str, tuple[tuple[type, ...], str]] = {
    "teacher": (
        (nn.Module, Teacher, TeacherSpec, str),
        "a torch network, a Teacher, a TeacherSpec, or the name or the file of a teacher",
    ),
    "student": (
        (nn.Module, StudentConfig, StudentSpec, str),
        "a module, a StudentConfig, a StudentSpec or an architecture's name",
    ),
    "init": ((Student, str, Path), "a Student, or the path of its file"),
    "within": ((Budget, str), 'an energy per inference, such as "2uJ", or Budget(...)'),
    "regularize": ((LossTerms, str, list, tuple), "a regularizer, its text, or several of them"),
    "methods": ((LossTerms, str, list, tuple), "a method, its text, or several of them"),
    "training": ((Training,), "Training(...)"),
}
"""By argument of the functions that distil, the types that it takes, and these in words."""


def check_given(**values: object) -> None:
    """Refuse arguments of the types that are not in :data:`KINDS`; None is always taken.

    Raises:
        InputError: every fault at once.
    """
    faults = [fault for name, value in values.items() for fault in _faults(name, value)]
    if len(faults) == 1:
        raise InputError(faults[0])
    refuse("arguments", faults)


def count_faults(name: str, value: object, least: int, most: int = MOST_COUNT) -> Iterator[str]:
    """The fault of an argument that is no whole number, or one below ``least`` or above ``most``."""
    if not isinstance(value, int) or isinstance(value, bool):
        yield f"{arg(name)}: is {reprlib.repr(value)}; must be a whole number"
    elif value < least:
        yield f"{arg(name, value)}: must be at least {least}"
    elif value > most:
        yield f"{arg(name, value)}: may be up to {most}"


def seeds_faults(first: int, count: object) -> Iterator[str]:
    """The fault of a number of seeds that follow each other, from ``first`` on."""
    yield from count_faults("seeds", count, 1, MOST_STUDENTS)
    if isinstance(count, int) and first + count - 1 > MOST_SEED:
        left = MOST_SEED - first + 1
        yield f"{arg('seeds', count)}: from {arg('seed', first)} on there are {left}; give a smaller first seed"


def path_faults(name: str, value: object) -> Iterator[str]:
    """The fault of an argument that is no path."""
    if not isinstance(value, str | Path):
        yield f"{arg(name)}: is {reprlib.repr(value)}; must be the path of a folder"


def _faults(name: str, value: object) -> Iterator[str]:
    kinds, may_be = KINDS[name]
    if value is None or isinstance(value, kinds):
        return
    if isinstance(value, type) and issubclass(value, kinds):
        yield f"{arg(name)}: is the class {value.__name__}; give an object of it, {value.__name__}(...)"
    elif name == "within" and isinstance(value, int | float) and not isinstance(value, bool):
        yield f'{arg(name, value)}: has no unit; give text such as "{value}uJ" or "{value}kops", or Budget(...)'
    else:
        yield f"{arg(name)}: is {reprlib.repr(value)}; may be {may_be}"
