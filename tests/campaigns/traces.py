"""What a run may leave behind: processes, names in shared memory, files in the temporary folder.

Processes are found by a variable in their environment, which they inherit whoever their parent is. Shared memory is
counted by names that were not there before and that no other process uses; temporary files by a folder of their own
(``TMPDIR``).
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

MARK = "SPIKEWRIGHT_TEST_RUN"
"""The variable in the environment of every process of a run; its value is the run's name."""
_SHARED = Path("/dev/shm")
_OF_PYTHON = ("psm_", "sem.", "pymp-", "torch_")
"""What names begin with that Python, torch and the system's library make; others use the folder, too."""
_PROCESSES = Path("/proc")


@dataclass(frozen=True)
class Left:
    """What is left of a run.

    Attributes:
        processes: their numbers.
        shared: new names of shared memory and semaphores.
        files: names in the temporary folder.
    """

    processes: tuple[int, ...]
    shared: tuple[str, ...]
    files: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.processes or self.shared or self.files)


@dataclass(frozen=True)
class Traces:
    """The traces of one run; made before it starts.

    Attributes:
        name: of the run, unlike any other's.
        folder: its temporary folder.
    """

    name: str
    folder: Path
    before: frozenset[str] = field(default_factory=lambda: frozenset(_shared()))

    @property
    def environment(self) -> Mapping[str, str]:
        """What the processes of the run need in their environment."""
        return {MARK: self.name, "TMPDIR": str(self.folder)}

    def processes(self) -> list[int]:
        """Processes of the run that live: every one that has its mark."""
        mark = f"{MARK}={self.name}".encode()
        return [int(each.name) for each in _PROCESSES.glob("[0-9]*") if mark in _words(each / "environ")]

    def parents(self) -> dict[int, int]:
        """The parent of each process of the run."""
        stats = {number: _words(_PROCESSES / str(number) / "stat") for number in self.processes()}
        return {number: int(stat[0].rpartition(b")")[2].split()[1]) for number, stat in stats.items() if stat}

    def left(self) -> Left:
        """What is there of the run now."""
        processes, shared = self.processes(), set(_shared()) - self.before
        if shared:
            shared -= _used_by_others(processes)
        return Left(tuple(processes), tuple(sorted(shared)), tuple(sorted(os.listdir(self.folder))))

    def left_after(self, seconds: float) -> tuple[Left, float]:
        """What is left when nothing is, or after some time; and the seconds that it took."""
        began = time.monotonic()
        while (left := self.left()) and time.monotonic() < began + seconds:
            time.sleep(0.02)
        return left, time.monotonic() - began


def _shared() -> list[str]:
    names = os.listdir(_SHARED) if _SHARED.is_dir() else []
    return [name for name in names if name.startswith(_OF_PYTHON)]


def _used_by_others(processes: Sequence[int]) -> set[str]:
    """Names of shared memory that processes have open who are not of the run."""
    others = [each for each in _PROCESSES.glob("[0-9]*") if int(each.name) not in processes]
    lines = [line for each in others for line in _words(each / "maps", b"\n")]
    start = f"{_SHARED}/".encode()
    return {os.fsdecode(line.partition(start)[2].removesuffix(b" (deleted)")) for line in lines if start in line}


def _words(file: Path, separator: bytes = b"\0") -> list[bytes]:
    try:
        return file.read_bytes().split(separator)
    except OSError:  # it has ended, or is another user's
        return []
