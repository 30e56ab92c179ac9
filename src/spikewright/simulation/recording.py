"""The result of a simulator: spikes of every population, states where they were asked for, and counts of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from ..base.shown import Brief
from ..base.types import Drive, IntArray
from ..chip.activity import (
    RASTER_COMPARTMENTS,
    SAMPLES_KEPT,
    Activity,
    Counts,
    Overflows,
    PopulationActivity,
    Samples,
    Trace,
)
from ..chip.answers import Answers
from ..chip.fan_out import fan_out
from ..chip.network import ChipNetwork

SpikeArray = npt.NDArray[np.integer[Any]]
StateArray = npt.NDArray[np.int32]
ScoreArray = npt.NDArray[np.int64] | npt.NDArray[np.float32]


@dataclass(frozen=True)
class Tally:
    """Counts of one population that its spikes do not show.

    Attributes:
        active_updates: neuron updates that had something to do: synaptic input not zero, a bias set, or a
            membrane potential, or a current with memory (du < 4095), left from the step before.
        overflows: of its registers; None where there are none.
    """

    active_updates: int = 0
    overflows: Overflows | None = field(default_factory=Overflows)

    def __add__(self, other: Tally) -> Tally:
        known = None if self.overflows is None or other.overflows is None else self.overflows + other.overflows
        return Tally(self.active_updates + other.active_updates, known)


@dataclass(frozen=True, eq=False, repr=False)
class Counted(Brief):
    """What a simulator counted while it ran; what can be counted in its spikes is the same.

    Attributes:
        spikes: by population, spikes or events of each neuron over all steps and samples, int64, its shape.
        each: columns of shape ``(timesteps, samples)``.
    """

    spikes: dict[str, IntArray]
    each: Counts


@dataclass(frozen=True, eq=False, repr=False)
class Recording(Brief):
    """A run of some samples, aligned: step t is the same timestep in every population.

    Attributes:
        spikes: by population, shape ``(timesteps, samples, *population shape)``; 0 and 1, or payloads of graded events.
        scores: what the host reads, int64 (of a student in floats float32, in its own units), shape ``(samples,
            outputs)``: the readout's membrane potentials at the last step, or its spike counts.
        tallies: by population that has neurons.
        u: currents by population, same shape, int32; empty unless states were recorded.
        v: membrane potentials after the reset, by population, same shape and type.
        active: active updates of each step and sample by population that has neurons, int64,
            ``(timesteps, samples)``; empty where only the tallies are known.
        counted: by the simulator; None where it did not count.
    """

    spikes: dict[str, SpikeArray]
    scores: ScoreArray
    tallies: dict[str, Tally]
    u: dict[str, StateArray] = field(default_factory=dict)
    v: dict[str, StateArray] = field(default_factory=dict)
    active: dict[str, IntArray] = field(default_factory=dict)
    counted: Counted | None = None

    @property
    def samples(self) -> int:
        """The number of samples that were recorded."""
        return len(self.scores)

    def answers(
        self, chip: ChipNetwork, labels: npt.NDArray[Any] | None = None, recordings: IntArray | None = None
    ) -> Answers:
        """What was answered.

        Args:
            chip: the network that was recorded.
            labels: classes ``(samples,)`` or values ``(samples, D)``; None where they are not known.
            recordings: of windows, the number of the recording that each is of, ``(samples,)``.
        """
        in_floats = self.scores.dtype.kind == "f"  # of a student, whose potentials have no scale
        unit = 1.0 if chip.meaning.is_classes else chip.timesteps if in_floats else chip.score_unit
        return Answers(self.scores, float(unit), chip.meaning, labels, recordings)


def events_of(chip: ChipNetwork, drive: Drive) -> SpikeArray:
    """The events of an input without neurons at every step, ``(timesteps, samples, *shape)``, in the least memory."""
    compact = drive.astype(np.min_scalar_type(int(drive.max(initial=0))))
    return np.broadcast_to(compact, (chip.timesteps, *drive.shape[1:]))


@dataclass(frozen=True)
class Mismatch:
    """Where two recordings of the same network differ.

    Attributes:
        population: its name.
        what: ``spikes``, ``u`` or ``v``.
        count: entries that differ.
        first: ``(sample, step, flat compartment index)`` of the earliest difference.
    """

    population: str
    what: str
    count: int
    first: tuple[int, int, int]

    def __str__(self) -> str:
        where = "sample {}, step {}, compartment {}".format(*self.first)
        return f"{self.population}: {self.count} {self.what} differ, first at {where}"


def compare(a: Recording, b: Recording) -> list[Mismatch]:
    """Every population whose spikes or (where both recorded them) states differ; empty where the two agree.

    Raises:
        ValueError: the recordings hold different populations or shapes, so that nothing can be compared.
    """
    if a.spikes.keys() != b.spikes.keys():
        raise ValueError(f"recordings of different populations: {sorted(a.spikes)} and {sorted(b.spikes)}")
    found: list[Mismatch] = []
    for what, mine, theirs in (("spikes", a.spikes, b.spikes), ("u", a.u, b.u), ("v", a.v, b.v)):
        for name in [name for name in mine if name in theirs]:
            one, other = mine[name], theirs[name]
            if one.shape != other.shape:
                raise ValueError(f"{name}: {what} of shapes {one.shape} and {other.shape} cannot be compared")
            samples_first = np.swapaxes(one != other, 0, 1).reshape(one.shape[1], one.shape[0], -1)
            if len(places := np.argwhere(samples_first)):
                sample, step, neuron = places[0].tolist()
                found.append(Mismatch(name, what, len(places), (sample, step, neuron)))
    return found


def activity_of(
    chip: ChipNetwork,
    recording: Recording,
    backend: str,
    labels: npt.NDArray[Any] | None = None,
    *,
    chip_sha256: str = "",
    split: str = "",
) -> Activity:
    """Count a recording.

    ``synaptic_ops(connection) = sum over source compartments of spikes x fan-out``. Spikes of the last step count too:
    the chip sends them, although nothing is left to hear them.

    Args:
        chip: the network that was run.
        recording: of that network.
        backend: what ran it.
        labels: true classes, ``(samples,)``, or values, ``(samples, D)``; None where they are not known.
        chip_sha256: of the network's file.
        split: part of the data that the samples came from.
    """
    populations, raster, counted = {}, {}, recording.counted
    for population in chip.populations:
        spikes = recording.spikes[population.name]
        tally = recording.tallies.get(population.name, Tally())
        populations[population.name] = PopulationActivity(
            spikes=counted.spikes[population.name] if counted else _of_each_neuron(spikes),
            updates=0 if population.neuron is None else spikes.size,
            active_updates=tally.active_updates,
            overflows=None if population.neuron is None else tally.overflows,
        )
        if recording.samples:
            first, kept = spikes[:, 0].reshape(len(spikes), -1), _kept(population.size)
            raster[population.name] = Trace(kept, first[:, kept] != 0)
    by_step, by_sample = None, None
    answers = recording.answers(chip, labels)
    if recording.active:
        each = counted.each if counted else _each_step_and_sample(chip, recording)
        by_step = each.changed(lambda column: column.sum(axis=1))
        first_ones = each.changed(lambda column: column[:, :SAMPLES_KEPT].sum(axis=0))
        classes = (answers.answers.astype(np.int64), labels) if chip.meaning.is_classes else (None, None)
        by_sample = Samples(first_ones, *(None if each is None else each[:SAMPLES_KEPT] for each in classes))
    if counted:
        operations = {c.name: int(counted.each.synaptic_ops[c.name].sum()) for c in chip.connections}
    else:
        operations = {c.name: int(np.sum(populations[c.source].spikes * fan_out(chip, c))) for c in chip.connections}
    return Activity(
        populations=populations,
        synaptic_ops=operations,
        samples=recording.samples,
        timesteps=chip.timesteps,
        backend=backend,
        chip_sha256=chip_sha256,
        correct=answers.correct,
        split=split,
        by_step=by_step,
        by_sample=by_sample,
        raster=raster if recording.samples else None,
        answers=answers,
    )


@lru_cache(maxsize=256)
def _kept(size: int) -> IntArray:
    """Compartments of which a raster is kept, of a population of so many."""
    return np.unique(np.linspace(0, size - 1, RASTER_COMPARTMENTS).round().astype(np.int64))


def _of_each_neuron(spikes: SpikeArray) -> IntArray:
    return np.count_nonzero(spikes, axis=(0, 1)).astype(np.int64)


def _each_step_and_sample(chip: ChipNetwork, recording: Recording) -> Counts:
    """Counts whose columns have the shape ``(timesteps, samples)``."""
    spikes, operations = {}, {}
    for population in chip.populations:
        fired = recording.spikes[population.name]
        fired = fired.reshape(*fired.shape[:2], -1)
        spikes[population.name] = np.count_nonzero(fired, axis=2).astype(np.int64)
        for connection in chip.out_of(population.name):
            reach = fan_out(chip, connection).ravel()
            if np.all(reach == reach[0]):
                operations[connection.name] = spikes[population.name] * reach[0]
            else:
                visits = [(step != 0).astype(np.float64) @ reach.astype(np.float64) for step in fired]
                operations[connection.name] = np.rint(visits).astype(np.int64)
    return Counts(spikes, dict(recording.active), operations)
