"""The files by which a simulation and the child that runs Lava tell each other everything."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import numpy as np

from ...base.types import Drive
from ...chip.chip_file import load_chip, save_chip
from ...chip.network import ChipNetwork

Kind = Literal["lava", "netx"]
PROGRESS = "spikewright-done "
"""What a line on the child's stdout begins with that says how many more samples are done."""


def write(folder: Path, chip: ChipNetwork, drive: Drive, kind: Kind, record_states: bool = False) -> None:
    """Write what the child reads."""
    save_chip(chip, folder / "chip.h5")
    np.save(folder / "drive.npy", drive)
    (folder / "job.json").write_text(json.dumps({"kind": kind, "record_states": record_states}))


def read(folder: Path) -> tuple[ChipNetwork, Drive, Kind, bool]:
    """What :func:`write` wrote: network, drive, kind, and whether states are recorded."""
    job = json.loads((folder / "job.json").read_text())
    drive: Drive = np.load(folder / "drive.npy", allow_pickle=False)
    return load_chip(folder / "chip.h5"), drive, job["kind"], job["record_states"]


def recorded(folder: Path, what: str, index: int) -> Path:
    """File of ``spikes``, ``u``, ``v`` (every chip step) or ``last`` (v at each sample's end) of a population."""
    return folder / f"{what}-{index}.npy"
