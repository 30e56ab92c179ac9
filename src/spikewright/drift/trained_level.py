"""The integers that a graph was trained on, and what every level that a chip is compared with needs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import nir
import numpy as np

from ..base.errors import refuse
from ..base.types import FloatArray, IntArray
from ..chip.network import ChipNetwork, Population
from ..chip.registers import STATE_UNIT
from ..lowering.draft import Draft
from ..lowering.lower import lower
from ..profile.profile import HardwareProfile
from ..simulation import integer
from ..simulation.recording import Recording
from .report import LayerDrift, Reference, raster

ADDED = ("relay", "bias")
"""Roles of populations that lowering adds; the graph has no counterpart of them."""

FOREIGN = "drift: the chip network was not made from this graph"


Compared: TypeAlias = tuple[list[LayerDrift], tuple[FloatArray, FloatArray]]
"""One batch on both levels: its layers, and the scores of the reference and of the chip, in float units, each of shape
``(samples, classes)``."""


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
        found[f"connection {c.source}->{c.target}"] = f"{c.weight.shape}" + ("" if c.conv is None else f" as {c.conv}")
    return found


@dataclass(frozen=True, eq=False)
class TrainedLevel:
    """The integers that a graph was trained on, simulated beside the chip network."""

    trained: ChipNetwork
    scale: float
    changed: tuple[str, ...]
    reference: Reference = "trained integers"

    @staticmethod
    def of(graph: nir.NIRGraph, chip: ChipNetwork, profile: HardwareProfile) -> TrainedLevel:
        """Lower ``graph`` for the profile that it was trained for: that rounds nothing.

        Raises:
            InputError: the graph cannot be lowered, or the chip has other populations, shapes or connections.
        """
        dt_s = chip.provenance.get("dt_s")
        trained = lower(graph, profile, dt_s=dt_s if isinstance(dt_s, float) else None)
        refuse(FOREIGN, list(strangers(trained, chip)))
        scales = trained.provenance["scales"]
        assert isinstance(scales, dict)
        return TrainedLevel(trained, float(scales[trained.output.name]), tuple(_changes(trained, chip)))

    def compare(self, drive: IntArray, chip: Recording, first_sample: int) -> Compared:
        """Both integer networks on the same samples: spikes, currents and membrane potentials."""
        mine = integer.run(self.trained, drive, record_states=True)
        found = [
            LayerDrift(
                population.name,
                fires(population),
                raster(mine.spikes[population.name], chip.spikes[population.name], first_sample),
                states=sum(
                    int(np.count_nonzero(ours[population.name] != theirs[population.name]))
                    for ours, theirs in ((mine.u, chip.u), (mine.v, chip.v))
                ),
            )
            for population in self.trained.populations
            if population.neuron is not None and population.role not in ADDED
        ]
        unit = 1.0 if self.trained.readout == "count" else STATE_UNIT * self.scale
        return found, (mine.scores / unit, chip.scores / unit)


def _changes(trained: ChipNetwork, chip: ChipNetwork) -> Iterator[str]:
    """Parameters of ``chip`` that are not those of ``trained``."""
    made = {c.name: c for c in chip.connections}
    for connection in trained.connections:
        if count := int(np.count_nonzero(connection.weight != made[connection.name].weight)):
            yield f"{connection.name}: {count} of {connection.weight.size} weights are not those trained"
    for population in trained.populations:
        mine, theirs = population.neuron, chip.by_name[population.name].neuron
        if mine is None or theirs is None:
            continue
        for register in ("du", "dv", "vth", "bias_exp", "fires"):
            was, now = getattr(mine, register), getattr(theirs, register)
            if was != now:
                yield f"{population.name}: {register} is {now}; trained with {was}"
        if count := int(np.count_nonzero(mine.bias != theirs.bias)):
            yield f"{population.name}: {count} of {mine.bias.size} biases are not those trained"
