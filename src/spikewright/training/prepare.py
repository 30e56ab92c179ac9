"""Preparing a training: the student is sized, and everything that can be refused is refused before the first step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ..augmentation.text import misfits_of, read_transforms
from ..augmentation.transforms import MixUp
from ..base.errors import InputError, arg, refuse
from ..base.types import Norm
from ..data.dataset import Dataset
from ..data.labels import part_faults
from ..data.recipe import Recipe
from ..distillation.base import LossTerms
from ..distillation.methods import METHODS, REGULARIZERS, name_of
from ..lowering.lower import lower
from ..lowering.peaks import Measuring
from ..profile.profile import HardwareProfile
from ..profile.units import Amount
from ..sources.found import PARTS
from ..sources.rows import first_rows
from ..student.finite import weight_faults
from ..student.integers.form import become_integer
from ..student.label_loss import label_loss_of, loss_faults
from ..student.to_nir import to_nir
from ..student.train_settings import Chip, TrainSettings, device_of, peak_rate
from ..teachers.spiking_teacher import StudentPlan
from ..teachers.training_loop import steps_per_epoch
from .ann_weights import begin_with
from .early import contradictions
from .limits import Hold, limits_of
from .objects import loss_terms, objects_of, teaching_of
from .settings import DistillSettings, Training
from .sizing import Size, choose_size, encoding_of, size_of, student_config
from .trainer import Trainer

FEWEST_STEPS = 100
"""Optimiser steps below which a student has hardly learned: a training gets more epochs, or it is said."""


def prepared(settings: DistillSettings, dataset: Dataset, profile: HardwareProfile, budget: Amount | None) -> Trainer:
    """A training before its first step, without its teacher.

    Args:
        dataset: whose training part is reduced to the samples that the student is trained on.
        budget: on ``profile``, None for training without an energy budget.

    Raises:
        InputError: settings that contradict each other, the data or the method; a budget below the student's floor.
    """
    method, regularizers = loss_terms(settings)
    teaching = teaching_of(settings, method, dataset)
    check_settings(settings, dataset)
    train = train_settings(settings.training, dataset.recipe, len(dataset.train), settings.student.norm)
    refuse(f"data {dataset.name}", list(misfits(settings, dataset)))
    size = _size(settings, dataset, profile, budget)
    remarks = () if (ann := objects_of(settings).ann) is None else begin_with(ann, size.student, dataset)
    refuse("student", list(weight_faults(size.student)))
    steps = steps_per_epoch(dataset.train, train) * train.epochs
    on_chip = settings.training.integer_from < 1
    trainer = Trainer(
        student=size.student,
        dataset=dataset,
        method=method,
        regularizers=regularizers,
        cost=size.cost,
        limits=limits_of(
            settings.limits,
            size,
            dataset,
            profile,
            budget,
            steps,
            label_loss_of(dataset, train.loss, train.class_weights),
        ),
        settings=train,
        chip=Chip(profile, settings.limits.profile, settings.training.weight_bits) if on_chip else None,
        measuring=measuring_of(settings.training, dataset),
        device=device_of(settings.training.device),
        floor=size.floor,
        remarks=remarks,
        hold=Hold.of(settings.limits.hold),
    )
    teaching.check(dataset, trainer.student, student_plan(trainer))
    if trainer.chip is not None:  # refuses what the integers of the chip cannot hold; the student stays as it is
        become_integer(trainer.student, profile, trainer.chip.spec, trainer.chip.weight_bits, _one_sample(trainer))
    elif trainer.measuring is None:  # and what the worst case leaves no levels to
        lower(to_nir(trainer.student.eval()), profile)
    return trainer


def check_settings(settings: DistillSettings, dataset: Dataset) -> None:
    """Refuse settings that contradict each other, or do not suit the method.

    Raises:
        InputError: every fault at once.
    """
    method, regularizers = loss_terms(settings)
    teaching = teaching_of(settings, method, dataset)
    faults = [*contradictions(settings), *unmet(settings, method, dataset), *teaching.faults()]
    faults += hold_faults(settings, method, regularizers)
    faults += [fault for terms in regularizers for fault in untaught("regularize", terms, dataset)]
    refuse("distill", [*faults, *task_faults(settings, dataset)])
    parts = {part: getattr(dataset, part).labels for part in PARTS}
    refuse(f"data {dataset.name}", list(part_faults(parts, dataset.output, dataset.classes)))


def _one_sample(trainer: Trainer) -> Measuring | None:
    """The trainer's measuring on a single sample: enough to see whether the integers can be had at all."""
    return trainer.measuring and replace(trainer.measuring, samples=first_rows(trainer.measuring.samples, 1))


def measuring_of(training: Training, dataset: Dataset) -> Measuring | None:
    """The training samples on which peaks are measured; None for scales that hold in the worst case."""
    if training.scales == "worst-case":
        return None
    rule = dataset.input_rule
    return Measuring.of(
        dataset.train,
        quantile=training.scale_quantile,
        margin=training.scale_margin,
        seed=training.seed,
        by_step=rule is not None and rule.changes_each_step,
        only_starved=training.scales == "auto",
    )


def train_settings(
    training: Training, recipe: Recipe, samples: int | None = None, norm: Norm = "batch"
) -> TrainSettings:
    """How a student is trained; values that were left out are those of the data set's recipe.

    Args:
        samples: of the training part; where epochs are left out, they are as many as make :data:`FEWEST_STEPS` steps
            at least. None keeps the recipe's.
        norm: of the student.
    """
    epochs, samples = training.epochs or recipe.epochs, training.epoch_samples or samples
    if samples is not None and training.epochs is None:
        batch = training.batch or recipe.batch
        epochs = max(epochs, -(-FEWEST_STEPS // max(1, samples // batch)))
    return TrainSettings(
        epochs=epochs,
        batch=training.batch or recipe.batch,
        learning_rate=peak_rate(training.learning_rate, training.optimizer, norm),
        optimizer=training.optimizer,
        weight_decay=training.weight_decay,
        seed=training.seed,
        augmentation=training.augmentation or recipe.augmentation,
        reach=recipe.reach,
        integer_from=training.integer_from,
        max_rounds=training.rounds,
        shorten=training.shorten,
        loss=training.loss,
        class_weights=training.class_weights,
        labelled_share=training.labelled_share,
        epoch_samples=training.epoch_samples,
    )


def student_plan(trainer: Trainer) -> StudentPlan:
    """The student's network and training, from which spiking teachers are derived."""
    return StudentPlan(trainer.config, trainer.settings, trainer.dataset.recipe.epochs, trainer.device)


def unmet(settings: DistillSettings, method: LossTerms, dataset: Dataset) -> Iterator[str]:
    """Faults of a method that needs what the data set does not have, or cannot use what it has."""
    name = arg("method", name_of(method))
    yield from untaught("method", method, dataset)
    if settings.data.unlabelled is not None and not method.needs_teacher():
        yield (
            f"{name}: has no teacher, by whose answers samples without labels ({arg('unlabelled')}) are learned; "
            f"choose a method that has one, such as {arg('method', 'kd')}, or leave {arg('unlabelled')} out"
        )
    if "static twins" in method.needs and (dataset.twin is None or dataset.twin.shape[1:] != dataset.shape[1:]):
        yield (
            f"{name}: learns from the images that events were made from, and {dataset.name} has none; use data such as "
            "digits-events"
        )
    if method.training_timesteps(1) > 1 and (dataset.timesteps or settings.student.encoding == "latency"):
        fixed = "events" if dataset.timesteps else "a latency code"
        yield f"{name}: runs samples beyond T, as {fixed} cannot be; use direct, current or rate input"


def hold_faults(settings: DistillSettings, method: LossTerms, regularizers: tuple[LossTerms, ...]) -> Iterator[str]:
    """Faults of what limits are to be held by, and is not there."""
    text, hold = settings.limits.hold, Hold.of(settings.limits.hold)
    if hold.temperature and not method.takes_heat:
        able = ", ".join(name for name, kind in METHODS.items() if kind.takes_heat)
        its = f"{arg('method', name_of(method))} has no temperature of the teacher alone"
        yield f"{arg('hold', text)}: {its}; methods that have one: {able}"
    if hold.regularizers and not regularizers:
        yield f"{arg('hold', text)}: there is no regularizer; give one, such as {arg('regularize', 'activation')}"


def untaught(argument: str, terms: LossTerms, dataset: Dataset) -> Iterator[str]:
    """Faults of a method or regularizer that is for classes, and options of one that are, where labels are values."""
    if dataset.output.is_classes:
        return
    name = name_of(terms)
    if "regression" not in terms.tasks:
        table = METHODS if argument == "method" else REGULARIZERS
        others = ", ".join(other for other, kind in table.items() if "regression" in kind.tasks)
        yield f"{arg(argument, name)}: is for classes, and the labels of {dataset.name} are values; may be {others}"
    elif idle := sorted(terms.model_fields_set & terms.of_classes):
        yield (
            f"{arg(argument, name)}: {' and '.join(idle)} is for classes, and the labels of {dataset.name} are values; "
            "leave it out"
        )


def task_faults(settings: DistillSettings, dataset: Dataset) -> Iterator[str]:
    """Faults of settings that do not suit what the labels are: classes, or values."""
    student, training = settings.student, settings.training
    yield from loss_faults(dataset, training.loss, training.class_weights)
    if dataset.output.is_classes:
        if (values := settings.teacher.teacher_outputs) is not None:
            yield f"{arg('teacher_outputs', values)} is for values, and the labels are classes; leave it out"
        return
    if any(isinstance(each, MixUp) for each in read_transforms(training.augmentation or "none", 0)):
        yield f"{arg('augmentation', 'mixup')}: mixes labels, which must be classes; leave it out"
    if student.readout == "count":
        yield (
            f"{arg('readout', 'count')}: counts are whole numbers up to T, and the labels of {dataset.name} are "
            f"values, which are read from membrane potentials; leave {arg('readout')} out, or let the last neurons "
            "integrate"
        )
    if student.population > 1:
        yield (
            f"{arg('population', student.population)}: is a code for classes, and the labels of {dataset.name} are "
            f"values; leave {arg('population')} out"
        )


def misfits(settings: DistillSettings, dataset: Dataset) -> Iterator[str]:
    """Faults of settings that do not suit event data, of event input without event data, and of data of which nothing
    is left when they are scaled."""
    if dataset.input_rule is not None and not any(dataset.input_rule.gain):
        yield "all its training samples are the same; give samples that differ"
    encoding, timesteps = settings.student.encoding, settings.student.timesteps
    train = train_settings(settings.training, dataset.recipe)
    yield from misfits_of(read_transforms(train.augmentation, train.reach), dataset)
    if not dataset.is_events and encoding == "events":
        yield "encoding is 'events', but the samples are intensities; may be direct, current, rate or latency"
    if encoding == "delta" and dataset.raw is None:
        yield f"encoding is 'delta', which is for series of your own, and {dataset.name} has none"
    if dataset.timesteps is None:
        return
    if not dataset.is_events and encoding == "latency":
        yield "encoding is 'latency', but the samples change from step to step; may be direct, current or rate"
    if dataset.is_events and encoding not in (None, "events", "delta"):
        yield f"encoding is {encoding!r}, but the samples are events already; leave {arg('encoding')} out"
    if timesteps not in (None, dataset.timesteps):
        yield (
            f"timesteps is {timesteps}, but the samples have {dataset.timesteps} frames; load them with "
            f"timesteps={timesteps}"
        )
    if train.shorten is not None:
        yield f"T cannot be shortened, since the samples have {dataset.timesteps} frames; leave {arg('shorten')} out"


def _size(settings: DistillSettings, dataset: Dataset, profile: HardwareProfile, budget: Amount | None) -> Size:
    given, seed, config = objects_of(settings), settings.training.seed, objects_of(settings).config
    if config is None and given.network is None:
        return choose_size(settings.student, dataset, profile, budget, seed)
    if config is None:
        timesteps = dataset.timesteps or settings.student.timesteps or profile.default_timesteps
        encoding = encoding_of(settings.student, dataset, profile)
        config = student_config(settings.student, dataset, encoding, width=1, timesteps=timesteps)
    size, wanted = f"{config.input_shape}, {config.classes}", f"{dataset.shape}, {dataset.classes}"
    if size != wanted:
        called = arg("student" if given.start is None else "init")
        raise InputError(
            f"{called}: takes samples of shape and classes {size}, and {dataset.name} has {wanted}; give a "
            "student for these data"
        )
    output = replace(dataset.output, population=config.output.population)
    config = replace(config, input_rule=dataset.input_rule, output=output)
    encoder = None if given.start is None else given.start.begins.encoder
    return size_of(config, dataset, profile, seed, given.network, encoder)
