"""Teachers from files: torch networks with their weights, and ONNX models."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path

from ..base.errors import InputError, arg, did_you_mean, renamed
from ..data.dataset import Dataset
from .ann import ARCHITECTURES
from .built import TORCHVISION, build_network, is_built
from .foreign import ONNX_OF_TORCH, WEIGHT_FILES, keras_or_tensorflow, program_of_torch
from .onnx_model import values_said
from .onnx_teacher import OnnxTeacher
from .samples import SampleFormat
from .spiking_teacher import LABELS, SPIKING, is_like_student, spiking_spec
from .torch_teacher import Teacher, TorchTeacher
from .weights import SAFETENSORS, read_weights

ONNX = ".onnx"
STUDENT_FILE = ".pt"


@dataclass(frozen=True)
class TeacherFiles:
    """What a teacher from files needs besides its description; all None for any other.

    Attributes:
        weights: a file with the state dict of the network that the description builds.
        layout, normalize, channels, size, values: how it takes samples, as in :meth:`.samples.SampleFormat.of`.
    """

    weights: Path | None = None
    layout: str | None = None
    normalize: str | None = None
    channels: int | None = None
    size: str | None = None
    values: str | None = None

    @property
    def given(self) -> dict[str, object]:
        """By name, what is not None."""
        return {each.name: value for each in fields(self) if (value := getattr(self, each.name)) is not None}

    @property
    def taken(self) -> SampleFormat:
        """How the teacher takes samples.

        Raises:
            InputError: values that cannot be read.
        """
        return SampleFormat.of(self.layout, self.normalize, self.channels, self.size, self.values)

    def faults(self, teacher: Teacher | str) -> Iterator[str]:
        """Why these do not go with a teacher, or a teacher's description; of what is no description, nothing."""
        if isinstance(teacher, str) and is_like_student(teacher):
            teacher = spiking_spec(teacher).taught_by
        title = teacher if isinstance(teacher, str) else teacher.name
        if not isinstance(teacher, str) or teacher in (*ARCHITECTURES, LABELS) or _is_student(teacher):
            for name, value in self.given.items():
                yield (
                    f"{arg(name, value)}: is for a network from files, file.py:function, {TORCHVISION}NAME or an ONNX "
                    f"model, and the teacher is {title}; leave it out"
                )
            return
        try:
            _ = self.taken
        except InputError as error:
            yield error.message.removeprefix("teacher: ")
        if self.weights is not None and is_onnx(teacher):
            yield f"{arg('weights', self.weights)}: an ONNX model has its weights; leave it out"
        if teacher.startswith(TORCHVISION) and self.weights is None:
            yield f"nothing is downloaded for {teacher}; give the file of its state dict, {arg('weights', 'w.pt')}"
        if teacher.startswith(TORCHVISION) and self.normalize is None:
            yield (
                f"say how the images of its training were normalised: {arg('normalize', 'imagenet')}, as those of "
                f"torchvision's own weights, {arg('normalize', 'none')}, or {arg('normalize', 'MEAN/STD')}"
            )


def is_student_file(teacher: str) -> bool:
    """Whether a teacher's description is the path of a student's file, by its ending."""
    return teacher.lower().endswith(STUDENT_FILE) and not is_built(teacher)


def _is_student(teacher: str) -> bool:
    return is_student_file(teacher) and no_teacher_in(Path(teacher)) is None


NAMES = {each.name: f"teacher_{each.name}" for each in fields(TeacherFiles)}
"""By attribute of :class:`TeacherFiles`, the flat setting that holds it."""


def is_onnx(teacher: Teacher | str) -> bool:
    """Whether a teacher, or the teacher of this description, is an ONNX file."""
    return _onnx(teacher)[0] is not None if isinstance(teacher, str) else isinstance(teacher, OnnxTeacher)


def teacher_of_files(text: str, dataset: Dataset, files: TeacherFiles) -> Teacher:
    """The teacher that a description and its files give, checked on the shape and the classes of the data.

    Raises:
        InputError: a description or files that cannot be used, or a teacher that does not fit the data.
    """
    try:
        if faults := list(files.faults(text)):
            raise InputError(f"teacher {text}: {'; '.join(faults)}")
        file, output = _onnx(text)
        if file is not None:
            taken = replace(files.taken, values=files.taken.values or values_said(file)).for_data(dataset)
            model = OnnxTeacher(file, dataset.shape, dataset.classes, output, taken, dataset.output)
            if files.given or model.taken.rule is not None:
                model.remarks = (model.taken.remark(model.name, dataset.shape),)
            return model
        if not is_built(text):
            raise InputError(_not_a_teacher(text))
        shape = files.taken.for_data(dataset).seen_shape(dataset.shape)
        built = build_network(text, files.weights, shape, dataset.classes)
        teacher = TorchTeacher(built.network, None, built.name, taken=files.taken, remarks=built.remarks)
        fitted = teacher.for_data(dataset)
        fitted.remarks = (*built.remarks, fitted.taken.remark(built.name, dataset.shape))
        return fitted
    except InputError as error:
        raise renamed(error, NAMES) from error


def _onnx(text: str) -> tuple[Path | None, str | None]:
    """The file and the output that a description names; no file when it is no ONNX path."""
    if text.lower().endswith(ONNX):
        return Path(text), None
    file, found, output = text.rpartition(f"{ONNX}:")
    return (Path(f"{file}{ONNX}"), output) if found else (None, None)


def _not_a_teacher(text: str) -> str:
    """What a description is that names no teacher, and what may be given instead."""
    path = Path(text)
    if (fault := no_teacher_in(path)) is not None:
        return f"teacher {text}: {fault}"
    if path.suffix.lower() == ".py":
        return f"teacher {text}: say which function in it builds the network, as in {arg('teacher', f'{text}:build')}"
    if path.suffix.lower() in WEIGHT_FILES:
        found = "is no file of weights" if path.is_file() else "there is no such file"
        return f"teacher {text}: {found}; {_weights_go_with('w.pt')}"
    return (
        f"teacher {text!r}: is no architecture; {did_you_mean(text, [*ARCHITECTURES, SPIKING])}, file.py:function or "
        f"{TORCHVISION}NAME with {arg('weights')}, or a path that ends in {ONNX} or {STUDENT_FILE}"
    )


def no_teacher_in(path: Path) -> str | None:
    """Why a file is no teacher by itself, and how to use it; None where it may be one, or is nothing known."""
    if (fault := keras_or_tensorflow(path) or program_of_torch(path)) is not None or not path.is_file():
        return fault
    if path.suffix.lower() != SAFETENSORS:
        try:
            read_weights(path)
        except InputError:
            return None
    return f"holds weights and no network; {_weights_go_with(path)}"


def _weights_go_with(path: Path | str) -> str:
    return (
        f"name the function that builds the network, {arg('teacher', 'net.py:build')} or "
        f"{arg('teacher', f'{TORCHVISION}NAME')}, and give {arg('weights', path)}; or give {ONNX_OF_TORCH}"
    )
