"""The one kind of rich console that prints our texts."""

from __future__ import annotations

from typing import Any

from rich.console import Console


def terminal(**options: Any) -> Console:
    """A rich console that shows every text as it is.

    Rich reads brackets as markup unless it is told otherwise, and would print ``pip install 'spikewright[lava]'``
    without them.

    Args:
        options: of :class:`rich.console.Console`.
    """
    return Console(markup=False, emoji=False, highlight=False, **options)
