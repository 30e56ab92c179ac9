"""Text of any origin in Markdown: in a sentence, in a table, as code, and as words of a command to copy.

Names of data, nodes, classes, files and tools come from files that somebody else may have written. In Markdown they
must neither become HTML, links or emphasis, nor end the table or the block of code that they stand in. A text that is
Markdown already has the type :class:`Markdown`; everything else is escaped.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from ..base.visible import visible

_ACTIVE = re.compile(r"[\\`*\[\]~]|(?<![^\W_])_|_(?![^\W_])")
"""Characters that mark something up wherever they stand; an underscore only at the edge of a word."""
_BAR = re.compile(r"(\\*)\|")
_ENTITY = re.compile(r"&(?=#?\w+;)")
_BLOCK = re.compile(r"(?=[#>=])|(?=[+-](?:-|\s|$))|\d{1,9}(?=[.)](?:\s|$))")
"""What begins a block at the head of a line: a heading, a quotation, a list, a table, a rule."""


class Markdown(str):
    """Text that is Markdown already."""

    __slots__ = ()


def inline(value: object) -> Markdown:
    """A value as text within a line of Markdown: it shows as it is, on one line; Markdown stays what it is."""
    if isinstance(value, Markdown):
        return value
    line = " ".join(visible(str(value)).split())
    return Markdown(_ACTIVE.sub(lambda found: "\\" + found[0], _ENTITY.sub("&amp;", line)).replace("<", "&lt;"))


def text(value: object) -> Markdown:
    """As :func:`inline`, at the head of a line, where it must not begin a heading, a list or a quotation."""
    if isinstance(value, Markdown):
        return value
    line = inline(value)
    block = _BLOCK.match(line)
    return Markdown(f"{block[0]}\\{line[block.end() :]}") if block else line


def code(value: object) -> Markdown:
    """A value as code in a line of Markdown, between as many backticks as it takes."""
    line = " ".join(visible(str(value)).split())
    if not line:
        return Markdown("")
    longest = max((len(run) for run in re.findall("`+", line)), default=0)
    fence, edge = "`" * (longest + 1), " " if line[0] == "`" or line[-1] == "`" else ""
    return Markdown(f"{fence}{edge}{line}{edge}{fence}")


def filled(words: str, *values: object) -> Markdown:
    """``words``, which are ours, with values in place of their braces; what is not Markdown is escaped."""
    return Markdown(words.format(*map(inline, values)))


def joined(between: str, values: Sequence[object]) -> Markdown:
    """Values one after the other, as in :func:`filled`."""
    return Markdown(between.join(map(inline, values)))


def table(*rows: Sequence[str]) -> Markdown:
    """A table, the headings first; ``>`` and ``+`` before a heading as in :mod:`.numbers`. It ends in a line feed."""
    rule = ["---:" if heading.startswith(">") else "---" for heading in rows[0]]
    lines = [_row([each.lstrip(">+") for each in rows[0]]), f"| {' | '.join(rule)} |", *map(_row, rows[1:])]
    return Markdown("".join(f"{line}\n" for line in lines))


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(map(cell, cells))} |"


def cell(value: object) -> Markdown:
    """A value in a cell of a table, as :func:`inline`."""
    return Markdown(_BAR.sub(_escaped, inline(value)))


def _escaped(bar: re.Match[str]) -> str:
    """A bar that ends no cell, not even in code; after an odd number of backslashes it ends none as it is."""
    return bar[0] if len(bar[1]) % 2 else f"{bar[1]}\\|"


def shell(word: object) -> Markdown:
    """A word of a command line to copy, quoted for bash where it needs to be; hidden characters are spelt out."""
    if isinstance(word, Markdown):
        return word
    said = str(word)
    if said.isprintable():
        return Markdown(shlex.quote(said))
    return Markdown("$'" + "".join(map(_in_ansi_quotes, said)) + "'")


def path(file: object) -> Markdown:
    """A file of a command line to copy, as :func:`shell`, and never an option."""
    said = str(file)
    return shell(f"./{said}" if said.startswith("-") else said)


def _in_ansi_quotes(character: str) -> str:
    if character in "\\'":
        return "\\" + character
    if character.isprintable():
        return character
    return f"\\u{ord(character):04x}" if ord(character) < 0x10000 else f"\\U{ord(character):08x}"
