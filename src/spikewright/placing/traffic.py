"""Messages between cores, counted from which sources reach which block and how often each source spikes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..base.types import FloatArray, IntArray
from ..chip.activity import Activity
from ..chip.network import ChipNetwork
from .partition import Cut, Plan
from .visits import Visits


@dataclass(frozen=True, eq=False)
class Flow:
    """Messages of one connection, named after it.

    Attributes:
        sources, targets: cores of the source's and the target's blocks.
        to_kind: float64 ``(source blocks, kinds of target blocks)``, whole numbers.
        kind: of each target block.
    """

    name: str
    sources: IntArray
    targets: IntArray
    to_kind: FloatArray
    kind: IntArray

    def crossing(self, chip_of: IntArray) -> tuple[int, int]:
        """Messages that go to a core on another chip, and all messages, ``chip_of`` each core."""
        chips = 1 + int(np.max(chip_of))
        there = np.zeros((self.to_kind.shape[1], chips))  # blocks of each kind on each chip
        np.add.at(there, (self.kind, chip_of[self.targets]), 1)
        reached = self.to_kind @ there
        stay = reached[np.arange(len(reached)), chip_of[self.sources]]
        return int(np.sum(reached) - np.sum(stay)), int(np.sum(reached))


@dataclass(frozen=True, eq=False)
class Traffic:
    """Messages between the cores of a network; those of injected events have no core to come from and are left out."""

    flows: tuple[Flow, ...]

    @classmethod
    def of(cls, chip: ChipNetwork, plan: Plan, cores: Mapping[str, IntArray], activity: Activity | None) -> Traffic:
        """Count messages, each source spiking once, or as often as in ``activity``.

        Args:
            cores: by population, the core of each block.
        """
        flows = []
        for connection in chip.connections:
            if connection.source in plan:
                seen = plan[connection.target].seen[connection.name]
                sent = messages_by_kind(plan[connection.source], seen, spikes_of(activity, chip, connection.source))
                flows.append(Flow(connection.name, cores[connection.source], cores[connection.target], sent, seen.kind))
        return cls(tuple(flows))

    def between(self, cores: IntArray) -> FloatArray:
        """Messages between each two of ``cores``, both ways together, whole numbers, zero on the diagonal."""
        row_of = np.full(1 + max(int(np.max(cores)), self._last), -1)
        row_of[cores] = np.arange(len(cores))
        found = np.zeros((len(cores), len(cores)))
        for flow in self.flows:
            rows, columns = row_of[flow.sources], row_of[flow.targets]
            sent = flow.to_kind[rows >= 0][:, flow.kind[columns >= 0]]
            found[np.ix_(rows[rows >= 0], columns[columns >= 0])] += sent
        found += found.T
        np.fill_diagonal(found, 0)
        return found

    @property
    def _last(self) -> int:
        return max((int(max(np.max(flow.sources), np.max(flow.targets))) for flow in self.flows), default=0)


def spikes_of(activity: Activity | None, chip: ChipNetwork, population: str) -> IntArray:
    """How often each compartment of a population spikes, int64, ``(size,)``: once each where nothing was measured."""
    if activity is None:
        return np.ones(chip.by_name[population].size, dtype=np.int64)
    return np.asarray(activity.populations[population].spikes, dtype=np.int64).reshape(-1)


def messages_by_kind(source: Cut, seen: Visits, spikes: IntArray) -> FloatArray:
    """Messages from each block of a source to one block of each kind of a target, ``(source blocks, kinds)``."""
    places = seen.counts[0].size
    sent = np.zeros((len(source.blocks), places))
    for row, block in zip(sent, source.blocks, strict=True):
        row[:] = np.bincount(seen.of_source[block.members], weights=spikes[block.members], minlength=places)
    return np.asarray(sent @ seen.reached.reshape(len(seen.counts), -1).T.astype(np.float64))
