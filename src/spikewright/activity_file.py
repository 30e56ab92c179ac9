"""The activity's file: JSON, counts only, checked as it is read."""

from __future__ import annotations

import json
from math import prod
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from .activity import Activity, Backend, PopulationActivity
from .artefacts import existing_file, write_json
from .errors import InputError, refuse

FORMAT = "spikewright activity"
FORMAT_VERSION = 1
WHAT = "an activity file, as written by `spikewright simulate`"

Count = Annotated[int, Field(ge=0, lt=2**63)]
Size = Annotated[int, Field(ge=1, lt=2**31)]


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class _PopulationRecord(_Record):
    shape: Annotated[list[Size], Field(min_length=1)]
    updates: Count
    active_updates: Count
    spikes: list[Count]


class _ActivityRecord(_Record):
    format: Literal["spikewright activity"]
    format_version: Literal[1]
    backend: Backend
    split: str
    samples: Count
    correct: Count | None
    timesteps: Size
    chip_sha256: str
    provenance: dict[str, object]
    synaptic_ops: dict[str, Count]
    populations: dict[str, _PopulationRecord]


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
    }


def load_activity(path: Path | str) -> Activity:
    """Read an activity file.

    Raises:
        InputError: no such file, not JSON, or not an activity of a format version that is known; names every fault.
    """
    file = existing_file(path, WHAT)
    try:
        text = file.read_text(encoding="utf-8")
        record = _ActivityRecord.model_validate(json.loads(text))
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_url=False)]
        refuse(f"{file}: is not {WHAT}", faults)
        raise
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise InputError(f"{file}: is not JSON ({error}); expected {WHAT}") from error
    refuse(str(file), list(_faults(record)))
    return _activity(record)


def _faults(record: _ActivityRecord) -> list[str]:
    faults = [
        f"population {name}: {len(p.spikes)} spike counts for the shape {p.shape}"
        for name, p in record.populations.items()
        if len(p.spikes) != prod(p.shape)
    ]
    if record.correct is not None and record.correct > record.samples:
        faults.append(f"correct is {record.correct} of {record.samples} samples")
    return faults


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
    )
