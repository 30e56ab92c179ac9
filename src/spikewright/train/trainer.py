"""The training loop: one student, one method, any regularisers, and a budget where there is one."""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from ..artefacts import atomic_write, sha256_of_json
from ..budget_text import quantity
from ..errors import InputError
from ..hardware_profiles.schema import CostUnit
from .augment import augmented
from .budget import BudgetController
from .choices import Augmentation
from .cost import SpikeCost
from .data import Dataset, Split
from .distillation import Evidence, LossTerms
from .student import Student
from .torch_teacher import GivesLogits, precompute_logits

Say = Callable[[str], None]


@dataclass(frozen=True)
class TrainSettings:
    """How a student is trained.

    Attributes:
        learning_rate: peak of AdamW's rate; warmed up over 5 % of the steps, then lowered along a cosine.
        reach: pixels of the largest shift.
    """

    epochs: int = 10
    batch: int = 128
    learning_rate: float = 3e-3
    weight_decay: float = 1e-4
    seed: int = 0
    augmentation: Augmentation = "none"
    reach: int = 2


@dataclass(frozen=True)
class EpochRecord:
    """What one epoch showed; spikes, operations and cost are per inference, on the validation split."""

    epoch: int
    loss: dict[str, float]
    train_accuracy: float
    validation_accuracy: float
    cost: float
    spikes: dict[str, float]
    synaptic_ops: dict[str, float]
    student_logit_range: float
    teacher_logit_range: float | None
    multiplier: float = 0.0
    target: float | None = None


@dataclass(frozen=True)
class Measurement:
    """A student over one split, per inference."""

    accuracy: float
    cost: float
    spikes: dict[str, float]
    synaptic_ops: dict[str, float]


@dataclass
class Training:
    """A training that can stop after any epoch and go on exactly."""

    student: Student
    dataset: Dataset
    method: LossTerms
    regularizers: tuple[LossTerms, ...]
    teacher: GivesLogits | None
    cost: SpikeCost
    controller: BudgetController | None
    settings: TrainSettings
    history: list[EpochRecord] = field(default_factory=list)
    best: dict[str, Tensor] | None = None
    best_accuracy: float = -1.0

    def __post_init__(self) -> None:
        self.steps_per_epoch = max(1, len(self.dataset.train) // self.settings.batch)
        groups = _parameter_groups(self.student, self.settings.weight_decay)
        self.optimizer = torch.optim.AdamW(groups, lr=self.settings.learning_rate)
        self.step = 0
        self._answers: Tensor | None = None

    @property
    def total_steps(self) -> int:
        """Optimiser steps of the whole training."""
        return self.steps_per_epoch * self.settings.epochs

    def run(self, checkpoint: Path | None, advance: Callable[[int], None], say: Say) -> None:
        """Train to the last epoch, saving after each; the best admissible weights are in the student afterwards."""
        while len(self.history) < self.settings.epochs:
            record = self._epoch(len(self.history), advance)
            self.history.append(record)
            self._keep_best(record)
            say(summary(record, self.settings.epochs, self.cost.unit))
            if checkpoint is not None:
                self.save(checkpoint)
        if self.best is not None:
            self.student.load_state_dict(self.best)
        self.student.eval()

    def _epoch(self, epoch: int, advance: Callable[[int], None]) -> EpochRecord:
        split, batch = self.dataset.train, self.settings.batch
        generator = torch.Generator().manual_seed(self.settings.seed * 100_003 + epoch)
        torch.manual_seed(self.settings.seed * 100_003 + epoch + 1)
        order = torch.randperm(len(split), generator=generator)
        images, labels = torch.from_numpy(split.images), torch.from_numpy(split.labels)
        self.student.train()
        seen = _Means()
        for position in range(self.steps_per_epoch):
            rows = order[position * batch : (position + 1) * batch]
            samples = augmented(images[rows], self.settings.augmentation, generator, self.settings.reach)
            self._step(samples, labels[rows], self._taught(images, rows, samples), seen)
            advance(1)
        measured = measure(self.student, self.dataset.validation, self.cost)
        return EpochRecord(
            epoch=epoch,
            loss=seen.of("loss/"),
            train_accuracy=seen.mean("accuracy"),
            validation_accuracy=measured.accuracy,
            cost=measured.cost,
            spikes=measured.spikes,
            synaptic_ops=measured.synaptic_ops,
            student_logit_range=seen.mean("student_range"),
            teacher_logit_range=seen.mean("teacher_range") if self.teacher is not None else None,
            multiplier=self.controller.multiplier if self.controller else 0.0,
            target=self.controller.target if self.controller else None,
        )

    def _taught(self, images: Tensor, rows: Tensor, samples: Tensor) -> Tensor | None:
        """The teacher's logits; to samples that never change they are the same in every epoch and asked for once."""
        if self.teacher is None:
            return None
        if self.settings.augmentation != "none":
            return self.teacher.logits(samples).detach()
        if self._answers is None:
            self._answers = precompute_logits(self.teacher, images).detach()
        return self._answers[rows]

    def _step(self, samples: Tensor, labels: Tensor, teacher_logits: Tensor | None, seen: _Means) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = self._rate()
        output = self.student(samples, seed=self.settings.seed, first_index=self.step * self.settings.batch)
        evidence = Evidence(labels, output, teacher_logits)
        terms = dict(self.method.terms(evidence))
        for regularizer in self.regularizers:
            terms.update(regularizer.terms(evidence))
        reading = self.cost.read(output)
        if self.controller is not None:
            terms["budget"] = self.controller.penalty(reading.total)
        loss = torch.stack(list(terms.values())).sum()
        if not torch.isfinite(loss):
            values = ", ".join(f"{name} {float(term):.3g}" for name, term in terms.items())
            raise InputError(
                f"training: the loss is no longer finite at step {self.step} ({values}); lower --learning-rate"
            )
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.student.parameters(), 5.0)
        self.optimizer.step()
        self.step += 1
        if self.controller is not None:
            self.controller.update(float(reading.total.detach()))
        seen.add({f"loss/{name}": float(term.detach()) for name, term in terms.items()})
        seen.add({"accuracy": float((output.scores.argmax(1) == labels).float().mean())})
        seen.add({"student_range": _logit_range(output.logits)})
        if teacher_logits is not None:
            seen.add({"teacher_range": _logit_range(teacher_logits)})

    def _rate(self) -> float:
        done, warm = self.step / self.total_steps, 0.05
        if done < warm:
            return self.settings.learning_rate * (done / warm + 1e-2)
        return self.settings.learning_rate * 0.5 * (1 + math.cos(math.pi * (done - warm) / (1 - warm)))

    def _keep_best(self, record: EpochRecord) -> None:
        """Keep the weights of the best validation accuracy; with a budget, among the epochs that meet it."""
        if self.controller is not None and not self.controller.admits(record.cost):
            return
        if record.validation_accuracy >= self.best_accuracy:
            self.best_accuracy = record.validation_accuracy
            self.best = {name: tensor.detach().clone() for name, tensor in self.student.state_dict().items()}

    def fingerprint(self) -> str:
        """What a checkpoint must agree with to be taken up."""
        facts = {
            "student": asdict(self.student.config),
            "data": self.dataset.name,
            "method": repr(self.method),
            "regularizers": repr(self.regularizers),
            "settings": asdict(self.settings),
            "budget": self.controller.describe() if self.controller else None,
        }
        return sha256_of_json(facts)

    def save(self, path: Path) -> None:
        """Write everything that going on exactly needs."""
        state = {
            "fingerprint": self.fingerprint(),
            "student": self.student.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "controller": self.controller.state() if self.controller else None,
            "history": [asdict(record) for record in self.history],
            "best": self.best,
            "best_accuracy": self.best_accuracy,
            "step": self.step,
        }
        with atomic_write(path) as temporary:
            torch.save(state, temporary)

    def resume(self, path: Path) -> None:
        """Take up a checkpoint of the same training.

        Raises:
            InputError: the file is not a checkpoint, or of a training with other settings.
        """
        try:
            state = torch.load(io.BytesIO(path.read_bytes()), map_location="cpu", weights_only=True)
        except Exception as error:  # torch.load raises whatever its unpickler meets in a foreign file
            raise InputError(
                f"{path}: is not a checkpoint ({type(error).__name__}); remove it or leave out --resume"
            ) from error
        if state.get("fingerprint") != self.fingerprint():
            raise InputError(f"{path}: is of a training with other settings; use the same flags, or leave out --resume")
        self.student.load_state_dict(state["student"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.controller is not None:
            self.controller.restore(state["controller"])
        self.history = [EpochRecord(**record) for record in state["history"]]
        self.best, self.best_accuracy, self.step = state["best"], state["best_accuracy"], state["step"]


@torch.no_grad()
def measure(student: Student, split: Split, cost: SpikeCost, batch: int = 500) -> Measurement:
    """Accuracy and cost of the float student over a split."""
    student.eval()
    correct, weighted = 0, _Means()
    for first in range(0, len(split), batch):
        images = torch.from_numpy(split.images[first : first + batch])
        labels = torch.from_numpy(split.labels[first : first + batch])
        output = student(images, first_index=first)
        correct += int((output.scores.argmax(1) == labels).sum())
        reading = cost.read(output)
        weighted.add({"cost": float(reading.total)}, len(labels))
        weighted.add({f"spikes/{name}": value for name, value in reading.spikes.items()}, len(labels))
        weighted.add({f"ops/{name}": value for name, value in reading.synaptic_ops.items()}, len(labels))
    return Measurement(correct / len(split), weighted.mean("cost"), weighted.of("spikes/"), weighted.of("ops/"))


def summary(record: EpochRecord, epochs: int, unit: CostUnit) -> str:
    """One line on an epoch."""
    terms = " ".join(f"{name} {value:.3f}" for name, value in record.loss.items())
    target = f" (target {quantity(record.target, unit)})" if record.target is not None else ""
    return (
        f"epoch {record.epoch + 1}/{epochs}  validation {record.validation_accuracy:.2%}  train "
        f"{record.train_accuracy:.2%}  {quantity(record.cost, unit)}{target}  "
        f"spikes {sum(record.spikes.values()):.0f}  {terms}"
    )


class _Means:
    """Running means by name."""

    def __init__(self) -> None:
        self._sums: dict[str, float] = {}
        self._weights: dict[str, int] = {}

    def add(self, values: dict[str, float], weight: int = 1) -> None:
        for name, value in values.items():
            self._sums[name] = self._sums.get(name, 0.0) + value * weight
            self._weights[name] = self._weights.get(name, 0) + weight

    def mean(self, name: str) -> float:
        return self._sums[name] / self._weights[name]

    def of(self, prefix: str) -> dict[str, float]:
        return {name.removeprefix(prefix): self.mean(name) for name in self._sums if name.startswith(prefix)}


def _logit_range(logits: Tensor) -> float:
    return float((logits.detach().amax(1) - logits.detach().amin(1)).mean())


def _parameter_groups(student: Student, weight_decay: float) -> list[dict[str, object]]:
    """Weights decay; biases, normalisation and neuron constants do not."""
    decayed = [p for p in student.parameters() if p.ndim > 1]
    others = [p for p in student.parameters() if p.ndim <= 1]
    return [{"params": decayed, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]
