"""Checkpoints: the whole state of a training in a file, from which it continues exactly."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, TypeAdapter, ValidationError
from torch import Tensor

from ..base.errors import InputError, arg, refuse
from ..base.headers import faults_of, read_json
from ..base.torch_file import load_torch, save_torch
from ..chip.registers import MARGIN, QUANTILE, TrainedGrid
from ..lowering.peaks import Measuring
from ..teachers.training_loop import BestWeights
from .records import EpochRecord
from .trainer import Trainer


def identity(trainer: Trainer) -> dict[str, Any]:
    """The facts of a training in which a checkpoint must agree with it; JSON-able."""
    chip, train = trainer.chip, trainer.dataset.train
    few = {"labelled_samples": train.labelled, "train_sha256": train.sha256} if train.unlabelled else {}
    return {
        **few,
        "student": trainer.config.facts,
        "data": trainer.dataset.name,
        "train_samples": len(trainer.dataset.train),
        "method": repr(trainer.method),
        "regularizers": repr(trainer.regularizers),
        "teacher_sha256": trainer.teacher_sha256,
        "settings": asdict(trainer.settings),
        "held": {limit.constraint.name: limit.controller.describe() for limit in trainer.limits},
        "chip": None if chip is None else {"profile_sha256": chip.profile.sha256, "weight_bits": chip.weight_bits},
        **_scales(trainer.measuring),
    }


def _scales(measuring: Measuring | None) -> dict[str, object]:
    """How scales are chosen; left out where that is the default, as in checkpoints from before there was a choice."""
    if measuring is None:
        return {"scales": "worst-case"}
    chosen = {"quantile": measuring.quantile, "margin": measuring.margin, "only_starved": measuring.only_starved}
    return {} if chosen == {"quantile": QUANTILE, "margin": MARGIN, "only_starved": True} else {"scales": chosen}


def save(trainer: Trainer, path: Path) -> None:
    """Write a training to ``path``, atomically."""
    save_torch(state_of(trainer), path)


def state_of(trainer: Trainer) -> dict[str, Any]:
    """Everything from which a training goes on, as data; :func:`restore` takes it."""
    best = trainer.best
    return {
        "identity": json.dumps(identity(trainer)),
        "student": trainer.student.state_dict(),
        "timesteps": trainer.student.config.timesteps,
        "grid": _dumped(trainer.student.grid),
        "auxiliary": None if trainer.auxiliary is None else trainer.auxiliary.state_dict(),
        "optimizer": trainer.optimizer.state_dict(),
        "controllers": {limit.constraint.name: limit.controller.state() for limit in trainer.limits},
        "history": [asdict(record) for record in trainer.history],
        "best": None if best is None else (best.merit, best.weights, _dumped(best.grid), best.epoch, best.quality),
        "step": trainer.step,
    }


def resume(trainer: Trainer, path: Path) -> None:
    """Continue from a checkpoint of the same training.

    Raises:
        InputError: the file is no checkpoint, or of a training with other settings or another teacher, which are named.
    """
    remedy = f"remove it or leave out {arg('resume')}"
    state = _state(load_torch(path, "a checkpoint", remedy), path, remedy)
    now, was = json.loads(json.dumps(identity(trainer))), _identity(state, path, remedy)
    if differing := "; ".join(_differences(was, now)):
        raise InputError(
            f"{path}: is of another training ({differing}); use the settings and teacher that it began with, or leave "
            f"out {arg('resume')}"
        )
    try:
        restore(trainer, state)
    except (ArithmeticError, AttributeError, IndexError, LookupError, RuntimeError, TypeError, ValueError) as error:
        raise InputError(f"{path}: is a damaged checkpoint ({type(error).__name__}: {error}); {remedy}") from error


class _State(BaseModel):
    """What a checkpoint holds; what is in tensors and in states of the optimiser is checked as they take it."""

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="ignore", strict=True)

    identity: str
    student: dict[str, Tensor]
    timesteps: PositiveInt
    grid: str | None
    auxiliary: dict[str, Tensor] | None
    optimizer: dict[str, Any]
    controllers: dict[str, Any]
    history: Annotated[list[dict[str, Any]], Field(min_length=1)]
    best: Annotated[tuple[Any, ...], Field(min_length=4, max_length=5)] | None
    step: PositiveInt


def _state(content: object, path: Path, remedy: str) -> dict[str, Any]:
    """The values of a checkpoint as they stand in it, checked to be of the right kinds."""
    try:
        checked = _State.model_validate(content)
        TypeAdapter(list[EpochRecord]).validate_python(checked.history)
    except ValidationError as error:
        refuse(f"{path}: is not a checkpoint; {remedy}", faults_of(error))
    assert isinstance(content, dict)
    return content


def _identity(state: Mapping[str, Any], path: Path, remedy: str) -> dict[str, Any]:
    try:
        found = read_json(state["identity"])
    except ValueError as error:
        raise InputError(f"{path}: is a damaged checkpoint (identity: {error}); {remedy}") from error
    if not isinstance(found, dict):
        raise InputError(f"{path}: is a damaged checkpoint (identity: is no JSON object); {remedy}")
    return found


def restore(trainer: Trainer, state: Mapping[str, Any]) -> None:
    """Go on from the state of a training with the same settings.

    Raises:
        ValueError: one that no such training can have; other errors where its values do not fit.
    """
    if state["timesteps"] > trainer.student.config.timesteps:
        raise ValueError(f"timesteps: {state['timesteps']}, and the training began with fewer")
    history = [EpochRecord(**record) for record in state["history"]]
    _check_count(trainer, history, state["step"])
    trainer.take(state["student"], _loaded(state["grid"]), state["timesteps"])
    if trainer.auxiliary is not None:
        trainer.auxiliary.load_state_dict(state["auxiliary"])
    trainer.optimizer.load_state_dict(state["optimizer"])
    for limit in trainer.limits:
        limit.controller.restore(state["controllers"][limit.constraint.name])
    trainer.history = history
    if state["best"] is not None:
        merit, weights, grid, epoch, *quality = state["best"]  # of which earlier versions noted none
        if epoch not in range(len(history)):
            raise ValueError(f"best: is of epoch {epoch}, and the last one is {len(history) - 1}")
        trainer.best = BestWeights(merit, weights, _loaded(grid), epoch, *quality)
    trainer.step = state["step"]


def _check_count(trainer: Trainer, history: Sequence[EpochRecord], step: int) -> None:
    """Refuse epochs and steps that no training with these settings can have behind it."""
    settings, done = trainer.settings, len(history)
    most = settings.epochs + settings.max_rounds * settings.round_epochs
    if done > most:
        raise ValueError(f"history: has {done} epochs, and the training at most {most}")
    if [record.epoch for record in history] != list(range(done)):
        raise ValueError(f"history: its epochs are not 0 to {done - 1} in order")
    if step != done * trainer.steps_per_epoch:
        steps = trainer.steps_per_epoch
        raise ValueError(f"step: is {step}, and {done} epochs of {steps} steps are {done * steps}")


def _differences(was: Mapping[str, Any], now: Mapping[str, Any], within: str = "") -> Iterator[str]:
    """Each fact that has changed, with its path."""
    for name in sorted(was.keys() | now.keys()):
        before, after = was.get(name), now.get(name)
        if isinstance(before, dict) and isinstance(after, dict):
            yield from _differences(before, after, f"{within}{name}.")
        elif before != after:
            yield f"{within}{name} was {before}, is {after}"


def _dumped(grid: TrainedGrid | None) -> str | None:
    return None if grid is None else grid.as_metadata


def _loaded(text: str | None) -> TrainedGrid | None:
    return None if text is None else TrainedGrid.model_validate_json(text)
