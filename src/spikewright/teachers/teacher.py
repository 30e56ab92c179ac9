"""Teachers: where the soft answers come from that a student learns."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ..base.errors import InputError, did_you_mean
from ..data.dataset import Dataset
from ..distillation.conventional import ConventionalKD, LabelsOnly
from ..student.student import Student
from .ann import ARCHITECTURES, build
from .lessons import seen_by_teacher
from .onnx_teacher import OnnxTeacher
from .pupil import LABELS, SPIKING, Pupil, spiking_spec, takes_after
from .spiking_teacher import SpikingTeacher, read_spiking_teacher, value_shapes
from .spiking_training import Course, train_spiking
from .teacher_training import Progress, train_teacher
from .torch_teacher import LOGITS, Teacher, TorchTeacher, precompute_logits

__all__ = [
    "LOGITS",
    "Progress",
    "Pupil",
    "SpikingTeacher",
    "Teacher",
    "TorchTeacher",
    "is_onnx",
    "is_spiking",
    "precompute_logits",
    "teacher_from",
    "teacher_shapes",
    "train_teacher",
]

ONNX = ".onnx"
STUDENT_FILE = ".pt"
BY_LABELS, BY_TEACHER = LabelsOnly(), ConventionalKD()
"""How a spiking teacher is itself taught."""


def teacher_from(
    spec: str,
    dataset: Dataset,
    *,
    epochs: int | None = None,
    seed: int = 0,
    cache_dir: Path | None = None,
    progress: Progress | None = None,
    pupil: Pupil | None = None,
) -> Teacher:
    """The teacher that ``spec`` describes.

    Args:
        spec: the name of an architecture, which is trained (or found in the cache); or the path of an ONNX file,
            ``model.onnx``, where needed with the output that is the logits, ``model.onnx:output``; or ``snn``, a
            spiking network like the student, with options as ``snn:width=32``; or a student's file, ``student.pt``.
        dataset: what the teacher must know.
        epochs: for training, None for the data set's default.
        seed: for training.
        cache_dir: of trained teachers, None for the user's cache folder.
        progress: shows training steps.
        pupil: whom ``snn`` takes after.

    Raises:
        InputError: nothing of this, or a file that cannot be used.
    """
    if takes_after(spec):
        by = _above(spiking_spec(spec).taught_by, dataset, seed, cache_dir, progress)
        return train_spiking(_course(spec, dataset, by, seed, epochs, _given(pupil, spec)), cache_dir, progress)
    if spec in ARCHITECTURES:
        return train_teacher(dataset, spec, epochs=epochs, seed=seed, cache_dir=cache_dir, progress=progress)
    if epochs is not None and _is_file(spec):
        raise InputError(f"teacher {spec}: comes trained; leave the teacher's epochs out")
    return _from_file(spec, dataset)


def teacher_shapes(spec: str, dataset: Dataset, pupil: Pupil | None = None) -> Mapping[str, tuple[int, ...]]:
    """The shapes of the values that :func:`teacher_from` will have, for one sample, without training it.

    Raises:
        InputError: as :func:`teacher_from`.
    """
    if takes_after(spec):
        config = _given(pupil, spec).wider(spiking_spec(spec).width, dataset)
        return value_shapes(Student(config))
    if spec in ARCHITECTURES:
        return TorchTeacher(build(spec, dataset.shape, dataset.classes), dataset.shape, spec).shapes
    return _from_file(spec, dataset).shapes


def is_spiking(spec: str) -> bool:
    """Whether ``spec`` names a teacher that spikes."""
    return takes_after(spec) or spec.lower().endswith(STUDENT_FILE)


def is_onnx(spec: str) -> bool:
    """Whether ``spec`` is the path of an ONNX file."""
    return _onnx(spec)[0] is not None


def _above(spec: str, dataset: Dataset, seed: int, cache_dir: Path | None, progress: Progress | None) -> Teacher | None:
    """The teacher's teacher, None where it learns from labels alone."""
    if spec == LABELS:
        return None
    seen = seen_by_teacher(BY_TEACHER, dataset, is_spiking(spec))
    return teacher_from(spec, seen, seed=seed, cache_dir=cache_dir, progress=progress)


def _course(spec: str, dataset: Dataset, by: Teacher | None, seed: int, epochs: int | None, pupil: Pupil) -> Course:
    """What a spiking teacher learns: from labels, or from a teacher by conventional distillation."""
    config = pupil.wider(spiking_spec(spec).width, dataset)
    return Course(
        name=f"spiking {config.architecture} of width {config.width} on {dataset.name}",
        dataset=dataset,
        config=config,
        method=BY_LABELS if by is None else BY_TEACHER,
        teacher=by,
        settings=pupil.course_settings(seed, epochs or pupil.epochs),
        device=pupil.device,
    )


def _given(pupil: Pupil | None, spec: str) -> Pupil:
    if pupil is None:
        raise InputError(f"teacher {spec}: takes after a student, so one has to be given (`pupil`)")
    return pupil


def _is_file(spec: str) -> bool:
    return spec.lower().endswith(STUDENT_FILE) or is_onnx(spec)


def _from_file(spec: str, dataset: Dataset) -> Teacher:
    if spec.lower().endswith(STUDENT_FILE):
        return read_spiking_teacher(Path(spec), dataset)
    file, output = _onnx(spec)
    if file is None:
        raise InputError(
            f"teacher {spec!r}: is no architecture; {did_you_mean(spec, [*ARCHITECTURES, SPIKING])}, "
            f"or a path that ends in {ONNX} or {STUDENT_FILE}"
        )

    return OnnxTeacher(file, dataset.shape, dataset.classes, output)


def _onnx(spec: str) -> tuple[Path | None, str | None]:
    """The file and the output that ``spec`` names; no file when it is no ONNX path."""
    if spec.lower().endswith(ONNX):
        return Path(spec), None
    file, found, output = spec.rpartition(f"{ONNX}:")
    return (Path(f"{file}{ONNX}"), output) if found else (None, None)
