"""What a mutant is, apart from how it is made."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Mutant:
    """One small change of one module.

    Attributes:
        group: a key of :data:`PLACES`.
        module: path relative to the checkout.
        operator: a name of Cosmic Ray's, or ``SwappedNames``.
        occurrence: which of the places in the module where the operator applies, from 0.
        line, end_line: the lines that change, from 1.
        before, after: what differs of the text, each line without its indentation.
    """

    group: str
    module: str
    operator: str
    occurrence: int
    line: int
    end_line: int
    before: str
    after: str

    def as_json(self) -> dict[str, object]:
        return asdict(self)
