"""The integers that a graph was trained on, beside those of a chip network: nothing may differ."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import nir
import numpy as np
import numpy.typing as npt

from ..base.errors import refuse
from ..base.types import IntArray
from ..chip.network import ChipNetwork
from ..chip.registers import STATE_UNIT
from ..lowering.lower import lower
from ..profile.profile import HardwareProfile
from ..simulation import integer
from ..simulation.recording import Recording
from .levels import ADDED, FOREIGN, Found, fires, strangers
from .report import LayerDrift, Reference, raster


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

    def compare(self, drive: IntArray, chip: Recording, first_sample: int) -> Found:
        """Both integer networks on the same samples: spikes, currents and membrane potentials."""
        mine = integer.run(self.trained, drive, record_states=True)
        found = [
            LayerDrift(
                population.name,
                fires(population),
                raster(mine.spikes[population.name], chip.spikes[population.name], first_sample),
                states=sum(
                    _differing(state[0][population.name], state[1][population.name])
                    for state in ((mine.u, chip.u), (mine.v, chip.v))
                ),
            )
            for population in self.trained.populations
            if population.neuron is not None and population.role not in ADDED
        ]
        unit = 1.0 if self.trained.readout == "count" else STATE_UNIT * self.scale
        return Found(tuple(found), (mine.scores / unit, chip.scores / unit))


def _differing(a: npt.NDArray[np.int32], b: npt.NDArray[np.int32]) -> int:
    return int(np.count_nonzero(a != b))


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
