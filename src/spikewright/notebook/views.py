"""Every view, and how to look at an object that has none of its own accord.

Importing this module registers the views of all objects (:mod:`spikewright.base.shown`). A class of others, such as
nir's ``NIRGraph``, cannot carry a method of ours and is not changed: :func:`show` wraps an object of it, and
``%load_ext spikewright`` asks IPython, by its own means, to show such objects in that session.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nir

from ..base.artefacts import write_text
from ..base.errors import InputError, a_kind, arg
from ..base.shown import VIEWS
from . import data, measured, networks

__all__ = ["View", "data", "foreign", "load", "measured", "networks", "show", "unload"]

PAGE = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><title>spikewright</title>'
    '<meta name="viewport" content="width=device-width"><style>:root{{color-scheme:light dark}}'
    "body{{font-family:sans-serif;margin:1em}}</style><body>{}</body></html>\n"
)
foreign = nir.NIRGraph
"""The class of others that has a view."""


class View:
    """An object as a notebook shows it; as text a line or a few.

    Attributes:
        shown: the object.
    """

    def __init__(self, shown: object) -> None:
        """Wrap an object; see :func:`show`."""
        self.shown = shown

    def _repr_html_(self) -> str | None:
        return VIEWS.html(self.shown)

    def __repr__(self) -> str:
        return _line(self.shown)

    def save(self, path: str | Path) -> Path:
        """Write the view as an HTML page that needs nothing else; returns its path.

        Raises:
            InputError: the folder does not exist.
        """
        written = Path(path)
        write_text(written, PAGE.format(VIEWS.html(self.shown)))
        return written


def show(shown: object) -> View:
    """The view of an object, for a notebook's cell, or to be saved as a page.

    Args:
        shown: a data set, a student, a NIR graph, a chip network, a drawing, counts, a report, a certificate, or a
            result of distilling, sweeping or comparing.

    Raises:
        InputError: there is no view for such an object.
    """
    if not VIEWS.has(shown):
        raise InputError(
            f"{arg('shown')}: is {a_kind(type(shown).__name__)}, of which there is no view; print it instead"
        )
    return View(shown)


def load(ipython: Any) -> None:
    """Let an IPython shell show NIR graphs by their view and in one line."""
    formatters = ipython.display_formatter.formatters
    formatters["text/html"].for_type(foreign, VIEWS.html)
    formatters["text/plain"].for_type(foreign, lambda graph, printer, _: printer.text(_line(graph)))


def unload(ipython: Any) -> None:
    """Undo :func:`load`."""
    for kind in ("text/html", "text/plain"):
        ipython.display_formatter.formatters[kind].pop(foreign, None)


def _line(shown: object) -> str:
    return networks.graph_line(shown) if isinstance(shown, foreign) else repr(shown)
