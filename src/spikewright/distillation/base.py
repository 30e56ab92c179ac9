"""The interface of a distillation method: typed options, the values that it needs, and named loss terms."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import ClassVar, Literal, TypeAlias

from torch import Tensor, nn

from ..base.errors import InputError
from ..base.options import Fault, Options
from ..data.output_rule import NO_LABEL
from ..sources.found import TASKS, Task
from ..student.label_loss import CROSS_ENTROPY, LabelLoss
from ..student.neurons import StudentOutput
from ..student.student import Student

Shape: TypeAlias = tuple[int, ...]
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
EITHER: frozenset[Task] = frozenset(TASKS)
NONE: Mapping[str, Tensor] = MappingProxyType({})


@dataclass(frozen=True)
class NetworkShapes:
    """Shapes of a student and its teacher, of one sample and without time.

    Attributes:
        student: by spiking layer in order, without the encoder: ``(C, H, W)`` or ``(N,)``.
        teacher: by value that the teacher can give, in order; empty without a teacher.
        classes: number of classes K.
        timesteps: T of the student.
        counts: whether the last of the student's layers is its readout, whose spike counts are the scores.
    """

    student: Mapping[str, Shape]
    teacher: Mapping[str, Shape]
    classes: int
    timesteps: int
    counts: bool = False

    @property
    def hidden(self) -> tuple[str, ...]:
        """The student's spiking layers before its readout, in order."""
        return tuple(self.student)[: -1 if self.counts else None]


def shapes_of(student: Student, teacher: Mapping[str, Shape] | None) -> NetworkShapes:
    """The shapes of a student and of the values that its teacher can give (None: there is no teacher)."""
    config = student.config
    counts = config.readout == "count"
    return NetworkShapes(student.layer_shapes, teacher or {}, config.classes, config.timesteps, counts)


@dataclass(frozen=True)
class RequestedValues:
    """Names of the teacher's values that a method needs besides the logits.

    Attributes:
        features: values that are needed as they are, ``(B, ...)``.
        saliency: feature maps ``(B, C, H, W)`` whose saliency ``(B, H, W)`` for the teacher's prediction is needed.
    """

    features: tuple[str, ...] = ()
    saliency: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class MixedLabels:
    """The second labels of samples that are mixed of two.

    Attributes:
        labels: of the smaller part of each sample, ``(B,)``.
        share: of the larger part, whose label is that of the batch, ``(B,)``, at least one half.
    """

    labels: Tensor
    share: Tensor


@dataclass(frozen=True, eq=False)
class BatchOutputs:
    """Outputs of student and teacher for one batch, from which a method computes its loss.

    Attributes:
        labels: class indices ``(B,)``, :data:`~spikewright.data.output_rule.NO_LABEL` of a sample without a label; or
            the logits ``(B, D)`` that stand for the values of a regression, NaN without a label.
        student: the student's forward pass.
        teacher_logits: ``(B, K)``, detached; None for a method without a teacher.
        synaptic_ops: synaptic operations per inference, a scalar with gradient; None if they are not counted.
        teacher_features, teacher_saliency: the values of :class:`RequestedValues` by name, detached.
        auxiliary: the method's own modules, which are trained with the student; None if it has none.
        longer: the student's forward pass over :meth:`LossTerms.training_timesteps`, whose first T timesteps are
            ``student``; None if that is T.
        source: the student's forward pass over the source images of the events; None unless the method needs it.
        progress: fraction of the training that is done, in [0, 1].
        label_loss: of outputs against labels.
        mixed: the second labels of samples that are mixed of two; None where they are not.
        heat: factor of the teacher's temperature, above 1 where a limit is to be held by smaller logits; for methods
            that say so (:attr:`LossTerms.takes_heat`).
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
    label_loss: LabelLoss = CROSS_ENTROPY

    mixed: MixedLabels | None = None
    heat: float = 1.0

    @property
    def is_labelled(self) -> Tensor:
        """Which samples have a label, bool, ``(B,)``."""
        return self.labels != NO_LABEL if self.labels.ndim == 1 else ~self.labels.isnan().any(1)

    @property
    def teacher(self) -> Tensor:
        """The teacher's logits, ``(B, K)``."""
        if self.teacher_logits is None:
            raise ValueError("this method needs teacher logits and the trainer gave none")
        return self.teacher_logits

    def rates(self, layer: str) -> Tensor:
        """The student's firing rates in a layer, ``(B, *shape)``, in [0, 1] spikes per timestep."""
        return self.student.rates(layer)


class LossTerms(Options, ABC):
    """Typed options of a method or regularizer, and the weighted terms that it adds to the loss.

    Raises:
        InputError: every unknown option and every value out of range.
    """

    title: ClassVar[str]
    equation: ClassVar[str]
    source: ClassVar[str]
    differs: ClassVar[str] = ""
    """From the published form, and how much; which options are that form."""
    confidence: ClassVar[Confidence]
    needs: ClassVar[frozenset[Need]] = frozenset()
    tasks: ClassVar[frozenset[Task]] = frozenset({"classification"})
    """What networks may be taught by it: to tell classes apart, or to answer with values."""
    of_classes: ClassVar[frozenset[str]] = frozenset()
    """Options that have no effect on values."""
    takes_heat: ClassVar[bool] = False
    """Whether a higher temperature of the teacher asks the student for smaller logits, by which a limit can be held."""
    fewest_timesteps: ClassVar[int] = 1
    """With fewer timesteps than this, only the cross-entropy with the labels is left of the loss."""

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: object) -> None:
        """Join the lines over which a class may write what it is."""
        super().__pydantic_init_subclass__(**kwargs)
        for name in vars(cls).keys() & {"equation", "source", "differs"}:
            setattr(cls, name, re.sub(r"\n *", " ", getattr(cls, name)))

    @classmethod
    def refusal(cls, faults: Sequence[Fault], called: str) -> InputError:
        """The error that lists ``faults`` and every option with its default."""
        listed = "; ".join(f"{fault.name}: {fault.reason}" for fault in faults)
        defaults = ", ".join(f"{name}={option.default}" for name, option in cls.model_fields.items()) or "none"
        return InputError(f"{called}: {listed}; options and their defaults: {defaults}")

    @abstractmethod
    def terms(self, batch: BatchOutputs) -> dict[str, Tensor]:
        """The named terms of the loss, scalars that are weighted already; the loss is their sum."""

    def requested_values(self, shapes: NetworkShapes) -> RequestedValues:  # noqa: ARG002
        """The teacher's values that the method needs besides the logits.

        Raises:
            InputError: the two networks cannot be matched as the options say.
        """
        return RequestedValues()

    def auxiliary(self, shapes: NetworkShapes) -> nn.Module | None:  # noqa: ARG002
        """Modules that are trained with the student and discarded afterwards; None if the method needs none.

        They are initialised in the order in which they are made.
        """
        return None

    def training_timesteps(self, timesteps: int) -> int:
        """Number of timesteps to run in training, at least T; those beyond T are not counted as spikes or energy."""
        return timesteps

    def source_drive(self, events: Tensor, images: Tensor, progress: float) -> Tensor:
        """The input drive of the forward pass over source images, of a method that needs "static twins".

        Args:
            events: event frames of the samples, ``(T, B, C, H, W)``.
            images: the source images that the events were made from, ``(B, c, H, W)`` in [0, 1].
            progress: fraction of the training that is done.

        Returns:
            event frames ``(T, B, C, H, W)``.
        """
        raise NotImplementedError(f"{type(self).__name__} needs no static twins")

    @classmethod
    def needs_teacher(cls) -> bool:
        """Whether the method cannot do without a teacher."""
        return bool(cls.needs & OF_TEACHER)
