"""Folders of samples in which one group after the other (a speaker, a person) is the test part.

    python benchmarks/leave_one_out.py spoken-digits 'speaker(\\d+)' build/spoken

The first parenthesis of the regular expression, found in a file's path, names the group. For every group a folder of
its name has `test` (that group), `val` (the next group in order) and `train` (all others), with the class folders of
the source below them. Files are hard links where the file system allows it, otherwise copies.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
from pathlib import Path


def link(source: Path, target: Path) -> None:
    """Make a file appear in a second place."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def main() -> None:
    """Write the folders and print their names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("group")
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    members: dict[str, list[Path]] = {}
    for path in sorted(path for path in given.folder.rglob("*") if path.is_file()):
        found = re.search(given.group, str(path.relative_to(given.folder)))
        if not found:
            parser.error(f"{path}: the regular expression {given.group!r} finds no group in its path")
        members.setdefault(found.group(1), []).append(path)
    if len(members) < 3:
        parser.error(f"{given.folder} has {len(members)} groups; train, val and test need three")
    groups = sorted(members)
    for index, test in enumerate(groups):
        parts = {test: "test", groups[(index + 1) % len(groups)]: "val"}
        for group, paths in members.items():
            for path in paths:
                link(path, given.out / test / parts.get(group, "train") / path.relative_to(given.folder))
        print(given.out / test)


if __name__ == "__main__":
    main()
