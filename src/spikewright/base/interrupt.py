"""Ctrl-C and other requests to end, during work that can be gone on with."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from types import FrameType
from typing import Any

from .errors import Message, arg

REQUESTS = ("SIGTERM", "SIGHUP", "SIGINT")
"""Signals that ask a process to end; some systems have not all. Python itself answers that of Ctrl-C where it may."""


_MOMENT_S = 0.01


class Asked(KeyboardInterrupt):
    """A signal asked this process to end; everything is tidied up as after Ctrl-C.

    Attributes:
        signal: its number.
    """

    def __init__(self, number: int) -> None:
        self.signal = number
        super().__init__(signal.Signals(number).name)


class Interrupted(KeyboardInterrupt):
    """Somebody interrupted work that can be gone on with.

    Attributes:
        message: how to go on, a sentence with arguments marked by :func:`arg`.
        flags: arguments to add to the same call, which then goes on.
        signal: the number of the signal.
    """

    def __init__(self, message: str, flags: tuple[str, ...] = (), number: int = signal.SIGINT) -> None:
        self.message, self.flags, self.signal = Message(message), flags, number
        super().__init__(str(self.message))


@contextmanager
def goes_on(how: Callable[[], str], *flags: str) -> Iterator[None]:
    """Work that says how to go on when it is interrupted.

    Args:
        how: asked after an interrupt.
        flags: arguments to add to the same call, which then goes on; those that the sentence speaks of.

    Raises:
        Interrupted: in place of a KeyboardInterrupt; of work within work, the outer one says how to go on.
    """
    try:
        yield
    except KeyboardInterrupt as stopped:
        said = how()
        told = tuple(flag for flag in flags if arg(flag) in said)
        raise Interrupted(said, told, getattr(stopped, "signal", signal.SIGINT)) from stopped


@contextmanager
def heeding_requests() -> Iterator[None]:
    """Let the signals that ask a process to end raise :class:`Asked`, in the main thread.

    One that is ignored, as under ``nohup``, or that somebody else handles stays as it is. An interrupt that comes while
    Python calls back, as when an object dies, where no exception can be raised, is made up for a moment later.
    """
    taken: list[int] = []
    former = sys.unraisablehook
    if threading.current_thread() is threading.main_thread():
        taken = [each for each in _requests() if signal.getsignal(each) == signal.SIG_DFL]
        for number in taken:
            signal.signal(number, _ask)
        sys.unraisablehook = partial(_come_again, former)
    try:
        yield
    finally:
        for number in taken:
            signal.signal(number, signal.SIG_DFL)
        sys.unraisablehook = former


def _requests() -> Iterator[int]:
    for name in REQUESTS:
        with suppress(AttributeError):
            yield getattr(signal, name)


def _ask(number: int, _: FrameType | None) -> None:
    raise Asked(number)


def _come_again(former: Callable[[Any], object], lost: Any) -> None:
    """Send the signal once more whose exception had nobody to go to."""
    if not isinstance(lost.exc_value, KeyboardInterrupt):
        former(lost)
        return
    number = getattr(lost.exc_value, "signal", signal.SIGINT)
    again = threading.Timer(_MOMENT_S, os.kill, (os.getpid(), number))
    again.daemon = True
    again.start()
