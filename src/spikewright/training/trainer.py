"""The training loop: one student, one method, any regularisers, and constraints where there are some.

Two phases: a warm-up in floats, then the chip's own integers to the end. While a constraint is not met, or met with
accuracy left to gain, rounds of further epochs follow.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn

from ..chip.trained_grid import TrainedGrid
from ..data.dataset import Dataset
from ..distillation.base import BatchOutputs, LossTerms, shapes_of
from ..energy.estimate import Floor
from ..student.accuracy import accuracy_of
from ..student.epochs import batches, descend, optimizer_of, steps_per_epoch
from ..student.integers.form import become_integer, settle
from ..student.student import Student
from ..student.train_settings import Chip, TrainSettings, learning_rate
from ..teachers.lessons import Lessons, seen_by_teacher
from ..teachers.passes import Passes, batch_outputs, passes
from ..teachers.torch_teacher import Teacher
from .budget import BudgetController
from .constraints import Constraint
from .cost import SpikeCost
from .measurement import Measurement, measure
from .records import Clock, EpochRecord, Means, Say, logit_range, summary
from .revival import wake

FLOOR_SAMPLES = 500


@dataclass(frozen=True, eq=False)
class Held:
    """A constraint and what holds the training to it."""

    constraint: Constraint
    controller: BudgetController


def _nothing() -> None:
    """Do nothing."""


@dataclass(frozen=True, eq=False)
class Kept:
    """The best weights so far.

    Attributes:
        grid: the scales that belong to them; None in floats.
        epoch: the one they come from.
    """

    accuracy: float
    weights: dict[str, Tensor]
    grid: TrainedGrid | None
    epoch: int


@dataclass
class Training:
    """A training that can stop after any epoch and go on exactly.

    Attributes:
        chip: what the student becomes integers for; None leaves it in floats.
        device: where steps are computed.
        floor: what an inference costs before any hidden neuron fires, as the student was sized.
    """

    student: Student
    dataset: Dataset
    method: LossTerms
    regularizers: tuple[LossTerms, ...]
    cost: SpikeCost
    held: tuple[Held, ...]
    settings: TrainSettings
    chip: Chip | None = None
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    floor: Floor | None = None
    history: list[EpochRecord] = field(default_factory=list)
    best: Kept | None = None

    def __post_init__(self) -> None:
        self.steps_per_epoch = steps_per_epoch(self.dataset.train, self.settings)
        self.step = 0
        self.config = self.student.config
        self.lessons: Lessons | None = None
        self.auxiliary: nn.Module | None = None
        self.teacher_sha256: str | None = None
        self.student.to(self.device)
        self._new_optimizer()

    def meet(self, teacher: Teacher | None) -> None:
        """Take the teacher, and make the modules that learning from it takes; before the first step."""
        shapes = shapes_of(self.student, None if teacher is None else teacher.shapes)
        if teacher is not None:
            images = torch.from_numpy(seen_by_teacher(self.method, self.dataset, teacher.spikes).train.images)
            changing = self.settings.augmentation != "none"
            self.teacher_sha256 = teacher.sha256
            self.lessons = Lessons(teacher, self.method.requested_values(shapes), images, self.device, changing)
        torch.manual_seed(self.settings.seed)
        self.auxiliary = self.method.auxiliary(shapes)
        if self.auxiliary is not None:
            self.auxiliary.to(self.device).train()
        self._new_optimizer()

    @property
    def _twins(self) -> Dataset | None:
        """The static images behind the samples, where the method wants them."""
        return self.dataset.twin if "static twins" in self.method.needs else None

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

    def run(self, advance: Callable[[int], None], say: Say, after_epoch: Callable[[], None] = _nothing) -> None:
        """Train to the end; the best admissible weights are in the student afterwards.

        Args:
            advance: called with the number of optimiser steps that are done.
            say: called with a sentence on each epoch.
            after_epoch: called when an epoch is over; saves a checkpoint, say.
        """
        while self._goes_on(say):
            if self.chip is not None and not self.on_integers and len(self.history) >= self.settings.float_epochs:
                self._end_warm_up()
                say(f"from here on the student computes with the integers of {self.chip.profile.name}")
            clock = Clock()
            record, measured = self._epoch(len(self.history), advance)
            self.history.append(clock.noted(record))
            self._keep_best(record)
            say(summary(record, self.settings.epochs, self.cost.unit))
            self._wake(measured, say)
            after_epoch()
        if self.chip is not None and not self.on_integers:
            self._end_warm_up()
            self._keep_best(self._measured_again())
        if self.best is not None:
            self.take(self.best.weights, self.best.grid, self.student.config.timesteps)
        self.student.eval().cpu()

    def _goes_on(self, say: Say) -> bool:
        """Whether another epoch is due: of the training, or of a further round."""
        further = len(self.history) - self.settings.epochs
        if further < 0:
            return True
        if further % self.settings.round_epochs:
            return True
        if further >= self.settings.max_rounds * self.settings.round_epochs or self._is_settled():
            return False
        say(f"round {further // self.settings.round_epochs + 1} of at most {self.settings.max_rounds}: {self.unmet()}")
        return True

    def _is_settled(self) -> bool:
        """Whether every constraint is met by the last epoch, and one of them used, or none binds."""
        if not self.held:
            return True
        if self.best is None:
            return False
        last = self.history[-1].bounded
        shares = [last[h.constraint.name] / h.controller.budget for h in self.held]
        return max(shares) >= self.settings.used or all(h.controller.multiplier == 0 for h in self.held)

    def unmet(self) -> str:
        """What the last epoch measured of every limit, less the reserve."""
        last = self.history[-1].bounded
        limits = [(held.constraint, held.controller.budget) for held in self.held]
        return "; ".join(f"{c.title}: {c.say(last[c.name])} of {c.say(usable)}" for c, usable in limits)

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
        for held in self.held:
            held.constraint.rebuild(self.student)
            held.controller.move_floor(held.constraint.floor(self.student, drive))
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

    def _epoch(self, epoch: int, advance: Callable[[int], None]) -> tuple[EpochRecord, Measurement]:
        torch.manual_seed(self.settings.seed * 100_003 + epoch + 1)
        self.student.train()
        seen = Means()
        for batch in batches(self.dataset.train, self.settings, epoch, self.device):
            self._step(batch.samples, batch.labels, batch.rows, seen)
            advance(1)
        if self.chip is not None and self.on_integers:
            settle(self.student, self.chip.profile)
        measured = self._measure()
        self._correct(measured)
        return self._record(epoch, seen, measured), measured

    def _wake(self, measured: Measurement, say: Say) -> None:
        """Raise biases in front of silent layers; while nothing binds yet, of every silent channel.

        Later a silent channel is a saving that training chose. The last epoch's weights stay as they were measured.
        """
        if len(self.history) >= self.settings.epochs:
            return
        free = not any(held.controller.constrains for held in self.held)
        chosen = {n: mask for n, mask in measured.silent_channels().items() if free or n in measured.silent}
        if measured.silent:
            say(f"warning: {', '.join(measured.silent)} fell silent; the biases in front are raised")
        wake(self.student, chosen)

    def _measure(self) -> Measurement:
        constraints = [held.constraint for held in self.held]
        return measure(self.student, self.dataset.validation, self.cost, constraints, self.settings.seed)

    def _correct(self, measured: Measurement) -> None:
        if self.chip is None or self.on_integers:
            for held in self.held:
                held.controller.correct(measured.bounded[held.constraint.name])

    def _record(self, epoch: int, seen: Means, measured: Measurement) -> EpochRecord:
        return EpochRecord(
            epoch=epoch,
            loss=seen.of("loss/"),
            train_accuracy=seen.mean("accuracy"),
            validation_accuracy=measured.accuracy,
            cost=measured.cost,
            spikes=measured.spikes,
            synaptic_ops=measured.synaptic_ops,
            student_logit_range=seen.mean("student_range"),
            teacher_logit_range=seen.mean("teacher_range") if self.lessons is not None else None,
            on_integers=self.on_integers,
            bounded=measured.bounded,
            multipliers={held.constraint.name: held.controller.multiplier for held in self.held},
            targets={held.constraint.name: held.controller.target for held in self.held},
            dead=measured.dead,
        )

    def _measured_again(self) -> EpochRecord:
        """The last epoch's record, with what the student shows on integers."""
        measured, last = self._measure(), self.history[-1]
        again = replace(
            last,
            validation_accuracy=measured.accuracy,
            cost=measured.cost,
            spikes=measured.spikes,
            synaptic_ops=measured.synaptic_ops,
            on_integers=True,
            bounded=measured.bounded,
            dead=measured.dead,
        )
        self.history[-1] = again
        return again

    def _forward(self, samples: Tensor, rows: Tensor) -> Passes:
        first = self.step * self.settings.batch
        twins = None if self._twins is None else torch.from_numpy(self._twins.train.images)[rows].to(self.device)
        return passes(self.student, self.method, samples, twins, self.progress, self.settings.seed, first)

    def _step(self, samples: Tensor, labels: Tensor, rows: Tensor, seen: Means) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.settings, self.step, self.steps_per_epoch)
        done = self._forward(samples, rows)
        output, reading = done.output, self.cost.read(done.output)
        lesson = None if self.lessons is None else self.lessons.of(rows, samples)
        outputs = batch_outputs(labels, done, lesson, reading.operations, self.auxiliary, self.progress)
        terms = dict(self.method.terms(outputs))
        task = sum(float(term.detach()) for term in terms.values())
        for regularizer in self.regularizers:
            terms.update(regularizer.terms(BatchOutputs(labels, output, None, reading.operations)))
        bounded = [held.constraint.value(output, reading) for held in self.held]
        for held, value in zip(self.held, bounded, strict=True):
            terms[held.constraint.name] = held.controller.penalty(value)
        descend(self.optimizer, terms, self.step)
        self.step += 1
        for held, value in zip(self.held, bounded, strict=True):
            held.controller.update(float(value.detach()), task)
        seen.add({f"loss/{name}": float(term.detach()) for name, term in terms.items()})
        seen.add({"accuracy": float((output.scores.argmax(1) == labels).float().mean())})
        seen.add({"student_range": logit_range(output.logits)})
        if lesson is not None:
            seen.add({"teacher_range": logit_range(lesson.logits)})

    def _keep_best(self, record: EpochRecord) -> None:
        """Keep the weights of the best validation accuracy, among the epochs that meet every constraint."""
        if self.chip is not None and not self.on_integers:
            return
        if not all(held.controller.admits(record.bounded[held.constraint.name]) for held in self.held):
            return
        if self.best is None or record.validation_accuracy >= self.best.accuracy:
            weights = {name: tensor.detach().clone() for name, tensor in self.student.state_dict().items()}
            self.best = Kept(record.validation_accuracy, weights, self.student.grid, record.epoch)

    def take(self, weights: dict[str, Tensor], grid: TrainedGrid | None, timesteps: int) -> None:
        """Put weights into the student, in the phase that they belong to."""
        if timesteps != self.student.config.timesteps:
            self.student = self.student.at(timesteps)
        if grid is not None and not self.on_integers:
            self._become_integer()
        if grid is not None:
            self.student.take_grid(grid)
        self.student.load_state_dict(weights)
