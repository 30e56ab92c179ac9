"""Training a spiking teacher or an assistant, once: it is kept under a hash of all that went into it.

It never sees a chip: it learns in floats, within no budget, and may be of any size.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from ..base.artefacts import sha256_of, sha256_of_json
from ..base.cache import cache_folder
from ..base.errors import InputError
from ..data.dataset import Dataset
from ..distillation.base import LossTerms, shapes_of
from ..student.accuracy import accuracy_of
from ..student.architectures import is_own, own_architecture
from ..student.config import StudentConfig
from ..student.epochs import Batch, batches, descend, optimizer_of, steps_per_epoch
from ..student.student import Student, load_student, save_student, student_provenance
from ..student.train_settings import TrainSettings, learning_rate
from .lessons import Lessons, seen_by_teacher
from .passes import batch_outputs, passes
from .spiking_teacher import SpikingTeacher
from .teacher_training import Progress
from .torch_teacher import Teacher

CODE_VERSION = 1  # raise it when training changes: kept networks of older versions are then trained anew


@dataclass(frozen=True, eq=False)
class Course:
    """What a spiking network learns, from whom, and how.

    Attributes:
        name: of the network, for people.
        teacher: None for a method that needs none.
        settings: of which nothing is used that is about integers or further rounds.
    """

    name: str
    dataset: Dataset
    config: StudentConfig
    method: LossTerms
    teacher: Teacher | None
    settings: TrainSettings
    device: torch.device

    @property
    def key(self) -> str:
        """The hash of all that decides what the trained network is."""
        return sha256_of_json(
            {
                "data": self.dataset.name,
                "train_sha256": self.dataset.train.sha256,
                "validation_sha256": self.dataset.validation.sha256,
                "network": asdict(self.config),
                "architecture_sha256": _own_architecture(self.config.architecture),
                "method": repr(self.method),
                "teacher_sha256": None if self.teacher is None else self.teacher.sha256,
                "settings": asdict(self.settings),
                "code_version": CODE_VERSION,
            }
        )


def train_spiking(course: Course, cache_dir: Path | None = None, progress: Progress | None = None) -> SpikingTeacher:
    """The network of this course, trained unless the cache has it.

    Args:
        cache_dir: instead of the user's cache folder.
        progress: shows the steps done, None for silence.
    """
    key = course.key
    file = cache_folder("teachers", cache_dir) / f"{course.dataset.name}-snn-{key[:16]}.pt"
    student = _kept(file, key, own_architecture(course.config.architecture))
    if student is None:
        student = fit(course, progress)
        save_student(student, file, {"key": key, "name": course.name})
    return SpikingTeacher(student, course.name)


def fit(course: Course, progress: Progress | None = None) -> Student:
    """Train a new network; the caller's random state is left as it was.

    Of its epochs the one with the best validation accuracy is taken.
    """
    steps = course.settings.epochs * steps_per_epoch(course.dataset.train, course.settings)
    announced = progress(course.name, steps) if progress else contextlib.nullcontext(_silent)
    with torch.random.fork_rng(devices=[]), announced as advance:
        torch.manual_seed(course.settings.seed)
        schooling = _Schooling(course)
        best, weights = -1.0, schooling.student.state_dict()
        for epoch in range(course.settings.epochs):
            schooling.epoch(epoch, advance)
            reached = accuracy_of(schooling.student, course.dataset.validation, course.settings.seed)
            if reached >= best:
                best, weights = reached, _copied(schooling.student)
    schooling.student.load_state_dict(weights)
    return schooling.student.eval().cpu()


class _Schooling:
    """A course as it goes on."""

    def __init__(self, course: Course) -> None:
        self._course = course
        self.student = Student(course.config).to(course.device)
        shapes = shapes_of(self.student, None if course.teacher is None else course.teacher.shapes)
        self._lessons: Lessons | None = None
        if course.teacher is not None:
            images = torch.from_numpy(
                seen_by_teacher(course.method, course.dataset, course.teacher.spikes).train.images
            )
            changing = course.settings.augmentation != "none"
            self._lessons = Lessons(
                course.teacher, course.method.requested_values(shapes), images, course.device, changing
            )
        self._auxiliary = course.method.auxiliary(shapes)
        learning: list[nn.Module] = [self.student]
        if self._auxiliary is not None:
            learning.append(self._auxiliary.to(course.device).train())
        self._optimizer = optimizer_of(learning, course.settings)
        self._steps = steps_per_epoch(course.dataset.train, course.settings)
        self._step = 0

    def epoch(self, number: int, advance: Callable[[int], None]) -> None:
        """One pass over the training part."""
        settings = self._course.settings
        torch.manual_seed(settings.seed * 100_003 + number + 1)
        self.student.train()
        for batch in batches(self._course.dataset.train, settings, number, self._course.device):
            for group in self._optimizer.param_groups:
                group["lr"] = learning_rate(settings, self._step, self._steps)
            descend(self._optimizer, self._terms(batch), self._step)
            self._step += 1
            advance(1)

    def _terms(self, batch: Batch) -> dict[str, Tensor]:
        course, progress = self._course, self._step / (self._steps * self._course.settings.epochs)
        first = self._step * course.settings.batch
        done = passes(self.student, course.method, batch.samples, None, progress, course.settings.seed, first)
        lesson = None if self._lessons is None else self._lessons.of(batch.rows, batch.samples)
        return course.method.terms(batch_outputs(batch.labels, done, lesson, None, self._auxiliary, progress))


def _kept(file: Path, key: str, network: str | None) -> Student | None:
    """The network in ``file``; None where there is none, or not this one."""
    if not file.exists():
        return None
    try:
        if student_provenance(file).get("key") != key:
            raise InputError("it was made from something else")
        return load_student(file, network)
    except InputError as error:
        warnings.warn(
            f"{file}: the kept spiking network cannot be used ({error}); it is trained anew",
            RuntimeWarning,
            stacklevel=3,
        )
        return None


def _own_architecture(spec: str) -> str | None:
    """The hash of the user's own file, None for a named architecture."""
    return sha256_of(spec.rsplit(":", 1)[0]) if is_own(spec) else None


def _copied(student: Student) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in student.state_dict().items()}


def _silent(_steps: int) -> None:
    return None
