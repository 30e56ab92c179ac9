"""Trainings alone and shared by two processes, side by side: run as a script in each process, it writes what differs.

``start`` launches the processes as torchrun would; ``python tests/shared_steps.py OUT`` is one of them.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any
from unittest.mock import patch

import snntorch as snn
import torch
from torch import nn

from spikewright.base.processes import ALONE, Left, Processes, working_together
from spikewright.base.progress import SILENT
from spikewright.profile.profile import load_profile
from spikewright.teachers.training_loop import Batch, batches
from spikewright.training.distill import distill_with
from spikewright.training.objects import dataset_of, settings_of
from spikewright.training.result import Distillation
from spikewright.training.settings import DistillSettings
from spikewright.training.together import begun_together, follow, taught_together
from spikewright.training.trainer import Trainer

BASE: dict[str, Any] = {
    "data": "digits",
    "teacher": "mlp",
    "teacher_epochs": 1,
    "width": 4,
    "timesteps": 2,
    "epochs": 1,
    "batch": 33,  # 17 samples in one process and 16 in the other
    "train_samples": 400,
}
CASES: dict[str, dict[str, Any]] = {
    "none": {"method": "none"},
    "kd": {"method": "kd"},
    "ht-kd": {"method": "ht-kd"},
    "feature pairs, a norm of the method": {"method": "kdsnn:form=both,norm=true", "teacher": "convnet"},
    "random blur": {"method": "bkd:clip=true", "teacher": "convnet"},
    "maps of the whole batch": {"method": "samd:normalise=batch", "teacher": "convnet", "width": 8},
    "noise": {"method": "nld"},
    "two heads": {"method": "hdkd:project=conv", "teacher": "convnet"},
    "single timesteps": {"method": "seal-kd", "regularize": ("logits",)},
    "the most confident timestep": {"method": "strong2weak", "timesteps": 3},
    "a longer run": {"method": "tssd"},
    "spiking teacher, rate input": {"method": "distilling-spikes", "teacher": "snn", "encoding": "rate"},
    "images and events": {"data": "digits-events", "method": "cross-kd", "timesteps": None, "width": 2, "batch": 20},
    "squares of means": {"method": "none", "regularize": ("activation:norm=l2", "spikes", "synops:target=1000")},
    "augmented, mixed": {"method": "bkd", "teacher": "convnet", "augmentation": "shift:1,mixup:0.5,jitter:0.1"},
    "few labels": {"method": "kd", "train_samples": 100, "unlabelled": 300, "class_weights": "balanced"},
    "an encoder, a filter, learnt constants": {
        "method": "kd", "encoding": "current", "neuron": "cubalif", "learn_beta": True, "learn_threshold": True,
        "reset": "subtract",
    },
    "a budget and a limit of rates": {"method": "kd", "energy_budget": "60nJ", "max_rate": ("lif*=0.2",)},
    "neither norms nor biases": {
        "method": "ht-kd", "norm": "none", "energy_budget": "60nJ", "hold": "price+temperature", "optimizer": "sgd",
    },
    "a count readout, a population": {"method": "kd", "readout": "count", "population": 2, "encoding": "latency"},
}  # fmt: skip
"""By name, what differs from :data:`BASE`."""
OWN = "a network of one's own with dropout and a norm without gains"
RUN = "floats, integers, a budget"
WHOLE = DistillSettings.of(**{**BASE, "epochs": 4}, energy_budget="60nJ", integer_from=0.5, rounds=1)
STEPS, STOPS_AT = 8, 20
"""Of the comparison step by step, and of the trainings that are stopped: in the second of four epochs of 12."""


@dataclass(frozen=True)
class Trained:
    """The weights after some steps, the sum of what each term was, and the state of each limit's controller."""

    before: Mapping[str, torch.Tensor]
    after: Mapping[str, torch.Tensor]
    terms: Mapping[str, float]
    controllers: Mapping[str, Mapping[str, float]]


class Own(nn.Module):
    """Two layers with dropout of pixels and channels, and a norm without gains whose statistics are plain means."""

    def __init__(self) -> None:
        super().__init__()
        common = {"init_hidden": True, "reset_mechanism": "zero", "reset_delay": False}
        self.conv, self.norm = nn.Conv2d(1, 4, 3, bias=False), nn.BatchNorm2d(4, affine=False, momentum=None)
        self.lif, self.channels, self.drop = snn.Leaky(0.5, threshold=0.5, **common), nn.Dropout2d(0.3), nn.Dropout(0.3)
        self.dense = nn.Linear(144, 10)
        self.readout = snn.Leaky(1.0, init_hidden=True, reset_mechanism="none", reset_delay=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Images to membrane potentials."""
        x = self.channels(self.lif(self.norm(self.conv(x))))
        return self.readout(self.dense(self.drop(x.flatten(1))))


def steps(settings: DistillSettings, group: Processes) -> Trained:
    """Take a few steps from the beginning."""
    whole = dataset_of(settings, settings.student.timesteps)
    trainer = begun_together(settings, whole, load_profile(settings.limits.profile), group)
    taught_together(trainer, settings, whole, SILENT)
    before = {name: value.clone() for name, value in trainer.student.state_dict().items()}
    terms: dict[str, float] = {}
    torch.manual_seed(1)
    trainer.student.train()
    order = batches(trainer.dataset.train, trainer.settings, 0, trainer.device, trainer.augmenter)
    for batch in islice(order, STEPS):
        for parameters in trainer.optimizer.param_groups:
            parameters["lr"] = 3e-3
        trainer.train_on(batch)
        trainer.step += 1
        group.require_same(
            {"weights": [float(value.double().sum()) for value in trainer.student.state_dict().values()]}
        )
    terms = trainer._means.of("loss/") | {"accuracy": trainer._means.mean("accuracy")}
    controllers = {limit.constraint.name: limit.controller.state() for limit in trainer.limits}
    return Trained(before, trainer.student.state_dict(), terms, controllers)


def settings_of_case(name: str) -> DistillSettings:
    """The settings of a case."""
    if name == OWN:
        torch.manual_seed(0)
        asked = DistillSettings.of(**{**BASE, "width": None})
        return settings_of("digits", asked.teacher, Own(), "kd", training=asked.training)
    return DistillSettings.of(**{**BASE, **CASES[name]})


def compare(name: str, group: Processes) -> dict[str, Any]:
    """What differs between a few steps alone, which the first process takes, and the same shared."""
    shared = steps(settings_of_case(name), group)
    if not group.is_first:
        return {}
    alone = steps(settings_of_case(name), ALONE)
    return {
        "apart": {n: float((alone.after[n].double() - shared.after[n].double()).abs().max()) for n in alone.after},
        "moved": {n: float((alone.after[n].double() - alone.before[n].double()).abs().max()) for n in alone.after},
        "terms": [alone.terms, shared.terms],
        "controllers": [alone.controllers, shared.controllers],
    }


def facts_of(result: Distillation) -> dict[str, Any]:
    """What is compared of a whole training: all integers, what was measured, and the weights before rounding."""
    assert result.student.grid is not None and result.deployed is not None
    return {
        "scales": result.student.grid.scales,
        "history": [record.facts for record in result.history],
        "certificate": result.certificate.as_json(),
        "integers": [each.weight.tolist() for each in result.deployed.chip.connections],
        "weights": {name: value.tolist() for name, value in result.student.state_dict().items()},
    }


def shared_training(group: Processes, checkpoint: Path | None = None, resume: bool = False) -> Distillation | None:
    """A whole training of both processes; None in the one that follows."""
    if not group.is_first:
        try:
            follow(WHOLE, group)
        except Left:
            return None
    result = distill_with(WHOLE, checkpoint, resume, group=group)
    group.dismiss()
    return result


class Stopped(Exception):
    """Both processes stop before the same step."""


@contextmanager
def stopping_at(step: int) -> Iterator[None]:
    """Stop what trains within it before this step."""
    train_on = Trainer.train_on

    def until(trainer: Trainer, batch: Batch) -> None:
        if trainer.step == step:
            raise Stopped
        train_on(trainer, batch)

    with patch.object(Trainer, "train_on", until), suppress(Stopped):
        yield


def whole_trainings(group: Processes, folder: Path) -> dict[str, Any]:
    """A training alone, shared, and stopped in floats and gone on with by another number of processes."""
    by_two, by_one = folder / "two.checkpoint", folder / "one.checkpoint"
    shared = shared_training(group)
    with stopping_at(STOPS_AT):
        shared_training(group, by_two)
    if group.is_first:
        with stopping_at(STOPS_AT):
            distill_with(WHOLE, by_one)
    from_one = shared_training(group, by_one, resume=True)
    if shared is None or from_one is None:
        return {}
    from_two = distill_with(WHOLE, by_two, resume=True)
    found = {"alone": distill_with(WHOLE), "shared": shared, "one, then two": from_one, "two, then one": from_two}
    return {name: facts_of(each) for name, each in found.items()}


def main(out: Path) -> None:
    """Every case; the first process writes what it found."""
    torch.set_num_threads(1)
    with working_together() as group:
        found = {name: compare(name, group) for name in (*CASES, OWN)}
        found[RUN] = whole_trainings(group, out.parent)
        if group.is_first:
            out.write_text(json.dumps(found))


def start(words: Sequence[str], size: int, environment: Mapping[str, str]) -> list[subprocess.Popen[str]]:
    """Processes as torchrun starts them, each with the command line ``words`` behind Python's own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    common = {**os.environ, "OMP_NUM_THREADS": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), **environment}
    return [
        subprocess.Popen(
            [sys.executable, *words],
            env={
                **common,
                "RANK": str(rank),
                "LOCAL_RANK": str(rank),
                "WORLD_SIZE": str(size),
                "LOCAL_WORLD_SIZE": str(size),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(size)
    ]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
