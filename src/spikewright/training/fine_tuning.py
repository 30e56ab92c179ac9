"""Training on from a network that is trained already: what it is, and which settings follow from it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path

from ..base.artefacts import sha256_of
from ..base.errors import InputError, SpikewrightError, arg, refuse, renamed
from ..base.own_code import is_own
from ..base.progress import Callback, Kind
from ..base.types import INPUT_BITS
from ..graph.nir_io import read_graph
from ..student.config import StudentConfig
from ..student.header import IMPORTED
from ..student.resets import with_reset
from ..student.student import Student, load_student
from ..teachers.hashes import weights_sha256
from ..teachers.spiking_teacher import SpikingTeacher
from .ann_weights import AnnWeights, is_state_dict, read_ann
from .early import INIT
from .objects import Objects, ObjectSettings, loss_terms, network_of, objects_of, spec_of
from .settings import DistillSettings, StudentSpec, TeacherSpec, Training
from .start import Start, resets_in

RATE, OF_CONVERSION = 1e-3, 3e-3
"""Peak of the learning rate: a third of a new student's, since the weights are good already; and that of a new student
where the reset is another one, since they then are not."""
EPOCHS = 5
GRAPH, OF_ANN = ".nir", (".onnx", ".safetensors")
IN_PYTHON = ("producer", "dt_s")
"""How a graph is read, as far as no flag of a training says it."""
TAKEN = ("timesteps", "encoding", "input_bits", "reset")
"""Settings of the student that may differ from the network that it begins with."""
OF_NEURONS = ("neuron", "beta", "alpha", "threshold", "learn_beta", "learn_threshold")


def with_start(settings: DistillSettings) -> DistillSettings:
    """The settings with the network that the training begins with, and what follows from it.

    Where settings are left out, the student is the network's, the teacher is the network as it was, for methods that
    can have it, the learning rate is :data:`RATE`, of a conversion :data:`OF_CONVERSION`, and the epochs are
    :data:`EPOCHS`. Settings that begin with nothing,
    or have their network already, come back as they are.

    Raises:
        InputError: no such file, or settings that contradict the network, all of them at once.
    """
    given = objects_of(settings)
    if settings.student.init is None or given.start is not None or given.ann is not None:
        return settings
    if given.init is None and _is_ann(settings.student.init):
        return _with_ann(settings, given, read_ann(settings.student.init))
    heard = _Heard()
    before, sha256 = _read(settings, given, heard)
    name = INIT if given.init is not None else str(settings.student.init)
    refuse(str(arg("init")) if given.init is not None else name, [*_contradictions(settings, before)])
    begins = _as_asked(settings.student, before)
    start = Start(name, sha256, before, begins)
    rate = OF_CONVERSION if start.converts else RATE
    start = replace(start, remarks=(*heard.said, *_remarks(settings, rate)))
    groups = {group.name: getattr(settings, group.name) for group in fields(DistillSettings)}
    groups["student"] = _spec(settings.student, begins)
    asked = settings.training.model_dump(exclude_unset=True, exclude_none=True)
    groups["training"] = Training(**{"learning_rate": rate, "epochs": EPOCHS} | asked)
    objects = replace(given, config=begins.config, network=begins.network, start=start)
    if _is_own_teacher(settings, given):
        groups["teacher"] = TeacherSpec(**settings.teacher.model_dump(exclude_unset=True) | {"name": INIT})
        objects = replace(objects, teacher=SpikingTeacher(before, INIT, sha256))
    return ObjectSettings(**groups, objects=objects)


def _is_ann(path: Path) -> bool:
    """Whether a file holds weights of an ANN: an ONNX model, or a state dict, and no student."""
    if path.suffix.lower() in OF_ANN:
        return True
    return path.suffix.lower() != GRAPH and is_state_dict(path)


def _with_ann(settings: DistillSettings, given: Objects, ann: AnnWeights) -> DistillSettings:
    """The settings of a student that begins with weights of an ANN: the first layer's width, a smaller rate."""
    if settings.teacher.name == INIT:
        raise InputError(
            f"{arg('teacher', INIT)}: {ann.name} holds weights and no network; give a teacher, or leave it out"
        )
    groups = {group.name: getattr(settings, group.name) for group in fields(DistillSettings)}
    spec = settings.student
    if spec.width is None and not is_own(spec.architecture or ""):
        groups["student"] = StudentSpec(**spec.model_dump(exclude_unset=True) | {"width": ann.width})
    asked = settings.training.model_dump(exclude_unset=True)
    groups["training"] = Training(**{"learning_rate": RATE} | asked)
    if "learning_rate" not in asked:
        rate = arg("learning_rate", f"{RATE:g}")
        ann = replace(ann, remarks=(*ann.remarks, f"a smaller rate, since the weights are trained: {rate}"))
    return ObjectSettings(**groups, objects=replace(given, ann=ann))


class _Heard(Callback):
    """Keeps what was assumed of a graph until there is somebody to tell."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def on_message(self, text: str, kind: Kind) -> None:
        del kind
        self.said.append(text)


def _read(settings: DistillSettings, given: Objects, heard: _Heard) -> tuple[Student, str]:
    """The network as it was, and its hash."""
    if given.init is not None:
        return given.init, weights_sha256(given.init)
    path = settings.student.init
    assert path is not None
    if path.suffix.lower() == GRAPH:
        return _of_graph(path, settings.student, heard), sha256_of(path)
    try:
        return load_student(path, network_of(settings)), sha256_of(path)
    except SpikewrightError as error:
        raise renamed(error, {"network": "architecture"}) from error


def _of_graph(path: Path, spec: StudentSpec, heard: _Heard) -> Student:
    """The network of a graph; T, encoding and the width of the input are as asked for where the graph says nothing."""
    graph = read_graph(path)
    names = ("timesteps", "encoding", "input_bits")
    unsaid = {name: getattr(spec, name) for name in names if name not in graph.metadata}
    try:
        return Student.from_nir(graph, callbacks=[heard], **unsaid)
    except InputError as error:
        if not any(str(arg(name)) in error.message or str(arg(name))[:-1] in error.message for name in IN_PYTHON):
            raise InputError(f"{path}: {error.message}") from error
        said = f"sw.save_student(sw.Student.from_nir({path.name!r}, producer=..., dt_s=...), 'student.pt', {{}})"
        raise InputError(
            f"{path}: {error.message}; say it in Python, {said}, and begin with the student that this writes"
        ) from error


def _contradictions(settings: DistillSettings, before: Student) -> Iterator[str]:
    """Settings that are given and are not the network's."""
    spec, its = settings.student, spec_of(before.config)
    is_imported = before.config.architecture == IMPORTED
    for name in spec.model_fields_set - {*TAKEN, "init"}:
        value, there = getattr(spec, name), getattr(its, name)
        if value is None:
            continue
        if is_imported and name == "norm":
            yield f"{arg(name, value)}: its layers have the norms that they have; leave it out"
        elif is_imported and name in OF_NEURONS:
            yield f"{arg(name, value)}: its neurons have constants of their own, layer by layer; leave it out"
        elif value != there:
            yield f"{arg(name, value)}: it has {there}, and its weights are for that; leave it out"
    encoding, was = spec.encoding, before.config.encoding
    if encoding is not None and encoding != was and "events" in (was, "events" if encoding == "delta" else encoding):
        yield f"{arg('encoding', encoding)}: it takes {was!r} input, which no other encoding makes; leave it out"
    if settings.training.integer_from >= 1 and before.grid is not None:
        yield (
            f"{arg('integer_from', f'{settings.training.integer_from:g}')}: it computes with integers, into which its "
            f"norms are folded, and goes on with integers alone; leave {arg('integer_from')} out"
        )


def _as_asked(spec: StudentSpec, before: Student) -> Student:
    """The weights of a network in the student that is asked for, in floats."""
    is_asked = "reset" in spec.model_fields_set and resets_in(before) != {spec.reset}
    student = with_reset(before, spec.reset) if is_asked else before
    made = Student(_config(spec, student.config), student.network)
    if made.encoder is not None and student.encoder is not None:
        made.encoder = student.encoder
    return made.eval()


def _config(spec: StudentSpec, config: StudentConfig) -> StudentConfig:
    """The configuration with T, encoding and the width of the input as they are asked for."""
    asked = {name: getattr(spec, name) for name in ("timesteps", "encoding", "input_bits")}
    changes = {name: value for name, value in asked.items() if value not in (None, "delta")}
    if changes.get("encoding", config.encoding) != config.encoding and spec.input_bits is None:
        changes["input_bits"] = INPUT_BITS.get(changes["encoding"], 8)
    return replace(config, **changes)


def _spec(asked: StudentSpec, begins: Student) -> StudentSpec:
    """The specification of the student that is trained."""
    resets = resets_in(begins)
    own = spec_of(begins.config).model_dump()
    reset = {"reset": resets.pop()} if len(resets) == 1 else {}
    return StudentSpec(**own | reset | {"init": asked.init})


def _is_own_teacher(settings: DistillSettings, given: Objects) -> bool:
    """Whether the network as it was is the teacher: where it is named, or no other is and the method can have it."""
    if given.teacher is not None or settings.teacher.name not in (None, INIT):
        return False
    method, _ = loss_terms(settings)
    return settings.teacher.name == INIT or (method.needs_teacher() and "static twins" not in method.needs)


def _remarks(settings: DistillSettings, rate: float) -> Iterator[str]:
    training = settings.training
    chosen = [f"{arg('epochs', EPOCHS)}"] if training.epochs is None else []
    chosen += [] if "learning_rate" in training.model_fields_set else [f"{arg('learning_rate', f'{rate:g}')}"]
    if chosen:
        why = (
            "conversion to another reset"
            if rate == OF_CONVERSION
            else "fine-tuning, since the weights are good already"
        )
        yield f"{why}: {' and '.join(chosen)}"
