"""Samples shared among processes: each simulates some of them, and what they count is added in the samples' order.

A process gets what drives the network in a file, and gives back counts and scores in others, and spikes where they are
to be written down. Counts are whole numbers, so that their sums are those of one process, whatever was done where.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Generator, Iterable
from contextlib import ExitStack
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from ..base.bounds import MOST_WORKERS
from ..base.child import Child, ending, last_words
from ..base.errors import InputError, SpikewrightError, arg
from ..base.memory import available_bytes, in_gib
from ..base.progress import Advance
from ..base.types import Drive
from ..chip.activity import SAMPLES_KEPT, Activity
from ..chip.activity_file import load_activity
from ..chip.chip_file import save_chip
from ..chip.network import ChipNetwork
from .backends import Run
from .recording import Recording, activity_of
from .worker import JOB, POLL_S, REFUSED, Files, Job, put

FOLDER = "spikewright-simulate-"
"""What the name of a worker's temporary folder begins with."""
CODE = "from spikewright.simulation.worker import main; main()"
"""What a worker runs."""
WORKER_BYTES = 2**28
"""About what a worker takes beside the network, and beside the libraries, which all processes share."""
AHEAD = 2
"""Tasks that lie ready for each worker, so that none waits for data."""
WHO = {"lava": "Lava runs a process for each population", "netx": "Lava runs a process for each population"}
"""Why some simulators are not shared."""

Keep = Callable[[Recording], None]


class Piece(NamedTuple):
    """Samples that are simulated together.

    Attributes:
        ends_batch: whether they are the last of a batch, the spikes of which are written down together.
    """

    samples: slice
    ends_batch: bool


class Task(NamedTuple):
    """What is simulated together: what drives the network, the labels, and :attr:`Piece.ends_batch`."""

    drive: Drive
    labels: npt.NDArray[Any]
    ends_batch: bool


def check_workers(workers: int, name: str, chip: ChipNetwork) -> None:
    """Raise an :class:`InputError` where so many processes cannot share the samples of a simulator."""
    if not isinstance(workers, int) or isinstance(workers, bool) or not 1 <= workers <= MOST_WORKERS:
        raise InputError(f"{arg('workers', workers)}: may be a whole number from 1 to {MOST_WORKERS}")
    if workers == 1:
        return
    if name != "integer":
        why = WHO.get(name, "a student is simulated where it is")
        raise InputError(
            f"{arg('workers', workers)}: processes share the samples of the simulator 'integer' alone; {why}: leave it "
            "out"
        )
    each, room = WORKER_BYTES + 2 * sum(prod(connection.shape) for connection in chip.connections), available_bytes()
    if workers * each > room:
        raise InputError(
            f"{arg('workers', workers)}: they take about {in_gib(workers * each)} of memory, and {in_gib(room)} are "
            f"there; may be {max(1, room // each)}"
        )


def pieces_of(samples: int, batch: int, workers: int) -> list[Piece]:
    """All samples in their order: batches, each cut up into as many pieces as there are workers, if it has so many."""
    pieces = []
    for start in range(0, samples, batch):
        stop = min(start + batch, samples)
        size = -(-(stop - start) // workers)
        for first in range(start, stop, size):
            pieces.append(Piece(slice(first, min(first + size, stop)), first + size >= stop))
    return pieces


def in_turn(
    run: Run,
    name: str,
    chip: ChipNetwork,
    tasks: Iterable[Task],
    keep: Keep | None,
    progress: Advance | None,
    about: dict[str, str],
) -> Generator[Activity, None, None]:
    """What is counted in each task, one after the other, in this process.

    Args:
        run: the simulator, and ``name`` its name.
        chip: the network.
        tasks: in the order of the samples.
        keep: called with each recording.
        progress: called with the number of samples done.
        about: what an activity notes beside its counts: ``chip_sha256`` and ``split``.
    """
    for task in tasks:
        recording = run(chip, task.drive, progress=progress)
        if keep is not None:
            keep(recording)
        yield activity_of(chip, recording, name, task.labels, **about)


def shared(
    workers: int,
    name: str,
    chip: ChipNetwork,
    tasks: Iterable[Task],
    keep: Keep | None,
    progress: Advance | None,
    about: dict[str, str],
) -> Generator[Activity, None, None]:
    """As :func:`in_turn`, by as many processes, of which none is left when this ends, or is closed.

    Raises:
        InputError: as the simulator ``integer``.
        SpikewrightError: a worker failed, or was killed.
    """
    job = Job(name, keep is not None, max(1, torch.get_num_threads() // workers), **about)
    batch: list[Recording] = []
    with ExitStack() as stack:
        children = [stack.enter_context(Child(CODE, FOLDER)) for _ in range(workers)]
        for child in children:  # called first, so that all end at once before each is waited for
            stack.callback(child.let_go_soon)
        save_chip(chip, children[0].folder / "chip.h5")
        for child in children:
            put(child.folder / JOB, json.dumps({**job._asdict(), "chip": str(children[0].folder / "chip.h5")}).encode())
            child.start()
        under_way: deque[tuple[Child, Files, Task]] = deque()

        def collected() -> Activity:
            child, files, task = under_way.popleft()
            _wait_for(child, files.counts)
            scores = np.load(files.scores, allow_pickle=False)
            if keep is not None:
                batch.append(Recording(files.spikes_of(chip), scores, {}))
                if task.ends_batch:
                    keep(_joined(batch))
                    batch.clear()
            activity = _labelled(load_activity(files.counts), chip, scores, task.labels)
            files.remove()
            if progress:
                progress(len(scores))
            return activity

        for number, task in enumerate(tasks):
            child = children[number % workers]
            files = Files(child.folder, number // workers)
            _hand_over(task.drive, files.drive)
            under_way.append((child, files, task._replace(drive=task.drive[:0])))
            if len(under_way) == AHEAD * workers:
                yield collected()
        while under_way:
            yield collected()


def _hand_over(drive: Drive, path: Path) -> None:
    try:
        put(path, drive)
    except OSError as error:
        raise InputError(f"{path.parent}: {error.strerror}; make room there, or set TMPDIR to another place") from error


def _wait_for(child: Child, path: Path) -> None:
    """Wait until a worker has written a file."""
    while not path.exists():
        code = child.wait(POLL_S)
        if code is None or path.exists():
            continue
        refused = child.folder / REFUSED
        if refused.exists():
            raise InputError(json.loads(refused.read_text())["message"])
        raise SpikewrightError(
            f"{arg('workers')}: one of the processes that simulate {ending(code)}"
            f"{last_words(child.folder / 'stderr.txt')}"
        )


def _joined(recordings: list[Recording]) -> Recording:
    spikes = {name: np.concatenate([each.spikes[name] for each in recordings], axis=1) for name in recordings[0].spikes}
    scores: Any = np.concatenate([each.scores for each in recordings])
    return Recording(spikes, scores, {})


def _labelled(
    activity: Activity, chip: ChipNetwork, scores: npt.NDArray[np.int64], labels: npt.NDArray[Any]
) -> Activity:
    """What a worker counted, which knows no labels, with them and what follows from them."""
    answers = Recording({}, scores, {}).answers(chip, labels)
    each = activity.by_sample
    if each is not None and chip.meaning.is_classes:
        each = replace(each, classes=labels[:SAMPLES_KEPT])
    return replace(activity, answers=answers, correct=answers.correct, by_sample=each)
