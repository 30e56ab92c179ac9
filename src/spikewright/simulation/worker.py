"""A process that simulates samples for another: what the two tell each other, by files, and what it does."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from ..base.errors import InputError
from ..chip.activity_file import as_json
from ..chip.chip_file import load_chip
from ..chip.network import ChipNetwork
from . import integer
from .recording import activity_of

JOB, REFUSED = "job.json", "refused.json"
"""Files of a worker's folder: what it has to do, and why it does not."""
FAILED = 70
"""Exit code of a worker that refused (sysexits' EX_SOFTWARE)."""
POLL_S = 0.005
"""How often each looks for a file of the other."""


class Job(NamedTuple):
    """What a worker has to do.

    Attributes:
        name: of the simulator, which the counts note.
        with_spikes: whether all spikes are given back.
        threads: that it uses.
        chip_sha256: of the network's file, which the counts note, as ``split``, the part of the data.
        chip: the network's file.
    """

    name: str
    with_spikes: bool
    threads: int
    chip_sha256: str
    split: str
    chip: str = ""


class Files(NamedTuple):
    """The files of a task of a worker, by its number, in the worker's folder."""

    folder: Path
    number: int

    @property
    def drive(self) -> Path:
        """What drives the network."""
        return self.folder / f"drive-{self.number}.npy"

    @property
    def scores(self) -> Path:
        """What the host reads, of each sample."""
        return self.folder / f"scores-{self.number}.npy"

    @property
    def counts(self) -> Path:
        """The counts; written last, so that all is there when this is."""
        return self.folder / f"counts-{self.number}.json"

    def spikes(self, index: int) -> Path:
        """The spikes of a population."""
        return self.folder / f"spikes-{self.number}-{index}.npy"

    def spikes_of(self, chip: ChipNetwork) -> dict[str, npt.NDArray[Any]]:
        """The spikes of all populations, by name."""
        return {p.name: np.load(self.spikes(i), allow_pickle=False) for i, p in enumerate(chip.populations)}

    def remove(self) -> None:
        """Remove them all."""
        for path in (self.drive, self.scores, self.counts, *self.folder.glob(f"spikes-{self.number}-*.npy")):
            path.unlink()


def put(path: Path, content: bytes | npt.NDArray[Any]) -> None:
    """Write a file that is there only when it is whole.

    Raises:
        OSError: as the system says.
    """
    growing = path.with_name(f"{path.name}.part")
    with growing.open("wb") as file:
        if isinstance(content, bytes):
            file.write(content)
        else:
            np.save(file, content, allow_pickle=False)
    os.replace(growing, path)


def main() -> None:
    """Do the tasks that come into the folder ``argv[1]``, one after the other, until this process is ended."""
    folder = Path(sys.argv[1])
    job = Job(**json.loads((folder / JOB).read_text()))
    torch.set_num_threads(job.threads)
    try:
        chip = load_chip(job.chip)
        number = 0
        while True:
            _do(job, chip, Files(folder, number))
            number += 1
    except InputError as refusal:
        put(folder / REFUSED, json.dumps({"message": refusal.message}).encode())
        sys.exit(FAILED)


def _do(job: Job, chip: ChipNetwork, files: Files) -> None:
    while not files.drive.exists():
        time.sleep(POLL_S)
    recording = integer.run(chip, np.load(files.drive, allow_pickle=False))
    activity = activity_of(chip, recording, job.name, chip_sha256=job.chip_sha256, split=job.split)
    put(files.scores, recording.scores)
    if job.with_spikes:
        for index, population in enumerate(chip.populations):
            put(files.spikes(index), recording.spikes[population.name])
    put(files.counts, json.dumps(as_json(activity)).encode())
