"""The training loop of every student and spiking teacher: order of the samples, learning rate, steps, best weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn

from ..augmentation.augment import Augmenter
from ..base.errors import InputError, arg
from ..base.processes import ALONE, Processes
from ..base.progress import Advance
from ..chip.registers import TrainedGrid
from ..data.dataset import Dataset
from ..data.split import Split
from ..distillation.base import BatchOutputs, LossTerms, MixedLabels, shapes_of
from ..student.label_loss import label_loss_of, standardised
from ..student.shared import Share
from ..student.student import Student
from ..student.train_settings import TrainSettings, learning_rate
from .order import rows_of, steps_of
from .outputs import CachedOutputs, TeacherOutputs, batch_outputs, seen_by_teacher
from .torch_teacher import Teacher, tensor_of

LONGEST_GRADIENT = 5.0
MOMENTUM = 0.9


@dataclass(frozen=True, eq=False)
class Batch:
    """The samples of one step.

    Attributes:
        rows: their indices in the training part, ``(B,)``.
        samples: as the networks see them in this epoch, ``(B, C, H, W)`` or ``(B, T, C, H, W)``.
        labels: ``(B,)``.
        twins: the same samples of the data set's twin as an augmentation changed them; None where there is none.
        mixed: the second labels of samples that are mixed of two; None where they are not.
    """

    rows: Tensor
    samples: Tensor
    labels: Tensor
    twins: Tensor | None = None
    mixed: MixedLabels | None = None


@dataclass(frozen=True, eq=False)
class BestWeights:
    """The weights that are best on the validation part so far.

    Attributes:
        merit: the number that epochs are told apart by; see :meth:`TrainingLoop.merit_of`.
        grid: the scales of the weights' integers; None in floating point.
        epoch: in which it was measured.
        quality: by name, how good the answers on the validation part were.
    """

    merit: float
    weights: dict[str, Tensor]
    grid: TrainedGrid | None
    epoch: int
    quality: Mapping[str, float] = field(default_factory=dict)


@dataclass(kw_only=True)
class TrainingLoop:
    """A student that learns by one method, and the state of its training between steps.

    Attributes:
        device: where steps are computed.
        group: the processes that share each batch.
    """

    student: Student
    dataset: Dataset
    method: LossTerms
    settings: TrainSettings
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    best: BestWeights | None = None
    group: Processes = ALONE

    def __post_init__(self) -> None:
        self.steps_per_epoch = steps_per_epoch(self.dataset.train, self.settings)
        self.augmenter = Augmenter(self.dataset, self.settings.augmentation, self.settings.reach)
        self.teacher_sees_twin = False
        self.step = 0
        self.teacher_outputs: CachedOutputs | None = None
        self.auxiliary: nn.Module | None = None
        self.teacher_sha256: str | None = None
        self.label_loss = label_loss_of(self.dataset, self.settings.loss, self.settings.class_weights)
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
            seen = seen_by_teacher(self.method, self.dataset, teacher.spikes)
            samples, self.teacher_sees_twin = seen.train.samples, seen is not self.dataset
            requested, is_augmented = self.method.requested_values(shapes), bool(self.augmenter.transforms)
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
        torch.manual_seed(epoch_seed(self.settings.seed, number + 1))
        self.student.train()
        for batch in batches(self.dataset.train, self.settings, number, self.device, self.augmenter):
            for group in self.optimizer.param_groups:
                group["lr"] = learning_rate(self.settings, self.step, self.steps_per_epoch)
            self.train_on(batch)
            self.step += 1
            advance(1)

    def train_on(self, batch: Batch) -> None:
        """One step of the optimiser; a subclass may add terms to the loss."""
        descend(self.optimizer, self.method.terms(self.outputs_of(batch)), self.step, self._sum_gradients)

    def outputs_of(self, batch: Batch) -> BatchOutputs:
        """Outputs of student and teacher for a batch, without synaptic operations."""
        sources, shown = None, batch.samples
        if "static twins" in self.method.needs and self.dataset.twin is not None:
            sources = batch.twins
            if sources is None:
                sources = tensor_of(self.dataset.twin.train.samples, batch.rows).to(self.device)
        if self.teacher_sees_twin and batch.twins is not None:
            shown = batch.twins
        labels, mixed = self._right(batch)
        return batch_outputs(
            self.student,
            self.method,
            labels,
            batch.samples,
            sources=sources,
            teacher=None if self.teacher_outputs is None else self._answers(self.teacher_outputs, batch, shown),
            share=self._share_of(batch),
            mixed=mixed,
            auxiliary=self.auxiliary,
            progress=self.progress,
            seed=self.settings.seed,
            first_index=self.step * self.settings.batch,
            label_loss=self.label_loss,
        )

    def _right(self, batch: Batch) -> tuple[Tensor, MixedLabels | None]:
        """Labels and second labels of a batch; values in standard deviations, those of mixed samples in their shares.

        A mixture of which one part has no value has none.
        """
        rule, mixed = self.dataset.output, batch.mixed
        if rule.is_classes:
            return batch.labels, mixed
        values = standardised(batch.labels, rule)
        if mixed is None:
            return values, None
        share = mixed.share[:, None]
        return share * values + (1 - share) * standardised(mixed.labels, rule), None

    def _share_of(self, batch: Batch) -> Share | None:
        """The share of a batch that this process computes; None for all of it."""
        return None if self.group.size == 1 else Share(self.group, len(batch.rows))

    def _sum_gradients(self) -> None:
        """Sum the gradients of the student's weights over the processes, each of which has those of its own part.

        The modules of a method compute the whole batch in every process; those of the first process are taken.
        """
        if self.group.size == 1:
            return
        parts = [(parameter, True) for parameter in self.student.parameters()]
        if self.auxiliary is not None:
            parts += [(parameter, self.group.is_first) for parameter in self.auxiliary.parameters()]
        learnt = [(each.grad, counts) for each, counts in parts if each.grad is not None]
        flat = torch.cat([(grad if counts else torch.zeros_like(grad)).flatten() for grad, counts in learnt])
        sums = torch.split(self.group.summed(flat), [grad.numel() for grad, _ in learnt])
        for (grad, _), whole in zip(learnt, sums, strict=True):
            grad.copy_(whole.view_as(grad))

    def _answers(self, outputs: CachedOutputs, batch: Batch, shown: Tensor) -> TeacherOutputs:
        """The teacher's outputs for a batch that it sees as ``shown``; values in standard deviations."""
        found = outputs.of(batch.rows, shown, self._share_of(batch))
        return replace(found, logits=outputs.teacher.standardised(found.logits, self.dataset.output))

    def merit_of(self, quality: Mapping[str, float]) -> float:
        """The number that epochs are told apart by, the higher the better: of answers on the validation part the
        accuracy, with class weights the balanced accuracy, or R^2.
        """
        if not self.dataset.output.is_classes:
            return quality["r2"]
        return quality["balanced_accuracy" if self.label_loss.weights else "accuracy"]

    def keep_if_best(self, quality: Mapping[str, float], epoch: int) -> None:
        """Note the student's weights if no earlier epoch was better on the validation part."""
        merit = self.merit_of(quality)
        if self.best is None or merit >= self.best.merit:
            weights = {name: tensor.detach().clone() for name, tensor in self.student.state_dict().items()}
            self.best = BestWeights(merit, weights, self.student.grid, epoch, dict(quality))


def steps_per_epoch(split: Split, settings: TrainSettings) -> int:
    """The optimiser steps of an epoch: whole batches, at least one."""
    return steps_of(split, settings.batch, settings.epoch_samples)


def epoch_seed(seed: int, epoch: int) -> int:
    """The seed of an epoch, far from those of the same training's others; in the 64 bits that torch takes."""
    return (seed * 100_003 + epoch) % 2**64


def batches(
    split: Split, settings: TrainSettings, epoch: int, device: torch.device, augmenter: Augmenter
) -> Iterator[Batch]:
    """An epoch in the order, and with the augmentation, that belong to its number and the seed.

    Args:
        split: the training part of the augmenter's data set.
    """
    generator = torch.Generator().manual_seed(epoch_seed(settings.seed, epoch))
    labels = torch.from_numpy(split.labels)
    for rows in rows_of(split, settings.batch, generator, settings.epoch_samples, settings.labelled_share):
        shown, mine = augmenter(rows, generator), labels[rows].to(device)
        mixed = None
        if shown.mixed is not None:
            other, share = (each.to(device) for each in shown.mixed)
            mixed = MixedLabels(mine[other], share)
        twins = None if shown.twins is None else shown.twins.to(device)
        yield Batch(rows, shown.samples.to(device), mine, twins, mixed)


def optimizer_of(modules: Sequence[nn.Module], settings: TrainSettings) -> torch.optim.Optimizer:
    """AdamW or SGD; weights decay; biases, normalisation and neuron constants do not."""
    parameters = [p for module in modules for p in module.parameters()]
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": settings.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    if settings.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=settings.learning_rate, momentum=MOMENTUM, nesterov=True)
    return torch.optim.AdamW(groups, lr=settings.learning_rate)


def descend(
    optimizer: torch.optim.Optimizer,
    terms: dict[str, Tensor],
    step: int,
    complete: Callable[[], None] = lambda: None,
) -> None:
    """One step of the optimiser down the sum of all terms.

    Args:
        complete: called when gradients are there, of which other processes may have a part.

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
    complete()
    torch.nn.utils.clip_grad_norm_([p for group in optimizer.param_groups for p in group["params"]], LONGEST_GRADIENT)
    optimizer.step()
