"""What a teacher says of the training samples; asked once where the samples never change."""

from __future__ import annotations

import hashlib
import math
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ..data.dataset import Dataset
from ..distillation.base import LossTerms, RequestedValues
from .torch_teacher import BATCH, LOGITS, Teacher

KEPT_BYTES = 2 * 1024**3
"""Answers larger than this are not kept, but asked for again in every epoch; of those that are, a process remembers so
much from one training to the next."""


@dataclass(frozen=True, eq=False)
class Lesson:
    """What a teacher says of one batch, without gradient.

    Attributes:
        logits: ``(B, K)``.
        features: by value of the teacher, ``(B, ...)``.
        saliency: by value of the teacher, ``(B, H, W)``.
    """

    logits: Tensor
    features: dict[str, Tensor] = field(default_factory=dict)
    saliency: dict[str, Tensor] = field(default_factory=dict)

    def map(self, change: Callable[[Tensor], Tensor]) -> Lesson:
        """Every answer changed in the same way."""
        features = {name: change(value) for name, value in self.features.items()}
        return Lesson(change(self.logits), features, {name: change(value) for name, value in self.saliency.items()})

    @property
    def bytes(self) -> int:
        """What the answers take in memory."""
        return sum(value.nbytes for value in (self.logits, *self.features.values(), *self.saliency.values()))


_remembered: OrderedDict[tuple[object, ...], Lesson] = OrderedDict()
"""What ANNs said of whole training parts, the latest last."""


def seen_by_teacher(method: LossTerms, dataset: Dataset, spikes: bool) -> Dataset:
    """What a teacher learns and is asked about: the static twins of events, where there are some, else the samples.

    Args:
        spikes: whether the teacher does; it then sees the events, unless the method is about their twins.
    """
    sees_events = spikes and "static twins" not in method.needs
    return dataset if dataset.twin is None or sees_events else dataset.twin


class Lessons:
    """A teacher before its class.

    Args:
        images: all training samples as the teacher sees them, ``(n, C, H, W)`` or ``(n, T, C, H, W)``.
        changing: whether training augments the samples, and the teacher is to see them so.
    """

    def __init__(
        self, teacher: Teacher, asked: RequestedValues, images: Tensor, device: torch.device, changing: bool
    ) -> None:
        self._teacher, self._asked, self._images, self._device = teacher, asked, images, device
        self._changing = changing
        self._keeps = not changing and _bytes(teacher, asked, len(images)) <= KEPT_BYTES
        self._kept: Lesson | None = None

    def of(self, rows: Tensor, samples: Tensor) -> Lesson:
        """The lesson on training samples ``rows``, whose pixels are ``samples`` this time."""
        if not self._keeps:
            shown = samples if self._changing else self._images[rows]
            return lesson_on(self._teacher, self._asked, shown.to(self._device))
        if self._kept is None:
            self._kept = self._whole()
        return self._kept.map(lambda answer: answer[rows].to(self._device))

    def _whole(self) -> Lesson:
        """Of all samples, from memory where another training of this process has asked the same.

        Of a spiking teacher nothing is remembered: what it answers may be up to chance.
        """
        if self._teacher.spikes:
            return self._ask_all()
        shown = hashlib.sha256(self._images.contiguous().numpy().data).hexdigest()
        key = (self._teacher.name, self._teacher.sha256, shown, self._images.shape, self._device, self._asked)
        if key not in _remembered:
            _remembered[key] = self._ask_all()
        _remembered.move_to_end(key)
        while len(_remembered) > 1 and sum(lesson.bytes for lesson in _remembered.values()) > KEPT_BYTES:
            _remembered.popitem(last=False)
        return _remembered[key]

    def _ask_all(self) -> Lesson:
        parts = [
            lesson_on(self._teacher, self._asked, part.to(self._device)).map(lambda answer: answer.to("cpu"))
            for part in torch.split(self._images, BATCH)
        ]
        return Lesson(
            torch.cat([part.logits for part in parts]),
            {name: torch.cat([part.features[name] for part in parts]) for name in self._asked.features},
            {name: torch.cat([part.saliency[name] for part in parts]) for name in self._asked.saliency},
        )


def lesson_on(teacher: Teacher, asked: RequestedValues, samples: Tensor) -> Lesson:
    """Ask now."""
    values = teacher.features(samples, tuple(dict.fromkeys((*asked.features, LOGITS))))
    saliency = teacher.saliency(samples, asked.saliency) if asked.saliency else {}
    logits = values[LOGITS] if LOGITS in asked.features else values.pop(LOGITS)
    return Lesson(logits, values, saliency)


def _bytes(teacher: Teacher, asked: RequestedValues, samples: int) -> int:
    """What all answers take in memory, as float32."""
    shapes = teacher.shapes
    numbers = [math.prod(shapes[name]) for name in (LOGITS, *asked.features)]
    numbers += [math.prod(shapes[name][1:]) for name in asked.saliency]
    return 4 * samples * sum(numbers)
