"""What every distillation method is: typed options, what it needs to see, and a set of named loss terms."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from pydantic import BaseModel, ConfigDict, ModelWrapValidatorHandler, ValidationError, ValidationInfo, model_validator
from torch import Tensor, nn

from ..base.errors import InputError
from ..student.student import Student
from ..student.student_output import StudentOutput

Confidence = Literal["high", "medium", "low"]

Need = Literal[
    "teacher logits",
    "teacher features",
    "teacher saliency",
    "spiking teacher",
    "student features",
    "step logits",
    "membranes",
    "auxiliary modules",
    "longer horizon",
    "static twins",
]
OF_TEACHER: frozenset[Need] = frozenset({"teacher logits", "teacher features", "teacher saliency", "spiking teacher"})
NONE: Mapping[str, Tensor] = MappingProxyType({})


@dataclass(frozen=True)
class NetworkShapes:
    """What networks look like that are about to learn from each other.

    Attributes:
        student: by spiking layer in order, the encoder left out, one step of one sample: ``(C, H, W)`` or ``(N,)``.
        teacher: by value that the teacher can give in order, of one sample; empty without a teacher.
        classes: K.
        timesteps: T of the student.
        counts: whether the last of the student's layers is its readout, whose spikes are the answer.
    """

    student: Mapping[str, tuple[int, ...]]
    teacher: Mapping[str, tuple[int, ...]]
    classes: int
    timesteps: int
    counts: bool = False

    @property
    def hidden(self) -> tuple[str, ...]:
        """The student's spiking layers before its readout, in order."""
        return tuple(self.student)[: -1 if self.counts else None]


def shapes_of(student: Student, teacher: Mapping[str, tuple[int, ...]] | None) -> NetworkShapes:
    """The shapes of a student and, where there is one, of the values of a teacher."""
    config = student.config
    return NetworkShapes(
        student.layer_shapes, teacher or {}, config.classes, config.timesteps, config.readout == "count"
    )


@dataclass(frozen=True)
class RequestedValues:
    """What a method asks of a teacher besides logits: names of its values.

    Attributes:
        features: the values themselves, ``(B, ...)``.
        saliency: values ``(B, C, H, W)`` of which a map ``(B, H, W)`` is wanted: what speaks for the teacher's answer.
    """

    features: tuple[str, ...] = ()
    saliency: tuple[str, ...] = ()


@dataclass(frozen=True)
class BatchOutputs:
    """What a method sees of one batch.

    Attributes:
        labels: class indices, ``(B,)``.
        student: the student's forward pass.
        teacher_logits: ``(B, K)``, detached; None for a method that needs no teacher.
        synaptic_ops: of one inference, a scalar with gradient; None where nobody counts them.
        teacher_features, teacher_saliency: what was :class:`RequestedValues`, by name, detached.
        auxiliary: the method's own modules, which learn with the student; None where it has none.
        longer: the same samples over :meth:`LossTerms.training_timesteps`, of which ``student`` holds the first T; None
            where that is T.
        source: the student's pass over the samples' static twins, encoded as spikes; None unless needed.
        progress: share of the training that is done, in [0, 1].
    """

    labels: Tensor
    student: StudentOutput
    teacher_logits: Tensor | None
    synaptic_ops: Tensor | None = None
    teacher_features: Mapping[str, Tensor] = field(default_factory=lambda: NONE)
    teacher_saliency: Mapping[str, Tensor] = field(default_factory=lambda: NONE)
    auxiliary: nn.Module | None = None
    longer: StudentOutput | None = None
    source: StudentOutput | None = None
    progress: float = 0.0

    @property
    def teacher(self) -> Tensor:
        """The teacher's logits, which the caller promised."""
        if self.teacher_logits is None:
            raise ValueError("this method needs teacher logits and the trainer gave none")
        return self.teacher_logits


class LossTerms(BaseModel, ABC):
    """Typed options of a method or regularizer, and the weighted terms it adds to the loss.

    Raises:
        InputError: every unknown option and every value out of range.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: ClassVar[str]
    equation: ClassVar[str]
    source: ClassVar[str]
    confidence: ClassVar[Confidence]
    needs: ClassVar[frozenset[Need]] = frozenset()
    fewest_timesteps: ClassVar[int] = 1
    """The least T with which it is more than labels alone."""

    @model_validator(mode="wrap")
    @classmethod
    def _refuse_faults(
        cls, options: object, validate: ModelWrapValidatorHandler[LossTerms], info: ValidationInfo
    ) -> LossTerms:
        try:
            return validate(options)
        except ValidationError as error:
            called = (info.context or {}).get("called", cls.__name__)
            faults = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg'].lower()}" for e in error.errors())
            defaults = ", ".join(f"{name}={field.default}" for name, field in cls.model_fields.items()) or "none"
            raise InputError(f"{called}: {faults}; options and their defaults: {defaults}") from error

    @abstractmethod
    def terms(self, batch: BatchOutputs) -> dict[str, Tensor]:
        """Named scalar terms, already weighted; the loss is their sum."""

    def requested_values(self, shapes: NetworkShapes) -> RequestedValues:  # noqa: ARG002
        """What the teacher is asked besides its logits.

        Raises:
            InputError: the two networks cannot be matched as the options say.
        """
        return RequestedValues()

    def auxiliary(self, shapes: NetworkShapes) -> nn.Module | None:  # noqa: ARG002
        """Modules that learn with the student and are left behind when it is done; their order is their seed's."""
        return None

    def training_timesteps(self, timesteps: int) -> int:
        """Steps that training runs the student for, at least T; those beyond T are in no count."""
        return timesteps

    def source_drive(self, events: Tensor, twins: Tensor, progress: float) -> Tensor:
        """What the student sees in place of samples when it learns from their static twins.

        Args:
            events: the samples' frames of events, ``(T, B, C, H, W)``.
            twins: the images that they were made from, ``(B, c, H, W)`` in [0, 1].
            progress: share of the training that is done.

        Returns:
            frames of events ``(T, B, C, H, W)``.
        """
        raise NotImplementedError(f"{type(self).__name__} needs no static twins")

    @classmethod
    def needs_teacher(cls) -> bool:
        """Whether there must be one."""
        return bool(cls.needs & OF_TEACHER)


def kl_divergence(teacher: Tensor, student: Tensor, teacher_temperature: float, student_temperature: float) -> Tensor:
    """``KL(softmax(teacher / tau_T) || softmax(student / tau_S))``, summed over classes, averaged over the batch.

    Args:
        teacher: logits ``(B, K)``, treated as constant.
        student: logits ``(B, K)``.
    """
    log_p = F.log_softmax(teacher.detach() / teacher_temperature, dim=-1)
    log_q = F.log_softmax(student / student_temperature, dim=-1)
    return F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)


def cross_entropy(batch: BatchOutputs) -> Tensor:
    """``CE(softmax(z), y)`` of the student's time-averaged logits, averaged over the batch."""
    return F.cross_entropy(batch.student.logits, batch.labels)


def hidden_rates(batch: BatchOutputs) -> list[Tensor]:
    """Spike trains ``(T, B, *shape)`` of every firing layer whose spikes training can change."""
    trains = [s for s in batch.student.spikes.values() if s.requires_grad]
    return trains or [torch.zeros(1, device=batch.labels.device)]
