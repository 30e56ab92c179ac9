"""The folder of a bench: one set of settings, the study that holds its jobs, and the files with its result."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from ..base.artefacts import sha256_of_json, write_json, write_text
from ..base.errors import InputError, arg, refuse
from ..base.progress import Listeners

SETTINGS = "settings.json"


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
        there = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else facts
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
