"""Processes that read inputs, each some hundreds of them, watched from outside for hangs and crashes."""

from __future__ import annotations

import json
import mmap
import os
import shutil
import signal
import struct
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spikewright.base.errors import SpikewrightError

from .inputs import Input, Way
from .judge import HANG_S, Fault, Judge, forget_peak, limit_memory, peak_bytes
from .reader import Reader
from .watch import Folders, Watch

BATCH = 500
"""Inputs that one process reads."""
WALL_S = 60.0
"""Time that one input may take where it waits and computes nothing."""
NOT_MADE = "not made"
"""How an input ended over which the campaign itself, and no reader, broke."""
MAKING_S = 600.0
"""Time that an input may take to be made, which is the campaign's own work."""
POLL_S = 0.02
_NOW = struct.Struct("qq")


@dataclass
class Found:
    """What a batch found.

    Attributes:
        ended: how many inputs ended how.
        faults: by number of the input.
        peak: bytes that were resident at most beyond those at the start.
        of: the number of the input that needed them.
    """

    ended: Counter[str] = field(default_factory=Counter)
    faults: dict[int, Fault] = field(default_factory=dict)
    peak: int = 0
    of: int = 0

    def add(self, other: Found) -> None:
        """Take up what another batch found."""
        self.ended += other.ended
        self.faults |= other.faults
        if other.peak > self.peak:
            self.peak, self.of = other.peak, other.of


@dataclass(frozen=True)
class Rooms:
    """Folders of a campaign in memory.

    Attributes:
        files: where inputs lie.
        work: the folder of the process, which stays empty.
        elsewhere: what nobody has to read.
        temporary: TMPDIR.
        cache: what may be written.
        seeds: what valid files are made in; other artefacts of the same networks lie there.
    """

    files: Path
    work: Path
    elsewhere: Path
    temporary: Path
    cache: Path
    seeds: Path


@contextmanager
def rooms() -> Iterator[Rooms]:
    """Empty folders below ``/dev/shm`` where that is there, with files elsewhere that betray who follows a path."""
    base = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="spikewright-fuzz-", dir=base) as root:
        made = Rooms(*(Path(root) / name for name in ("files", "work", "elsewhere", "temporary", "cache", "seeds")))
        for folder in vars(made).values():
            folder.mkdir()
        for name in ("code.py", "data.h5", "model.onnx", "weights.bin", "profile.toml", "student.pt", "data.npz"):
            (made.elsewhere / name).write_bytes(b"def run(*given):\n    open('ran', 'w')\n")
        yield made


def run_batch(reader: Reader, make: Callable[[int], Input], numbers: Sequence[int], room: Rooms) -> Found:
    """Read inputs in processes; one that hangs or crashes is ended, and another goes on behind its input."""
    found, left = Found(), list(numbers)
    while left:
        with mmap.mmap(-1, _NOW.size) as now, tempfile.TemporaryFile() as results:
            child = os.fork()
            if child == 0:
                _child(reader, make, left, room, now, results)
            why = _watched(child, now)
            results.seek(0)
            done = [json.loads(line) for line in results.read().splitlines()]
        if done and "broken" in done[-1]:
            raise RuntimeError(f"the campaign itself failed: {done[-1]['broken']}")
        for line in done:
            _take(found, line)
        finished = sum("peak" not in line for line in done)
        if why is not None and finished < len(left):
            if why[0] != NOT_MADE:
                fault = Fault(why[0], why[0] if why[0] == "hang" else why[1], why[1])
                found.faults[left[finished]] = fault
            found.ended[why[0]] += 1
            finished += 1
        left = left[finished:]
    return found


def _take(found: Found, line: dict[str, Any]) -> None:
    if "peak" in line:
        found.add(Found(peak=line["peak"], of=line["of"]))
        return
    found.ended[line["ended"]] += 1
    if line["fault"] is not None:
        found.faults[line["number"]] = Fault(*line["fault"])


def _watched(child: int, now: mmap.mmap) -> tuple[str, str] | None:
    """Wait for a process; the kind and the words of how it failed, None where it ended well."""
    since, seen, spent = time.monotonic(), (-1, 0), 0.0
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            how = _how(status)
            is_made = _NOW.unpack(now[: _NOW.size])[1]
            return how if how is None or is_made else (NOT_MADE, how[1])
        current = _NOW.unpack(now[: _NOW.size])
        if current != seen:
            seen, since, spent = current, time.monotonic(), _processor_seconds(child)
        elif (current[1] and _processor_seconds(child) - spent > HANG_S) or time.monotonic() - since > _patience(
            current[1]
        ):
            where = _stack_of(child, now)
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return "hang", f"no end after {HANG_S:g} s of processor time or {WALL_S:g} s{where}"
        time.sleep(POLL_S)


def _patience(is_read: int) -> float:
    """Seconds that one input may take to be read, or to be made."""
    return WALL_S if is_read else MAKING_S


def _how(status: int) -> tuple[str, str] | None:
    if os.WIFSIGNALED(status):
        return "crash", f"ended by {signal.Signals(os.WTERMSIG(status)).name}"
    code = os.WEXITSTATUS(status)
    return None if code == 0 else ("crash", f"ended with exit code {code}")


def _stack_of(child: int, now: mmap.mmap) -> str:
    """Where a process is: it writes its stack to its standard error on this signal."""
    del now
    os.kill(child, signal.SIGUSR1)
    time.sleep(0.2)
    return ""


def _processor_seconds(child: int) -> float:
    try:
        fields = Path(f"/proc/{child}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    except (OSError, IndexError):
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _child(
    reader: Reader, make: Callable[[int], Input], numbers: Sequence[int], room: Rooms, now: mmap.mmap, results: Any
) -> None:
    """Read inputs, note how each ended, and end the process."""
    code = 1
    try:
        _read_all(reader, make, numbers, room, now, results)
        code = 0
    except BaseException:  # of the campaign itself, which the parent says
        results.write(json.dumps({"broken": traceback.format_exc()}).encode() + b"\n")
    finally:
        results.flush()
        os._exit(code)


def _read_all(
    reader: Reader, make: Callable[[int], Input], numbers: Sequence[int], room: Rooms, now: mmap.mmap, results: Any
) -> None:
    _quiet(room)
    judge = Judge(
        Watch(room.files, room.cache, room.seeds, writes=reader.writes),
        Folders([room.work, room.temporary], [room.elsewhere]),
    )
    base = limit_memory()
    beside: dict[str, bytes] = {}
    peak, of = base, numbers[0]
    for number in numbers:
        now[: _NOW.size] = _NOW.pack(number, 0)
        made = make(number)
        for name, content in reader.beside(made.seed).items():
            if beside.get(name) is not content:
                beside[name] = content
                _write(room.files / name, content)
        file = room.files / reader.file
        _write(file, made.data)
        now[: _NOW.size] = _NOW.pack(number, 1)  # from here on it is read; making a large one takes a while, too
        forget_peak()
        outcome = judge.outcome(file, reader.read, lambda read, seed=made.seed: reader.step(read, seed))
        fault = None if outcome.fault is None else list(vars(outcome.fault).values())
        line = {"number": number, "ended": outcome.ended, "fault": fault}
        results.write(json.dumps(line).encode() + b"\n")
        results.flush()
        if (most := peak_bytes()) > peak:
            peak, of = most, number
    results.write(json.dumps({"peak": peak - base, "of": of}).encode() + b"\n")


def clear(room: Rooms) -> None:
    """Remove the files of a batch; what else lies there is seen by the folders' watch of the batch itself."""
    for folder in (room.files, room.work, room.temporary):
        for each in folder.iterdir():
            shutil.rmtree(each) if each.is_dir() and not each.is_symlink() else each.unlink()


def warm_up(reader: Reader, room: Rooms) -> None:
    """Read the valid files once, so that whatever the libraries load by and by is there in each process.

    Raises:
        SpikewrightError: no valid file is read.
    """
    refusals = []
    for number, content in enumerate(reader.seeds):
        for name, other in reader.beside(number).items():
            _write(room.files / name, other)
        _write(room.files / reader.file, content)
        try:
            reader.step(reader.read(room.files / reader.file), number)
        except SpikewrightError as error:
            refusals.append(error)
    if reader.is_read and len(refusals) == len(reader.seeds):
        raise refusals[0]


def _write(file: Path, content: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)


def _quiet(room: Rooms) -> None:
    """A process of its own: in an empty folder, with nothing on its streams."""
    os.chdir(room.work)
    os.environ |= {"TMPDIR": str(room.temporary), "SPIKEWRIGHT_CACHE": str(room.cache)}
    tempfile.tempdir = None
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    sys.stdout = sys.stderr = os.fdopen(1, "w", closefd=False)


def ways(structured: int, plain: int) -> list[tuple[Way, int]]:
    """Batches of both ways in turn, as the way and the number of the first input; the last may be smaller."""
    found: list[tuple[Way, int]] = [("structure", first) for first in range(0, structured, BATCH)]
    return found + [("bytes", first) for first in range(0, plain, BATCH)]
