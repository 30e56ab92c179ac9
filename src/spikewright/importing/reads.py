"""Places where a network's code takes numbers out of tensors, by which it may decide what it computes."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

DECISIONS = ("__bool__", "is_nonzero", "equal", "allclose", "__contains__")
NUMBERS = ("item", "__float__", "__int__", "__index__", "__complex__", "tolist", "numpy", "__array__")
_HERE = str(Path(__file__).resolve().parents[2])


@dataclass(frozen=True, eq=False)
class Read:
    """Numbers that Python code took out of tensors.

    Attributes:
        what: the operation, one of :data:`DECISIONS` or :data:`NUMBERS`.
        values: the tensors, as a recording's values.
        where: line and file of the user's code; empty where it is not known.
        line: its text.
    """

    what: str
    values: tuple[Any, ...] = field(repr=False)
    where: str
    line: str

    @property
    def fault(self) -> str:
        """What is wrong with it where a tensor depends on the sample, with the remedy."""
        place = f" ({self.where}: `{self.line}`)" if self.where else ""
        does = "decides by" if self.what in DECISIONS else "takes numbers for Python's use out of"
        return (
            f"{does} values that depend on the sample{place}, so that it may compute something else for another sample "
            "or in another step, and a chip computes the same for all: compute with tensors alone, and leave out what "
            "only watches the network or put it behind `if self.training:`"
        )


def read(what: str, values: Iterable[Any]) -> Read | None:
    """A read from where the user's code stands now; None for an ``assert``, behind which there is only one way."""
    frame = next(own_frames(traceback.extract_stack()), None)
    line = "" if frame is None else (frame.line or "").strip()
    if line.startswith("assert "):
        return None
    where = "" if frame is None else f"line {frame.lineno} of {frame.filename}"
    return Read(what, tuple(values), where, line)


def faults_of_reads(reads: Iterable[Read], moves: Callable[[Any], bool]) -> list[str]:
    """Why a network with these reads cannot be recorded, each place once.

    Args:
        moves: whether a value depends on the sample.
    """
    return list(dict.fromkeys(each.fault for each in reads if any(map(moves, each.values))))


def own_frames(stack: traceback.StackSummary) -> Iterator[traceback.FrameSummary]:
    """Frames in files that are no installed package and not of this one, the last first."""
    for frame in reversed(stack):
        path = Path(frame.filename).resolve()
        if "site-packages" not in path.parts and not str(path).startswith(_HERE) and path.is_file():
            yield frame
