"""Teachers: where the soft answers come from that a student learns."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ..base.errors import InputError, arg, did_you_mean
from ..base.progress import SILENT, Listeners
from ..data.dataset import Dataset
from ..distillation.conventional import ConventionalKD, LabelsOnly
from ..student.student import Student
from .ann import ARCHITECTURES, build, train_teacher
from .onnx_teacher import OnnxTeacher
from .outputs import seen_by_teacher
from .spiking_teacher import (
    LABELS,
    SPIKING,
    StudentPlan,
    is_like_student,
    read_spiking_teacher,
    spiking_spec,
    value_shapes,
)
from .spiking_training import SpikingTraining, train_spiking
from .torch_teacher import LOGITS, Teacher, TorchTeacher

ONNX = ".onnx"
STUDENT_FILE = ".pt"
BY_LABELS, BY_TEACHER = LabelsOnly(), ConventionalKD()
"""How a spiking teacher is itself taught."""


def teacher_from(
    teacher: Teacher | str,
    dataset: Dataset,
    *,
    epochs: int | None = None,
    seed: int = 0,
    cache_dir: Path | None = None,
    listeners: Listeners = SILENT,
    student: StudentPlan | None = None,
) -> Teacher:
    """The teacher of this description, trained where it comes untrained.

    Args:
        teacher: a teacher itself; or the name of an architecture, which is trained (or found in the cache); or the path
            of an ONNX file, ``model.onnx``, where needed with the output that is the logits, ``model.onnx:output``; or
            ``snn``, a spiking network like the student, with options as ``snn:width=32``; or a student's file,
            ``student.pt``.
        dataset: what the teacher must know.
        epochs: of the training, None for the data set's default.
        seed: of the training.
        cache_dir: of trained teachers, None for the user's cache folder.
        listeners: hear of the training.
        student: after which ``snn`` is made.

    Raises:
        InputError: none of these, or a file that cannot be used.
    """
    if isinstance(teacher, str) and is_like_student(teacher):
        by = _above(spiking_spec(teacher).taught_by, dataset, seed, cache_dir, listeners)
        training = _spiking_training(teacher, dataset, by, seed, epochs, _given(student, teacher))
        return train_spiking(training, cache_dir, listeners)
    if isinstance(teacher, str) and teacher in ARCHITECTURES:
        return train_teacher(dataset, teacher, epochs=epochs, seed=seed, cache_dir=cache_dir, listeners=listeners)
    if epochs is not None and (not isinstance(teacher, str) or _is_file(teacher)):
        name = teacher if isinstance(teacher, str) else teacher.name
        raise InputError(f"teacher {name}: comes trained; leave the teacher's epochs out")
    return _trained(teacher, dataset)


def teacher_shapes(
    teacher: Teacher | str, dataset: Dataset, student: StudentPlan | None = None
) -> Mapping[str, tuple[int, ...]]:
    """The shapes of the values that :func:`teacher_from` will have, for one sample, without training it.

    Raises:
        InputError: as :func:`teacher_from`.
    """
    if isinstance(teacher, str) and is_like_student(teacher):
        config = _given(student, teacher).wider(spiking_spec(teacher).width, dataset)
        return value_shapes(Student(config))
    if isinstance(teacher, str) and teacher in ARCHITECTURES:
        return TorchTeacher(build(teacher, dataset.shape, dataset.classes), dataset.shape, teacher).shapes
    return _trained(teacher, dataset).shapes


def is_spiking(teacher: Teacher | str) -> bool:
    """Whether a teacher, or the teacher of this description, is a spiking network."""
    if isinstance(teacher, str):
        return is_like_student(teacher) or teacher.lower().endswith(STUDENT_FILE)
    return teacher.spikes


def is_onnx(teacher: Teacher | str) -> bool:
    """Whether a teacher, or the teacher of this description, is an ONNX file."""
    return _onnx(teacher)[0] is not None if isinstance(teacher, str) else isinstance(teacher, OnnxTeacher)


def _above(teacher: str, dataset: Dataset, seed: int, cache_dir: Path | None, listeners: Listeners) -> Teacher | None:
    """The teacher's teacher, None where it learns from labels alone."""
    if teacher == LABELS:
        return None
    seen = seen_by_teacher(BY_TEACHER, dataset, is_spiking(teacher))
    return teacher_from(teacher, seen, seed=seed, cache_dir=cache_dir, listeners=listeners)


def _spiking_training(
    text: str, dataset: Dataset, by: Teacher | None, seed: int, epochs: int | None, student: StudentPlan
) -> SpikingTraining:
    """How a spiking teacher learns: from labels, or from a teacher by conventional distillation."""
    config = student.wider(spiking_spec(text).width, dataset)
    return SpikingTraining(
        name=f"spiking {config.architecture} of width {config.width} on {dataset.name}",
        dataset=dataset,
        config=config,
        method=BY_LABELS if by is None else BY_TEACHER,
        teacher=by,
        settings=student.teacher_settings(seed, epochs or student.epochs),
        device=student.device,
    )


def _given(student: StudentPlan | None, text: str) -> StudentPlan:
    if student is None:
        raise InputError(f"teacher {text}: is made like a student, so one has to be given ({arg('student')})")
    return student


def _is_file(text: str) -> bool:
    return text.lower().endswith(STUDENT_FILE) or is_onnx(text)


def _trained(teacher: Teacher | str, dataset: Dataset) -> Teacher:
    if not isinstance(teacher, str):
        if (classes := teacher.shapes[LOGITS][-1]) != dataset.classes:
            raise InputError(
                f"teacher {teacher.name}: tells {classes} classes apart, and {dataset.name} has "
                f"{dataset.classes}; give a teacher for these classes"
            )
        return teacher
    if teacher.lower().endswith(STUDENT_FILE):
        return read_spiking_teacher(Path(teacher), dataset)
    file, output = _onnx(teacher)
    if file is None:
        raise InputError(
            f"teacher {teacher!r}: is no architecture; {did_you_mean(teacher, [*ARCHITECTURES, SPIKING])}, "
            f"or a path that ends in {ONNX} or {STUDENT_FILE}"
        )
    return OnnxTeacher(file, dataset.shape, dataset.classes, output)


def _onnx(text: str) -> tuple[Path | None, str | None]:
    """The file and the output that a description names; no file when it is no ONNX path."""
    if text.lower().endswith(ONNX):
        return Path(text), None
    file, found, output = text.rpartition(f"{ONNX}:")
    return (Path(f"{file}{ONNX}"), output) if found else (None, None)
