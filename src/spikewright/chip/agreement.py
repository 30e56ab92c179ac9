"""Accuracy of a network at each level from the teacher to the chip, and the number of values in which levels differ."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt

from ..base.artefacts import write_json
from ..base.errors import refuse
from .records import Record, read_record

FORMAT, FORMAT_VERSION = "spikewright agreement", 1
WHAT = "an agreement file, as written by `spikewright run`"
FILE = "agreement.json"
"""The file's usual name; it lies beside the activity."""
LEVELS = {
    "teacher": "teacher, an artificial network",
    "student": "student, as trained on integers",
    "float": "its equations in floats",
    "integer": "integer chip network",
    "lava": "Lava's processes",
    "netx": "lava-dl's netx",
}
"""Levels from the teacher to the chip, in words; a simulator that is not named here is called by its name."""
PAIRS = {
    "student_integer": ("student", "integer"),
    "integer_lava": ("integer", "lava"),
    "integer_netx": ("integer", "netx"),
}
"""Levels that are compared in every spike, current and membrane potential; ``integer_NAME`` is the pair of a simulator
that is not named here."""


@dataclass(frozen=True)
class Agreement:
    """Accuracies and differences of one chip network.

    Attributes:
        chip_sha256: of the network's file.
        split: which samples these are.
        accuracy: share classified correctly by level, those that were not run left out; empty of a regression.
        samples: how many samples each of these levels saw, the first ones of the split.
        mismatches: values that differ, by pair; pairs that were not compared are left out.
        compared: by pair, how many samples were compared.
        skipped: why a level was not run or not compared, by its name.
        r2: of a regression the mean R^2 of its values by level, None where it is not defined; empty of classes.
    """

    chip_sha256: str
    split: str
    accuracy: dict[str, float]
    samples: dict[str, int]
    mismatches: dict[str, int]
    compared: dict[str, int]
    skipped: dict[str, str] = field(default_factory=dict)
    r2: dict[str, float | None] = field(default_factory=dict)

    def as_json(self) -> dict[str, object]:
        """The agreement as the JSON object that its file holds."""
        return {"format": FORMAT, "format_version": FORMAT_VERSION, **self.facts}

    @property
    def facts(self) -> dict[str, object]:
        """Everything that is known, JSON-able; R^2 is left out of classes."""
        return {name: value for name, value in vars(self).items() if name != "r2" or value}

    @property
    def merits(self) -> dict[str, float | None]:
        """By level, how good its answers are: the accuracy, or R^2."""
        return self.r2 or dict(self.accuracy)

    @property
    def levels(self) -> dict[str, str]:
        """:data:`LEVELS`, and by their names any further simulators."""
        return LEVELS | {name: name for name in (*self.merits, *self.skipped) if name not in LEVELS}

    @property
    def pairs(self) -> dict[str, tuple[str, str]]:
        """:data:`PAIRS`, and the integers with any further simulator."""
        return PAIRS | {f"integer_{name}": ("integer", name) for name in self.levels if name not in LEVELS}

    def in_words(self) -> str:
        """Pair by pair, how many values differ, or why a level was not compared."""
        words = []
        for pair, (one, other) in self.pairs.items():
            level = other if one == "integer" else one
            if (count := self.mismatches.get(pair)) is not None:
                differ = "bit for bit" if count == 0 else f"differ in {count:,} values"
                samples = self.compared[pair]
                words.append(f"{one} and {other} {differ} on {samples:,} {'sample' if samples == 1 else 'samples'}")
            elif level in self.skipped:
                words.append(f"{level} was not compared ({self.skipped[level]})")
        return "; ".join(words) or "nothing was compared"


class _Record(Record):
    format: Literal["spikewright agreement"]
    format_version: Literal[1]
    chip_sha256: str
    split: str
    accuracy: dict[str, Annotated[float, Field(ge=0, le=1)]]
    samples: dict[str, NonNegativeInt]
    mismatches: dict[str, NonNegativeInt]
    compared: dict[str, NonNegativeInt]
    skipped: dict[str, str]
    r2: dict[str, Annotated[float, Field(le=1)] | None] = Field(default_factory=dict)


def save_agreement(agreement: Agreement, path: Path) -> None:
    """Write an agreement as JSON, atomically."""
    write_json(path, agreement.as_json())


def load_agreement(path: Path) -> Agreement:
    """Read an agreement file.

    Raises:
        InputError: no such file, not JSON, or not an agreement of a known version; names every fault.
    """
    record = read_record(path, WHAT, _Record)
    agreement = Agreement(**record.model_dump(exclude={"format", "format_version"}))
    refuse(str(path), list(_faults(agreement)))
    return agreement


def _faults(found: Agreement) -> Iterator[str]:
    """Unknown levels and pairs, and tables whose keys differ; a further simulator is one that was compared."""
    levels = [*LEVELS, *(other for pair, (_, other) in found.pairs.items() if pair in found.mismatches)]
    merit = "r2" if found.r2 else "accuracy"
    for one, other, known in ((merit, "samples", levels), ("mismatches", "compared", found.pairs)):
        mine, theirs = getattr(found, one), getattr(found, other)
        for name in mine:
            if name not in known:
                yield f"{one}: {name!r} is unknown; may be: {', '.join(known)}"
        if mine.keys() != theirs.keys():
            yield f"{one} has {', '.join(mine)} and {other} has {', '.join(theirs)}; both must have the same"
