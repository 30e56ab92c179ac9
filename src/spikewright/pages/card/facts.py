"""What is known of a graph when its model card is written."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nir

from ...base.errors import InputError
from ...chip.trained_grid import TrainedGrid, trained_grid
from ...graph.wiring import Wiring, wire
from ..verdict import Verdict


@dataclass(frozen=True)
class Files:
    """Names of files, as the card's commands use them."""

    graph: str = "network.nir"
    chip: str = "chip.h5"
    activity: str = "activity.json"
    report: str = "report"


@dataclass(frozen=True, eq=False)
class Known:
    """All that a card may say.

    Attributes:
        metadata: of the graph.
        facts: what the student's file said of its making; empty where nobody noted it.
        grid: the integers that it was trained on; None for floats, or where nobody said so.
        path: of the graph's file.
    """

    wiring: Wiring
    metadata: Mapping[str, Any]
    facts: Mapping[str, Any]
    grid: TrainedGrid | None
    files: Files
    path: Path | None
    verdict: Verdict | None

    @classmethod
    def of(cls, graph: nir.NIRGraph, path: Path | None, verdict: Verdict | None) -> Known:
        """What a graph, its file's name and a verdict say."""
        names = Files() if path is None else Files(graph=path.name)
        if verdict is not None:
            names = Files(names.graph, verdict.paths.chip.name, verdict.paths.activity.name, verdict.paths.report.name)
        said = graph.metadata
        return cls(wire(graph), said, _facts(said), trained_grid(said), names, path, verdict)

    @property
    def name(self) -> str:
        """What the card is called."""
        return self.files.graph

    @property
    def data(self) -> str | None:
        """The data set."""
        return self.text("settings", "data")

    @property
    def profile(self) -> str | None:
        """The hardware profile that it was trained for."""
        return self.grid.profile if self.grid is not None else self.text("settings", "profile")

    @property
    def certificate(self) -> Mapping[str, Any]:
        """What its chip network was certified to spend on validation; empty without one."""
        found = self.fact("certificate")
        return found if isinstance(found, Mapping) else {}

    def fact(self, *keys: str) -> Any:
        """The fact under these keys, one within the other; None where there is none."""
        found: Any = self.facts
        for key in keys:
            found = found.get(key) if isinstance(found, Mapping) else None
        return found

    def text(self, *keys: str) -> str | None:
        """The fact under these keys as text."""
        found = self.fact(*keys)
        return None if found is None else str(found)


def _facts(metadata: Mapping[str, Any]) -> Mapping[str, Any]:
    said = metadata.get("provenance")
    if said is None:
        return {}
    try:
        found = json.loads(said)
    except (TypeError, ValueError) as error:
        raise InputError(f"NIR graph: its metadata 'provenance' is not JSON ({error}); export it again") from error
    return found if isinstance(found, Mapping) else {}


def bullets(lines: Sequence[str]) -> list[str]:
    """Lines as a Markdown list."""
    return [f"- {line}" for line in lines]


def table(*rows: Sequence[str]) -> list[str]:
    """A Markdown table; the first row is its heading."""
    head, *body = ([cell.replace("|", "\\|").replace("\n", " ") for cell in row] for row in rows)
    return ["| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *body)]


def pairs(rows: Sequence[tuple[str, str | None]]) -> list[str]:
    """A table of two columns without headings that mean anything, the rows without a value left out."""
    found = [(what, value) for what, value in rows if value is not None]
    return table(("what", "value"), *found) if found else []
