"""The teachers of a comparison: trained before the first student, by one worker, and measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...base.artefacts import write_json
from ...base.errors import InputError, arg
from ...base.headers import read_json
from ...base.lock import locked
from ...base.progress import Listeners
from ...data.dataset import Dataset
from ...teachers.spiking_teacher import is_like_student
from ...training.objects import teaching_of
from ...training.settings import DistillSettings
from ..point import SPLITS
from ..work import SharedStudy
from .jobs import TrainingJob, TrainingRecord
from .rows import Variant

FILE = "teachers.json"
LOCK = "teachers.lock"


@dataclass(frozen=True)
class TeacherFacts:
    """A teacher and its accuracy on the kind of samples that it was trained on.

    Attributes:
        macs: multiply-accumulates of one inference; None if unknown.
        macs_unknown: names of operators that ``macs``, then a lower bound, leaves out.
        twins: whether its samples are the static images that events were made from.
        accuracy: by part of the data set, from 0 to 1; of a regression the mean R^2 of its values.
    """

    name: str
    sha256: str
    macs: int | None
    twins: bool
    accuracy: dict[str, float]
    macs_unknown: tuple[str, ...] = ()

    @classmethod
    def of_json(cls, facts: Mapping[str, Any]) -> TeacherFacts:
        """Facts that :meth:`as_json` wrote, or an earlier version."""
        return cls(**{**facts, "macs_unknown": tuple(facts.get("macs_unknown", ()))})

    def as_json(self) -> dict[str, object]:
        """The facts as a JSON object; ``macs_unknown`` only where there are any."""
        return {name: value for name, value in vars(self).items() if name != "macs_unknown" or value}


def prepare_teachers(
    rows: Iterable[Variant],
    settings: DistillSettings,
    dataset: Dataset,
    out: Path,
    study: SharedStudy[TrainingJob, TrainingRecord],
    listeners: Listeners,
) -> None:
    """Train the teachers of these rows that are not in the cache, and note what they are.

    Of several workers that share the folder one trains, and the others wait. A spiking teacher whose shape follows the
    student is left to the first training that needs it, since students differ by budget.

    Raises:
        InputError: students of this comparison have learnt from another teacher.
    """
    learning = {
        "static twins" in row.terms.needs: row
        for row in rows
        if row.terms.needs_teacher() and not is_like_student(teaching_of(settings, row.terms, dataset).teacher)
    }
    with locked(out / LOCK, wait=True):
        known = {facts.sha256: facts for facts in known_teachers(out, study)}
        for twins, row in learning.items():
            teaching = teaching_of(settings, row.terms, dataset)
            seen, teacher = teaching.seen(dataset), teaching.trained_teacher(dataset, listeners)
            if (found := known.get(teacher.sha256)) is None:
                accuracy = {split: teacher.quality(getattr(seen, split), dataset.output).main for split in SPLITS}
                macs = teacher.macs
                counted = (None, ()) if macs is None else (macs.count, macs.unknown)
                found = TeacherFacts(teacher.name, teacher.sha256, counted[0], twins, accuracy, counted[1])
            _require_same(found, known.values(), out)
            known[found.sha256] = found
            study.note(f"teacher {found.sha256}", found.as_json())
        write_json(out / FILE, [facts.as_json() for facts in known.values()])


def known_teachers(out: Path, study: SharedStudy[TrainingJob, TrainingRecord]) -> list[TeacherFacts]:
    """The teachers of a comparison's students, as its folder and its study know them.

    Raises:
        InputError: the file is no list of teachers.
    """
    file = out / FILE
    try:
        listed = read_json(file.read_bytes().decode()) if file.is_file() else []
        listed += [fact for name, fact in sorted(study.facts.items()) if name.startswith("teacher ")]
        return list({facts["sha256"]: TeacherFacts.of_json(facts) for facts in listed}.values())
    except (ValueError, TypeError, KeyError, AttributeError) as error:  # of values of other kinds than ours
        raise InputError(f"{file}: is not a list of teachers ({error}); remove it, and it is made anew") from error


def _require_same(found: TeacherFacts, known: Iterable[TeacherFacts], out: Path) -> None:
    for other in known:
        if other.twins == found.twins and other.sha256 != found.sha256:
            raise InputError(
                f"{arg('out', out)}: its students learn from the teacher {other.name} with SHA-256 "
                f"{other.sha256[:12]}, and here is {found.name} with {found.sha256[:12]}; let all workers have one "
                "cache (SPIKEWRIGHT_CACHE), or choose another folder"
            )
