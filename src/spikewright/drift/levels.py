"""What a chip network can be compared with, and how batches of samples add up."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ..base.types import FloatArray, IntArray
from ..chip.network import ChipNetwork, Population
from ..lowering.draft import Draft
from ..simulation.recording import Recording
from .report import Answers, LayerDrift, Reference

ADDED = ("relay", "bias")
"""Roles of populations that lowering adds; the graph has no counterpart of them."""

FOREIGN = "drift: the chip network was not made from this graph"


@dataclass(frozen=True, eq=False)
class Found:
    """One batch on both levels.

    Attributes:
        scores: of the reference and of the chip, in float units, shape ``(samples, classes)``.
    """

    layers: tuple[LayerDrift, ...]
    scores: tuple[FloatArray, FloatArray]


class Level(Protocol):
    """A network to compare a chip with."""

    @property
    def reference(self) -> Reference:
        """Which level it is."""
        ...

    @property
    def changed(self) -> tuple[str, ...]:
        """Parameters of the chip that must be the level's and are not, in sentences."""
        ...

    def compare(self, drive: IntArray, chip: Recording, first_sample: int) -> Found:
        """Both levels on the same samples, the first of which has this index."""
        ...


@dataclass(frozen=True, eq=False)
class Tally:
    """Layers and answers of all samples so far; ``low`` and ``high`` bound the reference's scores."""

    layers: tuple[LayerDrift, ...]
    samples: int
    agreeing: int
    correct: tuple[int, int] | None
    score: float
    low: float
    high: float

    @staticmethod
    def of(found: Found, labels: IntArray | None) -> Tally:
        """Count one batch."""
        mine, theirs = (scores.argmax(axis=1) for scores in found.scores)
        return Tally(
            layers=found.layers,
            samples=len(mine),
            agreeing=int((mine == theirs).sum()),
            correct=None if labels is None else (int((mine == labels).sum()), int((theirs == labels).sum())),
            score=float(np.abs(found.scores[0] - found.scores[1]).max()),
            low=float(found.scores[0].min()),
            high=float(found.scores[0].max()),
        )

    def __add__(self, other: Tally) -> Tally:
        correct = None
        if self.correct is not None and other.correct is not None:
            correct = (self.correct[0] + other.correct[0], self.correct[1] + other.correct[1])
        return Tally(
            layers=tuple(_added(a, b) for a, b in zip(self.layers, other.layers, strict=True)),
            samples=self.samples + other.samples,
            agreeing=self.agreeing + other.agreeing,
            correct=correct,
            score=max(self.score, other.score),
            low=min(self.low, other.low),
            high=max(self.high, other.high),
        )

    @property
    def answers(self) -> Answers:
        """What the readouts say."""
        mine, theirs = (None, None) if self.correct is None else self.correct
        return Answers(self.samples, self.agreeing, mine, theirs, self.score, self.high - self.low)


def _added(a: LayerDrift, b: LayerDrift) -> LayerDrift:
    why = None if a.why is None or b.why is None else a.why + b.why
    states = None if a.states is None or b.states is None else a.states + b.states
    return LayerDrift(a.name, a.fires, a.raster + b.raster, why, states)


def fires(population: Population) -> bool:
    """Whether a population's spikes are its output; a readout integrator's are none."""
    return population.neuron is not None and population.neuron.fires


def strangers(graph: Draft | ChipNetwork, chip: ChipNetwork) -> Iterator[str]:
    """Populations and connections that only the graph or only the chip network has, or that differ in shape."""
    drawn, made = _structure(graph), _structure(chip)
    for what in sorted(drawn.keys() | made.keys()):
        if what not in made:
            yield f"{what} of the graph is not in the chip network"
        elif what not in drawn:
            yield f"{what} of the chip network is not in the graph"
        elif drawn[what] != made[what]:
            yield f"{what} is {drawn[what]} in the graph and {made[what]} in the chip network"


def _structure(network: Draft | ChipNetwork) -> dict[str, str]:
    """Every population and connection, and what it is."""
    found = {f"population {p.name!r}": f"{p.role} of shape {p.shape}" for p in network.populations}
    for c in network.connections:
        kind = "" if c.conv is None else f" as {c.conv}"
        found[f"connection {c.source}->{c.target}"] = f"{c.weight.shape}{kind}"
    return found
