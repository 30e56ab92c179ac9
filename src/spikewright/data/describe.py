"""What data hold, in numbers: parts, classes, ranges, lengths, and what each encoding makes of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from math import prod
from typing import Any, Protocol

import numpy as np

from ..base.errors import Message
from ..base.types import INPUT_BITS, Encoding, IntArray
from ..sources.found import Layout, View
from ..sources.rows import CHUNK_BYTES, Array, Rows
from .fitting import DELTA, delta_levels
from .input_rule import InputRule
from .options import DataOptions
from .output_rule import OutputRule
from .own import cut_recordings, when_asked
from .raw import RawData, RawPart
from .split import Split

TIMESTEPS = 4
"""T of samples that are the same at every step, where none is asked for: the default profile's."""
PARTS = ("train", "validation", "test")


class Described(Protocol):
    """What is needed of a :class:`~spikewright.data.dataset.Dataset`."""

    @property
    def name(self) -> str: ...
    @property
    def train(self) -> Split: ...
    @property
    def validation(self) -> Split: ...
    @property
    def test(self) -> Split: ...
    @property
    def classes(self) -> int: ...
    @property
    def shape(self) -> tuple[int, int, int]: ...
    @property
    def timesteps(self) -> int | None: ...
    @property
    def output(self) -> OutputRule: ...
    @property
    def input_rule(self) -> InputRule | None: ...
    @property
    def raw(self) -> RawData | None: ...
    @property
    def options(self) -> DataOptions | None: ...
    @property
    def is_events(self) -> bool: ...


@dataclass(frozen=True)
class PartDescription:
    """One part of a data set.

    Attributes:
        samples: that a network gets; windows, where recordings are cut into such.
        recordings: that the windows are of; None where each sample has its own answer.
        counts: of classes, how many samples or recordings each has.
        values: of a regression, of each value the mean, the standard deviation, the smallest and the largest.
        lengths: of series, the shortest, median and longest recording in steps.
        cut: recordings that are longer than those of the training part, and lose their end.
        groups: that samples belong to (persons, recordings); None where there are none.
        least, most: smallest and largest value as found; None for events.
        beyond: share of the values that lie beyond the range of the scaling and are held at its ends.
    """

    samples: int
    recordings: int | None
    counts: tuple[int, ...]
    values: tuple[tuple[float, float, float, float], ...]
    lengths: tuple[int, int, int] | None
    cut: int
    groups: int | None
    least: float | None
    most: float | None
    beyond: float


@dataclass(frozen=True)
class InputRate:
    """What an encoding makes of the samples, on average over the training part.

    Attributes:
        encoding: its name; ``delta`` is one of series.
        view: of series, how the network takes them; None else.
        shape: ``(channels, height, width)`` of the input at each step.
        timesteps: T.
        events: of a sample over all steps: graded or binary input events; with ``current`` spikes of the input neurons,
            which are at most so many.
    """

    encoding: str
    view: View | None
    shape: tuple[int, int, int]
    timesteps: int
    events: float

    @property
    def each_step(self) -> float:
        """Events of a sample in one step."""
        return self.events / self.timesteps

    @property
    def share(self) -> float:
        """Events for each input line and step."""
        return self.each_step / prod(self.shape)

    def as_json(self) -> dict[str, Any]:
        """The rate as a JSON-able dictionary."""
        return {**asdict(self), "each_step": self.each_step, "share": self.share}


@dataclass(frozen=True)
class Unsuitable:
    """An encoding that would be refused, and why."""

    encoding: str
    view: View | None
    why: str


@dataclass(frozen=True)
class Description:
    """What a data set holds.

    Attributes:
        shape: of one sample as found.
        output: what the labels mean.
        parts: by name.
        rule: by which samples are prepared; None for a data set that has a name.
        constant: channels or features that never change in the training part; they carry nothing.
        notes: sentences about what was assumed.
        looked_at: samples of each part that ranges and rates were taken from; None for all.
    """

    name: str
    layout: Layout
    shape: tuple[int, ...]
    output: OutputRule
    classes: int
    parts: dict[str, PartDescription]
    rule: InputRule | None
    constant: tuple[int, ...]
    notes: tuple[Message, ...]
    rates: tuple[InputRate, ...]
    unsuitable: tuple[Unsuitable, ...]
    looked_at: int | None

    def as_json(self) -> dict[str, Any]:
        """The description as a JSON-able dictionary."""
        facts = {**asdict(self), "output": self.output.as_json(), "rates": [rate.as_json() for rate in self.rates]}
        return {**facts, "rule": None if self.rule is None else self.rule.as_json()}


def describe(
    data: Described, timesteps: int | None = None, input_bits: int = INPUT_BITS["direct"], samples: int | None = None
) -> Description:
    """What a data set holds, and what each encoding makes of it.

    Args:
        data: the data set.
        timesteps: T; None for 4, and for recordings that are taken step by step as many as they have.
        input_bits: width of direct input.
        samples: how many of each part ranges and rates are taken from, evenly spaced; None for all.
    """
    raw, rule = data.raw, data.input_rule
    layout: Layout = raw.layout if raw is not None else "events" if data.is_events else "images"
    shape = tuple(raw.train.samples.shape[1:]) if raw is not None else tuple(data.train.samples.shape[1:])
    constant = () if rule is None else tuple(int(i) for i in np.flatnonzero(np.asarray(rule.gain) == 0))
    return Description(
        name=data.name,
        layout=layout,
        shape=shape,
        output=data.output,
        classes=data.classes,
        parts={name: _part(data, name, samples) for name in PARTS},
        rule=rule,
        constant=constant,
        notes=() if raw is None else tuple(map(Message, raw.notes)),
        rates=tuple(_rates(data, timesteps, input_bits, samples)),
        unsuitable=tuple(_unsuitable(layout)),
        looked_at=samples,
    )


def _part(data: Described, name: str, samples: int | None) -> PartDescription:
    split: Split = getattr(data, name)
    raw: RawPart | None = None if data.raw is None else data.raw.parts[name]
    labels = split.labels if raw is None else raw.labels
    rule = data.input_rule
    counts = np.bincount(labels[labels >= 0], minlength=data.classes) if data.output.is_classes else np.zeros(0, int)
    values = () if data.output.is_classes else tuple(map(_spread, labels.T))
    least, most, beyond = _range(split if raw is None or rule is None else raw, rule, samples)
    return PartDescription(
        samples=len(split),
        recordings=None if split.recordings is None else len(labels),
        counts=tuple(counts.tolist()),
        values=values,
        lengths=None if raw is None or rule is None or rule.layout != "series" else _lengths(raw),
        cut=0 if raw is None or rule is None else cut_recordings(raw, rule),
        groups=None if raw is None or raw.groups is None else len(np.unique(raw.groups)),
        least=least,
        most=most,
        beyond=beyond,
    )


def _spread(values: Array) -> tuple[float, float, float, float]:
    values = values.astype(np.float64)  # whose squares have room
    return float(values.mean()), float(values.std()), float(values.min()), float(values.max())


def _lengths(part: RawPart) -> tuple[int, int, int]:
    lengths = np.array(part.samples.shape[1:2]) if part.lengths is None else part.lengths
    return int(lengths.min()), int(np.median(lengths)), int(lengths.max())


def _range(
    part: Split | RawPart, rule: InputRule | None, samples: int | None
) -> tuple[float | None, float | None, float]:
    """The smallest and largest value, and the share of those beyond the range of the scaling."""
    if (part.samples.dtype == np.uint8 and rule is None) or (rule is not None and rule.layout == "events"):
        return None, None, 0.0
    least, most, outside, count = np.inf, -np.inf, 0, 0
    for chunk in _some(part.samples, samples):
        least, most = min(least, float(np.nanmin(chunk))), max(most, float(np.nanmax(chunk)))
        if rule is not None:
            scaled = rule.unbounded(chunk)
            outside += int(((scaled < (-1 if rule.signed else 0)) | (scaled > 1)).sum())
            count += int((~np.isnan(scaled)).sum())
    return least, most, outside / max(1, count)


def _some(rows: Rows, samples: int | None) -> Iterator[Array]:
    """Evenly spaced samples, some at a time."""
    chosen: IntArray = np.arange(len(rows), dtype=np.int64)
    if samples is not None and samples < len(rows):
        chosen = np.linspace(0, len(rows) - 1, samples).astype(np.int64)
    each = max(1, CHUNK_BYTES // max(1, 8 * prod(rows.shape[1:])))
    for first in range(0, len(chosen), each):
        yield np.asarray(rows[chosen[first : first + each]])


STATIC: tuple[Encoding, ...] = ("direct", "current", "rate", "latency")
BY_STEP: tuple[Encoding, ...] = ("direct", "current", "rate")


def _rates(data: Described, timesteps: int | None, input_bits: int, samples: int | None) -> Iterator[InputRate]:
    rule, raw = data.input_rule, data.raw
    if rule is None or raw is None or rule.layout != "series":
        steps = data.timesteps or timesteps or TIMESTEPS
        names: Sequence[str] = ("events",) if data.is_events else STATIC
        for name, events in _events(data.train.samples, names, steps, input_bits, samples).items():
            yield InputRate(name, None, data.shape, steps, events)
        return
    asked = data.options.delta_level if data.options is not None else None
    still, stepped = views_of(rule, timesteps)
    plain = replace(stepped, delta=())
    for seen, names in ((still, STATIC), (plain, BY_STEP), (with_delta(raw, stepped, asked), (DELTA,))):
        steps = seen.frames or timesteps or TIMESTEPS
        rows = when_asked(raw.train, seen).samples
        for name, events in _events(rows, names, steps, input_bits, samples).items():
            yield InputRate(name, seen.view, seen.input_shape, steps, events)


def views_of(rule: InputRule, timesteps: int | None) -> tuple[InputRule, InputRule]:
    """The rule of a series for a network that takes it at once, and for one that takes it step by step.

    Args:
        timesteps: of the latter, as many as a recording has at most; None for those of ``rule``, or as many.
    """
    at_once: View = rule.view if rule.view in ("image", "channels") else "channels"
    still = replace(rule, view=at_once, delta=(), timesteps=None)
    steps = min(timesteps or rule.timesteps or rule.shape[0], rule.shape[0])
    delta = rule.delta if steps == rule.timesteps else ()
    return still, replace(rule, view="steps", delta=delta, timesteps=steps)


def with_delta(raw: RawData, rule: InputRule, asked: float | None) -> InputRule:
    """The rule of a series that is taken step by step, for events by level crossings."""
    return rule if rule.delta else replace(rule, delta=delta_levels(rule, raw.train, asked))


def _events(rows: Rows, names: Sequence[str], timesteps: int, input_bits: int, samples: int | None) -> dict[str, float]:
    """By encoding, the expected number of events of a sample.

    ``direct`` sends a payload where ``round(x (2^bits - 1)) > 0``, at each step; ``rate`` a spike with probability x at
    each step; ``latency`` one spike where ``x > 0``. An input neuron of ``current`` gathers x at each step and spikes
    above 1, so it spikes at most as often as a ``rate`` code does. Events are counted as they are.

    Args:
        rows: samples in [0, 1], ``(n, C, H, W)``, or frames ``(n, T, C, H, W)``.
    """
    repeats = timesteps if rows.ndim == 4 else 1
    full = np.float64(2**input_bits - 1)
    ways: dict[str, Callable[[Array], float]] = {
        "direct": lambda x: repeats * np.count_nonzero(np.rint(x * full)),
        "current": lambda x: float(repeats * x.sum(dtype=np.float64)),
        "rate": lambda x: float(repeats * x.sum(dtype=np.float64)),
        "latency": np.count_nonzero,
        "events": lambda x: float(x.sum(dtype=np.float64)),
        DELTA: lambda x: float(x.sum(dtype=np.float64)),
    }
    totals, count = dict.fromkeys(names, 0.0), 0
    for chunk in _some(rows, samples):
        count += len(chunk)
        for name in names:
            totals[name] += ways[name](chunk)
    return {name: total / max(1, count) for name, total in totals.items()}


def _unsuitable(layout: Layout) -> Iterator[Unsuitable]:
    if layout == "events":
        for name in (*STATIC, DELTA):
            yield Unsuitable(name, None, "the samples are events already")
        return
    yield Unsuitable("events", None, "the samples are values, and no events")
    if layout == "series":
        yield Unsuitable("latency", "steps", "frames change from step to step")
        yield Unsuitable(DELTA, "channels", "level crossings are events of single steps")
    else:
        yield Unsuitable(DELTA, None, "it is for series")
