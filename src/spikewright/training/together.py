"""Several processes that train one student: what they cannot share is refused, and all but the first follow it.

The first process decides, measures, writes and speaks as a process that is alone does. Before each epoch it hands over
the state of the training, as a checkpoint holds it, and the others take the steps of the epoch with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch

from ..base.errors import arg, refuse
from ..base.memory import freed_memory_kept
from ..base.processes import Processes
from ..base.progress import SILENT, Listeners
from ..base.threads import student_threads
from ..base.version import __version__
from ..data.dataset import Dataset
from ..profile.profile import HardwareProfile, load_profile
from ..profile.units import parse_budget
from .checkpoint import identity, restore, state_of
from .fine_tuning import with_start
from .objects import dataset_of, teaching_of
from .prepare import check_settings, prepared, student_plan
from .samples import learnt_part
from .settings import DistillSettings
from .teaching import TrainedTeacher
from .trainer import Trainer

SIZE = ("width", "timesteps")
"""Settings in which the students of one training differ, where several sizes are tried."""
_KNOWN = ("torch", "snntorch", "spikewright")
"""Packages whose layers compute each sample by itself, batch norms and dropout apart, which are shared."""


def begun_together(
    settings: DistillSettings, whole: Dataset, profile: HardwareProfile, group: Processes, listeners: Listeners = SILENT
) -> Trainer:
    """A training before its first step, without its teacher, in every process.

    Raises:
        InputError: settings that contradict each other, or what processes cannot share, in any of them.
        Left: the same in all processes but the first.
    """

    def make() -> Trainer:
        text = settings.limits.energy_budget
        check_settings(settings, whole)
        dataset = learnt_part(settings, whole, listeners)
        trainer = prepared(settings, dataset, profile, parse_budget(text, profile) if text else None)
        trainer.group = group
        refuse("processes", list(_faults(trainer, group)))
        return trainer

    trainer = group.agree(make)
    group.require_same(_facts(trainer) if group.size > 1 else {})
    return trainer


def taught_together(
    trainer: Trainer, settings: DistillSettings, whole: Dataset, listeners: Listeners = SILENT
) -> tuple[TrainedTeacher, ...]:
    """Give a training its teacher, which the first process makes, and the others read from the cache.

    Returns:
        The teacher and its assistants; see :meth:`Teaching.train`.
    """
    teaching = teaching_of(settings, trainer.method, trainer.dataset)
    chain = trainer.group.agree(lambda: teaching.train(whole, student_plan(trainer), listeners), in_turn=True)
    trainer.set_teacher(chain[-1].teacher if chain else None, settings.training.seed)
    trainer.group.require_same({"hash of the teacher's weights": trainer.teacher_sha256})
    return chain


def hand_over(trainer: Trainer) -> None:
    """Give the others the state of the training, from which they take the steps of the next epoch."""
    if trainer.group.size > 1:
        trainer.group.hand_over({**state_of(trainer), "best": None})


def size_told(settings: DistillSettings, group: Processes) -> None:
    """Tell the others of which size the next student is."""
    group.exchange({name: getattr(settings.student, name) for name in SIZE})


def follow(settings: DistillSettings, group: Processes) -> None:
    """Take part in the training that the first process leads, until that has ended; nothing is written or said.

    Raises:
        Left: it has ended.
    """
    settings = with_start(settings)
    whole = group.agree(lambda: dataset_of(settings, settings.student.timesteps), in_turn=True)
    profile = load_profile(settings.limits.profile)
    while True:
        size: Mapping[str, Any] = group.exchange(None)[0]
        changed = {name: value for name, value in size.items() if value != getattr(settings.student, name)}
        asked = settings.changed(changed) if changed else settings
        trainer = begun_together(asked, whole, profile, group)
        with student_threads(), freed_memory_kept():
            taught_together(trainer, asked, whole)
            while (state := group.handed_over()) is not None:
                restore(trainer, state)
                trainer.steps_of_epoch(_unsaid)


def _unsaid(steps: int = 1, /) -> None:
    """Tell nobody of progress."""
    del steps


def _faults(trainer: Trainer, group: Processes) -> Iterator[str]:
    """What keeps processes from sharing a training and ending where one process ends."""
    if group.size == 1:
        return
    asked = trainer.settings.batch
    batch = min(asked, trainer.settings.epoch_samples or len(trainer.dataset.train))
    if batch < group.size:
        yield (
            f"{arg('batch', asked)}: gives {group.size} processes batches of {batch}, and each takes one at least; "
            f"start {batch} at most, or give a larger {arg('batch')}"
        )
    if trainer.device.type == "cuda" and group.of_gpu is None:
        yield (
            f"{arg('device')}: there are {torch.cuda.device_count()} GPUs here, and each process takes one of its own; "
            f"start as many processes as GPUs, or give {arg('device', 'cpu')}"
        )
    layers = trainer.student.graph.owning_module
    for node in layers.graph.nodes:
        if node.op == "call_module":
            module = layers.get_submodule(node.target)
            if type(module).__module__.partition(".")[0] not in _KNOWN:
                yield (
                    f"{node.target}: is {type(module).__name__}, a layer of your own, and whether it computes each "
                    "sample by itself is unknown; train in one process"
                )


def _facts(trainer: Trainer) -> dict[str, object]:
    """In what all processes must agree."""
    return {
        **identity(trainer),
        "train_split_sha256": trainer.dataset.train.sha256,
        "validation_split_sha256": trainer.dataset.validation.sha256,
        "spikewright": __version__,
        "torch": torch.__version__,
        "device": trainer.device.type,
    }
