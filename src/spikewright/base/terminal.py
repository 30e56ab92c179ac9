"""The one kind of rich console that prints our texts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from .visible import visible


class _Terminal(Console):
    """A console on which no text steers the terminal, since a name from a file may hold such characters.

    It leaves a closed pipe to whoever runs the command; rich's own ends the process with code 1.
    """

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(visible(segment.text), segment.style)

    def on_broken_pipe(self) -> None:
        raise  # noqa: PLE0704 - rich calls this where it has caught the error


def terminal(**options: Any) -> Console:
    """A rich console that shows every text as it is.

    Rich reads brackets as markup unless it is told otherwise, and would print ``pip install 'spikewright[lava]'``
    without them. Of characters that steer a terminal it takes out a few; here all show as U+FFFD.

    Args:
        options: of :class:`rich.console.Console`.
    """
    return _Terminal(markup=False, emoji=False, highlight=False, **options)
