"""Text from files, as it may be shown: without characters that steer a terminal or turn lines around."""

from __future__ import annotations

import re

HIDDEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""Control characters but tab and line feed, separators of lines, and marks that change the direction of text."""


def visible(text: str) -> str:
    """``text`` with each hidden character as the mark of one that cannot be shown, U+FFFD."""
    return HIDDEN.sub("\ufffd", text)
