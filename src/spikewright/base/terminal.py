"""The one kind of rich console that prints our texts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from .visible import visible


class _Terminal(Console):
    """A console on which no text steers the terminal: a name from a file may hold such characters."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(visible(segment.text), segment.style)


def terminal(**options: Any) -> Console:
    """A rich console that shows every text as it is.

    Rich reads brackets as markup unless it is told otherwise, and would print ``pip install 'spikewright[lava]'``
    without them. Of characters that steer a terminal it takes out a few; here all show as U+FFFD.

    Args:
        options: of :class:`rich.console.Console`.
    """
    return _Terminal(markup=False, emoji=False, highlight=False, **options)
