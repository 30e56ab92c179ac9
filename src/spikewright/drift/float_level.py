"""The float network that a chip network was rounded from, and what every cause of drift does to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import nir
import numpy as np
import torch
from torch import Tensor

from ..base.errors import InputError, refuse
from ..base.types import IntArray
from ..chip.network import ChipNetwork
from ..chip.registers import STATE_UNIT
from ..lowering.lower import drafted
from ..lowering.passes import rewritten
from ..lowering.rules import check_draft
from ..profile.profile import HardwareProfile
from ..simulation.recording import Recording
from .causes import ALL, CAUSES, Cause, DrivenLayer, Layer, LayerRun, layer_of
from .report import Effect, LayerDrift, Reference, Why, raster
from .trained_level import ADDED, FOREIGN, Compared, fires, strangers


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
        bits, dt_s = chip.provenance.get("input_bits"), chip.provenance.get("dt_s")
        draft = drafted(
            graph,
            profile,
            timesteps=chip.timesteps,
            encoding=chip.encoding,
            input_bits=bits if isinstance(bits, int) else None,
            dt_s=dt_s if isinstance(dt_s, float) else None,
        )
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
                # The widest grid: the bits that are missing, and one for the sign.
                step = 2 ** (8 - connection.weight_bits + 1)
                off = float((exact.clamp(-256, 255) - rounded).abs().max())
                if off > step:
                    yield (
                        f"{connection.name}: weights lie up to {off:.3g} units from the graph's, more than rounding "
                        f"to {connection.weight_bits} bits explains; was the chip network lowered from this graph?"
                    )

    def compare(self, drive: IntArray, chip: Recording, first_sample: int) -> Compared:
        """The float network on its own spikes, and every layer on the chip's."""
        source = self.chip.input.name
        events = torch.from_numpy(drive.astype(np.float64))
        mine: dict[str, Tensor] = {} if source in self.layers else {source: events}
        theirs = mine | {
            name: torch.from_numpy(chip.spikes[name].astype(np.float64)) for name in self.layers if name in chip.spikes
        }
        found: list[LayerDrift] = []
        for name, layer in self.layers.items():
            heard = {c.source: mine[c.source] for c in layer.connections if c.source != name}
            own = DrivenLayer(layer, heard, events[0] * STATE_UNIT).run()
            mine[name] = own.spikes.double()
            if layer.population.role not in ADDED:
                heard = {c.source: theirs[c.source] for c in layer.connections}
                why = _why(DrivenLayer(layer, heard, events[0] * STATE_UNIT), chip)
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
    alone: dict[Cause, Effect] = {
        cause: _effect(layer, exact, driven.run([cause])) for cause in CAUSES if cause in acting
    }
    whole = driven.run(ALL)
    unexplained = (whole.spikes.numpy() != (chip.spikes[name] != 0)) | (whole.v.numpy() != chip.v[name])
    return Why(alone, _effect(layer, exact, whole), int(unexplained.sum()))


def _effect(layer: Layer, exact: LayerRun, other: LayerRun) -> Effect:
    spikes = int((exact.spikes != other.spikes).sum())
    if fires(layer.population):
        return Effect(spikes)
    return Effect(spikes, float((exact.v[-1] - other.v[-1]).abs().max()) / (STATE_UNIT * layer.scale))
