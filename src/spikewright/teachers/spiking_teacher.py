"""Spiking teachers: networks derived from the student (``snn``, assistants), and students from a file."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import torch
from pydantic import Field
from torch import Tensor

from ..base.artefacts import sha256_of
from ..base.errors import InputError, refuse
from ..base.options import Fault, Options
from ..data.dataset import Dataset
from ..data.output_rule import CLASSES, OutputRule
from ..data.quality import Quality
from ..data.split import Split
from ..distillation.distilling_spikes import STEPS
from ..student.accuracy import quality_of_student
from ..student.config import StudentConfig
from ..student.student import Student, load_student
from ..student.train_settings import TrainSettings
from .features import no_map, unknown_feature
from .hashes import weights_sha256
from .torch_teacher import LOGITS, Teacher

SPIKING = "snn"
LABELS = "labels"
WIDER = 2
NAMED = 10
"""Names of classes that a message tells at most."""


class SpikingSpec(Options):
    """A spiking teacher that is derived from the student: the options that may follow ``snn:``."""

    width: int | None = Field(None, ge=1, description="channels of its first layer; left out, twice the student's")
    taught_by: str = Field(LABELS, description="labels, or a teacher that it is distilled from first, by kd")

    @classmethod
    def refusal(cls, faults: Sequence[Fault], called: str) -> InputError:
        """The error that lists ``faults``, with examples of what may be given."""
        listed = "; ".join(f"{fault.name}: {fault.reason}" for fault in faults)
        return InputError(f"{called}: {listed}; may be snn:width=32,taught_by=convnet, or either alone")


@dataclass(frozen=True)
class StudentPlan:
    """The network and the training of a student, from which spiking teachers are derived.

    Attributes:
        settings: of the student's training; those of a teacher differ in seed and epochs.
        epochs: of a spiking teacher's training, if none are given.
        device: for the training.
    """

    config: StudentConfig
    settings: TrainSettings
    epochs: int
    device: torch.device

    def teacher_settings(self, seed: int, epochs: int | None = None) -> TrainSettings:
        """The training of a spiking teacher: in floating point, without further rounds.

        Args:
            epochs: None for the student's.
        """
        epochs = epochs or self.settings.epochs
        return replace(self.settings, epochs=epochs, seed=seed, integer_from=1.0, max_rounds=0, shorten=None)

    def wider(self, width: int | None, dataset: Dataset) -> StudentConfig:
        """The student's network with another width, None for twice the student's.

        If the teacher takes images and the student events, the teacher's input is direct.
        """
        own = self.config
        sees_images = own.encoding == "events" and dataset.timesteps is None
        return replace(
            own,
            width=width or WIDER * own.width,
            input_shape=dataset.shape,
            encoding="direct" if sees_images else own.encoding,
        )


def is_like_student(teacher: Teacher | str) -> bool:
    """Whether a teacher's description is that of a spiking network derived from the student."""
    return isinstance(teacher, str) and teacher.partition(":")[0] == SPIKING


def spiking_spec(text: str) -> SpikingSpec:
    """Read ``snn`` or ``snn:option=value,option=value``.

    Raises:
        InputError: every unknown option and every value that is not allowed.
    """
    pairs = (pair.partition("=") for pair in filter(None, text.partition(":")[2].split(",")))
    options = {key.strip(): value.strip() for key, _, value in pairs}
    return SpikingSpec.model_validate(options, context={"called": f"teacher {text}"})


class SpikingTeacher(Teacher):
    """A frozen copy of a spiking network, which starts from rest for every sample.

    Its multiply-accumulates are not counted, since spikes need additions only. Like
    :class:`~spikewright.teachers.torch_teacher.TorchTeacher`, it is not a module.

    Attributes:
        name: for people.
        sha256: of the weights, or of the file that the network was read from.
        config: of the network.
        names: its spiking layers, whose values are rates over its T timesteps, in [0, 1]; ``steps``, the logits or the
            output spikes of each timestep, ``(B, T, K)``; ``logits``.
    """

    spikes = True

    def __init__(self, student: Student, name: str, sha256: str | None = None) -> None:
        self._student = _frozen_copy(student)
        self.name = name
        self.sha256 = sha256 or weights_sha256(self._student)
        self.config: StudentConfig = student.config

    def for_data(self, dataset: Dataset) -> SpikingTeacher:
        refuse(f"teacher {self.name}", list(_misfits(self.config, dataset)))
        return self

    @cached_property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        return value_shapes(self._student)

    def features(self, images: Tensor, names: Sequence[str]) -> dict[str, Tensor]:
        unknown_feature(self.name, names, self.names)
        with torch.no_grad():
            output = self._on(images.device)(images)
        values = {LOGITS: self._in_own_unit(output.logits), STEPS: output.step_logits.transpose(0, 1)}
        return {name: values[name] if name in values else output.spikes[name].mean(0) for name in names}

    def saliency(self, images: Tensor, names: Sequence[str]) -> dict[str, Tensor]:
        """Grad-CAM maps of spiking layers: ``ReLU(sum_c w_c r_c)``, ``w_c = mean_pixels(sum_t dz_k/ds_tc)``.

        ``r`` are rates, ``s`` spikes, ``k`` is the predicted class; gradients are surrogate gradients.

        Returns:
            By name, ``(B, H, W)``, at least 0.

        Raises:
            InputError: a name that the network does not have, or one whose value is no map.
        """
        unknown_feature(self.name, names, self.names)
        flat = [name for name in names if name in (STEPS, LOGITS) or len(self.shapes[name]) != 3]
        refuse(f"teacher {self.name}", [no_map(name, self.shapes[name]) for name in flat])
        student = self._on(images.device)
        with torch.enable_grad():  # type: ignore[no-untyped-call]  # from the input, since the weights ask for no gradient
            output = student.run(student.drive(images).requires_grad_())
            trains = [output.spikes[name] for name in names]
            slopes = torch.autograd.grad(output.logits.max(1).values.sum(), trains)
        weights = [slope.sum(0).mean((2, 3), keepdim=True) for slope in slopes]
        rates = [train.detach().mean(0) for train in trains]
        return {name: (w * r).sum(1).relu() for name, w, r in zip(names, weights, rates, strict=True)}

    def quality(self, split: Split, output: OutputRule = CLASSES) -> Quality:  # noqa: ARG002
        return quality_of_student(self._student, split)

    def _in_own_unit(self, logits: Tensor) -> Tensor:
        """Logits; of values these, since another data set has other standard deviations."""
        rule = self.config.output
        return logits if rule.is_classes else logits.new_tensor(rule.center) + logits.new_tensor(rule.spread) * logits

    def _on(self, device: torch.device) -> Student:
        return self._student.to(device).eval()


def value_shapes(student: Student) -> dict[str, tuple[int, ...]]:
    """By name of a value that a :class:`SpikingTeacher` of this network has, its shape for one sample."""
    config = student.config
    return {**student.layer_shapes, STEPS: (config.timesteps, config.classes), LOGITS: (config.classes,)}


def read_spiking_teacher(path: Path, dataset: Dataset) -> SpikingTeacher:
    """The teacher in a file that was written by `spikewright distill`.

    Raises:
        InputError: no such file, or a network that does not fit the data set, with every reason.
    """
    student = load_student(path)
    refuse(f"teacher {path}", list(_misfits(student.config, dataset)))
    return SpikingTeacher(student, path.name, sha256_of(path))


def _misfits(config: StudentConfig, dataset: Dataset) -> Iterator[str]:
    again = f"use one that was trained on {dataset.name}"
    if config.input_shape != dataset.shape:
        yield f"takes samples of {_size(config.input_shape)} and {dataset.name} has {_size(dataset.shape)}; {again}"
    words = {True: "classes", False: "values"}
    mine, theirs = words[config.output.is_classes], words[dataset.output.is_classes]
    if config.classes != dataset.classes or mine != theirs:
        has = dataset.classes if mine == theirs else f"{dataset.classes} {theirs}"
        yield f"has {config.classes} {mine} and {dataset.name} has {has}; {again}"
    elif config.output.names and dataset.output.names and config.output.names != dataset.output.names:
        named = [", ".join(each.names[:NAMED]) for each in (config.output, dataset.output)]
        yield f"its {mine} are {named[0]}, and those of {dataset.name} {named[1]}; {again}"
    kinds = {True: "events", False: "images"}
    takes, has = config.encoding == "events", dataset.timesteps is not None
    if takes != has:
        yield f"takes {kinds[takes]} and {dataset.name} has {kinds[has]}; {again}"
    elif has and config.timesteps != dataset.timesteps:
        frames = f"{dataset.timesteps} frames"
        yield f"runs over {config.timesteps} timesteps and the samples have {frames}; {again} with {frames}"


def _size(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape))


def _frozen_copy(student: Student) -> Student:
    copied = Student(student.config, copy.deepcopy(student.network))
    copied.encoder = copy.deepcopy(student.encoder)
    if student.grid is not None:
        copied.take_grid(student.grid)
    return copied.eval().requires_grad_(False)
