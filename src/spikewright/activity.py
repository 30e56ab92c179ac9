"""What happened on the chip, counted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from .chip import IntArray

Backend = Literal["integer", "lava", "netx", "float"]


@dataclass(frozen=True, eq=False)
class PopulationActivity:
    """Counts of one population over all samples and steps.

    Attributes:
        spikes: spikes (for an event input: injected events, payload not zero) of each compartment, population shape.
        updates: compartment updates, samples x timesteps x size (0 for an event input, which has no compartments).
        active_updates: updates in which the compartment had something to do: input arrived, a bias is set, or a
            membrane potential or current was left from the step before.
    """

    spikes: IntArray
    updates: int
    active_updates: int

    def __add__(self, other: PopulationActivity) -> PopulationActivity:
        return PopulationActivity(
            self.spikes + other.spikes, self.updates + other.updates, self.active_updates + other.active_updates
        )


@dataclass(frozen=True, eq=False)
class Activity:
    """Counts per population and connection; two activities of the same network add up.

    Attributes:
        synaptic_ops: by connection name: spike x synapse visits, edge-exact (a spike at a border reaches fewer).
        samples: inferences counted.
        timesteps: algorithmic steps per inference.
        backend: who counted.
        chip_sha256: of the chip network file, empty if it was never written.
        correct: samples classified correctly, None without labels.
        split: which part of the data the samples came from.
    """

    populations: dict[str, PopulationActivity]
    synaptic_ops: dict[str, int]
    samples: int
    timesteps: int
    backend: Backend
    chip_sha256: str = ""
    correct: int | None = None
    split: str = ""
    provenance: dict[str, object] = field(default_factory=dict)

    def __add__(self, other: Activity) -> Activity:
        if self.populations.keys() != other.populations.keys() or self.timesteps != other.timesteps:
            raise ValueError("activities of different networks do not add up")
        if self.backend != other.backend or self.chip_sha256 != other.chip_sha256:
            raise ValueError("activities counted by different backends or on different chips do not add up")
        both = self.correct is not None and other.correct is not None
        return Activity(
            populations={name: mine + other.populations[name] for name, mine in self.populations.items()},
            synaptic_ops={name: count + other.synaptic_ops[name] for name, count in self.synaptic_ops.items()},
            samples=self.samples + other.samples,
            timesteps=self.timesteps,
            backend=self.backend,
            chip_sha256=self.chip_sha256,
            correct=(self.correct or 0) + (other.correct or 0) if both else None,
            split=self.split if self.split == other.split else "",
            provenance=self.provenance,
        )

    @property
    def accuracy(self) -> float | None:
        """Share of samples classified correctly, None without labels."""
        return None if self.correct is None or not self.samples else self.correct / self.samples

    @property
    def spikes(self) -> int:
        """All spikes, input events included."""
        return int(sum(np.sum(p.spikes) for p in self.populations.values()))

    @property
    def total_synaptic_ops(self) -> int:
        """All synaptic operations."""
        return sum(self.synaptic_ops.values())
