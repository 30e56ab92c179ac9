"""Multiply-accumulates of an artificial network, and what could not be counted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

COUNT, UNKNOWN = "teacher_macs", "teacher_macs_unknown"
"""Under which files hold a teacher's count, a plain integer, and the names of what it leaves out."""


@dataclass(frozen=True)
class Macs:
    """Multiply-accumulates of one inference.

    Attributes:
        count: of all operators whose sums of products are known.
        unknown: names of the other operators that multiply and accumulate; with any of them ``count`` is a lower bound.
    """

    count: int
    unknown: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{'at least ' if self.is_lower_bound else ''}{self.count:,}"

    @property
    def is_lower_bound(self) -> bool:
        """Whether there may be more of them than ``count``."""
        return bool(self.unknown)

    @property
    def left_out(self) -> str:
        """What is not counted, in words; empty where everything is."""
        return f"not counted: {', '.join(self.unknown)}" if self.unknown else ""

    @property
    def as_facts(self) -> dict[str, object]:
        """The entries of a teacher's multiply-accumulates in a file; JSON-able."""
        return {COUNT: self.count, **({UNKNOWN: list(self.unknown)} if self.unknown else {})}

    @classmethod
    def of_facts(cls, facts: Mapping[str, object]) -> Macs | None:
        """Read the entries of a file; None where it does not know its teacher.

        In JSON the unknown operators are a list, in the metadata of a NIR graph text with commas.
        """
        count, unknown = facts.get(COUNT), facts.get(UNKNOWN, ())
        if not isinstance(count, int):
            return None
        names = (
            unknown.split(", ") if isinstance(unknown, str) else unknown if isinstance(unknown, list | tuple) else ()
        )
        return cls(count, tuple(map(str, names)))
