"""Settings in which objects stand in place of names: data set, teacher, student, method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, TypeAlias

from torch import nn

from ..base.errors import InputError, arg
from ..data.dataset import Dataset
from ..data.load import load
from ..data.unlabelled import samples_sha256
from ..distillation.base import LossTerms
from ..distillation.methods import method_of, regularizer_of, text_of
from ..student.architectures import own_architecture
from ..student.config import StudentConfig
from ..student.student import Student, readout_of
from ..teachers.files import TeacherFiles
from ..teachers.hashes import weights_sha256
from ..teachers.outputs import seen_by_teacher
from ..teachers.spiking_teacher import SPIKING
from ..teachers.torch_teacher import Teacher
from .ann_weights import AnnWeights
from .given import check_given
from .settings import Budget, DataSettings, DistillSettings, MethodSpec, StudentSpec, TeacherSpec, Training
from .start import Start
from .teaching import Teaching

GivenData: TypeAlias = Dataset | DataSettings | str | Path
GivenTeacher: TypeAlias = nn.Module | Teacher | TeacherSpec | str | None
GivenStudent: TypeAlias = nn.Module | StudentConfig | StudentSpec | str
GivenTerms: TypeAlias = LossTerms | str
"""What :func:`spikewright.distill` takes as data, teacher, student, and method or regularizer."""


@dataclass(frozen=True, eq=False)
class Objects:
    """Objects in place of names; None where the name in the settings is used.

    Attributes:
        unlabelled: samples without labels, as :func:`spikewright.data.unlabelled.unlabelled_split` takes them.
        config: of a student whose size is given.
        network: of the student, torch layers and snnTorch neurons, of which a copy is trained.
        init: a student with which the training begins.
        start: the same once it is held against the settings, or what was read from a file.
        ann: weights of an ANN with which the training begins.
    """

    dataset: Dataset | None = None
    unlabelled: object = None
    teacher: Teacher | None = None
    config: StudentConfig | None = None
    network: nn.Module | None = None
    init: Student | None = None
    start: Start | None = None
    ann: AnnWeights | None = None
    method: LossTerms | None = None
    regularizers: tuple[LossTerms, ...] | None = None


STANDS_FOR = {
    "data": ("dataset",),
    "unlabelled": ("unlabelled",),
    "teacher": ("teacher",),
    "method": ("method",),
    "regularize": ("regularizers",),
    "architecture": ("config", "network"),
    "init": ("init", "start", "ann"),
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
    if given is None:
        given = load(settings.data.name, settings.data.data_dir, timesteps, settings.data)
    student, start = settings.student, objects_of(settings).start
    if start is not None and start.before.config.input_rule is not None:
        return given.by(start.before.config.takes)
    return given.for_student(student.encoding, student.architecture, timesteps)


def network_of(settings: DistillSettings) -> nn.Module | str | None:
    """The network that ``load_student`` needs in addition to the student's file; None for a named architecture."""
    return objects_of(settings).network or own_architecture(settings.student.architecture or "")


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


def with_method(
    settings: DistillSettings, method: LossTerms | str, regularize: Sequence[LossTerms | str] = ()
) -> ObjectSettings:
    """The same settings with another method and other regularizers.

    Raises:
        InputError: an unknown name, or options that are not allowed.
    """
    terms, regularizers = method_of(method), tuple(map(regularizer_of, regularize))
    groups = {group.name: getattr(settings, group.name) for group in fields(DistillSettings)}
    groups["method"] = MethodSpec(name=_text(method), regularize=tuple(map(_text, regularize)))
    return ObjectSettings(**groups, objects=replace(objects_of(settings), method=terms, regularizers=regularizers))


def object_hashes(settings: DistillSettings) -> dict[str, str]:
    """The SHA-256 of samples, teacher and network that were given as objects; their names may be shared."""
    given = objects_of(settings)
    hashes: dict[str, str] = {}
    if given.dataset is not None:
        hashes["train_split_sha256"] = given.dataset.train.sha256
    if given.unlabelled is not None:
        hashes["unlabelled_sha256"] = samples_sha256(given.unlabelled)
    if given.teacher is not None:
        hashes["teacher_sha256"] = given.teacher.sha256
    if given.ann is not None:
        hashes["init_sha256"] = given.ann.sha256
    if given.start is not None:
        hashes["init_sha256"] = given.start.sha256
    elif given.network is not None:
        hashes["network_sha256"] = weights_sha256(given.network)
    return hashes


def teaching_of(settings: DistillSettings, method: LossTerms, dataset: Dataset) -> Teaching:
    """The teacher for this method, and its assistants; without a name or an object, the default for method and data."""
    spec = settings.teacher
    default = SPIKING if "spiking teacher" in method.needs else dataset.recipe.teacher.architecture
    teacher = objects_of(settings).teacher or spec.name or default
    files = TeacherFiles(spec.weights, spec.layout, spec.normalize, spec.channels, spec.size, spec.values)
    training = settings.training
    return Teaching(
        method, teacher, spec.teacher_epochs, spec.teacher_seed, spec.assistant, files, spec.teacher_samples,
        loss=training.loss, class_weights=training.class_weights, values=spec.teacher_outputs,
    )  # fmt: skip


def settings_of(
    data: GivenData = "digits",
    teacher: GivenTeacher = None,
    student: GivenStudent | None = None,
    method: GivenTerms = "kd",
    within: Budget | str | None = None,
    regularize: GivenTerms | Sequence[GivenTerms] = (),
    training: Training | None = None,
    unlabelled: object = None,
    init: Student | str | Path | None = None,
) -> DistillSettings:
    """Settings from the arguments of :func:`spikewright.distill`.

    Raises:
        InputError: values that are not allowed.
    """
    check_given(teacher=teacher, student=student, within=within, regularize=regularize, training=training, init=init)
    spec, config, network = _student(student)
    if init is not None:
        spec = _beginning_with(spec, init, config is not None or network is not None)
    values = [regularize] if isinstance(regularize, LossTerms | str) else list(regularize)
    settings = ObjectSettings(
        data=_data(data, unlabelled),
        limits=within if isinstance(within, Budget) else Budget(energy_budget=within),
        teacher=teacher if isinstance(teacher, TeacherSpec) else TeacherSpec(name=_name(teacher)),
        student=spec,
        training=training or Training(),
        objects=Objects(
            dataset=data if isinstance(data, Dataset) else None,
            unlabelled=None if isinstance(unlabelled, int | str | Path) else unlabelled,
            teacher=teacher if isinstance(teacher, Teacher) else None,
            config=config,
            network=network,
            init=init if isinstance(init, Student) else None,
        ),
    )
    settings = with_method(settings, method, values)
    return _with_module(settings, teacher) if isinstance(teacher, nn.Module) else settings


def _data(data: GivenData, unlabelled: object) -> DataSettings:
    """The settings of the data, with what is given as samples without labels; of arrays they hold the word alone."""
    if not isinstance(data, Dataset | DataSettings | str | Path):
        raise InputError(
            f"{arg('data')}: is of type {type(data).__name__}; may be a Dataset, such as Dataset.from_arrays(x, y) or "
            "Dataset.from_torch(dataset), the name of a data set, a path, or DataSettings"
        )
    named_data = str(data) if isinstance(data, Path) else data
    settings = named_data if isinstance(named_data, DataSettings) else DataSettings(name=_name(named_data))
    if unlabelled is None:
        return settings
    if isinstance(unlabelled, float | bool):
        raise InputError(f"{arg('unlabelled')}: is {unlabelled!r}; may be a whole number, rest, a path, or samples")
    if settings.unlabelled is not None:
        raise InputError(f"{arg('unlabelled')}: is given twice, in DataSettings, too; leave one out")
    named: Any = unlabelled if isinstance(unlabelled, int | str | Path) else getattr(unlabelled, "name", None)
    return DataSettings(**settings.model_dump(exclude_unset=True) | {"unlabelled": named or "arrays"})


def _with_module(settings: ObjectSettings, network: nn.Module) -> DistillSettings:
    """Settings with a torch network as the teacher, for the images that the data set has for it."""
    dataset = dataset_of(settings, settings.student.timesteps)
    seen = seen_by_teacher(loss_terms(settings)[0], dataset, spikes=False)
    teacher = Teacher.from_module(network)
    teacher.for_data(seen)  # refuses what cannot be used
    return replace(settings, objects=replace(settings.objects, dataset=dataset, teacher=teacher))


def _name(value: Dataset | nn.Module | Teacher | str | None) -> Any:
    """The name of an object; anything that is neither an object nor a name is refused by the settings that take it."""
    if isinstance(value, nn.Module):
        return type(value).__name__
    return value.name if isinstance(value, Dataset | Teacher) else value


def _text(terms: LossTerms | str) -> str:
    return text_of(terms) if isinstance(terms, LossTerms) else terms


def _student(student: GivenStudent | None) -> tuple[StudentSpec, StudentConfig | None, nn.Module | None]:
    """The specification of a student, and the objects that it was given as."""
    if student is None or isinstance(student, StudentSpec):
        return student or StudentSpec(), None, None
    if isinstance(student, str):
        return StudentSpec(architecture=student), None, None
    if isinstance(student, StudentConfig):
        return spec_of(student), student, None
    if isinstance(student, Student):
        return spec_of(student.config), student.config, student.network
    return StudentSpec(architecture=type(student).__name__, readout=readout_of(student)), None, student


def _beginning_with(spec: StudentSpec, init: Student | str | Path, has_student: bool) -> StudentSpec:
    """The specification with what the training begins with; of an object it holds the type's name alone."""
    if has_student or spec.init is not None:
        where = "student" if has_student else "StudentSpec"
        raise InputError(f"{arg('init')}: is given beside a network in {arg(where)}; give one of them")
    named = Path(type(init).__name__) if isinstance(init, Student) else Path(init)
    return StudentSpec(**spec.model_dump(exclude_unset=True) | {"init": named})


def spec_of(config: StudentConfig) -> StudentSpec:
    same = ("architecture", "width", "timesteps", "encoding", "readout", "input_bits", "norm")
    neuron = asdict(config.neuron)
    own = {"neuron": neuron.pop("kind"), "population": config.output.population}
    return StudentSpec(**own, **neuron, **{name: getattr(config, name) for name in same})
