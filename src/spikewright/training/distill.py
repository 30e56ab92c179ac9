"""Distillation: a spiking student is trained from an accurate ANN, within an energy budget."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any, cast

from torch import nn

from ..base.artefacts import writable
from ..base.errors import InputError, arg, refuse
from ..base.interrupt import goes_on
from ..base.lock import only_writer
from ..base.memory import freed_memory_kept
from ..base.processes import ALONE, Processes, saying_how
from ..base.progress import SILENT, Callback, Listeners
from ..base.threads import student_threads
from ..base.version import __version__
from ..data.dataset import Dataset
from ..distillation.base import LossTerms
from ..profile.profile import HardwareProfile, load_profile
from ..profile.units import quantity
from ..student.accuracy import quality_of_student
from ..student.config import StudentConfig
from ..student.student import Student, save_student
from ..teachers.torch_teacher import Teacher
from .again import begun_with, finished
from .ann_weights import AnnWeights
from .checkpoint import resume as take_up
from .checkpoint import save
from .deployment import Certificate, Deployment, certify
from .fine_tuning import with_start
from .growth import grown
from .objects import dataset_of, network_of, objects_of, settings_of
from .prepare import FEWEST_STEPS
from .result import Attempts, Distillation
from .samples import counts_of
from .settings import Budget, DataSettings, DistillSettings, StudentSpec, TeacherSpec, Training
from .start import baseline_of, say_outcome
from .teaching import facts_of
from .times import save_times, times_path
from .together import begun_together, hand_over, size_told, taught_together
from .trainer import Trainer

FORMER = {
    "profile": "within=sw.Budget(profile=...)",
    "energy_budget": "within=sw.Budget(energy_budget=...)",
    "epochs": "training=sw.Training(epochs=...)",
    "seed": "training=sw.Training(seed=...)",
}
"""By deprecated argument of :func:`distill`, what to use instead; the names are flat names of settings."""


def distill(
    data: Dataset | DataSettings | str | Path = "digits",
    teacher: nn.Module | Teacher | TeacherSpec | str | None = None,
    *,
    student: nn.Module | StudentConfig | StudentSpec | str | None = None,
    method: LossTerms | str = "kd",
    within: Budget | str | None = None,
    regularize: LossTerms | str | Sequence[LossTerms | str] = (),
    training: Training | None = None,
    unlabelled: object = None,
    init: Student | str | Path | None = None,
    callbacks: Sequence[Callback] = (),
    **old: Any,
) -> Distillation:
    """Train a spiking student from a teacher, within a budget.

    Args:
        data: a data set, its name or path, or :class:`DataSettings` with its name and the number of training samples.
        teacher: a trained torch network, a teacher, or a description: a named architecture, an ONNX file, ``snn``, a
            student's file; None for the default teacher of the method.
        student: torch layers and snnTorch neurons, of which a copy is trained; a specification; or the name of an
            architecture; None for the data set's. Of a :class:`Student`, T and encoding are used too.
        method: a method of :mod:`spikewright.distillation.methods`, or text for :func:`spikewright.parse`.
        within: the chip and its limits, or an energy per inference, such as ``"2uJ"``, on the default chip.
        regularize: regularizers in addition to the method.
        training: how long and how to train, and the seed.
        unlabelled: samples that the student learns from without labels: an array, a tensor, a list of recordings, a
            data set (its training part's samples), the path of a file; or a number of those of the training part whose
            labels are not used, ``"rest"`` for all of these.
        init: a student, or its file, with whose network, weights, T and neurons the training begins; of ``student`` a
            specification may ask for another T, encoding, width of the input and reset. Where nothing else is given,
            the student learns from the network as it was, at a smaller rate, for a few epochs.
        callbacks: receive messages, progress and the record of each epoch.
        old: the deprecated arguments ``profile`` and ``energy_budget`` (now in ``within``), ``epochs`` and ``seed``
            (now in ``training``). A call with one of them returns the student alone, as it did before.

    Raises:
        InputError: an unknown name, an impossible value, or a budget below the student's floor.
    """
    if unknown := old.keys() - FORMER.keys():
        raise TypeError(f"distill() got an unexpected keyword argument {min(unknown)!r}")
    given = {"profile": within, "energy_budget": within, "epochs": training, "seed": training}
    twice = [f"{name} is given twice: in `{FORMER[name]}`, too" for name in old if given[name] is not None]
    refuse("distill", twice)
    for name in old:
        warnings.warn(
            f"`{name}` is deprecated and will be removed in 0.3; use `{FORMER[name]}`, with which distill returns a "
            "Distillation, and take its `student`",
            DeprecationWarning,
            stacklevel=2,
        )
    settings = settings_of(data, teacher, student, method, within, regularize, training, unlabelled, init).changed(old)
    result = distill_with(settings, listeners=Listeners(callbacks))
    return cast(Distillation, result.student) if old else result


def distill_with(
    settings: DistillSettings,
    checkpoint: Path | None = None,
    resume: bool = False,
    listeners: Listeners = SILENT,
    group: Processes = ALONE,
) -> Distillation:
    """Train the student that ``settings`` describe.

    Args:
        checkpoint: file that is written after each epoch, None for none.
        resume: continue the training of ``checkpoint``.
        listeners: receive messages, progress and the record of each epoch.
        group: the processes that share the training, of which this is the first; the others are at
            :func:`~spikewright.training.together.follow`.

    Raises:
        InputError: an unknown name, an impossible value, or a budget below the network's floor.
    """
    settings, attempts = with_start(settings), Attempts(checkpoint)
    if resume and not attempts.can_resume:
        raise InputError(
            f"{arg('resume')}: there is no checkpoint {checkpoint}; leave out {arg('resume')} to start anew"
        )
    whole = group.agree(lambda: dataset_of(settings, settings.student.timesteps), in_turn=True)
    for note in whole.notes:
        listeners.say(note, "note")

    def train(asked: DistillSettings, number: int) -> Distillation:
        done = attempts.finished(number, asked, network_of(settings)) if resume else None
        if done is None:
            going_on = resume and attempts.has_begun(number)
            begins = None if resume or number or checkpoint is None else partial(attempts.start, begun_with(settings))
            size_told(asked, group)
            done = _distil(whole, asked, attempts.checkpoint(number), going_on, listeners, begins, group)
            done.provenance["settings"] = settings.flat(without=["data_dir"])
            attempts.keep(number, asked, done)
        return done

    return grown(train, settings, whole, listeners)


def _distil(
    whole: Dataset,
    settings: DistillSettings,
    checkpoint: Path | None,
    resume: bool,
    listeners: Listeners,
    begins: Callable[[], None] | None = None,
    group: Processes = ALONE,
) -> Distillation:
    """Train one student on a data set that is loaded already.

    Args:
        whole: of which the student is trained on as many samples as the settings say.
        begins: called before the first training, once nothing is left to refuse.
    """
    profile = load_profile(settings.limits.profile)
    trainer = begun_together(settings, whole, profile, group, listeners)
    dataset = trainer.dataset
    config, floor = trainer.student.config, quantity(trainer.floor.total, profile.cost_unit)
    listeners.say(
        f"student: {config.architecture}, width {config.width}, T = {config.timesteps}, {config.encoding} input, floor "
        f"{floor} per inference on {profile.name}"
    )
    if trainer.total_steps < FEWEST_STEPS:
        listeners.say(
            f"{trainer.total_steps} optimiser steps in {trainer.settings.epochs} epochs of {len(dataset.train)} "
            f"samples; fewer than {FEWEST_STEPS} rarely suffice: give more {arg('epochs')} or a smaller {arg('batch')}",
            "warning",
        )
    if begins is not None:
        begins()
    with student_threads(), freed_memory_kept():
        chain = taught_together(trainer, settings, whole, listeners)
        start, seed = objects_of(settings).start, settings.training.seed
        ann = objects_of(settings).ann
        facts_of_ann = {} if ann is None else _begun_with(ann, trainer, listeners)
        begun = None if start is None else baseline_of(start, trainer.student, dataset, seed, listeners)
        _run(trainer, checkpoint, resume, listeners)
    facts = _provenance(settings, trainer, profile.sha256)
    if start is not None and begun is not None:
        say_outcome(start, begun, quality_of_student(trainer.student, dataset.validation, seed), listeners)
        facts |= {"init": start.name, "init_sha256": start.sha256, **begun.facts}
    facts |= facts_of_ann
    certificate, deployed = _certificate(trainer, profile, listeners)
    facts["certificate"] = certificate.as_json()
    taught_by = chain[0].teacher if chain else None
    history, facts = tuple(trainer.history), facts | facts_of(chain)
    return Distillation(trainer.student, certificate, history, facts, deployed, taught_by)


def distill_to(
    settings: DistillSettings,
    out: Path,
    resume: bool = False,
    listeners: Listeners = SILENT,
    group: Processes = ALONE,
) -> Distillation:
    """Distil and write the student to ``out``, and its times beside it; until then a checkpoint stands next to it.

    Args:
        resume: go on with a training that was stopped, wherever; a student that is finished is read, and where
            nothing is there yet the training begins.
        group: as :func:`distill_with` takes it.

    Raises:
        InputError: as :func:`distill_with`, ``out`` cannot be written, somebody else writes it, or ``resume`` with
            other settings than at the beginning.
        Interrupted: by Ctrl-C or another request to end; says that ``resume`` goes on.
    """
    with only_writer(out, listeners=listeners):
        return distill_alone(settings, out, resume, listeners, group=group)


def distill_alone(
    settings: DistillSettings,
    out: Path,
    resume: bool = False,
    listeners: Listeners = SILENT,
    written: Callable[[], None] = lambda: None,
    group: Processes = ALONE,
) -> Distillation:
    """Do what :func:`distill_to` does, for who is the only writer of ``out`` already.

    Args:
        written: called when a new student is written and its training still counts as under way.
    """
    times_path(out)
    settings = with_start(settings)
    checkpoint = writable(out.with_name(out.name + ".checkpoint"))
    attempts = Attempts(checkpoint)

    def how() -> str:
        return _how_to_go_on(attempts, checkpoint)

    with goes_on(how, "resume"), saying_how(how):
        if resume and (done := finished(settings, out, attempts, listeners)) is not None:
            return done
        _say_how_it_begins(resume, attempts, out, listeners)
        result = distill_with(settings, checkpoint, resume and attempts.can_resume, listeners, group)
        save_student(result.student, out, result.provenance)
        save_times(out, result.history)
        written()
        attempts.forget()
    return result


def _say_how_it_begins(resume: bool, attempts: Attempts, out: Path, listeners: Listeners) -> None:
    if resume and not attempts.can_resume:
        listeners.say(f"{out}: no epoch of its training is finished, which begins anew", "note")
    elif attempts.can_resume and not resume:
        listeners.say(
            f"{out}: its training was stopped and begins anew; {arg('resume')} would have gone on with it", "note"
        )


def _how_to_go_on(attempts: Attempts, checkpoint: Path) -> str:
    if not attempts.can_resume:
        return "no epoch is finished yet; the same again begins anew"
    return f"the same again with {arg('resume')} goes on after the last finished epoch, from {checkpoint}"


def _run(trainer: Trainer, checkpoint: Path | None, resume: bool, listeners: Listeners) -> None:
    if resume and checkpoint is not None:
        take_up(trainer, checkpoint)
        listeners.say(f"resumed after epoch {len(trainer.history)}")
    after = None if checkpoint is None else partial(save, trainer, checkpoint)
    trainer.run(listeners, after, partial(hand_over, trainer))
    trainer.group.hand_over(None)
    dead = {name: count for name, count in trainer.history[-1].dead.items() if count}
    if dead:
        counts = ", ".join(f"{name} {count}" for name, count in dead.items())
        listeners.say(f"neurons that never spike on validation: {counts}")
    if trainer.limits and trainer.best is None:
        listeners.say(f"no epoch met every limit ({trainer.unmet()}); train for more epochs or rounds", "warning")


def _certificate(trainer: Trainer, profile: HardwareProfile, listeners: Listeners) -> tuple[Certificate, Deployment]:
    constraints = [limit.constraint for limit in trainer.limits]
    data, seed = trainer.dataset, trainer.settings.seed
    found, deployed = certify(
        trainer.student, data.validation, profile, constraints, seed, data.test, trainer.measuring
    )
    found = replace(found, learnt_from=counts_of(data))
    answers, what = (found.recordings, "recordings") if found.recordings is not None else (found.samples, "samples")
    share = f", {found.energy / found.budget:.1%} of the budget" if found.budget else ""
    listeners.say(
        f"certified: {quantity(found.energy, profile.cost_unit)} per inference on {profile.name}{share}, "
        f"{found.in_words} on {answers} validation {what}, measured on the chip network"
    )
    if found.measured or any(found.overflows.values()):
        listeners.say(found.about_overflows(), "warning" if found.overflowed else "info")
    return found, deployed


def _begun_with(ann: AnnWeights, trainer: Trainer, listeners: Listeners) -> dict[str, object]:
    """Say how good a student is with the weights of an ANN, before its first step; JSON-able facts about it."""
    for remark in trainer.remarks:
        listeners.say(remark, "assumed")
    quality = quality_of_student(trainer.student, trainer.dataset.validation, trainer.settings.seed)
    listeners.say(f"begins with {ann.name}: validation {quality}")
    return {"init": ann.name, "init_sha256": ann.sha256, "init_unchanged_quality": quality.facts}


def _provenance(settings: DistillSettings, trainer: Trainer, profile_sha256: str) -> dict[str, object]:
    last, best = trainer.history[-1], trainer.best
    quality = dict(last.quality if best is None or not best.quality else best.quality)
    return {
        "made_by": f"spikewright {__version__} distill",
        "settings": settings.flat(without=["data_dir"]),
        "student": trainer.student.config.as_json(),
        "training": asdict(trainer.settings),
        "method": repr(trainer.method),
        "regularizers": [repr(r) for r in trainer.regularizers],
        "profile_sha256": profile_sha256,
        "train_split_sha256": trainer.dataset.train.sha256,
        "samples": counts_of(trainer.dataset),
        "limits": {limit.constraint.name: limit.controller.describe() for limit in trainer.limits},
        "validation_accuracy": quality.get("accuracy"),
        "validation_quality": quality,
        "history": [record.facts for record in trainer.history],
    }
