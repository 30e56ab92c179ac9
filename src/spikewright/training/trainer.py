"""The training loop: one student, one method, any regularizers, and constraints where there are some.

Two phases: a warm-up in floats, then the chip's own integers to the end. While a constraint is not met, or met with
accuracy left to gain, rounds of further epochs follow.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn

from ..base.progress import Advance, Listeners
from ..chip.registers import TrainedGrid
from ..data.dataset import Dataset
from ..distillation.base import BatchOutputs, LossTerms, shapes_of
from ..energy.estimate import Floor
from ..student.accuracy import accuracy_of
from ..student.epochs import Batch, batches, descend, optimizer_of, steps_per_epoch
from ..student.integers.form import become_integer, settle
from ..student.student import Student
from ..student.train_settings import Chip, TrainSettings, learning_rate
from ..teachers.cached_outputs import CachedOutputs, seen_by_teacher
from ..teachers.passes import Passes, batch_outputs, passes
from ..teachers.torch_teacher import Teacher
from .constraints import FLOOR_SAMPLES, Limit
from .cost import SpikeCost
from .measurement import Measurement, measure
from .records import Clock, EpochRecord, Means, logit_range, summary
from .silent_neurons import revive


@dataclass(frozen=True, eq=False)
class BestWeights:
    """The best weights so far.

    Attributes:
        accuracy: on validation.
        grid: the scales of the weights' integers; None in floats.
        epoch: in which they were measured.
    """

    accuracy: float
    weights: dict[str, Tensor]
    grid: TrainedGrid | None
    epoch: int


@dataclass
class Trainer:
    """A training that can stop after any epoch and go on exactly.

    Attributes:
        chip: for which the student computes on integers; None leaves it in floats.
        device: where steps are computed.
        floor: what an inference costs before any hidden neuron fires, as the student was sized.
    """

    student: Student
    dataset: Dataset
    method: LossTerms
    regularizers: tuple[LossTerms, ...]
    cost: SpikeCost
    limits: tuple[Limit, ...]
    settings: TrainSettings
    chip: Chip | None = None
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    floor: Floor | None = None
    history: list[EpochRecord] = field(default_factory=list)
    best: BestWeights | None = None

    def __post_init__(self) -> None:
        self.steps_per_epoch = steps_per_epoch(self.dataset.train, self.settings)
        self.step = 0
        self.config = self.student.config
        self.teacher_outputs: CachedOutputs | None = None
        self.auxiliary: nn.Module | None = None
        self.teacher_sha256: str | None = None
        self.student.to(self.device)
        self._new_optimizer()

    def set_teacher(self, teacher: Teacher | None) -> None:
        """Learn from this teacher, and make the method's own modules; before the first step."""
        shapes = shapes_of(self.student, None if teacher is None else teacher.shapes)
        if teacher is not None:
            images = torch.from_numpy(seen_by_teacher(self.method, self.dataset, teacher.spikes).train.images)
            augmented = self.settings.augmentation != "none"
            self.teacher_sha256 = teacher.sha256
            self.teacher_outputs = CachedOutputs(
                teacher, self.method.requested_values(shapes), images, self.device, augmented
            )
        torch.manual_seed(self.settings.seed)
        self.auxiliary = self.method.auxiliary(shapes)
        if self.auxiliary is not None:
            self.auxiliary.to(self.device).train()
        self._new_optimizer()

    @property
    def total_steps(self) -> int:
        """Optimiser steps of the training without further rounds."""
        return self.steps_per_epoch * self.settings.epochs

    @property
    def progress(self) -> float:
        """Share of the training that is done, further rounds apart."""
        return min(1.0, self.step / self.total_steps)

    @property
    def on_integers(self) -> bool:
        """Whether the student's forward pass is the chip's by now."""
        return self.student.grid is not None

    def run(self, listeners: Listeners, after_epoch: Callable[[], None] | None = None) -> None:
        """Train to the end; the best admissible weights are in the student afterwards.

        Args:
            listeners: hear of every epoch.
            after_epoch: called when an epoch is over, to save a checkpoint, say.
        """
        with listeners.task("training the student", self.total_steps - self.step) as advance:
            while self._goes_on(listeners):
                if self.chip is not None and not self.on_integers and len(self.history) >= self.settings.float_epochs:
                    self._end_warm_up()
                    listeners.say(f"from here on the student computes with the integers of {self.chip.profile.name}")
                self._run_epoch(listeners, advance)
                if after_epoch is not None:
                    after_epoch()
        if self.chip is not None and not self.on_integers:
            self._end_warm_up()
            self.history[-1] = replace(self.history[-1], on_integers=True, **self._measure().facts())
            self._keep_best(self.history[-1])
        if self.best is not None:
            self.take(self.best.weights, self.best.grid, self.student.config.timesteps)
        self.student.eval().cpu()

    def _run_epoch(self, listeners: Listeners, advance: Advance) -> None:
        clock = Clock()
        record, measured = self._epoch(len(self.history), advance)
        record = clock.noted(record)
        self.history.append(record)
        self._keep_best(record)
        listeners.epoch(record)
        listeners.say(summary(record, self.settings.epochs, self.cost.unit))
        self._revive_silent(measured, listeners)

    def _goes_on(self, listeners: Listeners) -> bool:
        """Whether another epoch is due: of the training, or of a further round."""
        further = len(self.history) - self.settings.epochs
        if further < 0:
            return True
        if further % self.settings.round_epochs:
            return True
        if further >= self.settings.max_rounds * self.settings.round_epochs or self._is_settled():
            return False
        number = further // self.settings.round_epochs + 1
        listeners.say(f"round {number} of at most {self.settings.max_rounds}: {self.unmet()}")
        return True

    def _is_settled(self) -> bool:
        """Whether every constraint is met by the last epoch, and one of them used, or none binds."""
        if not self.limits:
            return True
        if self.best is None:
            return False
        last = self.history[-1].bounded
        shares = [last[limit.constraint.name] / limit.controller.budget for limit in self.limits]
        return max(shares) >= self.settings.used or all(limit.controller.multiplier == 0 for limit in self.limits)

    def unmet(self) -> str:
        """What the last epoch measured of every limit, less the reserve."""
        last = self.history[-1].bounded
        bounds = [(limit.constraint, limit.controller.budget) for limit in self.limits]
        return "; ".join(f"{c.title}: {c.say(last[c.name])} of {c.say(usable)}" for c, usable in bounds)

    def _end_warm_up(self) -> None:
        """The forward pass is the chip's from now on, and what was best in floats is forgotten."""
        if self.settings.shorten is not None:
            self._shorten(self.settings.shorten)
        self._become_integer()

    def _become_integer(self) -> None:
        assert self.chip is not None
        self.student = become_integer(self.student, self.chip.profile, self.chip.spec, self.chip.weight_bits)
        self.student.to(self.device)
        self.cost = SpikeCost.of(self.student, self.cost.profile)
        drive = self.student.drive(torch.from_numpy(self.dataset.train.images[:FLOOR_SAMPLES]))
        for limit in self.limits:
            limit.constraint.rebuild(self.student)
            limit.controller.move_floor(limit.constraint.floor(self.student, drive))
        self.best = None
        self._new_optimizer()

    def _shorten(self, points: float) -> None:
        """Take the smallest T whose validation accuracy is within ``points`` of that of the whole T."""
        whole = self.student.config.timesteps
        validation, seed = self.dataset.validation, self.settings.seed
        accuracy = {t: accuracy_of(self.student.at(t), validation, seed) for t in range(1, whole + 1)}
        self.student = self.student.at(min(t for t, a in accuracy.items() if a >= accuracy[whole] - points / 100))

    def _new_optimizer(self) -> None:
        learning = [self.student] if self.auxiliary is None else [self.student, self.auxiliary]
        self.optimizer = optimizer_of(learning, self.settings)

    def _epoch(self, epoch: int, advance: Advance) -> tuple[EpochRecord, Measurement]:
        torch.manual_seed(self.settings.seed * 100_003 + epoch + 1)
        self.student.train()
        seen = Means()
        for batch in batches(self.dataset.train, self.settings, epoch, self.device):
            self._step(batch, seen)
            advance(1)
        if self.chip is not None and self.on_integers:
            settle(self.student, self.chip.profile)
        measured = self._measure()
        if self.chip is None or self.on_integers:
            for limit in self.limits:
                limit.controller.correct(measured.bounded[limit.constraint.name])
        return self._record(epoch, seen, measured), measured

    def _revive_silent(self, measured: Measurement, listeners: Listeners) -> None:
        """Raise biases in front of silent layers; while nothing binds yet, in front of every silent channel.

        Later a silent channel is a saving that training chose. The last epoch's weights stay as they were measured.
        """
        if len(self.history) >= self.settings.epochs:
            return
        is_free = not any(limit.controller.constrains for limit in self.limits)
        chosen = {n: mask for n, mask in measured.silent_channels().items() if is_free or n in measured.silent}
        if measured.silent:
            listeners.say(f"{', '.join(measured.silent)} fell silent; the biases in front are raised", "warning")
        revive(self.student, chosen)

    def _measure(self) -> Measurement:
        constraints = [limit.constraint for limit in self.limits]
        return measure(self.student, self.dataset.validation, self.cost, constraints, self.settings.seed)

    def _record(self, epoch: int, seen: Means, measured: Measurement) -> EpochRecord:
        return EpochRecord(
            epoch=epoch,
            loss=seen.of("loss/"),
            train_accuracy=seen.mean("accuracy"),
            student_logit_range=seen.mean("student_range"),
            teacher_logit_range=seen.mean("teacher_range") if self.teacher_outputs is not None else None,
            on_integers=self.on_integers,
            multipliers={limit.constraint.name: limit.controller.multiplier for limit in self.limits},
            targets={limit.constraint.name: limit.controller.target for limit in self.limits},
            **measured.facts(),
        )

    def _forward(self, batch: Batch) -> Passes:
        twins = None
        if "static twins" in self.method.needs and self.dataset.twin is not None:
            twins = torch.from_numpy(self.dataset.twin.train.images)[batch.rows].to(self.device)
        first = self.step * self.settings.batch
        return passes(self.student, self.method, batch.samples, twins, self.progress, self.settings.seed, first)

    def _step(self, batch: Batch, seen: Means) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.settings, self.step, self.steps_per_epoch)
        done = self._forward(batch)
        output, reading = done.output, self.cost.read(done.output)
        teacher = None if self.teacher_outputs is None else self.teacher_outputs.of(batch.rows, batch.samples)
        evidence = batch_outputs(batch.labels, done, teacher, reading.operations, self.auxiliary, self.progress)
        terms = dict(self.method.terms(evidence))
        task = sum(float(term.detach()) for term in terms.values())
        for regularizer in self.regularizers:
            terms.update(regularizer.terms(BatchOutputs(batch.labels, output, None, reading.operations)))
        bounded = [limit.constraint.value(output, reading) for limit in self.limits]
        for limit, value in zip(self.limits, bounded, strict=True):
            terms[limit.constraint.name] = limit.controller.penalty(value)
        descend(self.optimizer, terms, self.step)
        self.step += 1
        for limit, value in zip(self.limits, bounded, strict=True):
            limit.controller.update(float(value.detach()), task)
        seen.add({f"loss/{name}": float(term.detach()) for name, term in terms.items()})
        seen.add({"accuracy": float((output.scores.argmax(1) == batch.labels).float().mean())})
        seen.add({"student_range": logit_range(output.logits)})
        if teacher is not None:
            seen.add({"teacher_range": logit_range(teacher.logits)})

    def _keep_best(self, record: EpochRecord) -> None:
        """Keep the weights of the best validation accuracy, among the epochs that meet every constraint."""
        if self.chip is not None and not self.on_integers:
            return
        if not all(limit.controller.admits(record.bounded[limit.constraint.name]) for limit in self.limits):
            return
        if self.best is None or record.validation_accuracy >= self.best.accuracy:
            weights = {name: tensor.detach().clone() for name, tensor in self.student.state_dict().items()}
            self.best = BestWeights(record.validation_accuracy, weights, self.student.grid, record.epoch)

    def take(self, weights: dict[str, Tensor], grid: TrainedGrid | None, timesteps: int) -> None:
        """Put weights into the student, in the phase that they belong to."""
        if timesteps != self.student.config.timesteps:
            self.student = self.student.at(timesteps)
        if grid is not None and not self.on_integers:
            self._become_integer()
        if grid is not None:
            self.student.take_grid(grid)
        self.student.load_state_dict(weights)
