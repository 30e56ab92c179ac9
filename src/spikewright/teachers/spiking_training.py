"""The training of spiking teachers and assistants, cached under a hash of everything that decides the weights.

These networks are not meant for a chip: they are trained in floating point, without a budget, and may have any size.
"""

from __future__ import annotations

import warnings
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from ..base.artefacts import sha256_of, sha256_of_json
from ..base.cache import cache_folder
from ..base.errors import InputError
from ..base.own_code import file_of, is_own
from ..base.progress import SILENT, Listeners
from ..data.dataset import Dataset
from ..distillation.base import LossTerms
from ..student.accuracy import quality_of_student
from ..student.architectures import own_architecture
from ..student.balance import balance
from ..student.config import StudentConfig
from ..student.student import Student, load_student, save_student, student_provenance
from ..student.train_settings import TrainSettings
from .spiking_teacher import SpikingTeacher
from .torch_teacher import Teacher
from .training_loop import TrainingLoop

BALANCED_ON = 128
"""Samples on which the weights of a network without norms are balanced."""
CODE_VERSION = 1  # raise it when the training changes, so that cached networks of older versions are trained again


@dataclass(frozen=True, eq=False)
class SpikingTraining:
    """The training of a spiking teacher or assistant.

    Attributes:
        name: of the network, for people.
        teacher: None for a method that needs none.
        settings: the values about integers and further rounds are not used.
    """

    name: str
    dataset: Dataset
    config: StudentConfig
    method: LossTerms
    teacher: Teacher | None
    settings: TrainSettings
    device: torch.device

    @property
    def key(self) -> str:
        """The hash of everything that decides the trained weights."""
        spec = self.config.architecture
        return sha256_of_json(
            {
                "data": self.dataset.name,
                "train_sha256": self.dataset.train.sha256,
                "validation_sha256": self.dataset.validation.sha256,
                "network": self.config.facts,
                "architecture_sha256": sha256_of(file_of(spec)) if is_own(spec) else None,
                "method": repr(self.method),
                "teacher_sha256": None if self.teacher is None else self.teacher.sha256,
                "settings": asdict(self.settings),
                "code_version": CODE_VERSION,
            }
        )


def train_spiking(
    training: SpikingTraining, cache_dir: Path | None = None, listeners: Listeners = SILENT
) -> SpikingTeacher:
    """The trained network, from the cache or newly trained.

    Args:
        cache_dir: None for the user's cache folder.
        listeners: receive the progress of the training.
    """
    key = training.key
    file = cache_folder("teachers", cache_dir) / f"{training.dataset.name}-snn-{key[:16]}.pt"
    student = _cached(file, key, own_architecture(training.config.architecture))
    if student is None:
        student = fit(training, listeners)
        save_student(student, file, {"key": key, "name": training.name})
    return SpikingTeacher(student, training.name)


def fit(training: SpikingTraining, listeners: Listeners = SILENT) -> Student:
    """Train a new network and take the weights of the best validation accuracy; the random state is left as it was."""
    settings = training.settings
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        student = Student(training.config)
        if training.config.norm == "none":
            train = training.dataset.train
            balance(student, torch.from_numpy(train.samples[: train.at_once(BALANCED_ON)]))
        loop = TrainingLoop(
            student=student,
            dataset=training.dataset,
            method=training.method,
            settings=settings,
            device=training.device,
        )
        loop.set_teacher(training.teacher)
        with listeners.task(training.name, loop.total_steps) as advance:
            for epoch in range(settings.epochs):
                loop.run_epoch(epoch, advance)
                found = quality_of_student(loop.student, training.dataset.validation, settings.seed)
                loop.keep_if_best(found.facts, epoch)
    if loop.best is not None:
        loop.student.load_state_dict(loop.best.weights)
    return loop.student.eval().cpu()


def _cached(file: Path, key: str, network: str | None) -> Student | None:
    """The network in ``file``; None where there is none, or not this one."""
    if not file.exists():
        return None
    try:
        if student_provenance(file).get("key") != key:
            raise InputError("it was made from something else")
        return load_student(file, network)
    except InputError as error:
        warnings.warn(
            f"{file}: the cached spiking network cannot be used ({error}); it is trained again",
            RuntimeWarning,
            stacklevel=3,
        )
        return None
