"""What a chip network is compared with: the integers that its graph was trained on, or the graph's float network."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import nir
import numpy as np
import torch
from torch import Tensor

from ..base.errors import InputError, refuse
from ..base.types import Drive, FloatArray
from ..chip.network import ChipNetwork, Population
from ..chip.registers import STATE_UNIT
from ..graph.producers import PRODUCERS
from ..graph.time_step import Convention
from ..graph.wiring import RESET_KEY
from ..lowering.draft import Draft
from ..lowering.lower import drafted, lower
from ..lowering.passes import rewritten
from ..lowering.rules import check_draft
from ..profile.profile import HardwareProfile
from ..simulation import integer
from ..simulation.recording import Recording
from .causes import ALL, CAUSES, DrivenLayer, Layer, LayerRun, layer_of
from .report import Effect, LayerDrift, Reference, Why, raster

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

    def compare(self, drive: Drive, chip: Recording, first_sample: int) -> Compared:
        """Both integer networks on the same samples: spikes, currents and membrane potentials."""
        mine = integer.run(self.trained, drive, record_states=True)
        found = []
        for population in self.trained.populations:
            if population.neuron is not None and population.role not in ADDED:
                name = population.name
                count = raster(mine.spikes[name], chip.spikes[name], first_sample)
                states = (mine.u[name] != chip.u[name], mine.v[name] != chip.v[name])
                differing = sum(int(np.count_nonzero(state)) for state in states)
                found.append(LayerDrift(name, fires(population), count, states=differing))
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
        for register in ("du", "dv", "vth", "bias_exp", "fires", "law"):
            if (now := getattr(theirs, register)) != (was := getattr(mine, register)):
                yield f"{population.name}: {register} is {now}; trained with {was}"
        if count := int(np.count_nonzero(mine.bias != theirs.bias)):
            yield f"{population.name}: {count} of {mine.bias.size} biases are not those trained"


def _said_when_lowered(graph: nir.NIRGraph, chip: ChipNetwork) -> Convention:
    """How the graph was read when the chip network was made from it."""
    noted = {name: chip.provenance.get(name) for name in ("dt_s", "producer", RESET_KEY)}
    dt_s, producer, reset = noted.values()
    return Convention(
        dt_s if isinstance(dt_s, float) else None,
        producer if isinstance(producer, str) and producer in PRODUCERS else None,
        reset if isinstance(reset, str) and RESET_KEY not in graph.metadata else None,
    )


@dataclass(frozen=True, eq=False)
class FloatLevel:
    """The float network of a graph, in the chip's units; also computes what each cause does.

    The network is the draft after all passes: what the graph says, with linear nodes folded into one connection.
    """

    chip: ChipNetwork
    layers: dict[str, Layer]
    reference: Reference = "float"
    changed: tuple[str, ...] = ()

    @staticmethod
    def of(graph: nir.NIRGraph, chip: ChipNetwork, profile: HardwareProfile) -> FloatLevel:
        """Both sides of every population.

        Raises:
            InputError: the graph cannot be lowered, or the chip has other populations, shapes or connections.
        """
        bits = chip.provenance.get("input_bits")
        given: dict[str, object] = {"timesteps": chip.timesteps, "encoding": chip.encoding}
        if isinstance(bits, int):
            given["input_bits"] = bits
        draft = drafted(graph, profile, given, _said_when_lowered(graph, chip))
        check_draft(draft, profile)
        draft = rewritten(draft, profile)
        refuse(FOREIGN, list(strangers(draft, chip)))
        scales = chip.provenance.get("scales")
        if not isinstance(scales, dict) or any(p.neuron is not None and p.name not in scales for p in chip.populations):
            raise InputError("chip network: its provenance does not say the scale of every population; lower it again")
        drafts = {drawn.name: drawn.neuron for drawn in draft.populations}
        layers: dict[str, Layer] = {}
        for population in chip.populations:
            name = population.name
            if (neuron := drafts[name]) is not None:
                layers[name] = layer_of(chip, population, neuron, draft.into(name), float(scales[name]))
        return FloatLevel(chip, layers)

    def remarks(self) -> Iterator[str]:
        """Weights that rounding cannot have made from the graph's."""
        for layer in self.layers.values():
            for connection in layer.connections:
                exact, rounded = (side.weights[connection.source] for side in (layer.exact, layer.rounded))
                off, bits = float((exact.clamp(-256, 255) - rounded).abs().max()), connection.weight_bits
                if off > 2 ** (8 - bits + 1):  # the widest grid: the bits that are missing, and one for the sign
                    yield (
                        f"{connection.name}: weights lie up to {off:.3g} units from the graph's, more than rounding "
                        f"to {bits} bits explains; was the chip network lowered from this graph?"
                    )

    def compare(self, drive: Drive, chip: Recording, first_sample: int) -> Compared:
        """The float network on its own spikes, and every layer on the chip's."""
        source = self.chip.input.name
        events = torch.from_numpy(drive.astype(np.float64))
        mine: dict[str, Tensor] = {} if source in self.layers else {source: events}
        theirs = mine | {name: torch.from_numpy(chip.spikes[name].astype(np.float64)) for name in self.layers}
        found: list[LayerDrift] = []
        for name, layer in self.layers.items():
            heard = {c.source: mine[c.source] for c in layer.connections if c.source != name}
            own = DrivenLayer(layer, heard, events * STATE_UNIT).run()
            mine[name] = own.spikes.double()
            if layer.population.role not in ADDED:
                heard = {c.source: theirs[c.source] for c in layer.connections}
                why = _why(DrivenLayer(layer, heard, events * STATE_UNIT), chip)
                count = raster(own.spikes.numpy(), chip.spikes[name], first_sample)
                found.append(LayerDrift(name, fires(layer.population), count, why))
            if layer.population.role == "readout":
                counts, last = mine[name].sum(0).flatten(1).numpy(), own.v[-1].flatten(1).numpy()
        if self.chip.readout == "count":
            return found, (counts, chip.scores.astype(np.float64))
        unit = STATE_UNIT * self.layers[self.chip.output.name].scale
        return found, (last / unit, chip.scores / unit)


def _why(driven: DrivenLayer, chip: Recording) -> Why:
    """Every cause alone and all together against exact arithmetic, on the same input spikes."""
    layer, name = driven.layer, driven.layer.population.name
    exact, acting = driven.run(), driven.may_act()
    alone = {cause: _effect(layer, exact, driven.run([cause])) for cause in CAUSES if cause in acting}
    whole = driven.run(ALL)
    unexplained = (whole.spikes.numpy() != (chip.spikes[name] != 0)) | (whole.v.numpy() != chip.v[name])
    return Why(alone, _effect(layer, exact, whole), int(unexplained.sum()))


def _effect(layer: Layer, exact: LayerRun, other: LayerRun) -> Effect:
    spikes = int((exact.spikes != other.spikes).sum())
    if fires(layer.population):
        return Effect(spikes)
    return Effect(spikes, float((exact.v[-1] - other.v[-1]).abs().max()) / (STATE_UNIT * layer.scale))
