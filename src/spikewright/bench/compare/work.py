"""Who does which training: a lock in its folder while it is in hand, a file when it is done or has failed."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ...base import command as cli
from ...base.artefacts import write_json
from ...base.errors import SpikewrightError
from ..locks import LOCK, locked
from .cells import Cell
from .record import FAILED, FILE, Record, failure_of, read_record, write_record

POLL_S = 2.0
"""Between two looks at what other workers have in hand."""
State = Literal["done", "failed", "missing"]


@dataclass(frozen=True)
class CellResult:
    """A training and what became of it.

    Attributes:
        sentence: why it failed; empty where it did not.
    """

    cell: Cell
    record: Record | None
    sentence: str = ""

    @property
    def state(self) -> State:
        """Done, failed or missing."""
        return "done" if self.record is not None else "failed" if self.sentence else "missing"


def results_of(cells: Sequence[Cell], out: Path) -> list[CellResult]:
    """What there is of these trainings."""
    found = [(cell, read_record(cell, out)) for cell in cells]
    return [CellResult(cell, record, "" if record else failure_of(cell, out)) for cell, record in found]


class Work:
    """The trainings of a comparison that are not done, for one of several workers.

    A training that failed before this worker began is tried again, one that fails meanwhile is not.
    """

    def __init__(self, cells: Sequence[Cell], out: Path) -> None:
        self._cells, self._out = cells, out
        self._failed_before = {cell: self._failed_at(cell) for cell in cells}

    @property
    def missing(self) -> list[Cell]:
        """Neither done nor failed."""
        return [cell for cell in self._cells if not self._is_settled(cell)]

    def complete(self, train: Callable[[Cell], Record]) -> None:
        """Return when every training is done or has failed, by this worker or by others."""
        waiting_for: list[Cell] = []
        while missing := self.missing:
            if any(self._attempt(cell, train) for cell in missing):
                continue
            if missing != waiting_for:
                cli.say(f"waiting for what other workers have in hand: {'; '.join(map(str, missing))}")
            waiting_for = missing
            time.sleep(POLL_S)

    def _attempt(self, cell: Cell, train: Callable[[Cell], Record]) -> bool:
        """Do a training unless another worker has it in hand or has done it meanwhile; whether it was done here."""
        folder = cell.folder(self._out)
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder / LOCK) as held:
            if not held or self._is_settled(cell):
                return False
            count = len(self.missing)
            cli.say(f"{cell}: {count} {'training is' if count == 1 else 'trainings are'} missing")
            self._do(cell, train)
        return True

    def _do(self, cell: Cell, train: Callable[[Cell], Record]) -> None:
        failed = cell.folder(self._out) / FAILED
        try:
            record = train(cell)
        except SpikewrightError as error:
            write_json(failed, {"sentence": str(error)})
            cli.say(f"warning: {cell}: {error}")
        else:
            write_record(record, cell, self._out)
            failed.unlink(missing_ok=True)

    def _is_settled(self, cell: Cell) -> bool:
        if (cell.folder(self._out) / FILE).is_file():
            return True
        return self._failed_at(cell) not in (None, self._failed_before[cell])

    def _failed_at(self, cell: Cell) -> int | None:
        """When an attempt failed, in ns; None where none did."""
        file = cell.folder(self._out) / FAILED
        return file.stat().st_mtime_ns if file.is_file() else None
