"""Folders of files in class folders, with the official parts as folders above them where there are such."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..base.errors import InputError, arg, refuse
from .found import PARTS
from .official import PART_OF


@dataclass(frozen=True)
class Listing:
    """The files of a folder, by part and class.

    Attributes:
        root: the folder.
        files: by part, its files in the order of their classes and names.
        classes: by part, the class of each file: the name of its class folder.
        notes: sentences about what was left out.
    """

    root: Path
    files: dict[str, list[Path]]
    classes: dict[str, list[str]]
    notes: tuple[str, ...] = ()

    @property
    def every(self) -> list[Path]:
        """The files of all parts."""
        return [file for files in self.files.values() for file in files]

    @property
    def identity(self) -> str:
        """A hash of the names and sizes of all files, by which the folder is known again."""
        facts = [(file.relative_to(self.root).as_posix(), file.stat().st_size) for file in self.every]
        return hashlib.sha256(repr(facts).encode()).hexdigest()

    def groups(self, pattern: str | None) -> list[str] | None:
        """The group of each training file: what the first parenthesis of ``pattern`` finds in its path.

        Raises:
            InputError: no regular expression with a parenthesis, or a file that it does not fit.
        """
        if pattern is None:
            return None
        where, called = f"data {self.root.name}", arg("group", pattern)
        try:
            found = re.compile(pattern)
        except re.error as error:
            raise InputError(f"{where}: {called}: is no regular expression ({error})") from error
        if not found.groups:
            raise InputError(f"{where}: {called}: has no parenthesis around the group; write such as '_(\\w+)_'")
        groups = []
        for file in self.files.get("train", []):
            path = file.relative_to(self.root).as_posix()
            match = found.search(path)
            if match is None:
                raise InputError(f"{where}: {called}: is not found in {path}; give one that fits every file")
            groups.append(str(match[1]))
        return groups


def list_folder(root: Path, suffixes: dict[str, Sequence[str]]) -> tuple[str, Listing]:
    """The kind of the files in class folders, and the files.

    Args:
        suffixes: by kind, the ends of its files' names, in small letters.

    Raises:
        InputError: no class folders, class folders without files, several kinds of files, or none that is read.
    """
    below = _folders(root)
    parts = {PART_OF[folder.name.lower()]: folder for folder in below if folder.name.lower() in PART_OF}
    if parts and len(parts) == len(below):
        tops = {str(part): parts[part] for part in PARTS if part in parts}
    elif "train" in parts:
        others = ", ".join(folder.name for folder in below if folder not in parts.values())
        raise InputError(f"{root}: has folders of parts ({', '.join(f.name for f in parts.values())}) and others "
                         f"({others}); leave only those of the parts, or only those of classes")  # fmt: skip
    else:
        tops = {"train": root}
    for each in [] if parts else below:
        if inner := [folder.name for folder in _folders(each) if folder.name.lower() in PART_OF]:
            raise InputError(f"{root}: its folder {each.name} holds the parts {', '.join(inner)}; give {each}")
    found = {part: _class_files(folder) for part, folder in tops.items()}
    kind = _kind(root, [file for classes in found.values() for files in classes.values() for file in files], suffixes)
    return kind, _listing(root, found, kind, suffixes[kind])


def list_without_classes(root: Path, suffixes: dict[str, Sequence[str]]) -> tuple[str, Listing]:
    """The kind of the files in a folder and below it, and the files, of no class; of official parts those of training.

    Args:
        suffixes: by kind, the ends of its files' names, in small letters.

    Raises:
        InputError: several kinds of files, or none that is read.
    """
    parts = {PART_OF[folder.name.lower()]: folder for folder in _folders(root) if folder.name.lower() in PART_OF}
    files = sorted(_files(parts.get("train", root)))
    kind = _kind(root, files, suffixes)
    fitting = [file for file in files if file.suffix.lower() in suffixes[kind]]
    return kind, Listing(root, {"train": fitting}, {"train": [""] * len(fitting)})


def _folders(folder: Path) -> list[Path]:
    return sorted(each for each in folder.iterdir() if each.is_dir() and not each.name.startswith((".", "__")))


def _class_files(folder: Path) -> dict[str, list[Path]]:
    """By class, the files in its folder and below it."""
    classes = {each.name: sorted(_files(each)) for each in _folders(folder)}
    if not classes:
        raise InputError(
            f"{folder}: has no class folders; put the files of each class into a folder of its name, such as "
            f"{folder.name}/cat/001.png"
        )
    return classes


def _files(folder: Path) -> Iterator[Path]:
    for each in folder.iterdir():
        if each.name.startswith("."):
            continue
        if each.is_dir():
            yield from _files(each)
        else:
            yield each


def _kind(root: Path, files: Sequence[Path], suffixes: dict[str, Sequence[str]]) -> str:
    of = {suffix: kind for kind, ends in suffixes.items() for suffix in ends}
    kinds = Counter(of[file.suffix.lower()] for file in files if file.suffix.lower() in of)
    if len(kinds) > 1:
        counts = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
        raise InputError(f"{root}: its class folders hold files of several kinds ({counts}); give a folder of one kind")
    if not kinds:
        ends = Counter(file.suffix.lower() or file.name for file in files)
        held = ", ".join(f"{count} {end}" for end, count in ends.most_common(4)) or "no files"
        known = "; ".join(f"{kind} {' '.join(ends)}" for kind, ends in suffixes.items())
        raise InputError(f"{root}: its class folders hold {held}; files that are read are {known}")
    return next(iter(kinds))


def _listing(root: Path, found: dict[str, dict[str, list[Path]]], kind: str, ends: Sequence[str]) -> Listing:
    files: dict[str, list[Path]] = {}
    classes: dict[str, list[str]] = {}
    faults, others = [], 0
    for part, by_class in found.items():
        files[part], classes[part] = [], []
        for name, all_files in by_class.items():
            fitting = [file for file in all_files if file.suffix.lower() in ends]
            others += len(all_files) - len(fitting)
            files[part] += fitting
            classes[part] += [name] * len(fitting)
            if not fitting:
                where = name if part == "train" and len(found) == 1 else f"{name} of its {part} part"
                faults.append(f"the class folder {where} holds no {kind}; add some, or leave the folder out")
    refuse(str(root), faults)
    notes = (f"{others} files of other kinds are left out",) if others else ()
    return Listing(root, files, classes, notes)
