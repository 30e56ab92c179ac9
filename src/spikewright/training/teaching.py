"""The teacher of a student, and teacher assistants between the two."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..base.errors import InputError, arg, refuse, renamed
from ..base.progress import Listeners
from ..data.dataset import Dataset
from ..data.output_rule import CLASSES, OutputUnit, ValueLoss
from ..data.quality import Quality
from ..data.split import Split
from ..distillation.base import LossTerms, NetworkShapes, shapes_of
from ..distillation.methods import name_of
from ..student.config import StudentConfig
from ..student.student import Student
from ..teachers.ann import ARCHITECTURES
from ..teachers.files import NAMES, TeacherFiles, is_onnx
from ..teachers.outputs import seen_by_teacher
from ..teachers.spiking_teacher import (
    SpikingTeacher,
    StudentPlan,
    is_like_student,
    read_spiking_teacher,
    value_shapes,
)
from ..teachers.spiking_training import SpikingTraining, train_spiking
from ..teachers.teacher import NO_FILES, is_spiking, is_trained, teacher_from, teacher_shapes
from ..teachers.torch_teacher import Teacher


@dataclass(frozen=True, eq=False)
class TrainedTeacher:
    """A trained teacher or assistant.

    Attributes:
        quality: of its answers to the validation part.
    """

    teacher: Teacher
    quality: Quality


@dataclass(frozen=True, eq=False)
class Teaching:
    """The teacher of a training and its assistants.

    Attributes:
        teacher: a description of the teacher, or the teacher itself.
        epochs: of the teacher's training, None for the data set's default.
        seed: of the trainings of teacher and assistants.
        assistants: widths of the spiking networks between teacher and student; each is distilled from the one before.
        files: the weights of a teacher that is a torch network, and how it takes samples.
        loss, class_weights: of a teacher that is trained, as of its student.
        values: what the outputs of a teacher from a file are, where labels are values: ``unit``, or ``deviations`` from
            the training mean in standard deviations; None for ``unit``.
        samples: of the training part that teacher and assistants learn from, the last ones; None for all.
    """

    method: LossTerms
    teacher: Teacher | str
    epochs: int | None = None
    seed: int = 0
    assistants: tuple[int, ...] = ()
    files: TeacherFiles = NO_FILES
    samples: int | None = None
    loss: ValueLoss | None = None
    class_weights: str | None = None
    values: OutputUnit | None = None

    @property
    def title(self) -> str:
        """The name of the teacher in messages."""
        return self.teacher if isinstance(self.teacher, str) else self.teacher.name

    @property
    def is_from_file(self) -> bool:
        """Whether the teacher is described by a file other than a student's, and so not made here."""
        teacher = self.teacher
        return isinstance(teacher, str) and teacher not in ARCHITECTURES and not is_spiking(teacher)

    def faults(self) -> Iterator[str]:
        """Faults of a teacher or assistants that do not suit the method."""
        name = name_of(self.method)
        yield from (renamed(InputError(fault), NAMES).message for fault in self.files.faults(self.teacher))
        if self.epochs is not None and is_trained(self.teacher):
            yield f"{arg('teacher_epochs', self.epochs)}: {self.title} is already trained; leave it out"
        if self.values is not None and not self.is_from_file:
            where = arg("teacher_outputs", self.values)
            yield f"{where}: is for a teacher from a file, and {self.title} is none; leave it out"
        if "spiking teacher" in self.method.needs and not is_spiking(self.teacher):
            yield (
                f"{arg('teacher', self.title)}: does not spike, and {arg('method', name)} learns from spikes; leave "
                f"{arg('teacher')} out, or give snn, snn:width=32 or a student.pt"
            )
        if self.samples is not None and (is_trained(self.teacher) or not self.method.needs_teacher()):
            yield (
                f"{arg('teacher_samples', self.samples)}: the teacher {self.title} is trained already, or none is "
                f"needed; leave {arg('teacher_samples')} out"
            )
        if self.assistants and not self.method.needs_teacher():
            yield (
                f"{arg('assistant')}: {arg('method', name)} uses no teacher, so an assistant has no effect; leave "
                f"{arg('assistant')} out"
            )
        elif self.assistants and "static twins" in self.method.needs:
            yield (
                f"{arg('assistant')}: the teacher of {arg('method', name)} sees still images, and an assistant sees "
                f"what the student sees; leave {arg('assistant')} out"
            )

    def check(self, dataset: Dataset, student: Student, plan: StudentPlan) -> None:
        """Check that each network can be distilled from the one before, without training any of them.

        Raises:
            InputError: a teacher that does not fit the data, networks that the method cannot match, or fewer timesteps
                than it needs.
        """
        method = self.method
        if (steps := plan.config.timesteps) < method.fewest_timesteps:
            raise InputError(
                f"{arg('method', name_of(method))}: compares time steps, and the student has T = {steps}, which leaves "
                f"labels alone; ask for {arg('timesteps', method.fewest_timesteps)} or more"
            )
        shapes = None
        if method.needs_teacher():
            seen = self.seen(dataset)
            shapes = teacher_shapes(self.teacher, seen, plan, self.files)
            if "spiking teacher" in method.needs and not is_like_student(self.teacher):
                self._check_pace(seen, plan.config)
        for place, learner in enumerate([*(Student(config) for config in self._assistant_configs(plan)), student]):
            try:
                self._check_match(shapes_of(learner, shapes), is_first=place == 0)
            except InputError as error:
                if place == 0:
                    raise
                raise InputError(
                    f"{arg('assistant', self.assistants[place - 1])}: an assistant takes the place of the "
                    f"teacher, with values of its own: {error.message}; choose what both have, let pairs=auto find it, "
                    f"or leave {arg('assistant')} out"
                ) from error
            shapes = value_shapes(learner)

    def seen(self, dataset: Dataset) -> Dataset:
        """The samples as the teacher takes them: the data set, or the source images of its events."""
        return seen_by_teacher(self.method, dataset, is_spiking(self.teacher))

    def trained_teacher(self, dataset: Dataset, listeners: Listeners, plan: StudentPlan | None = None) -> Teacher:
        """The teacher alone, newly trained or from the cache.

        Args:
            plan: from which a spiking teacher is derived.

        Raises:
            InputError: a teacher that cannot be used, or a spiking teacher without ``plan``.
        """
        teacher = teacher_from(
            self.teacher, self.seen(dataset.with_last_train_samples(self.samples)),
            epochs=self.epochs, seed=self.seed, listeners=listeners, student=plan,
            files=self.files, loss=self.loss, class_weights=self.class_weights,
        )  # fmt: skip
        if self.values == "deviations":
            teacher.in_deviations, teacher.output = True, CLASSES
        return teacher

    def train(self, dataset: Dataset, plan: StudentPlan, listeners: Listeners) -> tuple[TrainedTeacher, ...]:
        """The trained teacher, and the assistants, each distilled from the one before.

        Returns:
            The teacher first; empty if the method uses no teacher.
        """
        if not self.method.needs_teacher():
            return ()
        teacher = self.trained_teacher(dataset, listeners, plan)
        chain = [TrainedTeacher(teacher, teacher.quality(self.seen(dataset).validation, dataset.output))]
        for remark in teacher.remarks:
            listeners.say(remark, "assumed")
        what = "validation accuracy" if dataset.output.is_classes else "validation"
        listeners.say(f"teacher: {teacher.name}, {what} {chain[0].quality}")
        guess = _best_guess(self.seen(dataset).validation) if dataset.output.is_classes else 0.0
        if is_trained(self.teacher) and chain[0].quality.main <= guess:
            listeners.say(
                f"teacher {teacher.name}: is right no more often than the most frequent class as every answer, "
                f"{guess:.2%}; see whether weights, samples and the order of the classes are those of its training",
                "warning",
            )
        for config in self._assistant_configs(plan):
            name = f"assistant of width {config.width}"
            settings = plan.teacher_settings(self.seed)
            taught = dataset.with_last_train_samples(self.samples)
            training = SpikingTraining(name, taught, config, self.method, chain[-1].teacher, settings, plan.device)
            assistant = train_spiking(training, listeners=listeners)
            chain.append(TrainedTeacher(assistant, assistant.quality(dataset.validation, dataset.output)))
            listeners.say(f"{name}: {what} {chain[-1].quality}")
        return tuple(chain)

    def _assistant_configs(self, plan: StudentPlan) -> list[StudentConfig]:
        return [replace(plan.config, width=width) for width in self.assistants]

    def _check_match(self, shapes: NetworkShapes, is_first: bool) -> None:
        """Check that the method can match two networks; ``is_first`` if one of them is the teacher itself."""
        name = name_of(self.method)
        if self.method.requested_values(shapes).saliency and is_first and is_onnx(self.teacher):
            raise InputError(
                f"{arg('teacher', self.title)}: an ONNX file gives no gradients, and {arg('method', name)} needs them "
                f"for the teacher's saliency; give {arg('method', f'{name}:map=mean')}, or a named teacher"
            )
        self.method.auxiliary(shapes)

    def _check_pace(self, seen: Dataset, own: StudentConfig) -> None:
        """Refuse a teacher with another T or readout, which cannot be followed timestep by timestep."""
        teacher = self.teacher if not isinstance(self.teacher, str) else read_spiking_teacher(Path(self.teacher), seen)
        assert isinstance(teacher, SpikingTeacher)
        config, faults = teacher.config, []
        if config.timesteps != own.timesteps:
            faults.append(
                f"runs over {config.timesteps} steps and the student, which is to follow it step by step, over "
                f"{own.timesteps}; give {arg('timesteps', config.timesteps)}, or another teacher"
            )
        if config.readout != own.readout:
            faults.append(
                f"has a {config.readout} readout and the student a {own.readout} one; give "
                f"{arg('readout', config.readout)}, or another teacher"
            )
        refuse(arg("teacher", self.title), faults)


def _best_guess(split: Split) -> float:
    """The accuracy of always answering with the most frequent class."""
    return float(np.bincount(split.labels).max() / len(split))


def facts_of(chain: Sequence[TrainedTeacher]) -> dict[str, object]:
    """The facts about teacher and assistants in a student's file; JSON-able."""
    if not chain:
        return {}
    first, *assistants = chain
    teacher = first.teacher
    facts: dict[str, object] = {
        "teacher": teacher.name,
        "teacher_sha256": teacher.sha256,
        "teacher_validation_accuracy": first.quality.facts.get("accuracy"),
        "teacher_validation_quality": first.quality.facts,
    }
    if teacher.macs is not None:
        facts |= teacher.macs.as_facts
    if assistants:
        facts["assistants"] = [
            {
                "name": each.teacher.name,
                "sha256": each.teacher.sha256,
                "validation_accuracy": each.quality.facts.get("accuracy"),
                "validation_quality": each.quality.facts,
            }
            for each in assistants
        ]
    return facts
