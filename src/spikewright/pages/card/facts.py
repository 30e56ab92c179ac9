"""What is known of a graph when its model card is written: its metadata, what its student's file said, and a run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nir

from ...base.errors import InputError
from ...chip.registers import TrainedGrid, trained_grid
from ...graph.wiring import Wiring, wire
from ...student.facts import Facts, StudentFacts
from ..verdict import Verdict


class GraphFacts(Facts):
    """What the metadata of a graph say of it."""

    classes: int | None = None
    encoding: str | None = None
    input_bits: int | None = None
    timesteps: int | None = None
    dt_s: float | None = None
    readout: str | None = None
    reset: str | None = None
    source: str | None = None
    format_version: int | str | None = None
    parent_sha256: str | None = None


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
        metadata: of the graph, as they are; ``graph`` those of them that the card tells.
        student: what the student's file said of its making; None where nobody noted it.
        grid: the integers that it was trained on; None for floats, or where it is not noted.
        path: of the graph's file; None where it was not written.
        verdict: how a run of the graph ended; None without one.
    """

    wiring: Wiring
    metadata: Mapping[str, Any]
    graph: GraphFacts
    student: StudentFacts | None
    grid: TrainedGrid | None
    files: Files
    path: Path | None
    verdict: Verdict | None

    @classmethod
    def of(cls, graph: nir.NIRGraph, path: Path | None, verdict: Verdict | None) -> Known:
        """Gather what a graph, its file's name and a verdict say.

        Raises:
            InputError: the graph is damaged.
        """
        names = Files() if path is None else Files(graph=path.name)
        if verdict is not None:
            names = Files(names.graph, verdict.paths.chip.name, verdict.paths.activity.name, verdict.paths.report.name)
        said = graph.metadata
        facts = GraphFacts.model_validate({key: said[key] for key in GraphFacts.model_fields if key in said})
        return cls(wire(graph), said, facts, _student(said), trained_grid(said), names, path, verdict)

    @property
    def making(self) -> StudentFacts:
        """What the student's file said of its making, empty where nobody noted it."""
        return self.student or StudentFacts()

    @property
    def data(self) -> str | None:
        """Name of the data set."""
        return self.making.settings.data

    @property
    def profile(self) -> str | None:
        """Name of the hardware profile that it was trained for."""
        return self.grid.profile if self.grid is not None else self.making.settings.profile


def _student(metadata: Mapping[str, Any]) -> StudentFacts | None:
    said = metadata.get("provenance")
    if said is None:
        return None
    try:
        found = json.loads(said)
    except (TypeError, ValueError) as error:
        raise InputError(f"NIR graph: its metadata 'provenance' is not JSON ({error}); export it again") from error
    return StudentFacts.model_validate(found) if isinstance(found, Mapping) and found else None
