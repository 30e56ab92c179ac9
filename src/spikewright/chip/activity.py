"""Spikes, updates and synaptic operations counted over a run of a chip network."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from ..base.shown import Brief, Shown
from ..base.types import IntArray
from ..data.quality import Quality, confusion_of
from .answers import Answers

SAMPLES_KEPT = 10_000
"""The first samples, up to this number, are also counted one by one; bounds the memory and the file."""
RASTER_COMPARTMENTS = 64
"""At most this many evenly spaced neurons of a population keep the spikes of the first sample."""


@dataclass(frozen=True)
class Overflows:
    """How often the registers of a population overflowed.

    Attributes:
        wraps: updates in which the current left its 24 bits and wrapped around.
        clips: updates in which the membrane potential was clipped to its 24 bits.
        resets: times that a readout which must not fire reached its threshold, fired and was reset.
    """

    wraps: int = 0
    clips: int = 0
    resets: int = 0

    def __add__(self, other: Overflows) -> Overflows:
        return Overflows(self.wraps + other.wraps, self.clips + other.clips, self.resets + other.resets)

    def __bool__(self) -> bool:
        return bool(self.wraps or self.clips or self.resets)

    @property
    def harmful(self) -> int:
        """Overflows after which an answer is worth nothing: wraps and resets. A clip holds a value at its limit."""
        return self.wraps + self.resets


@dataclass(frozen=True, eq=False, repr=False)
class PopulationActivity(Brief):
    """Counts of one population over all samples and steps.

    Attributes:
        spikes: spikes (for an event input: injected events, payload not zero) of each neuron, population shape.
        updates: neuron updates, samples x timesteps x size (0 for an event input, which has no neurons).
        active_updates: updates in which the neuron had something to do: input arrived, a bias is set, or a
            membrane potential or current was left from the step before.
        overflows: of its registers; None where they were not counted, as in a file from before they were, or where
            there are none, as in a student in floats.
    """

    spikes: IntArray
    updates: int
    active_updates: int
    overflows: Overflows | None = None

    def __add__(self, other: PopulationActivity) -> PopulationActivity:
        overflows = None
        if self.overflows is not None and other.overflows is not None:
            overflows = self.overflows + other.overflows
        counts = self.updates + other.updates, self.active_updates + other.active_updates
        return PopulationActivity(self.spikes + other.spikes, *counts, overflows)


@dataclass(frozen=True, eq=False, repr=False)
class Counts(Brief):
    """Counts of each timestep, or of each sample.

    Attributes:
        spikes: by population, int64, one entry for each step or sample.
        active_updates: by population that has neurons, likewise.
        synaptic_ops: by connection, likewise.
    """

    spikes: dict[str, IntArray]
    active_updates: dict[str, IntArray]
    synaptic_ops: dict[str, IntArray]

    def joined(self, other: Counts, how: Callable[[IntArray, IntArray], IntArray]) -> Counts:
        """Counts whose columns are ``how(mine, theirs)``."""
        tables = zip(vars(self).values(), vars(other).values(), strict=True)
        return Counts(*({name: how(mine[name], theirs[name]) for name in mine} for mine, theirs in tables))

    def changed(self, how: Callable[[IntArray], IntArray]) -> Counts:
        """Counts whose columns are ``how(column)``."""
        return Counts(*({name: how(column) for name, column in table.items()} for table in vars(self).values()))


@dataclass(frozen=True, eq=False, repr=False)
class Samples(Brief):
    """The first samples, one by one.

    Attributes:
        counts: of each sample.
        classes: true classes, int64, ``(samples,)``; None without labels, and of values.
        predicted: the classes that the network chose; None of values.
    """

    counts: Counts
    predicted: IntArray | None
    classes: IntArray | None = None

    def __add__(self, other: Samples) -> Samples:
        return Samples(
            self.counts.joined(other.counts, _first),
            *(
                None if mine is None or theirs is None else _first(mine, theirs)
                for mine, theirs in ((self.predicted, other.predicted), (self.classes, other.classes))
            ),
        )

    @property
    def count(self) -> int:
        """How many samples these are."""
        return len(next(iter(self.counts.spikes.values())))


@dataclass(frozen=True, eq=False, repr=False)
class Trace(Brief):
    """Spikes of the first sample, of a few neurons of one population.

    Attributes:
        compartments: flat indices in the population, ascending, int64, at most ``RASTER_COMPARTMENTS``.
        fired: whether each spiked at each timestep, bool, ``(timesteps, compartments)``.
    """

    compartments: IntArray
    fired: npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False, repr=False)
class Activity(Shown):
    """Counts per population and connection; two activities of the same network add up.

    Attributes:
        synaptic_ops: by connection name: spike x synapse visits, edge-exact (a spike at a border reaches fewer).
        samples: inferences counted.
        timesteps: algorithmic steps per inference.
        backend: who counted: a simulator's name, ``student`` (on integers) or ``float`` (a student in floats).
        chip_sha256: of the chip network file, empty if it was never written.
        correct: right answers, of classes; None without labels.
        split: which part of the data the samples came from.
        by_step: the same counts for each timestep, over all samples; None where they were not kept.
        by_sample: the same counts for each of the first samples, over all steps; None where they were not kept.
        raster: by population, spikes of the first sample; None where they were not kept.
        answers: scores and answers of all samples; None where they were not kept, as in an activity read from a file.
        stated: how good the answers were, as the file of the activity says.
    """

    populations: dict[str, PopulationActivity]
    synaptic_ops: dict[str, int]
    samples: int
    timesteps: int
    backend: str
    chip_sha256: str = ""
    correct: int | None = None
    split: str = ""
    provenance: dict[str, object] = field(default_factory=dict)
    by_step: Counts | None = None
    by_sample: Samples | None = None
    raster: dict[str, Trace] | None = None
    answers: Answers | None = None
    stated: Quality | None = None

    def __repr__(self) -> str:
        count = max(self.samples, 1)
        which = f"{self.split} samples" if self.split else "samples"
        accuracy = "" if self.accuracy is None else f", accuracy {self.accuracy:.2%}"
        return (
            f"Activity({self.samples:,} {which}, T = {self.timesteps}, {self.backend}{accuracy}; per inference "
            f"{self.spikes / count:,.1f} spikes and {self.total_synaptic_ops / count:,.1f} synaptic operations of "
            f"{len(self.populations)} populations)"
        )

    def __add__(self, other: Activity) -> Activity:
        if self.populations.keys() != other.populations.keys() or self.timesteps != other.timesteps:
            raise ValueError("activities of different networks do not add up")
        if self.backend != other.backend or self.chip_sha256 != other.chip_sha256:
            raise ValueError("activities counted by different backends or on different chips do not add up")
        correct = None
        if self.correct is not None and other.correct is not None:
            correct = self.correct + other.correct
        steps, samples = (self.by_step, other.by_step), (self.by_sample, other.by_sample)
        answers = self.answers + other.answers if self.answers and other.answers else None
        return replace(
            self,
            populations={name: mine + other.populations[name] for name, mine in self.populations.items()},
            synaptic_ops={name: count + other.synaptic_ops[name] for name, count in self.synaptic_ops.items()},
            samples=self.samples + other.samples,
            correct=correct,
            split=self.split if self.split == other.split else "",
            by_step=steps[0].joined(steps[1], np.add) if steps[0] and steps[1] else None,
            by_sample=samples[0] + samples[1] if samples[0] and samples[1] else None,
            answers=answers,
            stated=_sum(self.quality, other.quality) if answers is None else None,
        )

    @property
    def quality(self) -> Quality | None:
        """How good the answers are; None without labels, or where neither scores nor classes of all are known."""
        if self.answers is not None:
            return self.answers.quality
        if self.stated is not None or not self.has_every_class:
            return self.stated
        assert self.by_sample is not None
        right, answered = self.by_sample.classes, self.by_sample.predicted
        assert right is not None
        assert answered is not None
        return Quality(self.samples, confusion_of(right, answered))

    @property
    def has_every_class(self) -> bool:
        """Whether the class of every sample, and what it was taken for, is known, and each has an answer of its own."""
        each = self.by_sample
        if each is None or each.classes is None or each.predicted is None or each.count != self.samples:
            return False
        return self.stated is None and (self.answers is None or self.answers.recordings is None)

    @property
    def largest_class(self) -> int | None:
        """The largest class among labels and answers; None where none is known."""
        each, stated = self.by_sample, None if self.stated is None else self.stated.confusion
        known = [] if each is None else [one for one in (each.classes, each.predicted) if one is not None and one.size]
        largest = [int(one.max()) for one in known] + ([] if stated is None else [len(stated) - 1])
        return max(largest, default=None)

    @property
    def accuracy(self) -> float | None:
        """Share of right answers, of classes; None without labels.

        Samples that are windows of a recording have one answer together.
        """
        quality = self.quality
        if quality is not None:
            return quality.accuracy if quality.confusion is not None and quality.samples else None
        return None if self.correct is None or not self.samples else self.correct / self.samples

    @property
    def rates(self) -> dict[str, tuple[float, ...]]:
        """By population, spikes per neuron at each step, the mean over samples; empty where steps were not counted."""
        if self.by_step is None:
            return {}
        size = {name: self.samples * seen.spikes.size for name, seen in self.populations.items()}
        return {name: tuple((counts / size[name]).tolist()) for name, counts in self.by_step.spikes.items()}

    @property
    def spikes(self) -> int:
        """Spikes of all populations and samples, input events included."""
        return int(sum(np.sum(p.spikes) for p in self.populations.values()))

    @property
    def overflows(self) -> Overflows | None:
        """Overflows of all populations; None where they were not counted."""
        known = [p.overflows for p in self.populations.values() if p.updates]
        return None if None in known else sum((each for each in known if each is not None), Overflows())

    @property
    def total_synaptic_ops(self) -> int:
        """Synaptic operations of all connections and samples."""
        return sum(self.synaptic_ops.values())


def overflow_sentences(activity: Activity) -> Iterator[str]:
    """A sentence for each kind of overflow of each population, where there were any."""
    for name, population in activity.populations.items():
        found, of = population.overflows or Overflows(), f"of {population.updates} updates"
        if found.wraps:
            yield f"population {name!r}: a current left its 24 bits and wrapped around in {found.wraps} {of}"
        if found.clips:
            yield f"population {name!r}: a membrane potential was clipped to its 24 bits in {found.clips} {of}"
        if found.resets:
            yield f"population {name!r} must never fire and did so {found.resets} times; its scores are wrong"


def _sum(mine: Quality | None, other: Quality | None) -> Quality | None:
    """The quality of both sets of answers; None where it does not follow, as for values."""
    if mine is None or other is None or mine.confusion is None or other.confusion is None:
        return None
    classes = max(len(mine.confusion), len(other.confusion))
    whole = np.zeros((classes, classes), np.int64)
    for table in (mine.confusion, other.confusion):
        whole[: len(table), : len(table)] += table
    return Quality(mine.samples + other.samples, whole, names=mine.names if mine.names == other.names else ())


def _first(mine: IntArray, other: IntArray) -> IntArray:
    """The first ``SAMPLES_KEPT`` entries of both arrays, one after the other."""
    return np.concatenate([mine, other])[:SAMPLES_KEPT]
