"""Functions in a user's own Python files, run only because the user named them: ``file.py:function``."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from .errors import InputError, SpikewrightError, did_you_mean

T = TypeVar("T")


def is_own(spec: str) -> bool:
    """Whether ``spec`` names a function in a user's file."""
    return ".py:" in spec


def file_of(spec: str) -> Path:
    """The file of ``file.py:function``."""
    return Path(spec.rsplit(":", 1)[0])


def named_in(spec: str, called: str) -> Any:
    """What ``file.py:name`` names; the file is run for it, with its own folder first where modules are looked for.

    Args:
        called: what it is for, in messages: ``teacher 'net.py:build'``.

    Raises:
        InputError: no such file, no such name in it, or an exception while it runs.
    """
    path, name = file_of(spec), spec.rsplit(":", 1)[1]
    if not path.is_file():
        raise InputError(f"{called}: there is no file {path}")
    # Registered under a name that shadows nothing, as dataclasses ask of the module that they stand in.
    title = f"own_{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:8]}_{path.stem}"
    found = importlib.util.spec_from_file_location(title, path)
    if found is None or found.loader is None:
        raise InputError(f"{called}: {path} cannot be read as Python")
    module = sys.modules[title] = importlib.util.module_from_spec(found)
    try:
        run_own(path, called, lambda: found.loader.exec_module(module))  # type: ignore[union-attr]
    except SpikewrightError:
        del sys.modules[title]
        raise
    if not hasattr(module, name):
        own = [each for each, value in vars(module).items() if getattr(value, "__module__", None) == title]
        known = f"; {did_you_mean(name, own)}" if own else ""
        raise InputError(f"{called}: {path} has no function {name!r}{known}")
    return getattr(module, name)


def run_own(path: Path, called: str, function: Callable[[], T]) -> T:
    """The result of code from a user's file.

    Raises:
        InputError: whatever the code raises, with the line of the file that it came from.
    """
    try:
        with _first(path.resolve().parent):
            return function()
    except SpikewrightError:
        raise
    except (Exception, SystemExit) as error:  # whatever a user's code may raise
        raise InputError(f"{called}: {path} {_in_words(error, path)}") from error


def _in_words(error: BaseException, path: Path) -> str:
    """What an exception says, and the last line of the file that it passed through."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if Path(f.filename).resolve() == path.resolve()]
    line = error.lineno if isinstance(error, SyntaxError) else frames[-1].lineno if frames else None
    said = (str(error.msg) if isinstance(error, SyntaxError) else str(error)).strip().splitlines()
    where = "" if line is None else f" in line {line}"
    return f"raises {type(error).__name__}{where}{f': {said[0]}' if said else ''}"


@contextmanager
def _first(folder: Path) -> Iterator[None]:
    """Look for modules in this folder first, as Python does for a script."""
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
