"""What a multiply-accumulate costs on ordinary machines: the teacher's side of a report, for scale.

One TOML file a machine in the folder ``teachers`` beside the hardware profiles; add one by adding a file.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import Field

from ..base.errors import did_you_mean, refuse
from ..base.resources import profiles_dir
from .profile import read_named
from .schema import JOULES, Constant, Source, Table, Text


class ReferenceMachine(Table):
    """A machine that the artificial network could run on.

    Attributes:
        name: the file's name without ``.toml``.
        mac: energy of one multiply-accumulate, in joules.
    """

    name: Text
    schema_version: Literal[1]
    title: Text
    uncertainty: list[Text] = Field(default_factory=list)
    sources: dict[str, Source]
    mac: Constant

    @property
    def source(self) -> str:
        """Where the number is from, in full: a report has no list of a machine's sources."""
        return f"{self.sources[self.mac.source].cited}, {self.mac.where}"


@cache
def load_teachers() -> tuple[ReferenceMachine, ...]:
    """The machines that come with the package, the cheapest multiply-accumulate first."""
    found = (read_teacher(path) for path in (profiles_dir() / "teachers").glob("*.toml"))
    return tuple(sorted(found, key=lambda teacher: (teacher.mac.cost, teacher.name)))


def read_teacher(path: Path) -> ReferenceMachine:
    """Read and check one TOML file; every fault is reported at once."""
    teacher = read_named(path, "a teacher's machine in TOML", ReferenceMachine)
    faults = []
    if teacher.mac.unit not in JOULES:
        faults.append(f"mac.unit: is {teacher.mac.unit!r}; may be: {', '.join(JOULES)}")
    if teacher.mac.source not in teacher.sources:
        faults.append(f"mac.source: is {teacher.mac.source!r}; {did_you_mean(teacher.mac.source, teacher.sources)}")
    refuse(str(path), faults)
    return teacher
