"""How objects show themselves: in a notebook by a view, elsewhere by a few lines that hold no array.

A view is a table and a plot or two, made in ``notebook/``, which stands above nearly everything; the objects stand
below it and must not import it. So they inherit :class:`Shown`, whose ``_repr_html_`` asks a registry in this module.
The registry is filled when the module of views is imported, and that happens at the first question: the root of the
package, the one place that knows where every name lives, has told the registry where views live
(:meth:`Views.live_in`). No object is changed from outside, nothing is imported before a notebook asks, and an object
without a view shows its short text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from importlib import import_module
from typing import Any, TypeVar

T = TypeVar("T")
LONGEST = 60
"""Characters of a value in a short text; a longer one is told by its type."""


class Views:
    """By class, the function that makes the HTML of an object."""

    def __init__(self) -> None:
        self._known: dict[type, Callable[[Any], str]] = {}
        self._home = ""

    def live_in(self, module: str) -> None:
        """Remember the module that registers the views; it is imported when one is asked for."""
        self._home = module

    def of(self, kind: type[T]) -> Callable[[Callable[[T], str]], Callable[[T], str]]:
        """Register the decorated function as the view of a class and of its subclasses."""

        def register(view: Callable[[T], str]) -> Callable[[T], str]:
            self._known[kind] = view
            return view

        return register

    def html(self, value: object) -> str | None:
        """The view of an object; None where its class has none."""
        view = self._view(value)
        return None if view is None else view(value)

    def has(self, value: object) -> bool:
        """Whether there is a view for the class of an object."""
        return self._view(value) is not None

    def _view(self, value: object) -> Callable[[Any], str] | None:
        if self._home:
            import_module(self._home)
        return next((self._known[kind] for kind in type(value).__mro__ if kind in self._known), None)


VIEWS = Views()
"""The views of this package."""


class Shown:
    """An object that a notebook shows by its view."""

    def _repr_html_(self) -> str | None:
        return VIEWS.html(self)


class Brief:
    """A dataclass whose text tells types and shapes of arrays, and how many things a collection holds."""

    def __repr__(self) -> str:
        told = (f"{each.name}={brief(getattr(self, each.name))}" for each in fields(self) if each.repr)  # type: ignore[arg-type]
        return f"{type(self).__name__}({', '.join(told)})"


def brief(value: object) -> str:
    """A value in at most one line: an array by type and shape, a collection by its size where it is long."""
    if (shape := getattr(value, "shape", None)) is not None and hasattr(value, "dtype"):
        return f"{str(value.dtype).removeprefix('torch.')} {tuple(shape)}"
    if isinstance(value, Mapping):
        told = f"{{{', '.join(f'{key!r}: {brief(each)}' for key, each in value.items())}}}"
        return told if len(told) <= LONGEST else f"{{{_how_many(len(value))}}}"
    if isinstance(value, list | tuple):
        told = f"({', '.join(map(brief, value))})"
        return told if len(told) <= LONGEST else f"({_how_many(len(value))} of {type(value[0]).__name__})"
    if is_dataclass(value) and not isinstance(value, type):
        return f"{type(value).__name__}(...)"
    told = " ".join(repr(value).split())
    return told if len(told) <= LONGEST else f"{told[: LONGEST - 4]} ..."


def _how_many(count: int) -> str:
    return f"{count:,} {'entry' if count == 1 else 'entries'}"
