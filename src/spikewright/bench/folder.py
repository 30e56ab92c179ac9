"""A folder that holds one bench: other settings are refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from ..base.artefacts import write_json
from ..base.errors import InputError, refuse

SETTINGS = "settings.json"


def claim_folder(folder: Path, facts: Mapping[str, object], what: str) -> None:
    """Make the folder, or see that it holds the same.

    Args:
        facts: JSON-able; all that its results have in common.
        what: is held, with its article: ``a sweep``.

    Raises:
        InputError: it cannot be made, or holds something else.
    """
    file = folder / SETTINGS
    try:
        folder.mkdir(parents=True, exist_ok=True)
        there = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else facts
    except (OSError, ValueError) as error:
        raise InputError(f"--out {folder}: cannot hold {what} ({error}); choose another folder") from error
    if not isinstance(there, dict):
        raise InputError(f"--out {folder}: its {SETTINGS} is not of {what}; choose another folder")
    names = sorted({*facts, *there})
    refuse(
        f"--out {folder}: holds {what} with other settings; give the same ones, or another folder",
        [f"{n} is {there.get(n)!r} there and {facts.get(n)!r} here" for n in names if there.get(n) != facts.get(n)],
    )
    if not file.is_file():
        write_json(file, facts)
