"""One training of a comparison, from the teacher to the record."""

from __future__ import annotations

from pathlib import Path

from ...base.errors import AnswerIsNo
from ...energy.report import PARTS, EnergyReport
from ...student.accuracy import accuracy_by_step
from ...training.settings import DistillSettings
from ..levels import float_accuracy
from ..making import Made, make
from .cells import Cell
from .record import Record, history_facts


def train(cell: Cell, settings: DistillSettings, out: Path) -> Record:
    """Make the student of a cell, deploy it and measure it, going on with what an earlier worker left.

    Args:
        settings: what all trainings have in common.
        out: the comparison's folder.

    Raises:
        SpikewrightError: a step refused its input, or student and chip network do not agree.
    """

    mine = cell.settings(settings)
    made = make(mine, cell.folder(out), out)
    by_step = accuracy_by_step(made.student, made.dataset.test, mine.training.seed)
    on_integers = made.student.grid is not None
    if on_integers:
        _require_agreement(cell, made, by_step[-1])
    in_floats = (
        float_accuracy(made.student, made.paths.nir, made.dataset.test, mine.training.seed)
        if on_integers
        else by_step[-1]
    )
    report = made.reports["test"]
    return Record.model_validate(
        {
            "row": str(cell.row),
            "facts": cell.row.facts,
            "budget": cell.point.budget,
            "seed": cell.point.seed,
            "outcome": made.outcome,
            "float_accuracy": in_floats,
            "accuracy_by_step": by_step,
            "spikes": spikes_by_part(report),
            "energy_by_part": report.by_part(),
            **history_facts(made.facts),
        }
    )


def spikes_by_part(report: EnergyReport) -> dict[str, float]:
    """Spikes of input, hidden layers and readout in one inference."""
    return {part: sum(each.spikes for each in report.spikes if each.part == part) for part in PARTS}


def _require_agreement(cell: Cell, made: Made, student: float) -> None:
    chip = made.outcome.accuracy["test"]
    if student != chip:
        raise AnswerIsNo(
            f"{cell}: the student classifies {student:.4%} of the test samples and its chip network {chip:.4%}; the "
            "two must be the same"
        )
