"""The result of a training, and the files by which one of several trainings goes on after a stop."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from ..base.artefacts import remove_leftovers, write_json
from ..base.errors import InputError
from ..base.headers import read_json
from ..base.shown import Shown
from ..chip.answers import Answers
from ..student.student import Student, load_student, save_student, student_provenance
from ..teachers.torch_teacher import Teacher
from .deployment import Certificate, Deployment
from .records import EpochRecord
from .settings import DistillSettings


@dataclass(frozen=True, eq=False, repr=False)
class Distillation(Shown):
    """A trained student and the record of its training.

    Attributes:
        certificate: energy and accuracy of the student's chip network on validation data, and whether it is within
            its limits.
        history: one record for each epoch.
        provenance: JSON-able facts, which the student's file contains too: settings, teacher, split, profile, limits,
            measured values.
        deployed: what the certificate rests on: graph, chip network, counts and scores on validation data; None for a
            student that was read from a file.
        teacher: that the student learnt from, or its first assistant did; None without one, and for a student that was
            read from a file.
    """

    student: Student
    certificate: Certificate
    history: tuple[EpochRecord, ...]
    provenance: dict[str, object]
    deployed: Deployment | None = None
    teacher: Teacher | None = None

    @property
    def answers(self) -> Answers | None:
        """What the chip network answered to the validation samples; None for a student that was read from a file."""
        return None if self.deployed is None else self.deployed.activities["validation"].answers

    def __repr__(self) -> str:
        config, found = self.student.config, self.certificate
        return (
            f"Distillation({config.architecture}, width {config.width}, T = {config.timesteps}, {config.encoding}: "
            f"{len(self.history)} epochs; {found!r})"
        )


def read_result(
    file: Path, facts: dict[str, Any], network: nn.Module | str | None, times: Sequence[Mapping[str, Any]] | None
) -> Distillation:
    """The result of the training that a student's file is of.

    Args:
        facts: the provenance in the file.
        network: of the student, where it is the user's own.
        times: of each epoch; None where they are unknown.

    Raises:
        InputError: the file does not hold what a training writes.
    """
    student = load_student(file, network)
    try:
        known = times or [{}] * len(facts["history"])
        history = tuple(EpochRecord(**(record | time)) for record, time in zip(facts["history"], known, strict=True))
        return Distillation(student, Certificate.from_json(facts["certificate"]), history, facts)
    except (LookupError, TypeError, ValueError) as error:
        raise InputError(
            f"{file}: does not hold what a training writes ({type(error).__name__}: {error}); train it anew"
        ) from error


class Attempts:
    """The files of a training beside a student: a checkpoint of what is under way, and what is finished.

    Where students of several sizes are trained one after the other, each has a checkpoint, and those that are finished
    are kept until all are.
    """

    def __init__(self, checkpoint: Path | None) -> None:
        """Files beside ``checkpoint``, that of the first training; None for no files."""
        self._first = checkpoint

    @classmethod
    def beside(cls, student: Path) -> Attempts:
        """The files beside a student's file."""
        return cls(student.with_name(f"{student.name}.checkpoint"))

    @property
    def can_resume(self) -> bool:
        """Whether there is anything to go on from."""
        return any(file != self._beginning for file in self._files())

    def start(self, facts: Mapping[str, object]) -> None:
        """Note that a training begins; files of one that was stopped earlier are removed.

        Args:
            facts: JSON-able; what who goes on must agree with.
        """
        if self._beginning is not None:
            self.forget()
            write_json(self._beginning, facts)

    def begun(self) -> dict[str, Any] | None:
        """What was noted when the training began; None where none is under way, or an earlier version began it.

        Raises:
            InputError: the note is damaged.
        """
        if self._beginning is None or not self._beginning.is_file():
            return None
        try:
            found = read_json(self._beginning.read_bytes())
        except (OSError, ValueError) as error:
            raise InputError(f"{self._beginning}: cannot be read ({error}); remove it to start anew") from error
        if not isinstance(found, dict):
            raise InputError(f"{self._beginning}: is no JSON object; remove it to start anew")
        return found

    def checkpoint(self, number: int) -> Path | None:
        """The checkpoint of a training, counted from 0."""
        if self._first is None or number == 0:
            return self._first
        return self._first.with_name(f"{self._first.name}.{number}")

    def has_begun(self, number: int) -> bool:
        """Whether there is a checkpoint of this training."""
        file = self.checkpoint(number)
        return file is not None and file.is_file()

    def finished(self, number: int, settings: DistillSettings, network: nn.Module | str | None) -> Distillation | None:
        """The result of a training that is finished; None if it is not, or was made with other settings.

        Args:
            network: of the student, where it is the user's own.
        """
        file = self._student(number)
        if file is None or not file.is_file():
            return None
        facts: dict[str, Any] = dict(student_provenance(file))
        if facts.pop("attempt", None) != settings.flat():
            return None
        return read_result(file, facts, deepcopy(network), facts.pop("times", None))

    def keep(self, number: int, settings: DistillSettings, result: Distillation) -> None:
        """Save a finished training; its checkpoint stays, by which other settings are refused."""
        if (file := self._student(number)) is not None:
            times = [record.times for record in result.history]
            save_student(result.student, file, {**result.provenance, "attempt": settings.flat(), "times": times})

    def forget(self) -> None:
        """Remove every file, the note of the beginning first: without it a finished student counts as finished."""
        if self._first is None or self._beginning is None:
            return
        self._beginning.unlink(missing_ok=True)
        for file in self._files():
            file.unlink(missing_ok=True)
        remove_leftovers(self._first.parent, f".{self._first.name}")

    @property
    def _beginning(self) -> Path | None:
        return None if self._first is None else self._first.with_name(f"{self._first.name}.begun")

    def _student(self, number: int) -> Path | None:
        return None if self._first is None else self._first.with_name(f"{self._first.name}.{number}.done")

    def _files(self) -> Iterator[Path]:
        if self._first is None:
            return
        yield from (path for path in self._first.parent.glob(f"{self._first.name}*") if path.is_file())
