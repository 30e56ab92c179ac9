"""The training of a student for a chip: one method, any number of regularizers and constraints.

After a warm-up in floating point, the forward pass uses the chip's integers. If a constraint is not met at the end, or
is met with energy left to use, rounds of further epochs follow.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from ..base.progress import Advance, Listeners
from ..chip.registers import TrainedGrid
from ..distillation.base import BatchOutputs, LossTerms
from ..energy.estimate import Floor
from ..lowering.peaks import Measuring
from ..student.accuracy import quality_of_student
from ..student.integers.form import become_integer, settle
from ..student.train_settings import Chip
from ..teachers.hashes import weights_sha256
from ..teachers.training_loop import Batch, TrainingLoop, descend
from .cost import SpikeCost
from .limits import FLOOR_SAMPLES, PRICED, Hold, Limit
from .records import EpochRecord, Means, Measurement, logit_range, measure, summary
from .silent import revive

TIMED_STEPS = 20
"""After this many steps it is said how long the training will take, if that is at least so many seconds:"""
WORTH_SAYING = 60.0


@dataclass(kw_only=True, eq=False)
class Trainer(TrainingLoop):
    """The training of a student for a chip; it can stop after any epoch and continue exactly.

    Attributes:
        floor: energy floor of the student: the cost of an inference without hidden spikes.
        chip: whose integers the forward pass uses after the warm-up; None trains in floating point.
        measuring: training data that scales leave room for; None for room for every input.
        remarks: what was assumed of the weights with which the student begins, as sentences.
        hold: by what the limits are held.
    """

    regularizers: tuple[LossTerms, ...]
    cost: SpikeCost
    limits: tuple[Limit, ...]
    floor: Floor
    chip: Chip | None = None
    measuring: Measuring | None = None
    remarks: tuple[str, ...] = ()
    hold: Hold = PRICED
    history: list[EpochRecord] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.config = self.student.config
        self._means = Means()

    @property
    def on_integers(self) -> bool:
        """Whether the student's forward pass already uses the chip's integers."""
        return self.student.grid is not None

    @property
    def is_in_final_arithmetic(self) -> bool:
        """Whether the student computes as it will after training, so that its weights may be saved."""
        return self.chip is None or self.on_integers

    def run(
        self,
        listeners: Listeners,
        after_epoch: Callable[[], None] | None = None,
        before_epoch: Callable[[], None] = lambda: None,
    ) -> None:
        """Train to the end; the best admissible weights are in the student afterwards.

        Args:
            listeners: receive every epoch's record, progress and messages.
            after_epoch: called after each epoch, for example to save a checkpoint.
            before_epoch: called when an epoch's first step is next.
        """
        with listeners.task("training the student", self.total_steps - self.step) as bar:
            advance = self._timed(bar, listeners)
            while self._goes_on(listeners):
                if self.chip and not self.on_integers and len(self.history) >= self.settings.float_epochs:
                    self._end_warm_up(self.chip)
                    listeners.say(f"from now on the student computes with the integers of {self.chip.profile.name}")
                    for sentence in self.student.composed:
                        listeners.say(sentence)
                    self._say_measured(listeners)
                before_epoch()
                self._run_epoch(listeners, advance)
                if after_epoch is not None:
                    after_epoch()
        if self.chip and not self.on_integers:
            self._end_warm_up(self.chip)
            measured = self._measure()
            self.history[-1] = replace(self.history[-1], on_integers=True, **measured.facts())
            self._keep_if_admissible(self.history[-1], measured.overflows)
        if self.best is not None:
            self.take(self.best.weights, self.best.grid, self.student.config.timesteps)
        self.student.eval().cpu()

    def _timed(self, advance: Advance, listeners: Listeners) -> Advance:
        """The same report of progress, which says after the first steps how long the training will take."""
        first, began, said = self.step, time.perf_counter(), False

        def timed(steps: int = 1, /) -> None:
            nonlocal said
            advance(steps)
            done = self.step + 1 - first
            if said or done < TIMED_STEPS or done >= self.total_steps - first:
                return
            said = True
            each = (time.perf_counter() - began) / done
            whole = each * (self.total_steps - first)
            if whole >= WORTH_SAYING:
                listeners.say(
                    f"about {_minutes(each * self.steps_per_epoch)} an epoch, {_minutes(whole)} in all; measuring "
                    "between epochs and further rounds not counted"
                )

        return timed

    def _run_epoch(self, listeners: Listeners, advance: Advance) -> None:
        began = time.perf_counter(), time.process_time()
        epoch = len(self.history)
        self.steps_of_epoch(advance)
        if self.chip is not None and self.on_integers:
            settle(self.student, self.chip.profile, self.measuring)
        measured = self._measure()
        if self.is_in_final_arithmetic:
            for limit in self.limits:
                limit.controller.correct(measured.bounded[limit.constraint.name])
        wall, processor = time.perf_counter() - began[0], time.process_time() - began[1]
        record = replace(self._record(epoch, measured), seconds=wall, processor_seconds=processor)
        self.history.append(record)
        self._keep_if_admissible(record, measured.overflows)
        listeners.epoch(record)
        listeners.say(summary(record, self.settings.epochs, self.cost.unit))
        if measured.overflows:
            listeners.say(f"registers overflowed {measured.overflows} times on validation samples", "warning")
        self._revive_silent(measured, listeners)

    def steps_of_epoch(self, advance: Advance) -> None:
        """The steps of the next epoch, after which every process that shares them has the same weights.

        Raises:
            InputError: they have not.
        """
        epoch, self._means = len(self.history), Means()
        self.run_epoch(epoch, advance)
        if self.group.size > 1:
            self.group.require_same({f"hash of the weights after epoch {epoch + 1}": weights_sha256(self.student)})

    def _goes_on(self, listeners: Listeners) -> bool:
        """Whether another epoch is due: of the training, or of a further round."""
        further = len(self.history) - self.settings.epochs
        if further < 0 or further % self.settings.round_epochs:
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
        """For each limit, what the last epoch measured and the limit less the reserve, in words."""
        last = self.history[-1].bounded
        bounds = [(limit.constraint, limit.controller.budget) for limit in self.limits]
        return "; ".join(f"{c.title}: {c.say(last[c.name])} of {c.say(usable)}" for c, usable in bounds)

    def _end_warm_up(self, chip: Chip) -> None:
        if self.settings.shorten is not None:
            self._shorten(self.settings.shorten)
        self._become_integer(chip)

    def _become_integer(self, chip: Chip) -> None:
        """Use the chip's integers in the forward pass from now on; the best weights in floating point are dropped."""
        self.student = become_integer(self.student, chip.profile, chip.spec, chip.weight_bits, self.measuring)
        self.student.to(self.device)
        self.cost = SpikeCost.of(self.student, self.cost.profile)
        drive = self.student.drive(
            torch.from_numpy(self.dataset.train.samples[: self.dataset.train.at_once(FLOOR_SAMPLES)])
        )
        for limit in self.limits:
            limit.constraint.rebuild(self.student)
            limit.controller.move_floor(limit.constraint.floor(self.student, drive))
        self.best = None
        self.renew_optimizer()

    def _say_measured(self, listeners: Listeners) -> None:
        grid = self.student.grid
        if grid is not None and (found := grid.calibration) is not None:
            room = f"{found.margin:g} times the peaks of {found.samples} training samples"
            listeners.say(f"registers of {', '.join(found.peaks)} have room for {room}, not for every input")

    def _shorten(self, points: float) -> None:
        """Take the smallest T whose validation accuracy, or R^2, is within ``points`` percent of the whole T's."""
        whole = self.student.config.timesteps
        validation, seed = self.dataset.validation, self.settings.seed
        found = {t: quality_of_student(self.student.at(t), validation, seed).main for t in range(1, whole + 1)}
        self.student = self.student.at(min(t for t, each in found.items() if each >= found[whole] - points / 100))

    def _revive_silent(self, measured: Measurement, listeners: Listeners) -> None:
        """Raise biases in front of silent layers; while nothing binds yet, in front of every silent channel.

        Later a silent channel is a saving that training chose. The last epoch's weights stay as they were measured.
        """
        if len(self.history) >= self.settings.epochs:
            return
        is_free = not any(limit.controller.constrains for limit in self.limits)
        chosen = {n: mask for n, mask in measured.silent_channels().items() if is_free or n in measured.silent}
        if measured.silent:
            whose = "its" if len(measured.silent) == 1 else "their"
            what = "weights" if self.config.norm == "none" else "biases"
            listeners.say(
                f"{' and '.join(measured.silent)} fell silent; the {what} of {whose} inputs are raised", "warning"
            )
        revive(self.student, chosen)

    def _measure(self) -> Measurement:
        constraints = [limit.constraint for limit in self.limits]
        return measure(self.student, self.dataset.validation, self.cost, constraints, self.settings.seed)

    def _record(self, epoch: int, measured: Measurement) -> EpochRecord:
        return EpochRecord(
            epoch=epoch,
            loss=self._means.of("loss/"),
            train_accuracy=self._means.mean("accuracy") if self.dataset.output.is_classes else None,
            train_r2=None if self.dataset.output.is_classes else self._train_r2(),
            student_logit_range=self._means.mean("student_range"),
            teacher_logit_range=self._means.mean("teacher_range") if self.teacher_outputs is not None else None,
            on_integers=self.on_integers,
            multipliers={limit.constraint.name: limit.controller.multiplier for limit in self.limits},
            targets={limit.constraint.name: limit.controller.target for limit in self.limits},
            **measured.facts(),
        )

    def train_on(self, batch: Batch) -> None:
        """One step down the loss of the method, the regularizers and the constraints."""
        outputs = self.outputs_of(batch)
        reading = self.cost.read(outputs.student)
        pressure = sum(limit.controller.multiplier for limit in self.limits)
        asked = replace(outputs, synaptic_ops=reading.operations, heat=self.hold.heat(pressure))
        terms = dict(self.method.terms(asked))
        task = sum(float(term.detach()) for term in terms.values())
        for regularizer in self.regularizers:
            found = regularizer.terms(BatchOutputs(batch.labels, outputs.student, None, reading.operations))
            terms |= {name: self.hold.weight(pressure) * term for name, term in found.items()}
        bounded = [limit.constraint.value(outputs.student, reading) for limit in self.limits]
        if self.hold.price:
            for limit, value in zip(self.limits, bounded, strict=True):
                terms[limit.constraint.name] = limit.controller.penalty(value)
        descend(self.optimizer, terms, self.step, self._sum_gradients)
        for limit, value in zip(self.limits, bounded, strict=True):
            limit.controller.update(float(value.detach()), task)
        self._means.add({f"loss/{name}": float(term.detach()) for name, term in terms.items()})
        known = int(outputs.is_labelled.sum())
        if known:
            self._means.add(self._answered(outputs), known / len(outputs.labels))
        self._means.add({"student_range": logit_range(outputs.student.logits)})
        if outputs.teacher_logits is not None:
            self._means.add({"teacher_range": logit_range(outputs.teacher_logits)})

    def _answered(self, outputs: BatchOutputs) -> dict[str, float]:
        """How samples with a label were answered: the share of right classes, or mean squares of errors and values."""
        if self.dataset.output.is_classes:
            right = (self._chosen(outputs) == outputs.labels)[outputs.is_labelled]
            return {"accuracy": float(right.float().mean())}
        error, values = outputs.student.logits.detach() - outputs.labels, outputs.labels
        return {"error": float(error.square().nanmean()), "values": float(values.square().nanmean())}

    def _chosen(self, outputs: BatchOutputs) -> Tensor:
        """The class that each sample of a batch was taken for, ``(B,)``."""
        scores, population = outputs.student.scores.detach(), self.student.config.output.population
        return scores.reshape(len(scores), -1, population).sum(-1).argmax(1)

    def _train_r2(self) -> float:
        """Of values in standard deviations from the training mean, ``1 - sum error^2 / sum value^2``."""
        return 1 - self._means.mean("error") / self._means.mean("values")

    def _keep_if_admissible(self, record: EpochRecord, overflows: int) -> None:
        """Keep the weights that are best on validation, among epochs that meet each constraint without overflow."""
        met = (limit.controller.admits(record.bounded[limit.constraint.name]) for limit in self.limits)
        if self.is_in_final_arithmetic and not overflows and all(met):
            self.keep_if_best(record.quality, record.epoch)

    def take(self, weights: dict[str, Tensor], grid: TrainedGrid | None, timesteps: int) -> None:
        """Load weights into the student, which takes the T and the arithmetic that they belong to."""
        if timesteps != self.student.config.timesteps:
            self.student = self.student.at(timesteps)
        if grid is not None:
            if self.chip is not None and not self.on_integers:
                self._become_integer(self.chip)
            self.student.take_grid(grid)
        self.student.load_state_dict(weights)


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.1f} minutes" if seconds < 3600 else f"{seconds / 3600:.1f} hours"
