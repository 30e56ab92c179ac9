"""Teachers from their descriptions: the networks whose outputs a student is distilled from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ..base.errors import InputError, arg, did_you_mean
from ..base.progress import SILENT, Listeners
from ..data.dataset import Dataset
from ..distillation.soft_labels import ConventionalKD, LabelsOnly
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
    """The teacher of a description, from a file, from the cache or newly trained.

    Args:
        teacher: the name of an architecture; the path of an ONNX file, ``model.onnx``, or ``model.onnx:output`` with
            the output that is the logits; ``snn``, a spiking network derived from the student, with options as
            ``snn:width=32``; a student's file, ``student.pt``; or a teacher itself.
        dataset: that the teacher classifies.
        epochs: of the training, None for the data set's default.
        seed: of the training.
        cache_dir: of trained teachers, None for the user's cache folder.
        listeners: receive the progress of the training.
        student: from which ``snn`` is derived.

    Raises:
        InputError: none of these, or a file that cannot be used.
    """
    if isinstance(teacher, str) and is_like_student(teacher):
        return _derived(teacher, dataset, _given(student, teacher), epochs, seed, cache_dir, listeners)
    if isinstance(teacher, str) and teacher in ARCHITECTURES:
        return train_teacher(dataset, teacher, epochs=epochs, seed=seed, cache_dir=cache_dir, listeners=listeners)
    if epochs is not None and (not isinstance(teacher, str) or is_spiking(teacher) or is_onnx(teacher)):
        name = teacher if isinstance(teacher, str) else teacher.name
        raise InputError(f"teacher {name}: is already trained; leave the teacher's epochs out")
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


def _derived(
    text: str,
    dataset: Dataset,
    plan: StudentPlan,
    epochs: int | None,
    seed: int,
    cache_dir: Path | None,
    listeners: Listeners,
) -> Teacher:
    """A spiking teacher like the student, trained with labels, or by conventional distillation from a teacher."""
    options, above, by_teacher = spiking_spec(text), None, ConventionalKD()
    if options.taught_by != LABELS:
        seen = seen_by_teacher(by_teacher, dataset, is_spiking(options.taught_by))
        above = teacher_from(options.taught_by, seen, seed=seed, cache_dir=cache_dir, listeners=listeners)
    config = plan.wider(options.width, dataset)
    training = SpikingTraining(
        name=f"spiking {config.architecture} of width {config.width} on {dataset.name}",
        dataset=dataset,
        config=config,
        method=LabelsOnly() if above is None else by_teacher,
        teacher=above,
        settings=plan.teacher_settings(seed, epochs or plan.epochs),
        device=plan.device,
    )
    return train_spiking(training, cache_dir, listeners)


def _given(student: StudentPlan | None, text: str) -> StudentPlan:
    if student is None:
        raise InputError(f"teacher {text}: is derived from a student, which has to be given ({arg('student')})")
    return student


def _trained(teacher: Teacher | str, dataset: Dataset) -> Teacher:
    if not isinstance(teacher, str):
        if (classes := teacher.shapes[LOGITS][-1]) != dataset.classes:
            raise InputError(
                f"teacher {teacher.name}: distinguishes {classes} classes, and {dataset.name} has "
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
