"""Messages and progress of long calls, which are passed to callbacks.

The library prints nothing. A public function takes ``callbacks`` and passes them on as :class:`Listeners`; each
receives messages, the progress of tasks, and the records of a training's epochs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, Protocol

from .errors import InputError, Message, arg

Kind = Literal["info", "note", "assumed", "warning"]


class Advance(Protocol):
    """Reports that ``steps`` more of the announced total are done."""

    def __call__(self, steps: int = 1, /) -> None: ...


class Callback:
    """Receives messages and progress of a long call. Override the methods that you need; the others do nothing."""

    def on_message(self, text: str, kind: Kind) -> None:
        """A message for people: what is being done, what was assumed, or a warning."""

    def on_start(self, task: str, total: int) -> None:
        """A task of ``total`` steps begins."""

    def on_advance(self, task: str, steps: int) -> None:
        """``steps`` more steps of the task are done."""

    def on_end(self, task: str) -> None:
        """The task is over, whether it ended well or not."""

    def on_epoch(self, record: object) -> None:
        """An epoch of a training is over; ``record`` is its :class:`~spikewright.training.records.EpochRecord`."""


@dataclass(frozen=True)
class Listeners:
    """All callbacks of one call."""

    callbacks: Sequence[Callback] = ()

    def __post_init__(self) -> None:
        if isinstance(self.callbacks, Callback):
            raise InputError(f"{arg('callbacks')}: is a single callback; give a list of it")
        given = self.callbacks if isinstance(self.callbacks, Iterable) else [self.callbacks]
        if wrong := [each for each in given if not isinstance(each, Callback)]:
            raise InputError(
                f"{arg('callbacks')}: holds {type(wrong[0]).__name__}; may be a sequence of spikewright.Callback"
            )

    def say(self, text: str, kind: Kind = "info") -> None:
        """Pass a sentence to every callback, in the order in which they were given.

        Args:
            text: may hold arguments marked by :func:`~spikewright.base.errors.arg`.
            kind: of the sentence.
        """
        message = Message(text)
        for callback in self.callbacks:
            callback.on_message(message, kind)

    def epoch(self, record: object) -> None:
        """Pass the record of an epoch to every callback."""
        for callback in self.callbacks:
            callback.on_epoch(record)

    @contextmanager
    def task(self, description: str, total: int) -> Iterator[Advance]:
        """Announce a task; the yielded function reports its progress.

        Args:
            description: what is being done.
            total: steps to do.
        """

        def advance(steps: int = 1, /) -> None:
            for callback in self.callbacks:
                callback.on_advance(description, steps)

        for callback in self.callbacks:
            callback.on_start(description, total)
        try:
            yield advance
        finally:
            for callback in self.callbacks:
                callback.on_end(description)


SILENT = Listeners()
"""No callbacks."""
