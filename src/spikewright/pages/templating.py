"""The templates of reports and model cards."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from ..base.visible import visible
from . import markdown, numbers

TEMPLATES = Path(__file__).with_name("templates")


def environment(*, html: bool) -> Environment:
    """Where templates are found, and how they are filled in; numbers in words are there as ``n``.

    A value that a template shows is escaped for the place where it lands. In Markdown it is text within a line; filters
    make it the head of a ``line``, a ``cell``, ``code``, or a word or ``path`` of a command, and ``ours`` leaves it.
    """
    found = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=html,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=_shown if html else markdown.inline,
    )
    found.globals["n"] = numbers
    if not html:
        found.globals["table"] = lambda rows: markdown.table(*rows)
        found.filters |= {
            "line": markdown.text,
            "cell": markdown.cell,
            "code": markdown.code,
            "ours": markdown.Markdown,
        }
        found.filters |= {"shell": markdown.shell, "path": markdown.path}
    return found


def _shown(value: object) -> object:
    """A value for HTML, without hidden characters; markup is ours and stays."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value
