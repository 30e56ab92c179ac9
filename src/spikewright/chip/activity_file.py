"""The activity's file: JSON, counts only, checked as it is read."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from ..base.artefacts import write_json
from ..base.errors import refuse
from .activity import RASTER_COMPARTMENTS, SAMPLES_KEPT, Activity, Counts, PopulationActivity, Samples, Trace
from .records import Record, read_record

FORMAT = "spikewright activity"
FORMAT_VERSION = 3
"""1 had no counts of single steps and samples, 2 no raster."""

WHAT = "an activity file, as written by `spikewright simulate`"

Count = Annotated[int, Field(ge=0, lt=2**63)]
Size = Annotated[int, Field(ge=1, lt=2**31)]


class _PopulationRecord(Record):
    shape: Annotated[list[Size], Field(min_length=1)]
    updates: Count
    active_updates: Count
    spikes: list[Count]


class _CountsRecord(Record):
    spikes: dict[str, list[Count]]
    active_updates: dict[str, list[Count]]
    synaptic_ops: dict[str, list[Count]]


class _SamplesRecord(Record):
    counts: _CountsRecord
    predicted: list[Count]
    classes: list[Count] | None


class _TraceRecord(Record):
    compartments: Annotated[list[Count], Field(max_length=RASTER_COMPARTMENTS)]
    fired: list[list[Count]]


class _ActivityRecord(Record):
    format: Literal["spikewright activity"]
    format_version: Literal[1, 2, 3]
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


def save_activity(activity: Activity, path: Path | str) -> None:
    """Write ``activity`` to ``path``, atomically.

    Raises:
        InputError: the folder does not exist.
    """
    write_json(path, as_json(activity))


def as_json(activity: Activity) -> dict[str, object]:
    """``activity`` as the JSON object that its file holds."""
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "backend": activity.backend,
        "split": activity.split,
        "samples": activity.samples,
        "correct": activity.correct,
        "timesteps": activity.timesteps,
        "chip_sha256": activity.chip_sha256,
        "provenance": activity.provenance,
        "synaptic_ops": activity.synaptic_ops,
        "populations": {
            name: {
                "shape": list(population.spikes.shape),
                "updates": population.updates,
                "active_updates": population.active_updates,
                "spikes": population.spikes.reshape(-1).tolist(),
            }
            for name, population in activity.populations.items()
        },
        "by_step": None if activity.by_step is None else _counts_json(activity.by_step),
        "by_sample": None if activity.by_sample is None else _samples_json(activity.by_sample),
        "raster": None if activity.raster is None else {n: _trace_json(t) for n, t in activity.raster.items()},
    }


def _counts_json(counts: Counts) -> dict[str, object]:
    return {what: {name: column.tolist() for name, column in columns.items()} for what, columns in vars(counts).items()}


def _samples_json(samples: Samples) -> dict[str, object]:
    return {
        "counts": _counts_json(samples.counts),
        "predicted": samples.predicted.tolist(),
        "classes": None if samples.classes is None else samples.classes.tolist(),
    }


def _trace_json(trace: Trace) -> dict[str, object]:
    """A trace with the neurons that fired, step by step: most do not."""
    return {
        "compartments": trace.compartments.tolist(),
        "fired": [trace.compartments[step].tolist() for step in trace.fired],
    }


def load_activity(path: Path | str) -> Activity:
    """Read an activity file.

    Raises:
        InputError: no such file, not JSON, or not an activity of a format version that is known; names every fault.
    """
    record = read_record(path, WHAT, _ActivityRecord)
    refuse(str(Path(path)), list(_faults(record)))
    return _activity(record)


def _faults(record: _ActivityRecord) -> list[str]:
    faults = [
        f"population {name}: {len(p.spikes)} spike counts for the shape {p.shape}"
        for name, p in record.populations.items()
        if len(p.spikes) != prod(p.shape)
    ]
    if record.correct is not None and record.correct > record.samples:
        faults.append(f"correct is {record.correct} of {record.samples} samples")
    faults += _column_faults("by_step", record.by_step, record, record.timesteps)
    if record.by_sample is not None:
        kept = min(record.samples, SAMPLES_KEPT)
        faults += _column_faults("by_sample", record.by_sample.counts, record, kept)
        named = {"predicted": record.by_sample.predicted, "classes": record.by_sample.classes}
        faults += [
            f"by_sample: {name} has {len(classes)} entries; there are {kept} samples"
            for name, classes in named.items()
            if classes is not None and len(classes) != kept
        ]
    return [*faults, *_raster_faults(record)]


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


def _column_faults(where: str, counts: _CountsRecord | None, record: _ActivityRecord, length: int) -> Iterator[str]:
    """Counts that are not of the file's populations and connections, or not of its length."""
    if counts is None:
        return
    neurons = {name for name, p in record.populations.items() if p.updates}
    tables = (
        ("spikes", counts.spikes, set(record.populations)),
        ("active_updates", counts.active_updates, neurons),
        ("synaptic_ops", counts.synaptic_ops, set(record.synaptic_ops)),
    )
    for what, columns, names in tables:
        if columns.keys() != names:
            yield f"{where}: {what} counts {', '.join(sorted(columns))}; expected {', '.join(sorted(names))}"
        for name, column in columns.items():
            if len(column) != length:
                yield f"{where}: {what} of {name} has {len(column)} entries; expected {length}"


def _activity(record: _ActivityRecord) -> Activity:
    return Activity(
        populations={
            name: PopulationActivity(np.array(p.spikes, dtype=np.int64).reshape(p.shape), p.updates, p.active_updates)
            for name, p in record.populations.items()
        },
        synaptic_ops=dict(record.synaptic_ops),
        samples=record.samples,
        timesteps=record.timesteps,
        backend=record.backend,
        chip_sha256=record.chip_sha256,
        correct=record.correct,
        split=record.split,
        provenance=dict(record.provenance),
        by_step=None if record.by_step is None else _counts(record.by_step),
        by_sample=None if record.by_sample is None else _samples(record.by_sample),
        raster=None if record.raster is None else {name: _trace(trace) for name, trace in record.raster.items()},
    )


def _trace(record: _TraceRecord) -> Trace:
    compartments = np.array(record.compartments, dtype=np.int64)
    fired = [np.isin(compartments, step) for step in record.fired]
    return Trace(compartments, np.array(fired, dtype=np.bool_).reshape(len(fired), len(compartments)))


def _counts(record: _CountsRecord) -> Counts:
    tables = (record.spikes, record.active_updates, record.synaptic_ops)
    return Counts(*({name: np.array(column, dtype=np.int64) for name, column in table.items()} for table in tables))


def _samples(record: _SamplesRecord) -> Samples:
    classes = None if record.classes is None else np.array(record.classes, dtype=np.int64)
    return Samples(_counts(record.counts), np.array(record.predicted, dtype=np.int64), classes)
