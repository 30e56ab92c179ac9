"""Recordings of events as data: all of them are read once and checked, and how they become frames is decided."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from ..base.errors import InputError, arg, refuse
from ..base.memory import available_bytes, in_gib
from ..base.types import IntArray
from .found import Found
from .options import ReadingOptions
from .recordings import DEFAULT_TIMESTEPS, MOST_LATE_US, MOST_US, EventRows, Framing, Recording, Source, Spans
from .rows import picked

MOST_FAULTS = 20
"""Damaged recordings that a message lists."""


@dataclass(frozen=True, eq=False)
class Scan:
    """What all recordings are like, ``(n,)`` or ``(n, 2)`` each.

    Attributes:
        start, end: of the clock, in us; before the end lies the last event.
        reach: the smallest ``(width, height)`` that holds the events.
        polarity: the smallest and the largest.
        sensor: ``(width, height)`` that the file says, 0 where it says none.
        late: whether events stand behind younger ones.
    """

    start: IntArray
    end: IntArray
    reach: IntArray
    polarity: IntArray
    sensor: IntArray
    late: IntArray

    @property
    def duration_us(self) -> IntArray:
        """Length of each recording, in microseconds."""
        return self.end - self.start


@dataclass(frozen=True)
class Usual:
    """What holds for recordings of a known kind where the options leave it open.

    Attributes:
        sensor: ``(width, height)``.
        duration: ms of a sample.
        pool: side of the squares of pixels that become one.
        timesteps: frames of a sample.
        words: what the recordings are, for a note.
    """

    sensor: tuple[int, int] | None = None
    duration: float | None = None
    pool: int = 1
    timesteps: int = DEFAULT_TIMESTEPS
    words: str = ""

    def holds(self, scan: Scan) -> bool:
        """Whether all events lie within the sensor."""
        return self.sensor is not None and bool((scan.reach <= self.sensor).all())


def scanned(where: str, source: Source) -> Scan:
    """Read every recording once.

    Raises:
        InputError: recordings that are damaged or empty, or whose clock runs backwards, each by its name.
    """
    found: list[tuple[Any, ...]] = []
    faults: list[str] = []
    for index, name in enumerate(source.names):
        try:
            recording = source.read(index)
        except InputError as error:
            faults += [error.message] if error.message not in faults else []  # a missing package is missing for all
            continue
        faults += _faults(name, recording)
        if len(recording):
            found.append(_facts(recording))
    if len(faults) > MOST_FAULTS:
        faults = [*faults[:MOST_FAULTS], f"and {len(faults) - MOST_FAULTS} more"]
    if len(faults) == 1:
        raise InputError(faults[0])
    refuse(where, faults)
    return Scan(*(np.array(column, np.int64) for column in zip(*found, strict=True)))


def _faults(name: str, recording: Recording) -> Iterator[str]:
    if not len(recording):
        yield f"{name}: holds no event; leave it out"
        return
    back = np.diff(recording.t)
    if len(back) and back.min() < -MOST_LATE_US:
        event = int(back.argmin()) + 1
        yield (
            f"{name}: its clock runs backwards, at event {event} from {recording.t[event - 1]} us to "
            f"{recording.t[event]}; cut the recording there, or get it again"
        )
    if max(abs(int(recording.t.min())), abs(int(recording.t.max()))) > MOST_US:
        yield f"{name}: has an event at {recording.t[np.abs(recording.t).argmax()]} us; times may be up to {MOST_US}"
    if recording.starts_at_zero and recording.t.min() < 0:
        yield f"{name}: has an event at {recording.t.min()} us; times are 0 or more"


def _facts(recording: Recording) -> tuple[Any, ...]:
    start = 0 if recording.starts_at_zero else int(recording.t.min())
    reach = int(recording.x.max()) + 1, int(recording.y.max()) + 1
    polarity = int(recording.p.min()), int(recording.p.max())
    late = bool((np.diff(recording.t) < 0).any())
    return start, int(recording.t.max()) + 1, reach, polarity, recording.sensor or (0, 0), late


def found_recordings(
    name: str,
    source: Source,
    scan: Scan,
    labels: Mapping[str, npt.NDArray[Any]],
    options: ReadingOptions,
    *,
    names: Sequence[str] | None = None,
    groups: Sequence[object] | npt.NDArray[Any] | None = None,
    usual: Usual | None = None,
    spans: Spans | None = None,
    notes: Sequence[str] = (),
    identity: str | None = None,
) -> Found:
    """Recordings with classes, as a reader finds them.

    Args:
        scan: of the source.
        labels: by part, those of its samples; the parts are one after the other in the source or the spans.
        usual: of recordings of a known kind.
        spans: the part of a recording that each sample is; None where a sample is a recording.
        name, names, groups, notes, identity: see :class:`~spikewright.sources.found.Found`.

    Raises:
        InputError: recordings of different cameras, or with events outside of theirs; all of them at once.
    """
    where = f"data {name}"
    if options.layout not in (None, "events"):
        raise InputError(f"{where}: holds recordings of events; leave {arg('layout', options.layout)} out")
    known = usual or Usual()
    cut = spans or Spans(np.arange(len(scan.start), dtype=np.int64), scan.start, scan.end)
    ends = np.cumsum([len(each) for each in labels.values()])
    rows_of = {part: np.arange(end - len(labels[part]), end) for part, end in zip(labels, ends, strict=True)}
    training = cut.of(rows_of.get("train", np.arange(len(cut))))
    width, height = _sensor(where, source, scan, options, known)
    framing = Framing(
        width, height, _duration_us(training, options, known), options.pool or known.pool, _polarities(scan, options)
    )
    refuse(where, list(_too_large(framing, known.timesteps)))
    rows = EventRows(source, cut, framing, known.timesteps)
    of_arrays = {key: getattr(options, key) for key in ("event_columns", "time_unit")}
    return Found(
        name,
        {part: (picked(rows, rows_of[part]), labels[part]) for part in labels},
        groups,
        names,
        layout="events",
        notes=(*notes, *_notes(scan, cut, framing, options, known)),
        reading={**framing.reading(), **{key: value for key, value in of_arrays.items() if value is not None}},
        identity=identity,
    )


def _too_large(framing: Framing, timesteps: int) -> Iterator[str]:
    """Why there is no memory for a sample, as numbers that a network computes with."""
    needed, room = 4 * timesteps * prod(framing.shape), available_bytes()
    if needed > room:
        yield (
            f"a sample of {timesteps} frames of {framing.width} x {framing.height} pixels takes {in_gib(needed)}, and "
            f"there are {in_gib(room)} of memory; give larger squares of pixels, {arg('pool')}, or leave out what lies "
            "far outside of the camera"
        )


def _sensor(where: str, source: Source, scan: Scan, options: ReadingOptions, known: Usual) -> tuple[int, int]:
    """``(width, height)`` that was asked for, that the files say, or that all events reach.

    Raises:
        InputError: several sizes, or events outside.
    """
    said = {(int(w), int(h)): int(np.flatnonzero((scan.sensor == (w, h)).all(1))[0]) for w, h in scan.sensor if w}
    if options.sensor is None and len(said) > 1:
        listed = "; ".join(f"{w} x {h} pixels, {source.names[first]} among others" for (w, h), first in said.items())
        raise InputError(
            f"{where}: holds recordings of cameras of different sizes ({listed}); give recordings of one camera, or "
            f"the size that holds all of them with {arg('sensor', 'WIDTH,HEIGHT')}"
        )
    width, height = options.sensor or known.sensor or next(iter(said), None) or scan.reach.max(0).tolist()
    outside = np.flatnonzero((scan.reach > (width, height)).any(1))
    faults = [
        f"{source.names[each]}: has events up to column {scan.reach[each, 0] - 1} and row {scan.reach[each, 1] - 1}, "
        f"outside of {width} x {height} pixels"
        for each in outside[:MOST_FAULTS]
    ]
    if len(outside) > MOST_FAULTS:
        faults.append(f"and {len(outside) - MOST_FAULTS} more")
    refuse(f"{where}: give the size of its camera with {arg('sensor', 'WIDTH,HEIGHT')}", faults)
    return int(width), int(height)


def _duration_us(train: Spans, options: ReadingOptions, known: Usual) -> int:
    asked = options.duration or known.duration
    return int((train.end - train.start).max()) if asked is None else max(1, round(1000 * asked))


def _polarities(scan: Scan, options: ReadingOptions) -> int:
    if options.polarity is not None:
        return 1 if options.polarity == "merged" else 2
    return 2 if scan.polarity.min() < scan.polarity.max() else 1


def _notes(scan: Scan, cut: Spans, framing: Framing, options: ReadingOptions, known: Usual) -> Iterator[str]:
    """What was assumed, and what is left out."""
    if known.words:
        yield known.words
    if options.sensor is None and known.sensor is None and not scan.sensor.any():
        yield (
            f"its camera was taken to have {framing.width} x {framing.height} pixels, as far as events reach; "
            f"{arg('sensor', 'WIDTH,HEIGHT')} gives it"
        )
    lasting = (cut.end - cut.start) / 1000
    if options.duration is None and known.duration is None:
        yield (
            f"recordings last {lasting.min():g} to {lasting.max():g} ms, half of them at most {np.median(lasting):g}; "
            f"a sample is as long as the longest of training, where {arg('duration')} or {arg('window')} gives no other"
        )
    elif longer := int((lasting > framing.duration_us / 1000).sum()):
        yield (
            f"{longer} of {len(cut)} recordings last longer than {framing.duration_us / 1000:g} ms, up to "
            f"{lasting.max():g}; what comes later is left out, where no {arg('window')} is given"
        )
    if late := int(scan.late.sum()):
        yield f"{late} recordings hold events behind younger ones; each is taken at its own time"
