"""Settings in which objects stand in place of names: data set, teacher, student, method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from torch import nn

from ..base.errors import InputError, arg
from ..data.dataset import Dataset
from ..data.load import load
from ..distillation.base import LossTerms
from ..distillation.methods import method_of, regularizer_of, text_of
from ..student.architectures import own_architecture
from ..student.config import StudentConfig
from ..student.student import Student, readout_of
from ..teachers.outputs import seen_by_teacher
from ..teachers.spiking_teacher import SPIKING
from ..teachers.torch_teacher import Teacher
from .settings import Budget, DataSettings, DistillSettings, MethodSpec, StudentSpec, TeacherSpec, Training
from .teaching import Teaching


@dataclass(frozen=True, eq=False)
class Objects:
    """Objects in place of names; None where the name in the settings is used.

    Attributes:
        config: of a student whose size is given.
        network: of the student, torch layers and snnTorch neurons, of which a copy is trained.
    """

    dataset: Dataset | None = None
    teacher: Teacher | None = None
    config: StudentConfig | None = None
    network: nn.Module | None = None
    method: LossTerms | None = None
    regularizers: tuple[LossTerms, ...] | None = None


STANDS_FOR = {
    "data": ("dataset",),
    "teacher": ("teacher",),
    "method": ("method",),
    "regularize": ("regularizers",),
    "architecture": ("config", "network"),
}
"""By name of a flat value, the objects that may stand in its place."""


@dataclass(frozen=True)
class ObjectSettings(DistillSettings):
    """Settings with objects in place of some names; changing a name removes its object."""

    objects: Objects = field(default=Objects(), repr=False)

    def changed(self, values: Mapping[str, object]) -> DistillSettings:
        stale = [name for flat, names in STANDS_FOR.items() if flat in values for name in names]
        made = replace(self, objects=replace(self.objects, **dict.fromkeys(stale)))
        return super(ObjectSettings, made).changed(values)


def objects_of(settings: DistillSettings) -> Objects:
    """The objects in place of names; none in settings from flags or a file."""
    return settings.objects if isinstance(settings, ObjectSettings) else Objects()


def dataset_of(settings: DistillSettings, timesteps: int | None = None) -> Dataset:
    """The whole data set.

    Args:
        timesteps: frames per sample of event data, None for the data set's default.

    Raises:
        InputError: no such data set, or files missing or damaged.
    """
    given = objects_of(settings).dataset
    return load(settings.data.name, settings.data.data_dir, timesteps) if given is None else given


def network_of(settings: DistillSettings) -> nn.Module | str | None:
    """The network that ``load_student`` needs in addition to the student's file; None for a named architecture."""
    return objects_of(settings).network or own_architecture(settings.student.architecture)


def loss_terms(settings: DistillSettings) -> tuple[LossTerms, tuple[LossTerms, ...]]:
    """The method and the regularizers.

    Raises:
        InputError: an unknown name, or options that are not allowed.
    """
    given = objects_of(settings)
    regularizers = given.regularizers
    if regularizers is None:
        regularizers = tuple(map(regularizer_of, settings.method.regularize))
    return given.method or method_of(settings.method.name), regularizers


def teaching_of(settings: DistillSettings, method: LossTerms) -> Teaching:
    """The teacher for this method, and its assistants; without a name or an object, the default for the method."""
    spec = settings.teacher
    default = SPIKING if "spiking teacher" in method.needs else "convnet"
    teacher = objects_of(settings).teacher or spec.name or default
    return Teaching(method, teacher, spec.teacher_epochs, spec.teacher_seed, spec.assistant)


def settings_of(
    data: Dataset | DataSettings | str = "digits",
    teacher: nn.Module | Teacher | TeacherSpec | str | None = None,
    student: nn.Module | StudentConfig | StudentSpec | str = "convnet",
    method: LossTerms | str = "kd",
    within: Budget | str | None = None,
    regularize: LossTerms | str | Sequence[LossTerms | str] = (),
    training: Training | None = None,
) -> DistillSettings:
    """Settings from the arguments of :func:`spikewright.distill`.

    Raises:
        InputError: values that are not allowed.
    """
    if training is not None and not isinstance(training, Training):
        raise InputError(f"{arg('training')}: is {training!r}; give Training(...)")
    spec, config, network = _student(student)
    values = [regularize] if isinstance(regularize, LossTerms | str) else list(regularize)
    terms, regularizers = method_of(method), tuple(map(regularizer_of, values))
    texts = [each if isinstance(each, str) else text_of(each) for each in (method, *values)]
    settings = ObjectSettings(
        data=data if isinstance(data, DataSettings) else DataSettings(name=_name(data)),
        limits=within if isinstance(within, Budget) else Budget(energy_budget=within),
        teacher=teacher if isinstance(teacher, TeacherSpec) else TeacherSpec(name=_name(teacher)),
        method=MethodSpec(name=texts[0], regularize=tuple(texts[1:])),
        student=spec,
        training=training or Training(),
        objects=Objects(
            dataset=data if isinstance(data, Dataset) else None,
            teacher=teacher if isinstance(teacher, Teacher) else None,
            config=config,
            network=network,
            method=None if isinstance(method, str) else terms,
            regularizers=regularizers,
        ),
    )
    if not isinstance(teacher, nn.Module):
        return settings
    dataset = dataset_of(settings, settings.student.timesteps)
    seen = seen_by_teacher(terms, dataset, spikes=False)
    wrapped = Teacher.from_module(teacher, seen.shape)
    return replace(settings, objects=replace(settings.objects, dataset=dataset, teacher=wrapped))


def _name(value: Dataset | nn.Module | Teacher | str | None) -> Any:
    """The name of an object; anything that is neither an object nor a name is refused by the settings that take it."""
    if isinstance(value, nn.Module):
        return type(value).__name__
    return value.name if isinstance(value, Dataset | Teacher) else value


def _student(
    student: nn.Module | StudentConfig | StudentSpec | str,
) -> tuple[StudentSpec, StudentConfig | None, nn.Module | None]:
    """The specification of a student, and its configuration and network where it was given as an object."""
    if isinstance(student, StudentSpec):
        return student, None, None
    if isinstance(student, str):
        return StudentSpec(architecture=student), None, None
    if isinstance(student, StudentConfig):
        return _spec_of(student), student, None
    if isinstance(student, Student):
        return _spec_of(student.config), student.config, student.network
    if isinstance(student, nn.Module):
        return StudentSpec(architecture=type(student).__name__, readout=readout_of(student)), None, student
    raise InputError(
        f"{arg('student', repr(student))}: may be a module, a StudentConfig, a StudentSpec or an architecture's name"
    )


def _spec_of(config: StudentConfig) -> StudentSpec:
    same = ("architecture", "width", "timesteps", "encoding", "readout", "input_bits")
    neuron = asdict(config.neuron)
    return StudentSpec(neuron=neuron.pop("kind"), **neuron, **{name: getattr(config, name) for name in same})
