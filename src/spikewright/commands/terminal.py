"""What a long call says, on standard error; and its result for people, on standard output."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from ..base import command as cli
from ..base.errors import SpikewrightError, with_flags
from ..base.progress import Advance, Callback, Kind

if TYPE_CHECKING:
    from rich.console import RenderableType


class Terminal(Callback):
    """Prints messages on stderr and moves a progress bar there."""

    def __init__(self) -> None:
        self._bars: dict[str, tuple[AbstractContextManager[Advance], Advance]] = {}

    def on_message(self, text: str, kind: Kind) -> None:
        """Print the sentence; a kind other than ``info`` stands before it."""
        words = with_flags(SpikewrightError(text), {})
        cli.say(words if kind == "info" else f"{kind}: {words}")

    def on_start(self, task: str, total: int) -> None:
        """Show a bar."""
        bar = cli.progress(task, total)
        self._bars[task] = (bar, bar.__enter__())

    def on_advance(self, task: str, steps: int) -> None:
        """Move the bar."""
        self._bars[task][1](steps)

    def on_end(self, task: str) -> None:
        """Take the bar away."""
        self._bars.pop(task)[0].__exit__(None, None, None)


def print_result(result: RenderableType, width: int) -> None:
    """Print a table on stdout, ``width`` columns wide where that is no terminal."""
    import sys

    from rich.console import Console

    Console(highlight=False, width=None if sys.stdout.isatty() else width).print(result)
