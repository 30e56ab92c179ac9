"""What a teacher answers for the training samples, computed once where the samples never change."""

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

CACHE_BYTES = 2 * 1024**3
"""Outputs larger than this are not kept but computed again in every epoch; a process keeps so much in all from one
training to the next."""


@dataclass(frozen=True, eq=False)
class TeacherOutputs:
    """What a teacher answers for one batch, without gradient.

    Attributes:
        logits: ``(B, K)``.
        features: by name of the teacher's value, ``(B, ...)``.
        saliency: by name of the teacher's value, ``(B, H, W)``.
    """

    logits: Tensor
    features: dict[str, Tensor] = field(default_factory=dict)
    saliency: dict[str, Tensor] = field(default_factory=dict)

    def map(self, change: Callable[[Tensor], Tensor]) -> TeacherOutputs:
        """Every tensor changed in the same way."""
        features = {name: change(value) for name, value in self.features.items()}
        return TeacherOutputs(change(self.logits), features, {n: change(value) for n, value in self.saliency.items()})

    @property
    def bytes(self) -> int:
        """Size in memory."""
        return sum(value.nbytes for value in (self.logits, *self.features.values(), *self.saliency.values()))


_cache: OrderedDict[tuple[object, ...], TeacherOutputs] = OrderedDict()
"""Outputs of ANNs for whole training parts, the least recently used first."""


def seen_by_teacher(method: LossTerms, dataset: Dataset, spikes: bool) -> Dataset:
    """The samples that a teacher learns and answers for: the data, or the images that events were made from.

    Args:
        spikes: whether the teacher is a spiking network, which sees the events unless the method is about their twins.
    """
    sees_events = spikes and "static twins" not in method.needs
    return dataset if dataset.twin is None or sees_events else dataset.twin


class CachedOutputs:
    """A teacher's outputs for the samples of a training."""

    def __init__(
        self, teacher: Teacher, asked: RequestedValues, images: Tensor, device: torch.device, augmented: bool
    ) -> None:
        """Compute nothing yet.

        Args:
            asked: the values that are wanted besides logits.
            images: all training samples as the teacher sees them, ``(n, C, H, W)`` or ``(n, T, C, H, W)``.
            device: of the outputs.
            augmented: whether training augments the samples, and the teacher sees them augmented.
        """
        self._teacher, self._asked, self._images, self._device = teacher, asked, images, device
        self._augmented = augmented
        self._caches = not augmented and _bytes(teacher, asked, len(images)) <= CACHE_BYTES
        self._all: TeacherOutputs | None = None

    def of(self, rows: Tensor, samples: Tensor) -> TeacherOutputs:
        """The outputs for the training samples ``rows``, whose pixels are ``samples`` this time."""
        if not self._caches:
            shown = samples if self._augmented else self._images[rows]
            return outputs_of(self._teacher, self._asked, shown.to(self._device))
        if self._all is None:
            self._all = self._cached()
        return self._all.map(lambda value: value[rows].to(self._device))

    def _cached(self) -> TeacherOutputs:
        """The outputs for all samples, from memory where another training of this process has computed them.

        Those of a spiking teacher are not shared: they may depend on chance.
        """
        if self._teacher.spikes:
            return self._compute()
        shown = hashlib.sha256(self._images.contiguous().numpy().data).hexdigest()
        key = (self._teacher.name, self._teacher.sha256, shown, self._images.shape, self._device, self._asked)
        if key not in _cache:
            _cache[key] = self._compute()
        _cache.move_to_end(key)
        while len(_cache) > 1 and sum(outputs.bytes for outputs in _cache.values()) > CACHE_BYTES:
            _cache.popitem(last=False)
        return _cache[key]

    def _compute(self) -> TeacherOutputs:
        parts = [
            outputs_of(self._teacher, self._asked, part.to(self._device)).map(lambda value: value.to("cpu"))
            for part in torch.split(self._images, BATCH)
        ]
        return TeacherOutputs(
            torch.cat([part.logits for part in parts]),
            {name: torch.cat([part.features[name] for part in parts]) for name in self._asked.features},
            {name: torch.cat([part.saliency[name] for part in parts]) for name in self._asked.saliency},
        )


def outputs_of(teacher: Teacher, asked: RequestedValues, samples: Tensor) -> TeacherOutputs:
    """The teacher's outputs for samples ``(B, C, H, W)`` or ``(B, T, C, H, W)``, computed now."""
    values = teacher.features(samples, tuple(dict.fromkeys((*asked.features, LOGITS))))
    saliency = teacher.saliency(samples, asked.saliency) if asked.saliency else {}
    logits = values[LOGITS] if LOGITS in asked.features else values.pop(LOGITS)
    return TeacherOutputs(logits, values, saliency)


def _bytes(teacher: Teacher, asked: RequestedValues, samples: int) -> int:
    """Size of all outputs in memory, as float32."""
    shapes = teacher.shapes
    numbers = [math.prod(shapes[name]) for name in (LOGITS, *asked.features)]
    numbers += [math.prod(shapes[name][1:]) for name in asked.saliency]
    return 4 * samples * sum(numbers)
