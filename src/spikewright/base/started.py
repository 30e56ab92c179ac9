"""Which of several processes this one is, as ``torchrun`` and other launchers say in the environment."""

from __future__ import annotations

import os
from dataclasses import dataclass

NAMES = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
"""Variables that a process of several has."""


@dataclass(frozen=True)
class Started:
    """A process among those that were started together.

    Attributes:
        rank: from 0.
        size: how many there are.
        local: its number among those of its host.
        on_host: how many its host has.
        is_on_first_host: whether the first process is on its host.
    """

    rank: int = 0
    size: int = 1
    local: int = 0
    on_host: int = 1
    is_on_first_host: bool = True

    @property
    def speaks(self) -> bool:
        """Whether it prints: the first process does, and no other."""
        return self.rank == 0

    @property
    def speaks_of_faults(self) -> bool:
        """Whether it prints what it refuses before processes are connected: one process of each host does."""
        return self.rank == 0 or (self.local == 0 and not self.is_on_first_host)


def started() -> Started:
    """This process, alone where the environment says nothing, or nothing that can be meant."""
    values = {name: os.environ.get(name, "") for name in (*NAMES, "LOCAL_RANK", "LOCAL_WORLD_SIZE", "GROUP_RANK")}
    if not all(values[name] for name in NAMES) or not (values["RANK"] + values["WORLD_SIZE"]).isdecimal():
        return Started()
    rank, size = int(values["RANK"]), int(values["WORLD_SIZE"])
    if rank >= size or size < 2:
        return Started()
    local = int(values["LOCAL_RANK"]) if values["LOCAL_RANK"].isdecimal() else rank
    on_host = int(values["LOCAL_WORLD_SIZE"]) if values["LOCAL_WORLD_SIZE"].isdecimal() else size
    return Started(rank, size, local, on_host, values["GROUP_RANK"] in ("", "0"))
