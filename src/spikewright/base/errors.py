"""What goes wrong, said to the person who can mend it.

Every failure that a user can cause is a :class:`SpikewrightError`: the command line prints it as one ``error:``
line and exits with its code. Anything else that escapes is a defect of ours.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence


class SpikewrightError(Exception):
    """A failure with a message for the user: where, what is, what may be, what to do."""

    exit_code = 2


class InputError(SpikewrightError):
    """Wrong input or flags (exit code 2)."""


class BelowFloor(InputError):
    """A budget that no network of the shape that was asked for can meet."""


class AnswerIsNo(SpikewrightError):
    """The work ran and the answer is no: over budget, does not fit, levels disagree (exit code 1)."""

    exit_code = 1


def refuse(where: str, faults: Sequence[str]) -> None:
    """Raise one :class:`InputError` that lists every fault, or return when there is none."""
    if not faults:
        return
    if len(faults) == 1:
        raise InputError(f"{where}: {faults[0]}")
    listed = "\n".join(f"  - {fault}" for fault in faults)
    raise InputError(f"{where}: {len(faults)} faults\n{listed}")


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The tail of a refusal: the nearest known word where there is one, and all that may be."""
    words = sorted(known)
    near = difflib.get_close_matches(word, words, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"{hint}may be: {', '.join(words)}"
