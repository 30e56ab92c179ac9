"""Where the files of a run and the model card of a graph go; loads none of what makes them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..base.errors import InputError, arg

MARK = "<!-- model card, written by spikewright beside its graph -->"
"""The first line: a file without it is somebody else's and is not written over."""


@dataclass(frozen=True)
class Paths:
    """Paths of the artefacts of a run."""

    student: Path
    nir: Path
    chip: Path
    activity: Path
    agreement: Path
    report: Path

    @classmethod
    def under(cls, folder: Path) -> Paths:
        """The usual names in one folder; ``report`` is the stem of the report's three files."""
        names = ("student.pt", "student.nir", "chip.h5", "activity.json", "agreement.json", "report")
        return cls(*(folder / name for name in names))

    @property
    def reports(self) -> tuple[Path, ...]:
        """The report as JSON, Markdown and HTML."""
        return tuple(self.report.with_name(f"{self.report.name}.{kind}") for kind in ("json", "md", "html"))

    @property
    def held(self) -> tuple[Path, ...]:
        """What nobody else may write during the run: the outputs by which commands are known to each other."""
        return self.student, self.nir, self.chip, self.activity, self.reports[0]

    @property
    def derived(self) -> tuple[Path, ...]:
        """Every file that is made from the student, but the card of the graph."""
        return self.nir, self.chip, self.activity, self.agreement, *self.reports


def card_path(graph: Path) -> Path:
    """Where the card of a graph's file goes.

    Raises:
        InputError: there is something else of that name.
    """
    card = graph.with_suffix(".md")
    if card == graph:
        raise InputError(
            f"{graph}: a graph that ends in .md leaves no name for its card; call it .nir, or {arg('no_card')}"
        )
    if card.exists() and not (card.is_file() and card.read_bytes().startswith(MARK.encode())):
        raise InputError(
            f"{card}: is there and is no model card; move it away, give the graph another name, or {arg('no_card')}"
        )
    return card
