"""A call of `sweep` or `compare`: the arguments that it had before 0.2, its folder, and the files with its result."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import ParamSpec, TypeVar

from ..base.artefacts import sha256_of_json, write_json, write_text
from ..base.errors import InputError, arg, refuse
from ..base.headers import read_json
from ..base.progress import Listeners
from ..training.settings import DistillSettings

SETTINGS = "settings.json"
P = ParamSpec("P")
R = TypeVar("R")


def open_folder(folder: Path, facts: Mapping[str, object], what: str) -> None:
    """Create the folder, or check that what it holds has the same settings.

    Args:
        facts: JSON-able; what all of its students have in common.
        what: is in the folder, with its article: ``a sweep``.

    Raises:
        InputError: it cannot be created, or holds something else.
    """
    file = folder / SETTINGS
    try:
        folder.mkdir(parents=True, exist_ok=True)
        there = read_json(file.read_bytes().decode()) if file.is_file() else facts
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise InputError(f"{arg('out', folder)}: cannot hold {what} ({reason}); choose another folder") from error
    if not isinstance(there, dict):
        raise InputError(f"{arg('out', folder)}: its {SETTINGS} is not of {what}; choose another folder")
    names = sorted({*facts, *there})
    refuse(
        f"{arg('out', folder)}: holds {what} with other settings; give the same ones, or another folder",
        [f"{n} is {there.get(n)!r} there and {facts.get(n)!r} here" for n in names if there.get(n) != facts.get(n)],
    )
    if not file.is_file():
        write_json(file, facts)


def study_name(data: str, profile: str, facts: Mapping[str, object]) -> str:
    """The name of a study: another one for other settings, so that a database may hold many."""
    return f"{data}-{profile}-{sha256_of_json(facts)[:12]}"


def write_result(stem: Path, value: object, markdown: str, plots: Mapping[str, Path], listeners: Listeners) -> None:
    """Write a result as ``stem``.json and ``stem``.md, and say where it is.

    Args:
        plots: files that are written already.
    """
    files = stem.with_suffix(".json"), stem.with_suffix(".md")
    write_json(files[0], value)
    write_text(files[1], markdown)
    listeners.say("wrote " + ", ".join(str(path) for path in (*files, *plots.values())))


def also_takes_settings(former: Callable[..., R]) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let a function hand a call with :class:`DistillSettings` to the function that takes them, with a warning.

    Args:
        former: takes settings as its first argument or as ``settings``.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            if "settings" not in kwargs and not (args and isinstance(args[0], DistillSettings)):
                return function(*args, **kwargs)
            warnings.warn(
                f"the argument settings of {function.__name__} is deprecated and will be removed in 0.3; use data, "
                "teacher, student, within=Budget(...) and training=Training(...)",
                DeprecationWarning,
                stacklevel=2,
            )
            return former(*args, **kwargs)

        return call

    return decorate
