"""The training loop of every student and spiking teacher: order of the samples, learning rate, steps, best weights."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from ..base.errors import InputError, arg
from ..base.progress import Advance
from ..chip.registers import TrainedGrid
from ..data.augment import augmented
from ..data.dataset import Dataset
from ..data.split import Split
from ..distillation.base import BatchOutputs, LossTerms, shapes_of
from ..student.student import Student
from ..student.train_settings import TrainSettings, learning_rate
from .outputs import CachedOutputs, batch_outputs, seen_by_teacher
from .torch_teacher import Teacher, tensor_of

LONGEST_GRADIENT = 5.0


@dataclass(frozen=True, eq=False)
class Batch:
    """The samples of one step.

    Attributes:
        rows: their indices in the training part, ``(B,)``.
        samples: as the networks see them in this epoch, ``(B, C, H, W)`` or ``(B, T, C, H, W)``.
        labels: ``(B,)``.
    """

    rows: Tensor
    samples: Tensor
    labels: Tensor


@dataclass(frozen=True, eq=False)
class BestWeights:
    """The weights with the best validation accuracy so far.

    Attributes:
        accuracy: on the validation part, from 0 to 1.
        grid: the scales of the weights' integers; None in floating point.
        epoch: in which the accuracy was measured.
    """

    accuracy: float
    weights: dict[str, Tensor]
    grid: TrainedGrid | None
    epoch: int


@dataclass(kw_only=True)
class TrainingLoop:
    """A student that learns by one method, and the state of its training between steps.

    Attributes:
        device: where steps are computed.
    """

    student: Student
    dataset: Dataset
    method: LossTerms
    settings: TrainSettings
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    best: BestWeights | None = None

    def __post_init__(self) -> None:
        self.steps_per_epoch = steps_per_epoch(self.dataset.train, self.settings)
        self.step = 0
        self.teacher_outputs: CachedOutputs | None = None
        self.auxiliary: nn.Module | None = None
        self.teacher_sha256: str | None = None
        self.student.to(self.device)
        self.renew_optimizer()

    def set_teacher(self, teacher: Teacher | None, seed: int | None = None) -> None:
        """Learn from this teacher, and make the method's own modules; before the first step.

        Args:
            teacher: None for a method without a teacher.
            seed: of the initial weights of the method's modules; None continues the current random state.
        """
        shapes = shapes_of(self.student, None if teacher is None else teacher.shapes)
        if teacher is not None:
            samples = seen_by_teacher(self.method, self.dataset, teacher.spikes).train.samples
            requested, is_augmented = self.method.requested_values(shapes), self.settings.augmentation != "none"
            self.teacher_sha256 = teacher.sha256
            self.teacher_outputs = CachedOutputs(teacher, requested, samples, self.device, is_augmented)
        if seed is not None:
            torch.manual_seed(seed)
        self.auxiliary = self.method.auxiliary(shapes)
        if self.auxiliary is not None:
            self.auxiliary.to(self.device).train()
        self.renew_optimizer()

    def renew_optimizer(self) -> None:
        """Start the optimiser anew, for the student and the method's modules as they are now."""
        self.optimizer = optimizer_of([m for m in (self.student, self.auxiliary) if m is not None], self.settings)

    @property
    def total_steps(self) -> int:
        """Optimiser steps of the training without further rounds."""
        return self.steps_per_epoch * self.settings.epochs

    @property
    def progress(self) -> float:
        """Fraction of the training that is done, further rounds not counted, in [0, 1]."""
        return min(1.0, self.step / self.total_steps)

    def run_epoch(self, number: int, advance: Advance) -> None:
        """Train on each batch of one epoch."""
        torch.manual_seed(self.settings.seed * 100_003 + number + 1)
        self.student.train()
        for batch in batches(self.dataset.train, self.settings, number, self.device):
            for group in self.optimizer.param_groups:
                group["lr"] = learning_rate(self.settings, self.step, self.steps_per_epoch)
            self.train_on(batch)
            self.step += 1
            advance(1)

    def train_on(self, batch: Batch) -> None:
        """One step of the optimiser; a subclass may add terms to the loss."""
        descend(self.optimizer, self.method.terms(self.outputs_of(batch)), self.step)

    def outputs_of(self, batch: Batch) -> BatchOutputs:
        """Outputs of student and teacher for a batch, without synaptic operations."""
        sources = None
        if "static twins" in self.method.needs and self.dataset.twin is not None:
            sources = tensor_of(self.dataset.twin.train.samples, batch.rows).to(self.device)
        return batch_outputs(
            self.student,
            self.method,
            batch.labels,
            batch.samples,
            sources=sources,
            teacher=None if self.teacher_outputs is None else self.teacher_outputs.of(batch.rows, batch.samples),
            auxiliary=self.auxiliary,
            progress=self.progress,
            seed=self.settings.seed,
            first_index=self.step * self.settings.batch,
        )

    def keep_if_best(self, accuracy: float, epoch: int) -> None:
        """Note the student's weights if no earlier epoch had a higher validation accuracy."""
        if self.best is None or accuracy >= self.best.accuracy:
            weights = {name: tensor.detach().clone() for name, tensor in self.student.state_dict().items()}
            self.best = BestWeights(accuracy, weights, self.student.grid, epoch)


def steps_per_epoch(split: Split, settings: TrainSettings) -> int:
    """The optimiser steps of an epoch: whole batches of the training part, at least one."""
    return max(1, len(split) // settings.batch)


def batches(split: Split, settings: TrainSettings, epoch: int, device: torch.device) -> Iterator[Batch]:
    """An epoch in the order, and with the augmentation, that belong to its number and the seed."""
    generator = torch.Generator().manual_seed(settings.seed * 100_003 + epoch)
    order = torch.randperm(len(split), generator=generator)
    labels = torch.from_numpy(split.labels)
    for position in range(steps_per_epoch(split, settings)):
        rows = order[position * settings.batch : (position + 1) * settings.batch]
        samples = augmented(tensor_of(split.samples, rows), settings.augmentation, generator, settings.reach)
        yield Batch(rows, samples.to(device), labels[rows].to(device))


def optimizer_of(modules: Sequence[nn.Module], settings: TrainSettings) -> torch.optim.AdamW:
    """AdamW; weights decay; biases, normalisation and neuron constants do not."""
    parameters = [p for module in modules for p in module.parameters()]
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": settings.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=settings.learning_rate)


def descend(optimizer: torch.optim.Optimizer, terms: dict[str, Tensor], step: int) -> None:
    """One step of the optimiser down the sum of all terms.

    Raises:
        InputError: the sum is not finite.
    """
    loss = torch.stack(list(terms.values())).sum()
    if not torch.isfinite(loss):
        values = ", ".join(f"{name} {float(term):.3g}" for name, term in terms.items())
        raise InputError(
            f"training: the loss is no longer finite at step {step} ({values}); lower {arg('learning_rate')}"
        )
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_([p for group in optimizer.param_groups for p in group["params"]], LONGEST_GRADIENT)
    optimizer.step()
