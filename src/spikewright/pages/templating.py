"""The templates of reports and model cards."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from . import numbers

TEMPLATES = Path(__file__).with_name("templates")


def environment(*, html: bool) -> Environment:
    """Where templates are found, and how they are filled in; numbers in words are there as ``n``."""
    found = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=html,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    found.globals["n"] = numbers
    return found
