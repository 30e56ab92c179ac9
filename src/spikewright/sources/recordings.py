"""Recordings of events, and the frames of them that a network takes.

A recording is a list of events: a time, a place and a polarity each. Frame ``s`` of T is 1 where a pixel had at least
one event of a polarity with ``s <= t T / D < s + 1``; ``t`` counts in us from the start of the sample and ``D`` is the
duration of a sample, the same for all. What comes later than ``D`` is left out. Frames are made from the times
themselves for each T, never from the frames of another T.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ..base.types import IntArray
from .rows import Chosen, Picked, Rows, indices_of

Pixels = npt.NDArray[np.uint8]

DEFAULT_TIMESTEPS = 10
"""Frames of a sample where no number is asked for."""
FINEST_US = 100
"""Shortest duration of a frame."""
MOST_LATE_US = 1000
"""An event may stand behind one that is so much younger; cameras write them so. A clock that jumps back by more is
damaged."""
MOST_US = 2**53
"""Latest time of an event, 285 years: up to here times are exact in every type that files hold them in."""
MOST_PLACE = 2**31 - 1
"""Largest column or row."""
OPTIONS = ("duration", "sensor", "pool", "polarity", "event_columns", "time_unit")
"""Options of reading recordings of events."""
KEPT_BYTES = 1024**3
"""Frames of a part are kept in memory, eight to a byte, up to this size; larger ones are made anew when asked for."""


@dataclass(frozen=True, eq=False)
class Recording:
    """Events of one recording, ``(n,)`` each.

    Attributes:
        t: times in us, int64.
        x, y: columns from the left and rows from the top, int64.
        p: polarities, 0 (OFF) or 1 (ON), int64.
        sensor: ``(width, height)`` where the file says it.
        starts_at_zero: whether the clock starts with the recording; else it does with its first event.
    """

    t: IntArray
    x: IntArray
    y: IntArray
    p: IntArray
    sensor: tuple[int, int] | None = None
    starts_at_zero: bool = False

    def __len__(self) -> int:
        return len(self.t)


class Source(Protocol):
    """Where recordings are read from, one at a time."""

    @property
    def names(self) -> Sequence[str]:
        """Of each recording, what a message calls it."""

    def read(self, recording: int) -> Recording:
        """The events of one recording.

        Raises:
            InputError: it is missing or damaged.
        """


@dataclass(frozen=True)
class Framing:
    """How the events of a sample become frames.

    Attributes:
        width, height: of the sensor in pixels.
        duration_us: of a sample.
        pool: side of the squares of pixels that become one.
        polarities: 2, or 1 where both are taken as one.
    """

    width: int
    height: int
    duration_us: int
    pool: int = 1
    polarities: int = 2

    @classmethod
    def of(cls, reading: Mapping[str, Any]) -> Framing:
        """The framing that :meth:`reading` describes."""
        width, height = reading["sensor"]
        polarities = 1 if reading["polarity"] == "merged" else 2
        return cls(width, height, round(1000 * reading["duration"]), reading["pool"], polarities)

    def reading(self) -> dict[str, Any]:
        """The same as options of reading, :class:`~spikewright.sources.options.ReadingOptions`."""
        return {
            "sensor": [self.width, self.height],
            "duration": self.duration_us / 1000,
            "pool": self.pool,
            "polarity": "merged" if self.polarities == 1 else "both",
        }

    @property
    def shape(self) -> tuple[int, int, int]:
        """``(polarities, height, width)`` of a frame; squares at the right and lower border may be cut off."""
        return self.polarities, -(-self.height // self.pool), -(-self.width // self.pool)

    def frames(self, events: Recording, start: int, end: int, timesteps: int) -> Pixels:
        """Frames ``(timesteps, *shape)`` of 0 and 1 of the events from ``start`` to before ``end``, in us."""
        inside = (events.t >= start) & (events.t < min(end, start + self.duration_us))
        made = np.zeros((timesteps, *self.shape), np.uint8)
        step = (events.t[inside] - start) * timesteps // self.duration_us
        polarity = events.p[inside] if self.polarities == 2 else 0
        made[step, polarity, events.y[inside] // self.pool, events.x[inside] // self.pool] = 1
        return made


@dataclass(frozen=True, eq=False)
class Spans:
    """The part of a recording that each sample is, ``(n,)`` each.

    Attributes:
        recording: index into the source.
        start, end: in us of the recording's clock; the end is no longer part of it.
    """

    recording: IntArray
    start: IntArray
    end: IntArray

    def __len__(self) -> int:
        return len(self.recording)

    def of(self, rows: IntArray) -> Spans:
        """The spans of the samples ``rows``, indices of shape ``(n,)``, in their order."""
        return Spans(self.recording[rows], self.start[rows], self.end[rows])

    def windows(self, window_us: int, hop_us: int) -> tuple[Spans, IntArray]:
        """Windows of the samples, and the sample that each is of; a sample shorter than a window is one."""
        counts = np.maximum(1, (self.end - self.start - window_us) // hop_us + 1)
        of = np.repeat(np.arange(len(self)), counts)
        start = self.start[of] + hop_us * np.concatenate([np.arange(count) for count in counts])
        return Spans(self.recording[of], start, np.minimum(start + window_us, self.end[of])), of


class EventRows:
    """Frames of recordings by row, uint8 of 0 and 1; made when they are asked for, and kept eight to a byte.

    Attributes:
        framing: how events become frames.
        shape: ``(n, timesteps, polarities, height, width)``.
    """

    def __init__(self, source: Source, spans: Spans, framing: Framing, timesteps: int) -> None:
        self.source, self.spans, self.framing = source, spans, framing
        self.shape = (len(spans), timesteps, *framing.shape)
        self.dtype: np.dtype[Any] = np.dtype(np.uint8)
        self.ndim = len(self.shape)
        self._bytes = -(-prod(self.shape[1:]) // 8)
        self._kept: Pixels | None = None
        self._is_made = np.zeros(len(spans), bool)
        self._by_recording = np.argsort(spans.recording, kind="stable")

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Chosen) -> Pixels:
        indices = indices_of(rows, len(self))
        if len(self) * self._bytes <= KEPT_BYTES:
            packed = self._of_kept(indices)
        else:
            packed = np.zeros((len(indices), self._bytes), np.uint8)
            for recording in np.unique(self.spans.recording[indices]):
                events = self.source.read(int(recording))
                for place in np.flatnonzero(self.spans.recording[indices] == recording):
                    packed[place] = self._packed(events, indices[place])
        bits = np.unpackbits(packed, axis=1, count=prod(self.shape[1:]))
        return bits.reshape(len(indices), *self.shape[1:])

    def _of_kept(self, indices: IntArray) -> Pixels:
        """Frames of these rows, eight to a byte; what is missing is made, with all that lies in the same recording."""
        if self._kept is None:
            self._kept = np.zeros((len(self), self._bytes), np.uint8)
        ordered = self.spans.recording[self._by_recording]
        for recording in np.unique(self.spans.recording[indices[~self._is_made[indices]]]):
            events = self.source.read(int(recording))
            first, last = np.searchsorted(ordered, [recording, recording + 1])
            for row in self._by_recording[first:last]:
                self._kept[row] = self._packed(events, row)
                self._is_made[row] = True
        kept: Pixels = self._kept[indices]
        return kept

    def _packed(self, events: Recording, row: int) -> Pixels:
        start, end = int(self.spans.start[row]), int(self.spans.end[row])
        return np.packbits(self.framing.frames(events, start, end, self.shape[1]))


def recorded(samples: Rows) -> tuple[EventRows, IntArray] | None:
    """The recordings that samples are frames of, and their rows there; None for samples that are no recordings."""
    if isinstance(samples, EventRows):
        return samples, np.arange(len(samples), dtype=np.int64)
    if isinstance(samples, Picked) and (found := recorded(samples.source)) is not None:
        return found[0], found[1][samples.rows]
    return None
