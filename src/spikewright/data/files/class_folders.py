"""Files in class folders, with folders of official parts above them or without."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from ...base.errors import InputError, refuse

PART_NAMES = {
    "train": ("train", "training"),
    "validation": ("val", "valid", "validation"),
    "test": ("test", "testing"),
}
"""By part, the names of its folder, in any case."""
Labelled = list[tuple[Path, str]]
"""Files, and the names of their classes."""


def class_folders(folder: Path, suffixes: Collection[str]) -> dict[str, Labelled]:
    """By part, the files below a folder and the names of their class folders, in the order of the files' names.

    Args:
        folder: that holds a folder for each class, or ``train``, ``test`` and ``val`` with these folders below.
        suffixes: ends of the names of files, in lower case.

    Raises:
        InputError: folders are missing or hold no such files; all faults at once.
    """
    below = _folders(folder)
    parts = {part: each for part, names in PART_NAMES.items() for each in below if each.name.lower() in names}
    if parts and "train" not in parts:
        here = ", ".join(each.name for each in parts.values())
        raise InputError(f"{folder}: has the folder {here} and none called train; add it, or rename the folder")
    if not parts:
        _check_level(folder, below, suffixes)
        parts = {"train": folder}
    faults: list[str] = []
    found: dict[str, Labelled] = {}
    for part, place in parts.items():
        classes = {each.name: _files(each, suffixes) for each in _folders(place)}
        faults += _empty(place, classes, suffixes)
        found[part] = sorted(
            ((file, label) for label, files in classes.items() for file in files),
            key=lambda entry: (natural(entry[0].stem), natural(entry[1])),
        )
    known = {label for _, label in found["train"]}
    for part, files in found.items():
        if strange := sorted({label for _, label in files} - known, key=natural):
            faults.append(f"its {part} part has the class {', '.join(strange)}, which its train part lacks")
    refuse(str(folder), faults)
    return found


def _check_level(folder: Path, below: Sequence[Path], suffixes: Collection[str]) -> None:
    """Refuse a folder that lies above or below the one that holds the classes."""
    if files := _files(folder, suffixes):
        raise InputError(
            f"{folder}: holds {len(files)} recordings, {files[0].name} among others, that lie in no class folder; give "
            "the folder that holds a folder for each class"
        )
    if below and not any(_files(each, suffixes) for each in below):
        for each in below:
            if deeper := _folders(each):
                names = ", ".join(one.name for one in deeper[:3])
                raise InputError(f"{folder}: its folder {each.name} holds the folders {names}; give {each}")
    if not below:
        raise InputError(f"{folder}: holds neither recordings nor folders; give a folder that holds one for each class")


def _empty(place: Path, classes: Mapping[str, Sequence[Path]], suffixes: Collection[str]) -> Iterator[str]:
    if not classes:
        yield f"{place.name}: holds no folders; it needs one for each class"
    for label, files in classes.items():
        if not files:
            others = sorted({file.suffix for file in (place / label).iterdir() if file.is_file()})
            held = f"files that end in {', '.join(others)}" if others else "no files"
            yield f"{place.name}/{label}: holds {held}; recordings end in {', '.join(suffixes)}"


def _folders(folder: Path) -> list[Path]:
    return sorted((each for each in folder.iterdir() if each.is_dir() and each.name[0] not in "._"), key=_name)


def _files(folder: Path, suffixes: Collection[str]) -> list[Path]:
    return sorted((each for each in folder.iterdir() if each.suffix.lower() in suffixes and each.is_file()), key=_name)


def _name(path: Path) -> list[str | int]:
    return natural(path.name)


def natural(text: str) -> list[str | int]:
    """A key that sorts text with numbers by the numbers."""
    return [int(each) if each.isdigit() else each for each in re.split(r"(\d+)", text)]
