"""A training on disk: everything that going on exactly needs."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from ..base.artefacts import atomic_write
from ..base.errors import InputError
from ..chip.trained_grid import TrainedGrid
from .records import EpochRecord
from .trainer import Kept, Training


def identity(training: Training) -> dict[str, Any]:
    """What a checkpoint must agree with to be taken up; JSON-able."""
    chip = training.chip
    return {
        "student": asdict(training.config),
        "data": training.dataset.name,
        "train_samples": len(training.dataset.train),
        "method": repr(training.method),
        "regularizers": repr(training.regularizers),
        "teacher_sha256": training.teacher_sha256,
        "settings": asdict(training.settings),
        "held": {held.constraint.name: held.controller.describe() for held in training.held},
        "chip": None if chip is None else {"profile_sha256": chip.profile.sha256, "weight_bits": chip.weight_bits},
    }


def save(training: Training, path: Path) -> None:
    """Write a training to ``path``, atomically."""
    best = training.best
    state = {
        "identity": json.dumps(identity(training)),
        "student": training.student.state_dict(),
        "timesteps": training.student.config.timesteps,
        "grid": _dumped(training.student.grid),
        "auxiliary": None if training.auxiliary is None else training.auxiliary.state_dict(),
        "optimizer": training.optimizer.state_dict(),
        "controllers": {held.constraint.name: held.controller.state() for held in training.held},
        "history": [asdict(record) for record in training.history],
        "best": None if best is None else (best.accuracy, best.weights, _dumped(best.grid), best.epoch),
        "step": training.step,
    }
    with atomic_write(path) as temporary:
        torch.save(state, temporary)


def resume(training: Training, path: Path) -> None:
    """Take up a checkpoint of the same training.

    Raises:
        InputError: the file is not a checkpoint, or of a training with other settings or another teacher; says which.
    """

    try:
        state = torch.load(io.BytesIO(path.read_bytes()), map_location="cpu", weights_only=True)
    except Exception as error:  # torch.load raises whatever its unpickler meets in a foreign file
        raise InputError(
            f"{path}: is not a checkpoint ({type(error).__name__}); remove it or leave out --resume"
        ) from error
    _check_same(training, path, state)
    training.take(state["student"], _loaded(state["grid"]), state["timesteps"])
    if training.auxiliary is not None:
        training.auxiliary.load_state_dict(state["auxiliary"])
    training.optimizer.load_state_dict(state["optimizer"])
    for held in training.held:
        held.controller.restore(state["controllers"][held.constraint.name])
    training.history = [EpochRecord(**record) for record in state["history"]]
    if state["best"] is not None:
        accuracy, weights, grid, epoch = state["best"]
        training.best = Kept(accuracy, weights, _loaded(grid), epoch)
    training.step = state["step"]


def _check_same(training: Training, path: Path, state: Mapping[str, Any]) -> None:
    now = json.loads(json.dumps(identity(training)))
    was = json.loads(state.get("identity", "{}"))
    if differing := "; ".join(_differences(was, now)):
        raise InputError(
            f"{path}: is of another training ({differing}); use the flags and the teacher that it began with, or leave "
            "out --resume"
        )


def _differences(was: Mapping[str, Any], now: Mapping[str, Any], within: str = "") -> Iterator[str]:
    """Each fact that is not what it was, by its path."""
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
