"""A training on disk: everything that going on exactly needs."""

from __future__ import annotations

import io
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from ..artefacts import atomic_write, sha256_of_json
from ..deploy.trained_grid import TrainedGrid
from ..errors import InputError
from .records import EpochRecord

if TYPE_CHECKING:
    from .trainer import Training


def fingerprint(training: Training) -> str:
    """What a checkpoint must agree with to be taken up."""
    chip = training.chip
    facts = {
        "student": asdict(training.config),
        "data": training.dataset.name,
        "train_samples": len(training.dataset.train),
        "method": repr(training.method),
        "regularizers": repr(training.regularizers),
        "settings": asdict(training.settings),
        "held": {held.constraint.name: held.controller.describe() for held in training.held},
        "chip": None if chip is None else (chip.profile.sha256, chip.weight_bits),
    }
    return sha256_of_json(facts)


def save(training: Training, path: Path) -> None:
    """Write a training to ``path``, atomically."""
    best = training.best
    state = {
        "fingerprint": fingerprint(training),
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
        InputError: the file is not a checkpoint, or of a training with other settings.
    """
    from .trainer import Kept

    try:
        state = torch.load(io.BytesIO(path.read_bytes()), map_location="cpu", weights_only=True)
    except Exception as error:  # torch.load raises whatever its unpickler meets in a foreign file
        raise InputError(
            f"{path}: is not a checkpoint ({type(error).__name__}); remove it or leave out --resume"
        ) from error
    if state.get("fingerprint") != fingerprint(training):
        raise InputError(f"{path}: is of a training with other settings; use the same flags, or leave out --resume")
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


def _dumped(grid: TrainedGrid | None) -> str | None:
    return None if grid is None else grid.as_metadata


def _loaded(text: str | None) -> TrainedGrid | None:
    return None if text is None else TrainedGrid.model_validate_json(text)
