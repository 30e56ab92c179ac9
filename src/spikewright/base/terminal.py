"""The one kind of rich console that prints our texts."""

from __future__ import annotations

from typing import Any

from rich.console import Console


class _Terminal(Console):
    """A console that leaves a closed pipe to whoever runs the command; rich's own ends the process with code 1."""

    def on_broken_pipe(self) -> None:
        raise  # noqa: PLE0704 - rich calls this where it has caught the error


def terminal(**options: Any) -> Console:
    """A rich console that shows every text as it is.

    Rich reads brackets as markup unless it is told otherwise, and would print ``pip install 'spikewright[lava]'``
    without them.

    Args:
        options: of :class:`rich.console.Console`.
    """
    return _Terminal(markup=False, emoji=False, highlight=False, **options)
