"""Ctrl-C during work that can be gone on with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from .errors import Message


class Interrupted(KeyboardInterrupt):
    """Somebody interrupted work that can be gone on with.

    Attributes:
        message: how to go on, a sentence with arguments marked by :func:`arg`.
    """

    def __init__(self, message: str) -> None:
        self.message = Message(message)
        super().__init__(str(self.message))


@contextmanager
def goes_on(how: Callable[[], str | None]) -> Iterator[None]:
    """Work that says how to go on when it is interrupted.

    Args:
        how: asked after an interrupt; None where nothing is left to go on from.

    Raises:
        Interrupted: in place of a KeyboardInterrupt, if there is something to go on from.
    """
    try:
        yield
    except KeyboardInterrupt as stopped:
        sentence = how()
        if sentence is None:
            raise
        raise Interrupted(sentence) from stopped
