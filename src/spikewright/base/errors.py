"""Errors for the user, and the wording of their messages.

Every failure that a user can cause is a :class:`SpikewrightError`: the command line prints it as one ``error:`` line
and exits with its code. Any other exception is a defect of spikewright.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral, Real
from types import UnionType

# Characters of a private use area, which no message holds otherwise, around the name of an argument.
_OPEN, _CLOSE = "\ue000", "\ue001"
MOST_LINES, LONGEST_LINE = 40, 1000
"""What a message has at most; what a file holds may stand in it, and a file may hold anything."""
_BROKEN_LINE = re.compile(r"\s*[\r\n]+(?!  )\s*")
_ARGUMENT = re.compile(f"{_OPEN}([^{_CLOSE}=]*)(?:=([^{_CLOSE}]*))?{_CLOSE}")


def arg(name: str, value: object = None) -> str:
    """The name of an argument inside a message.

    From Python the message reads ``name`` or ``name=value``; the command line shows ``--name`` or ``--name value``
    (:func:`with_flags`).

    Args:
        name: of the argument, as it is written in Python.
        value: what was given for it; None leaves it out.
    """
    return f"{_OPEN}{name}{'' if value is None else f'={value}'}{_CLOSE}"


class Message(str):
    """A text that speaks of arguments as Python writes them, and that the command line can show with its flags.

    Attributes:
        marked: the text with arguments marked by :func:`arg`; put this into another message.
    """

    marked: str

    def __new__(cls, marked: str) -> Message:
        """Read a text in which arguments are marked."""
        marked = marked.marked if isinstance(marked, Message) else marked
        plain = _ARGUMENT.sub(lambda match: match[1] if match[2] is None else f"{match[1]}={match[2]}", marked)
        message = super().__new__(cls, plain)
        message.marked = marked
        return message


def with_flags(said: BaseException | str, flags: Mapping[str, str]) -> str:
    """A message with command-line flags in place of arguments.

    Args:
        said: an error or a :class:`Message`; of any other error or text the words are taken as they are.
        flags: by argument, the flag of the command; arguments that are not listed become ``--name-with-hyphens``.
    """

    def flag(match: re.Match[str]) -> str:
        name, value = match[1], match[2]
        word = flags.get(name, f"--{name.replace('_', '-')}")
        return word if value is None else f"{word} {value}"

    if isinstance(said, SpikewrightError):
        return _ARGUMENT.sub(flag, said.message)
    return _ARGUMENT.sub(flag, said.marked if isinstance(said, Message) else str(said))


def _readable(message: str) -> str:
    """A message as one line, or as a line and a list below it, without what nobody reads to its end."""
    text = message.marked if isinstance(message, Message) else message
    lines = _BROKEN_LINE.sub(" ", text).split("\n")
    left = len(lines) - MOST_LINES
    lines = [*lines[:MOST_LINES], f"  - and {left} more"] if left > 0 else lines
    return "\n".join(line if len(line) <= LONGEST_LINE else _cut(line) for line in lines)


def _cut(line: str) -> str:
    """The beginning of a line; an argument that is cut ends with it."""
    start = f"{line[:LONGEST_LINE]} ..."
    return start if start.count(_OPEN) == start.count(_CLOSE) else f"{start}{_CLOSE}"


class SpikewrightError(Exception):
    """A failure with a message for the user: where it is, what was found, what is allowed, what to do.

    What was found may be long, and is cut off: a message has :data:`MOST_LINES` lines of :data:`LONGEST_LINE`
    characters at most.

    Attributes:
        message: the text with arguments marked by :func:`arg`; put this, not ``str(error)``, into another message.
    """

    exit_code = 2

    def __init__(self, message: str = "") -> None:
        text = Message(_readable(message))
        super().__init__(str(text))
        self.message = text.marked


class InputError(SpikewrightError):
    """Wrong input, arguments or flags (exit code 2)."""


class BelowFloor(InputError):
    """A budget below the energy floor of the requested network."""


class AnswerIsNo(SpikewrightError):
    """The work ran and its result is negative: over budget, does not fit, levels disagree (exit code 1)."""

    exit_code = 1


def renamed(error: SpikewrightError, names: Mapping[str, str]) -> InputError:
    """The same refusal with arguments under other names, where the caller's caller knows them by those."""

    def mark(match: re.Match[str]) -> str:
        return arg(names.get(match[1], match[1]), match[2])

    return InputError(_ARGUMENT.sub(mark, error.message))


class Refusal(InputError):
    """Faults of one thing, all of them at once.

    Attributes:
        where: what has the faults.
        faults: at least one.
    """

    def __init__(self, where: str, faults: Sequence[str]) -> None:
        listed = "\n".join(f"  - {fault}" for fault in faults)
        super().__init__(f"{where}: {faults[0]}" if len(faults) == 1 else f"{where}: {len(faults)} faults\n{listed}")
        self.where, self.faults = where, tuple(faults)


def check_type(name: str, value: object, kind: type | UnionType | tuple[type, ...], words: str) -> None:
    """Refuse the argument ``name`` if its value is of none of the types ``kind``, which ``words`` describe.

    True and False are no numbers where ``kind`` is ``Integral`` or ``Real``.

    Raises:
        InputError: it is not.
    """
    if not isinstance(value, kind) or (isinstance(value, bool) and kind in (Integral, Real)):
        raise InputError(f"{arg(name)}: is of type {type(value).__name__}; may be {words}")


def refuse(where: str, faults: Sequence[str]) -> None:
    """Raise one :class:`InputError` that lists every fault, or return when there is none."""
    if faults:
        raise Refusal(where, faults)


class Gathered:
    """Refusals of several steps, put together into one.

    Attributes:
        faults: found so far.
    """

    def __init__(self, where: str) -> None:
        self.where = where
        self.faults: list[str] = []

    def __enter__(self) -> Gathered:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        """Note what a step refused, and go on behind it."""
        if not isinstance(error, InputError):
            return False
        if isinstance(error, Refusal) and error.where == self.where:
            self.faults += error.faults
        else:
            self.faults.append(error.message.removeprefix(f"{self.where}: "))
        return True

    def refuse(self) -> None:
        """Raise one :class:`InputError` that lists every fault, or return when there is none."""
        refuse(self.where, list(dict.fromkeys(self.faults)))


def a_kind(noun: str) -> str:
    """A noun, such as the name of a class, behind ``a`` or ``an``."""
    return f"{'an' if noun[:1] in 'AEIOUaeio' else 'a'} {noun}"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown word: the nearest known word, if there is one, and all known words."""
    words = sorted(known)
    near = difflib.get_close_matches(word, words, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"{hint}may be: {', '.join(words)}"
