"""One input: it is read, or refused in a sentence; what else happens is a fault."""

from __future__ import annotations

import hashlib
import re
import resource
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spikewright.base.errors import LONGEST_LINE, MOST_LINES, SpikewrightError

from .watch import Folders, Watch

MEMORY = 2 * 2**30
"""Bytes of address space that a reader may take beyond what the process has when it starts."""
HANG_S = 10.0
"""Processor time that one input may take."""
LONGEST = (MOST_LINES + 1) * (LONGEST_LINE + len(" ..."))
"""Characters of a message."""
DOCUMENTED = (re.compile(r"the cached teacher cannot be used .*; it is trained again"),)
"""Warnings that readers are documented to give."""


@dataclass(frozen=True)
class Fault:
    """What went wrong with an input.

    Attributes:
        kind: traceback, message, warning, memory, hang, crash, code, followed or written.
        place: where, by which equal faults are known again.
        text: all that is known.
    """

    kind: str
    place: str
    text: str

    @property
    def key(self) -> str:
        """A short name of the fault."""
        return hashlib.sha256(f"{self.kind} {self.place}".encode()).hexdigest()[:10]


@dataclass(frozen=True)
class Outcome:
    """How an input ended: ``read``, ``refused``, ``refused later`` (by what came behind reading), or a fault."""

    ended: str
    fault: Fault | None = None


class Judge:
    """Reads inputs under watch."""

    def __init__(self, watch: Watch, folders: Folders) -> None:
        self._watch, self._folders = watch, folders

    def outcome(self, file: Path, read: Callable[[Path], Any], step: Callable[[Any], object]) -> Outcome:
        """Read a file, and do with what was read what comes behind."""
        self._folders.seen()
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            self._watch.begin()
            try:
                found = self._tried(file, read, step)
            finally:
                self._watch.end()
        seen = [*self._watch.seen, *self._folders.seen()]
        if found.fault is None and seen:
            kind, text = seen[0]
            return Outcome(kind, Fault(kind, re.sub(r"[\d/].*", "", text), "\n".join(each for _, each in seen)))
        if found.fault is None and (odd := [each for each in told if not _is_documented(each)]):
            where = f"{odd[0].category.__name__} {Path(odd[0].filename).name}:{odd[0].lineno}"
            return Outcome("warning", Fault("warning", where, f"{where}: {odd[0].message}"))
        return found

    def _tried(self, file: Path, read: Callable[[Path], Any], step: Callable[[Any], object]) -> Outcome:
        ended = "refused"
        try:
            found = read(file)
            ended = "refused later"
            step(found)
            return Outcome("read")
        except SpikewrightError as error:
            fault = _of_message(error, file if ended == "refused" else None)
            return Outcome("message" if fault else ended, fault)
        except MemoryError as error:
            return Outcome("memory", _of_exception("memory", error))
        except RuntimeError as error:
            is_memory = "can't allocate memory" in str(error) or "not enough memory" in str(error)
            kind = "memory" if is_memory else "traceback"
            return Outcome(kind, _of_exception(kind, error))
        except BaseException as error:
            return Outcome("traceback", _of_exception("traceback", error))


def _is_documented(told: Any) -> bool:
    return any(pattern.search(str(told.message)) for pattern in DOCUMENTED)


def _of_exception(kind: str, error: BaseException) -> Fault:
    """A fault that is known again by the class of the exception and the last place of ours that it passed."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "/src/spikewright/" in frame.filename]
    last = (ours or frames)[-1] if frames else None
    where = "nowhere" if last is None else f"{last.filename.rpartition('spikewright/')[2]}:{last.lineno} {last.name}"
    shown = "".join(traceback.format_exception(type(error), error, error.__traceback__, limit=-12))
    return Fault(kind, f"{type(error).__name__} at {where}", shown[-6000:])


def _of_message(error: SpikewrightError, file: Path | None) -> Fault | None:
    """What is wrong with the sentence of a refusal; None where nothing is.

    Args:
        file: that the sentence must be about; None for refusals of what comes behind reading.
    """
    text = str(error)
    lines = text.split("\n")
    cause = str(error.__cause__) if error.__cause__ is not None else ""
    faults = [
        (not text.strip(), "is empty"),
        (len(text) > LONGEST, f"has {len(text)} characters"),
        (bool(cause) and text.startswith(cause), "begins with what another library said"),
        (any(not line.startswith("  ") for line in lines[1:]), "goes over several lines that are no list"),
        (file is not None and not any(name in text for name in _names(file)), "does not name the file"),
    ]
    wrong = [words for is_wrong, words in faults if is_wrong]
    if not wrong:
        return None
    frames = traceback.extract_tb(error.__traceback__)
    raised = f"{frames[-1].filename.rpartition('spikewright/')[2]}:{frames[-1].lineno} {frames[-1].name}"
    trail = [f"{each.filename.rpartition('spikewright/')[2]}:{each.lineno} {each.name}" for each in frames[-5:]]
    return Fault("message", f"{re.sub('[0-9]+', 'N', wrong[0])} {raised}", f"{wrong}: {text[:3000]}\n{trail}")


def _names(file: Path) -> tuple[str, ...]:
    """What a sentence may call a file: its name, its stem, or the folder that is read with it."""
    return file.name, file.stem, str(file.parent), str(file.parents[1])


def limit_memory() -> int:
    """Let the process take :data:`MEMORY` beyond what it has; returns the bytes that are resident now."""
    with open("/proc/self/statm", encoding="ascii") as file:
        pages, resident = (int(word) for word in file.read().split()[:2])
    size = resource.getpagesize()
    most = pages * size + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    return resident * size


def forget_peak() -> None:
    """Let :func:`peak_bytes` count from now on."""
    with open("/proc/self/clear_refs", "wb", buffering=0) as file:
        file.write(b"5")


def peak_bytes() -> int:
    """The most bytes that were resident in this process since :func:`forget_peak`."""
    with open("/proc/self/status", encoding="ascii", errors="replace") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM")) * 1024
