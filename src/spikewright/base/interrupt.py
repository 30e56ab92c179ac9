"""Ctrl-C and other requests to end, during work that can be gone on with."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from .errors import Message

REQUESTS = ("SIGTERM", "SIGHUP")
"""Signals that ask a process to end, besides that of Ctrl-C; some systems have not both."""


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
        flags: arguments to add to the same call, which then goes on.

    Raises:
        Interrupted: in place of a KeyboardInterrupt.
    """
    try:
        yield
    except Interrupted:
        raise
    except KeyboardInterrupt as stopped:
        raise Interrupted(how(), flags, getattr(stopped, "signal", signal.SIGINT)) from stopped


@contextmanager
def heeding_requests() -> Iterator[None]:
    """Let the signals that ask a process to end raise :class:`Asked`, in the main thread.

    One that is ignored, as under ``nohup``, or that somebody else handles stays as it is.
    """
    taken: list[int] = []
    if threading.current_thread() is threading.main_thread():
        for name in REQUESTS:
            with suppress(AttributeError):
                number = getattr(signal, name)
                if signal.getsignal(number) == signal.SIG_DFL:
                    signal.signal(number, _ask)
                    taken.append(number)
    try:
        yield
    finally:
        for number in taken:
            signal.signal(number, signal.SIG_DFL)


def _ask(number: int, _: FrameType | None) -> None:
    raise Asked(number)
