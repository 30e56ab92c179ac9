"""Who teaches a student: its teacher, and assistants between the two."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..base import command as cli
from ..base.errors import InputError, refuse
from ..data.dataset import Dataset
from ..distillation.base import LossTerms, shapes_of
from ..student.config import StudentConfig
from ..student.student import Student
from ..teachers.lessons import seen_by_teacher
from ..teachers.pupil import SPIKING, Pupil, takes_after
from ..teachers.spiking_teacher import read_spiking_teacher, value_shapes
from ..teachers.spiking_training import Course, train_spiking
from ..teachers.teacher import is_onnx, is_spiking, teacher_from, teacher_shapes
from ..teachers.torch_teacher import Teacher
from .settings import DistillSettings

ANN = "convnet"


@dataclass(frozen=True, eq=False)
class Taught:
    """A trained teacher or assistant.

    Attributes:
        accuracy: its share of the validation samples classified correctly.
    """

    teacher: Teacher
    accuracy: float


def chosen_teacher(settings: DistillSettings, method: LossTerms) -> str:
    """The teacher that was asked for, else one that suits the method."""
    return settings.teacher or (SPIKING if "spiking teacher" in method.needs else ANN)


def unsuited(settings: DistillSettings, method: LossTerms) -> Iterator[str]:
    """What a method needs and its teacher or assistants are not."""
    name, teacher = settings.method.partition(":")[0], chosen_teacher(settings, method)
    if "spiking teacher" in method.needs and not is_spiking(teacher):
        yield (
            f"--teacher {teacher}: does not spike, and --method {name} learns from spikes; leave --teacher out, or "
            "give snn, snn:width=32 or a student.pt"
        )
    if settings.assistant and not method.needs_teacher():
        yield f"--assistant: --method {name} has no teacher that anybody could assist; leave --assistant out"
    elif settings.assistant and "static twins" in method.needs:
        yield (
            f"--assistant: the teacher of --method {name} sees still images, and an assistant sees what the student "
            "sees; leave --assistant out"
        )


def check_teaching(
    settings: DistillSettings, method: LossTerms, dataset: Dataset, student: Student, pupil: Pupil
) -> None:
    """Try that each can learn from the one before, without training any of them.

    Raises:
        InputError: a teacher that does not fit the data, networks that the method cannot match, or fewer steps than
            there have to be.
    """
    if (steps := pupil.config.timesteps) < method.fewest_timesteps:
        raise InputError(
            f"--method {settings.method.partition(':')[0]}: compares time steps, and the student has "
            f"T = {steps}, which leaves labels alone; ask for -T {method.fewest_timesteps} or more"
        )
    shapes = None
    if method.needs_teacher():
        teacher = chosen_teacher(settings, method)
        seen = seen_by_teacher(method, dataset, is_spiking(teacher))
        shapes = teacher_shapes(teacher, seen, pupil)
        if "spiking teacher" in method.needs and not takes_after(teacher):
            _check_pace(teacher, read_spiking_teacher(Path(teacher), seen).config, pupil.config)
    learners = [*(Student(config) for config in _assistants(settings, pupil)), student]
    for place, learner in enumerate(learners):
        try:
            between = shapes_of(learner, shapes)
            asked = method.requested_values(between)
            if place == 0 and asked.saliency:
                _require_gradients(settings, method)
            method.auxiliary(between)
        except InputError as error:
            if place == 0:
                raise
            raise InputError(
                f"--assistant {settings.assistant[place - 1]}: an assistant teaches in the teacher's stead, with "
                f"values of its own: {error}; choose what both have, let pairs=auto find it, or leave --assistant out"
            ) from error
        shapes = value_shapes(learner)


def teachers(
    settings: DistillSettings,
    method: LossTerms,
    dataset: Dataset,
    pupil: Pupil,
    say: Callable[[str], None],
    quiet: bool,
) -> tuple[Taught, ...]:
    """The teacher and the assistants, trained; each has learnt from the one before. Nobody for a method without."""
    if not method.needs_teacher():
        return ()
    spec, progress = chosen_teacher(settings, method), None if quiet else cli.progress
    seen = seen_by_teacher(method, dataset, is_spiking(spec))
    teacher = teacher_from(
        spec,
        seen,
        epochs=settings.teacher_epochs,
        seed=settings.teacher_seed,
        progress=progress,
        pupil=pupil,
    )
    chain = [Taught(teacher, teacher.accuracy(seen.validation))]
    say(f"teacher: {teacher.name}, validation accuracy {chain[0].accuracy:.2%}")
    for config in _assistants(settings, pupil):
        name = f"assistant of width {config.width}"
        course = Course(
            name, dataset, config, method, chain[-1].teacher, pupil.course_settings(settings.teacher_seed), pupil.device
        )
        assistant = train_spiking(course, progress=progress)
        chain.append(Taught(assistant, assistant.accuracy(dataset.validation)))
        say(f"{name}: validation accuracy {chain[-1].accuracy:.2%}")
    return tuple(chain)


def facts_of(chain: Sequence[Taught]) -> dict[str, object]:
    """What a student's file says of who taught it; JSON-able."""
    if not chain:
        return {}
    first, *assistants = chain
    teacher = first.teacher
    facts: dict[str, object] = {
        "teacher": teacher.name,
        "teacher_sha256": teacher.sha256,
        "teacher_validation_accuracy": first.accuracy,
    }
    if teacher.macs is not None:
        facts["teacher_macs"] = teacher.macs
    if assistants:
        facts["assistants"] = [
            {"name": each.teacher.name, "sha256": each.teacher.sha256, "validation_accuracy": each.accuracy}
            for each in assistants
        ]
    return facts


def _assistants(settings: DistillSettings, pupil: Pupil) -> list[StudentConfig]:
    return [replace(pupil.config, width=width) for width in settings.assistant]


def _require_gradients(settings: DistillSettings, method: LossTerms) -> None:
    """What speaks for a teacher's answer is found by gradients."""
    teacher, name = chosen_teacher(settings, method), settings.method.partition(":")[0]
    if is_onnx(teacher):
        raise InputError(
            f"--teacher {teacher}: an ONNX file gives no gradients, and --method {name} needs them to see where the "
            f"teacher looks; give --method {name}:map=mean, or a named teacher"
        )


def _check_pace(teacher: str, taught: StudentConfig, own: StudentConfig) -> None:
    """Step by step a student can follow a teacher of its own T and readout only."""
    faults = []
    if taught.timesteps != own.timesteps:
        faults.append(
            f"runs over {taught.timesteps} steps and the student, which is to follow it step by step, over "
            f"{own.timesteps}; give --timesteps {taught.timesteps}, or another teacher"
        )
    if taught.readout != own.readout:
        faults.append(
            f"has a {taught.readout} readout and the student a {own.readout} one; give --readout {taught.readout}, or "
            "another teacher"
        )
    refuse(f"--teacher {teacher}", faults)
