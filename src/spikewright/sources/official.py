"""Official parts that lie in files beside each other: ``NAME_TRAIN.ts`` and ``NAME_TEST.ts``."""

from __future__ import annotations

import re
from pathlib import Path

PART_OF: dict[str, str] = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
}
"""By the word in a file's or a folder's name, in small letters, the part."""
_END = re.compile(rf"^(?P<name>.+?)[-_. ]?(?P<part>{'|'.join(PART_OF)})$", re.IGNORECASE)


def part_files(path: Path) -> tuple[str, dict[str, Path]]:
    """The name of the data that a file belongs to, and by part its files.

    A file whose name ends in no part is the training part alone, ``{"train": path}``.
    """
    match = _END.match(path.stem)
    if match is None:
        return path.stem, {"train": path}
    name = match["name"]
    found: dict[str, Path] = {PART_OF[match["part"].lower()]: path}
    for other in sorted(path.parent.iterdir()):
        also = _END.match(other.stem) if other.suffix.lower() == path.suffix.lower() else None
        if also is not None and also["name"] == name:
            found.setdefault(PART_OF[also["part"].lower()], other)
    return name, found
