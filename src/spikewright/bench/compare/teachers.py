"""The teachers of a comparison: trained before the first student, by one worker, and measured."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from ...base import command as cli
from ...base.artefacts import write_json
from ...base.errors import InputError
from ...data.dataset import Dataset
from ...teachers.spiking_spec import is_like_student
from ...training.objects import teaching_of
from ...training.settings import DistillSettings
from ..locks import locked
from .rows import Row

FILE = "teachers.json"
LOCK = "teachers.lock"


@dataclass(frozen=True)
class TeacherFacts:
    """A teacher on the data that it knows.

    Attributes:
        twins: whether these are the static images that events were made from.
        accuracy: by split.
    """

    name: str
    sha256: str
    macs: int | None
    twins: bool
    accuracy: dict[str, float]


def meet_teachers(rows: Iterable[Row], settings: DistillSettings, dataset: Dataset, out: Path) -> None:
    """Train the teachers that these rows learn from where they are not in the cache, and note what they are.

    Of several workers one trains, and the others wait. A spiking teacher that takes after its student is left to the
    first training that needs it: students differ by budget.

    Raises:
        InputError: students in this folder have learnt from another teacher.
    """

    learning = {
        "static twins" in row.terms.needs: row
        for row in rows
        if row.terms.needs_teacher() and not is_like_student(teaching_of(settings, row.terms).teacher)
    }
    with locked(out / LOCK, wait=True):
        known = {facts.sha256: facts for facts in read_teachers(out)}
        for twins, row in learning.items():
            found = _facts(row, settings, dataset, twins, known)
            _require_same(found, known.values(), out)
            known[found.sha256] = found
        write_json(out / FILE, [asdict(facts) for facts in known.values()])


def read_teachers(out: Path) -> list[TeacherFacts]:
    """The teachers that students of a comparison have met.

    Raises:
        InputError: the file is no list of teachers.
    """
    file = out / FILE
    if not file.is_file():
        return []
    try:
        return [TeacherFacts(**facts) for facts in json.loads(file.read_text(encoding="utf-8"))]
    except (ValueError, TypeError) as error:
        raise InputError(f"{file}: is not a list of teachers ({error}); remove it, and it is made anew") from error


def _facts(
    row: Row, settings: DistillSettings, dataset: Dataset, twins: bool, known: dict[str, TeacherFacts]
) -> TeacherFacts:

    teaching = teaching_of(settings, row.terms)
    seen, teacher = teaching.seen(dataset), teaching.trained_teacher(dataset, cli.listeners())
    if teacher.sha256 in known:
        return known[teacher.sha256]
    accuracy = {split: teacher.accuracy(getattr(seen, split)) for split in ("validation", "test")}
    return TeacherFacts(teacher.name, teacher.sha256, teacher.macs, twins, accuracy)


def _require_same(found: TeacherFacts, known: Iterable[TeacherFacts], out: Path) -> None:
    for other in known:
        if other.twins == found.twins and other.sha256 != found.sha256:
            raise InputError(
                f"--out {out}: its students learn from the teacher {other.name} with SHA-256 {other.sha256[:12]}, and "
                f"here is {found.name} with {found.sha256[:12]}; let all workers have one cache (SPIKEWRIGHT_CACHE), "
                "or choose another folder"
            )
