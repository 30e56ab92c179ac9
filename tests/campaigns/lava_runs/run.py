"""One Lava run of a small random network through the library, and one way to end it."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from agreement.conftest import KINDS, draw

from spikewright.base.errors import SpikewrightError
from spikewright.base.types import IntArray
from spikewright.chip.network import ChipNetwork
from spikewright.simulation import integer
from spikewright.simulation.lava import backend as lava
from spikewright.simulation.lava.job import SILENCE_LIMIT_S
from spikewright.simulation.recording import compare

from ..traces import Traces

UNDISTURBED = "undisturbed"
OWNER = {
    "owner: SIGTERM": (signal.SIGTERM,),
    "owner: SIGHUP": (signal.SIGHUP,),
    "owner: SIGQUIT": (signal.SIGQUIT,),
    "owner: SIGINT twice": (signal.SIGINT, signal.SIGINT),
    "owner: SIGKILL": (signal.SIGKILL,),
}
"""Signals to the process that calls the library, a fork of the runner."""
INTERRUPT, LIMIT = "call: SIGINT", "call: time limit"
OTHERS = {"keeper: SIGKILL": 1, "worker: SIGKILL": 2, "one of Lava's: SIGKILL": 3}
"""Processes of the run that are killed, by their distance from the runner."""
SAID = dict.fromkeys(OTHERS, ("was ended by SIGKILL", "one of Lava's processes was killed"))
SAID[LIMIT] = ("said nothing for",)
"""What the error says of a run that was ended so."""
WAYS = (*OWNER, INTERRUPT, LIMIT, *OTHERS)
GONE_S = 10.0
"""Within which nothing of an owner that ended may be left."""
SAME, DIFFERENT, ENDED = "same", "different", "ended"
_CODES = {SAME: 10, DIFFERENT: 11, ENDED: 12}


@dataclass(frozen=True)
class Outcome:
    """How a run ended, and what it left.

    Attributes:
        result: ``same`` as the integers', ``different``, ``ended``, or what went wrong in words.
        gone_s: how long anything was there after the owner had ended, or had its answer.
    """

    number: int
    kind: str
    way: str
    result: str
    seconds: float
    processes: int
    shared: int
    files: int
    gone_s: float

    def as_json(self) -> dict[str, Any]:
        """Its fields."""
        return asdict(self)


def run(number: int, seed: int, share: float, folder: Path, usual_s: float | None) -> Outcome:
    """Make run ``number`` of a campaign.

    Args:
        share: of the runs that are ended.
        folder: for temporary files of this run alone.
        usual_s: how long an undisturbed run takes; None if none has been made, so that this is one.
    """
    drawn = random.Random(f"{seed} {number}")
    kind = drawn.choice(sorted(KINDS))
    way = drawn.choice(WAYS) if drawn.random() < share else UNDISTURBED
    moment = drawn.random() * (usual_s or 0)
    if usual_s is None:
        way = UNDISTURBED
    chip, drive = draw(kind, drawn.randrange(2**31))
    states = drawn.random() < 0.5
    traces = Traces(f"lava-runs-{os.getpid()}-{number}", folder)
    os.environ.update(traces.environment)
    began = time.monotonic()
    if way in OWNER:
        result = _in_a_fork(partial(_answer, chip, drive, states), OWNER[way], moment)
        left, gone_s = traces.left_after(GONE_S)
    else:
        result = _here(partial(_answer, chip, drive, states), way, moment, traces)
        left, gone_s = traces.left(), 0.0
    counts = (len(left.processes), len(left.shared), len(left.files))
    return Outcome(number, kind, way, result, time.monotonic() - began, *counts, gone_s)


def _answer(chip: ChipNetwork, drive: IntArray, states: bool, time_limit_s: float = SILENCE_LIMIT_S) -> str:
    """Run the network on Lava; ``same`` or ``different`` from the integer simulator, bit for bit."""
    theirs = lava.run(chip, drive, record_states=states, time_limit_s=time_limit_s)
    ours = integer.run(chip, drive, record_states=states)
    return SAME if not compare(ours, theirs) and np.array_equal(ours.scores, theirs.scores) else DIFFERENT


def _in_a_fork(answer: Callable[[], str], signals: tuple[signal.Signals, ...], moment: float) -> str:
    """Have a fork of this process run the network, and send it signals at a moment."""
    owner = os.fork()
    if owner == 0:
        code = 1
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
            signal.signal(number, signal.SIG_DFL)
        with contextlib.suppress(BaseException):
            try:
                code = _CODES[answer()]
            except KeyboardInterrupt:
                code = _CODES[ENDED]
        os._exit(code)
    time.sleep(moment)
    for number in signals:
        os.kill(owner, number)  # not reaped yet, so that the number is still its own
        time.sleep(0.02)
    code = os.waitstatus_to_exitcode(os.waitpid(owner, 0)[1])
    if -code in signals:
        return ENDED
    return next((word for word, each in _CODES.items() if each == code), f"the owner ended with {code}")


def _here(answer: Callable[..., str], way: str, moment: float, traces: Traces) -> str:
    """Run the network in this process, and end it."""
    try:
        if way == LIMIT:
            return answer(time_limit_s=max(0.05, moment))
        with _meanwhile(way, moment, traces):
            return answer()
    except KeyboardInterrupt:
        return ENDED if way == INTERRUPT else "interrupted"
    except SpikewrightError as error:
        expected = SAID.get(way, ())
        return ENDED if any(each in str(error) for each in expected) else f"failed: {error}"


@contextmanager
def _meanwhile(way: str, moment: float, traces: Traces) -> Iterator[None]:
    """End what runs within this at a moment, or as soon as there is something to end; not after it."""
    lock, over = threading.Lock(), threading.Event()

    def end() -> None:
        over.wait(moment)
        while not over.is_set():
            target = os.getpid() if way == INTERRUPT else _of_generation(traces.parents(), OTHERS[way])
            with lock:
                if target and not over.is_set():
                    os.kill(target, signal.SIGINT if way == INTERRUPT else signal.SIGKILL)
                    return
            over.wait(0.02)

    thread = threading.Thread(target=end)
    if way != UNDISTURBED:
        thread.start()
    try:
        yield
    finally:
        with lock:
            over.set()
        if way != UNDISTURBED:
            thread.join()


def _of_generation(parents: dict[int, int], generation: int) -> int:
    """A process of the run whose ancestor so many generations back is this process; 0 if there is none."""
    for number in parents:
        ancestor = number
        for _ in range(generation):
            ancestor = parents.get(ancestor, 0)
        if ancestor == os.getpid():
            return number
    return 0
