"""Outputs of a teacher, cached where the training samples never change, and of the student for one batch."""

from __future__ import annotations

import hashlib
import math
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn

from ..data.dataset import Dataset
from ..distillation.base import BatchOutputs, LossTerms, MixedLabels, RequestedValues
from ..sources.rows import Rows
from ..student.label_loss import CROSS_ENTROPY, LabelLoss
from ..student.neurons import StudentOutput
from ..student.shared import Share, sharing
from ..student.student import Student
from ..student.whole_batch import WholeBatch
from .torch_teacher import LOGITS, Teacher, finite, in_batches, tensor_of

CACHE_BYTES = 2 * 1024**3
"""Larger outputs are not cached but computed again in every epoch; it also limits all that a process caches."""


@dataclass(frozen=True, eq=False)
class TeacherOutputs:
    """Outputs of a teacher for one batch, without gradient.

    Attributes:
        logits: ``(B, K)``.
        features: by name of the teacher's value, ``(B, ...)``.
        saliency: by name of the teacher's value, ``(B, H, W)``.
    """

    logits: Tensor
    features: dict[str, Tensor] = field(default_factory=dict)
    saliency: dict[str, Tensor] = field(default_factory=dict)

    def map(self, change: Callable[[Tensor], Tensor]) -> TeacherOutputs:
        """The same outputs with ``change`` applied to every tensor."""
        features = {name: change(value) for name, value in self.features.items()}
        return TeacherOutputs(change(self.logits), features, {n: change(value) for n, value in self.saliency.items()})

    @property
    def bytes(self) -> int:
        """The memory that the outputs take, in bytes."""
        return sum(value.nbytes for value in (self.logits, *self.features.values(), *self.saliency.values()))


_cache: OrderedDict[tuple[object, ...], TeacherOutputs] = OrderedDict()
"""Outputs of ANNs for whole training parts, the least recently used first."""


def seen_by_teacher(method: LossTerms, dataset: Dataset, spikes: bool) -> Dataset:
    """The samples that a teacher is trained and run on: the data set, or the source images of its events.

    Args:
        spikes: whether the teacher is a spiking network, which takes the events unless the method needs their sources.
    """
    sees_events = spikes and "static twins" not in method.needs
    return dataset if dataset.twin is None or sees_events else dataset.twin


class CachedOutputs:
    """A teacher's outputs for the samples of a training."""

    def __init__(
        self, teacher: Teacher, asked: RequestedValues, samples: Rows | Tensor, device: torch.device, augmented: bool
    ) -> None:
        """Prepare the cache; nothing is computed yet.

        Args:
            asked: the values that are needed in addition to the logits.
            samples: all training samples as the teacher takes them, ``(n, C, H, W)`` or ``(n, T, C, H, W)``.
            device: of the outputs.
            augmented: whether the training augments the samples; the teacher then takes them augmented too.
        """
        self.teacher, self._asked, self._samples, self._device = teacher, asked, samples, device
        self._augmented = augmented
        self._caches = not augmented and _bytes(teacher, asked, len(samples)) <= CACHE_BYTES
        self._all: TeacherOutputs | None = None

    def of(self, rows: Tensor, samples: Tensor, share: Share | None = None) -> TeacherOutputs:
        """The outputs for the training samples with indices ``rows``, which the teacher sees as ``samples`` now.

        Args:
            share: of the batch that this process computes; None for all of it. A spiking teacher, whose input may be
                drawn for the whole batch, computes it all.
        """
        if not self._caches:
            if self.teacher.spikes:
                share = None
            own = slice(None) if share is None else share.own
            shown = samples[own] if self._augmented else tensor_of(self._samples, rows[own])
            return outputs_of(self.teacher, self._asked, shown.to(self._device), share)
        if self._all is None:
            self._all = self._cached()
        return self._all.map(lambda value: value[rows].to(self._device))

    def _cached(self) -> TeacherOutputs:
        """The outputs for all samples, which trainings of one process share.

        Those of a spiking teacher are not shared, since they may depend on random numbers.
        """
        if self.teacher.spikes:
            return self._compute()
        shown = hashlib.sha256()
        for part in in_batches(self._samples):
            shown.update(part.contiguous().numpy().data)
        shape = tuple(self._samples.shape)
        key = (self.teacher.name, self.teacher.sha256, shown.hexdigest(), shape, self._device, self._asked)
        if key not in _cache:
            _cache[key] = self._compute()
        _cache.move_to_end(key)
        while len(_cache) > 1 and sum(outputs.bytes for outputs in _cache.values()) > CACHE_BYTES:
            _cache.popitem(last=False)
        return _cache[key]

    def _compute(self) -> TeacherOutputs:
        parts = [
            outputs_of(self.teacher, self._asked, part.to(self._device)).map(lambda value: value.to("cpu"))
            for part in in_batches(self._samples)
        ]
        return TeacherOutputs(
            torch.cat([part.logits for part in parts]),
            {name: torch.cat([part.features[name] for part in parts]) for name in self._asked.features},
            {name: torch.cat([part.saliency[name] for part in parts]) for name in self._asked.saliency},
        )


def outputs_of(teacher: Teacher, asked: RequestedValues, samples: Tensor, share: Share | None = None) -> TeacherOutputs:
    """Compute the teacher's outputs for samples ``(B, C, H, W)`` or ``(B, T, C, H, W)``.

    Args:
        share: of a batch that the samples are; what comes back is of the whole batch.

    Raises:
        InputError: outputs that are NaN or infinite.
    """
    values = teacher.features(samples, tuple(dict.fromkeys((*asked.features, LOGITS))))
    saliency = teacher.saliency(samples, asked.saliency) if asked.saliency else {}
    if share is not None:
        values, saliency = (
            {name: share.group.joined(value, share.samples) for name, value in found.items()}
            for found in (values, saliency)
        )
    for name, found in (*values.items(), *((f"saliency of {name}", each) for name, each in saliency.items())):
        finite(teacher, name, found)
    logits = values[LOGITS] if LOGITS in asked.features else values.pop(LOGITS)
    return TeacherOutputs(logits, values, saliency)


def _bytes(teacher: Teacher, asked: RequestedValues, samples: int) -> int:
    """Size of all outputs in memory, as float32."""
    shapes = teacher.shapes
    numbers = [math.prod(shapes[name]) for name in (LOGITS, *asked.features)]
    numbers += [math.prod(shapes[name][1:]) for name in asked.saliency]
    return 4 * samples * sum(numbers)


def batch_outputs(
    student: Student,
    method: LossTerms,
    labels: Tensor,
    samples: Tensor,
    *,
    sources: Tensor | None = None,
    teacher: TeacherOutputs | None = None,
    auxiliary: nn.Module | None = None,
    mixed: MixedLabels | None = None,
    progress: float = 0.0,
    seed: int = 0,
    first_index: int = 0,
    label_loss: LabelLoss = CROSS_ENTROPY,
    share: Share | None = None,
) -> BatchOutputs:
    """Run a batch through the student, with everything that a method needs of it, in one forward pass.

    Where the method requests it, the pass takes more timesteps than T, or the source images of the events as further
    samples of the batch, so that batch norms see both.

    Args:
        labels: classes ``(B,)``, or the logits ``(B, D)`` that stand for values.
        samples: ``(B, C, H, W)``, or frames ``(B, T, C, H, W)``.
        sources: the source images of the frames, ``(B, c, H, W)``; None for a method that does not need them.
        teacher: outputs for the same samples, None without a teacher.
        auxiliary: the method's own modules.
        mixed: the second labels of samples that are mixed of two.
        progress: fraction of the training that is done.
        seed: of the rate code, together with the index of the first sample.
        label_loss: of outputs against labels.
        share: of the batch that this process computes; None for all of it. What comes back is of the whole batch.
    """
    steps = student.config.timesteps
    timesteps = steps if sources is not None else method.training_timesteps(steps)
    if sources is not None:  # what is drawn for them is drawn for the whole batch
        drive = student.drive(samples, seed, first_index)
        drives = [drive, method.source_drive(drive, sources, progress)]
    else:
        part = slice(0, len(samples)) if share is None else share.own
        drives = [student.drive(samples[part], seed, first_index + part.start, timesteps)]
    own, source = _run(student, drives, timesteps, share)
    longer = None
    if timesteps != steps:
        longer, own = own, own.first(steps)
    whole, source, longer = (
        each if each is None or share is None else WholeBatch(each, share) for each in (own, source, longer)
    )
    assert whole is not None
    return BatchOutputs(
        labels,
        whole,
        None if teacher is None else teacher.logits,
        teacher_features={} if teacher is None else teacher.features,
        teacher_saliency={} if teacher is None else teacher.saliency,
        auxiliary=auxiliary,
        longer=longer,
        source=source,
        progress=progress,
        label_loss=label_loss,
        mixed=mixed,
    )


def _run(
    student: Student, drives: Sequence[Tensor], timesteps: int, share: Share | None
) -> tuple[StudentOutput, StudentOutput | None]:
    """Run one or two drives of the same samples as one batch, or a share of it; the outputs of each."""
    if len(drives) == 2 and share is not None:
        drives = [drive[:, share.own] for drive in drives]
    both, samples = torch.cat(list(drives), dim=1) if len(drives) > 1 else drives[0], drives[0].shape[1]
    with nullcontext() if share is None else sharing(replace(share, copies=len(drives))):
        found = student.run(both, timesteps)
    return (found, None) if len(drives) == 1 else (found.rows(0, samples), found.rows(samples, 2 * samples))
