"""Teachers from their descriptions: the networks whose outputs a student is distilled from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ..base.errors import InputError, arg, renamed
from ..base.progress import SILENT, Listeners
from ..data.dataset import Dataset
from ..data.output_rule import ValueLoss
from ..distillation.soft_labels import ConventionalKD, LabelsOnly
from ..student.student import Student
from .ann import ARCHITECTURES, build, train_teacher
from .built import is_built
from .files import NAMES, TeacherFiles, is_onnx, is_student_file, no_teacher_in, teacher_of_files
from .outputs import seen_by_teacher
from .spiking_teacher import LABELS, StudentPlan, is_like_student, read_spiking_teacher, spiking_spec, value_shapes
from .spiking_training import SpikingTraining, train_spiking
from .torch_teacher import Teacher, TorchTeacher

NO_FILES = TeacherFiles()


def teacher_from(
    teacher: Teacher | str,
    dataset: Dataset,
    *,
    epochs: int | None = None,
    seed: int = 0,
    cache_dir: Path | None = None,
    listeners: Listeners = SILENT,
    student: StudentPlan | None = None,
    files: TeacherFiles = NO_FILES,
    loss: ValueLoss | None = None,
    class_weights: str | None = None,
) -> Teacher:
    """The teacher of a description, from a file, from the cache or newly trained.

    Args:
        teacher: the name of an architecture; the path of an ONNX file, ``model.onnx``, or ``model.onnx:output`` with
            the output that is the logits; ``file.py:function``, which returns a torch network, or
            ``torchvision:resnet18``; ``snn``, a spiking network derived from the student, with options as
            ``snn:width=32``; a student's file, ``student.pt``; or a teacher itself.
        dataset: that the teacher classifies.
        epochs: of the training, None for the data set's default.
        seed: of the training.
        cache_dir: of trained teachers, None for the user's cache folder.
        listeners: receive the progress of the training.
        student: from which ``snn`` is derived.
        files: the weights of a torch network, and how it takes samples.
        loss, class_weights: of the training; see :func:`~spikewright.student.label_loss.label_loss_of`.

    Raises:
        InputError: none of these, or a file that cannot be used.
    """
    if isinstance(teacher, str) and is_like_student(teacher):
        return _derived(teacher, dataset, _given(student, teacher), epochs, seed, cache_dir, listeners, files)
    if isinstance(teacher, str) and teacher in ARCHITECTURES:
        return train_teacher(
            dataset, teacher, epochs=epochs, seed=seed, cache_dir=cache_dir, listeners=listeners,
            loss=loss, class_weights=class_weights,
        )  # fmt: skip
    if epochs is not None and is_trained(teacher):
        name = teacher if isinstance(teacher, str) else teacher.name
        raise InputError(f"teacher {name}: is already trained; leave the teacher's epochs out")
    return _trained(teacher, dataset, files)


def teacher_shapes(
    teacher: Teacher | str, dataset: Dataset, student: StudentPlan | None = None, files: TeacherFiles = NO_FILES
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
    return _trained(teacher, dataset, files).shapes


def is_spiking(teacher: Teacher | str) -> bool:
    """Whether a teacher, or the teacher of this description, is a spiking network."""
    if isinstance(teacher, str):
        return is_like_student(teacher) or is_student_file(teacher)
    return teacher.spikes


def is_trained(teacher: Teacher | str) -> bool:
    """Whether a teacher, or the teacher of this description, comes trained, from a file or as an object."""
    if not isinstance(teacher, str) or is_built(teacher) or is_onnx(teacher):
        return True
    return is_spiking(teacher) and not is_like_student(teacher)


def _derived(
    text: str,
    dataset: Dataset,
    plan: StudentPlan,
    epochs: int | None,
    seed: int,
    cache_dir: Path | None,
    listeners: Listeners,
    files: TeacherFiles,
) -> Teacher:
    """A spiking teacher like the student, trained with labels, or by conventional distillation from a teacher."""
    options, above, by_teacher = spiking_spec(text), None, ConventionalKD()
    if options.taught_by != LABELS:
        seen = seen_by_teacher(by_teacher, dataset, is_spiking(options.taught_by))
        above = teacher_from(
            options.taught_by, seen, seed=seed, cache_dir=cache_dir, listeners=listeners,
            files=files, loss=plan.settings.loss, class_weights=plan.settings.class_weights,
        )  # fmt: skip
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


def _trained(teacher: Teacher | str, dataset: Dataset, files: TeacherFiles) -> Teacher:
    if not isinstance(teacher, str):
        return teacher.for_data(dataset)
    if is_student_file(teacher):
        if (fault := no_teacher_in(Path(teacher))) is not None:
            raise renamed(InputError(f"teacher {teacher}: {fault}"), NAMES)
        return read_spiking_teacher(Path(teacher), dataset)
    return teacher_of_files(teacher, dataset, files)
