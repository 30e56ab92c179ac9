"""The activity's file: JSON, counts only, checked as it is read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import is_dataclass
from math import nan, prod
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import AfterValidator, Field

from ..base.artefacts import write_json
from ..base.errors import refuse
from ..base.types import IntArray
from ..data.quality import Quality
from .activity import (
    RASTER_COMPARTMENTS,
    SAMPLES_KEPT,
    Activity,
    Counts,
    Overflows,
    PopulationActivity,
    Samples,
    Trace,
)
from .records import Record, read_record

FORMAT = "spikewright activity"
FORMAT_VERSION = 4
"""1 had no counts of single steps and samples, 2 no raster, 3 neither overflows nor quality."""

MOST_CLASSES = 2**14
"""Of which a table of all pairs of classes takes 2 GiB."""
WHAT = "an activity file, as written by `spikewright simulate`"


def _int64(values: list[int]) -> IntArray:
    return np.array(values, dtype=np.int64)


Count = Annotated[int, Field(ge=0, lt=2**63)]
Size = Annotated[int, Field(ge=1, lt=2**31)]
Column = Annotated[list[Count], AfterValidator(_int64)]
"""Checked as the list that the file holds, and read as an array."""


class _OverflowsRecord(Record):
    wraps: Count
    clips: Count
    resets: Count


class _PopulationRecord(Record):
    shape: Annotated[list[Size], Field(min_length=1)]
    updates: Count
    active_updates: Count
    overflows: _OverflowsRecord | None = None
    spikes: Column


class _CountsRecord(Record):
    spikes: dict[str, Column]
    active_updates: dict[str, Column]
    synaptic_ops: dict[str, Column]


class _SamplesRecord(Record):
    counts: _CountsRecord
    predicted: Column | None
    classes: Column | None


class _TraceRecord(Record):
    """Numbers of the neurons kept, and step by step of those that fired: most do not."""

    compartments: Annotated[list[Count], Field(max_length=RASTER_COMPARTMENTS)]
    fired: list[list[Count]]


class _QualityRecord(Record):
    """How good the answers were, where the samples that are counted one by one do not tell."""

    samples: Count
    confusion: list[list[Count]] | None = None
    mae: list[float] = Field(default_factory=list)
    r2: list[float | None] = Field(default_factory=list)

    @property
    def quality(self) -> Quality:
        """The quality; an R^2 of null is one that is not defined."""
        confusion = None if self.confusion is None else np.array(self.confusion, np.int64)
        return Quality(
            self.samples, confusion, tuple(self.mae), tuple(nan if each is None else each for each in self.r2)
        )


class _ActivityRecord(Record):
    format: Literal["spikewright activity"]
    format_version: Literal[1, 2, 3, 4]
    backend: Annotated[str, Field(min_length=1)]
    split: str
    samples: Count
    correct: Count | None
    timesteps: Size
    chip_sha256: str
    provenance: dict[str, object]
    synaptic_ops: dict[str, Count]
    populations: dict[str, _PopulationRecord]
    by_step: _CountsRecord | None = None
    by_sample: _SamplesRecord | None = None
    raster: dict[str, _TraceRecord] | None = None
    quality: _QualityRecord | None = None


def save_activity(activity: Activity, path: Path | str) -> None:
    """Write ``activity`` to ``path``, atomically.

    Raises:
        InputError: the folder does not exist.
    """
    write_json(path, as_json(activity))


def as_json(activity: Activity) -> dict[str, object]:
    """``activity`` as the JSON object that its file holds."""
    stated = activity.quality if not activity.has_every_class else None
    later = stated is not None or any(p.overflows is not None for p in activity.populations.values())
    version = FORMAT_VERSION if later else FORMAT_VERSION - 1  # the lowest that holds what there is
    known = {"format": FORMAT, "format_version": version, **vars(activity)}
    found = {name: _plain(known[name]) for name in _ActivityRecord.model_fields if name != "quality"}
    if stated is not None:
        whole = stated.as_json()
        found["quality"] = {name: whole[name] for name in _QualityRecord.model_fields if name in whole}
    return found


def _plain(value: object) -> Any:
    """Arrays as lists and objects as mappings, all the way down."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, PopulationActivity):
        return {
            "shape": list(value.spikes.shape),
            "updates": value.updates,
            "active_updates": value.active_updates,
            **({} if value.overflows is None else {"overflows": vars(value.overflows)}),
            "spikes": value.spikes.reshape(-1).tolist(),
        }
    if isinstance(value, Trace):
        fired = [value.compartments[step].tolist() for step in value.fired]
        return {"compartments": value.compartments.tolist(), "fired": fired}
    if isinstance(value, dict) or is_dataclass(value):
        members = value if isinstance(value, dict) else vars(value)
        return {name: _plain(member) for name, member in members.items()}
    return value


def load_activity(path: Path | str) -> Activity:
    """Read an activity file.

    Raises:
        InputError: no such file, not JSON, or not an activity of a format version that is known; names every fault.
    """
    record = read_record(path, WHAT, _ActivityRecord)
    refuse(str(Path(path)), [*_count_faults(record), *_raster_faults(record)])
    facts = {name: value for name, value in record if name not in ("format", "format_version", "quality")}
    facts["populations"] = {
        name: PopulationActivity(np.reshape(p.spikes, p.shape), p.updates, p.active_updates, _overflows(p.overflows))
        for name, p in record.populations.items()
    }
    if record.by_step is not None:
        facts["by_step"] = Counts(**dict(record.by_step))
    if record.by_sample is not None:
        facts["by_sample"] = Samples(**dict(record.by_sample) | {"counts": Counts(**dict(record.by_sample.counts))})
    if record.raster is not None:
        facts["raster"] = {
            name: Trace(
                _int64(trace.compartments), np.array([np.isin(trace.compartments, step) for step in trace.fired])
            )
            for name, trace in record.raster.items()
        }
    return Activity(**facts, stated=None if record.quality is None else record.quality.quality)


def _overflows(record: _OverflowsRecord | None) -> Overflows | None:
    return None if record is None else Overflows(**dict(record))


def _count_faults(record: _ActivityRecord) -> Iterator[str]:
    """Counts that are not of the file's populations and connections, or not of its steps and samples."""
    for name, p in record.populations.items():
        if len(p.spikes) != prod(p.shape):
            yield f"population {name}: {len(p.spikes)} spike counts for the shape {p.shape}"
    if record.correct is not None and record.correct > record.samples:
        yield f"correct is {record.correct} of {record.samples} samples"
    if record.by_step is not None:
        yield from _column_faults("by_step", record.by_step, record, record.timesteps)
    if record.by_sample is not None:
        kept = min(record.samples, SAMPLES_KEPT)
        yield from _column_faults("by_sample", record.by_sample.counts, record, kept)
        for name, classes in (("predicted", record.by_sample.predicted), ("classes", record.by_sample.classes)):
            if classes is not None and len(classes) != kept:
                yield f"by_sample: {name} has {len(classes)} entries; there are {kept} samples"
            if classes is not None and (largest := int(np.max(classes, initial=0))) >= MOST_CLASSES:
                yield f"by_sample: {name} holds class {largest}; must be below {MOST_CLASSES:,}"
    if record.quality is not None:
        yield from _quality_faults(record.quality, record)


def _quality_faults(quality: _QualityRecord, record: _ActivityRecord) -> Iterator[str]:
    """A confusion matrix that is not square or does not hold every answer, or values that do not belong together."""
    if quality.samples > record.samples:
        yield f"quality: is of {quality.samples} answers to {record.samples} samples"
    if (table := quality.confusion) is not None:
        if any(len(row) != len(table) for row in table) or sum(map(sum, table)) != quality.samples:
            yield f"quality: confusion must be square and hold {quality.samples} answers"
    elif not quality.mae or len(quality.mae) != len(quality.r2):
        yield f"quality: has {len(quality.mae)} mean errors and {len(quality.r2)} R^2; one of each for each value"


def _column_faults(where: str, counts: _CountsRecord, record: _ActivityRecord, length: int) -> Iterator[str]:
    neurons = {name for name, p in record.populations.items() if p.updates}
    expected = (record.populations.keys(), neurons, record.synaptic_ops.keys())
    for (what, columns), names in zip(counts, expected, strict=True):
        if columns.keys() != names:
            yield f"{where}: {what} counts {', '.join(sorted(columns))}; expected {', '.join(sorted(names))}"
        for name, column in columns.items():
            if len(column) != length:
                yield f"{where}: {what} of {name} has {len(column)} entries; expected {length}"


def _raster_faults(record: _ActivityRecord) -> Iterator[str]:
    """Traces that are not of the file's populations, neurons and steps."""
    if record.raster is None:
        return
    if record.raster.keys() != record.populations.keys():
        yield f"raster: is of {', '.join(record.raster)}; expected {', '.join(record.populations)}"
    for name, trace in record.raster.items():
        size = len(record.populations[name].spikes) if name in record.populations else 0
        if trace.compartments != sorted(set(trace.compartments)) or max(trace.compartments, default=0) >= size:
            yield f"raster: compartments of {name} are not ascending numbers below {size}"
        if len(trace.fired) != record.timesteps:
            yield f"raster: {name} has {len(trace.fired)} steps; expected {record.timesteps}"
        if not {fired for step in trace.fired for fired in step} <= set(trace.compartments):
            yield f"raster: compartments of {name} fired that are not among those kept"
