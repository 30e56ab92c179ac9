"""Populations whose neurons decay differently, split into some that have one decay each, as the chip's registers do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np

from ..base.types import FloatArray, IntArray
from ..chip.network import ChipNetwork
from ..chip.registers import DECAY_ONE
from ..graph.nodes import Shape
from ..profile.profile import HardwareProfile
from .draft import Draft, DraftConnection, DraftNeuron, DraftPopulation
from .linear_map import LinearMap

Value = TypeVar("Value")
PARTS = "parts"
"""Key in the provenance of a chip network: by layer, the populations that it was split into, and their neurons."""
_SAME = 1e-6  # relative difference of float32 parameters that are meant to be equal
MOST_PARTS = 64
"""Populations that one layer is split into at most."""


@dataclass(frozen=True, eq=False)
class Part:
    """Neurons of a population that share their decays.

    Attributes:
        indices: of the neurons, in the flat order of the population.
        channels: where they are whole channels, the indices of these.
    """

    name: str
    indices: IntArray
    channels: IntArray | None = None

    def shape(self, whole: Shape) -> Shape:
        """The shape of the part of a population of shape ``whole``."""
        return (len(self.indices),) if self.channels is None else (len(self.channels), *whole[1:])


def varies(values: FloatArray) -> bool:
    """Whether values differ by more than float32 parameters that are meant to be equal."""
    return bool(np.ptp(values) > _SAME * values.max())


def decays_of(neuron: DraftNeuron) -> IntArray:
    """The registers of both decays of each neuron, ``(neurons, 2)``: what differs in them cannot share a population."""
    leaks = np.stack([neuron.leak_u.reshape(-1), neuron.leak_v.reshape(-1)], axis=1)
    # Those outside 0..1 are refused by a rule of their own, and may be too large for an integer.
    return np.rint(DECAY_ONE * leaks.clip(-1, 2)).astype(np.int64)


def split_constants(draft: Draft, profile: HardwareProfile) -> Draft:  # noqa: ARG001
    """Split each hidden population whose neurons have several decays into populations that have one.

    Whole channels stay convolutions. What is left of a connection without weights is left out.
    """
    parts = {p.name: found for p in draft.populations if len(found := _parts(draft, p)) > 1}
    if not parts:  # a graph may have an entry of this name in its metadata
        return replace(draft, facts={key: value for key, value in draft.facts.items() if key != PARTS})
    wholes = {p.name: p for p in draft.populations}
    populations: list[DraftPopulation] = []
    for whole in draft.populations:
        populations += [_population(whole, part) for part in parts[whole.name]] if whole.name in parts else [whole]
    connections: list[DraftConnection] = []
    for connection in draft.connections:
        pieces = _pieces(connection, wholes, parts)
        kept = [piece for piece in pieces if np.any(piece.weight)]
        fed = {piece.target for piece in kept}
        connections += kept + [piece for piece in pieces if piece.target not in fed and _is_first(piece, pieces)]
    noted = {name: {part.name: part.indices.tolist() for part in each} for name, each in parts.items()}
    facts = draft.facts | {PARTS: noted}
    return replace(draft, populations=tuple(populations), connections=tuple(connections), facts=facts)


def _is_first(piece: DraftConnection, pieces: list[DraftConnection]) -> bool:
    """Whether a piece is the first into its target, which has to be fed by something."""
    return next(each for each in pieces if each.target == piece.target) is piece


def _parts(draft: Draft, population: DraftPopulation) -> list[Part]:
    neuron = population.neuron
    if neuron is None or population.role != "hidden" or not any(map(varies, (neuron.leak_u, neuron.leak_v))):
        return []
    taken = {each.name for each in draft.populations}
    decays, which = np.unique(decays_of(neuron), axis=0, return_inverse=True)
    which = which.reshape(population.shape)
    by_channel = which.reshape(which.shape[0], -1)
    whole = len(population.shape) == 3 and bool(np.all(by_channel == by_channel[:, :1]))
    found = []
    for number in range(len(decays)):
        name = f"{population.name}.part{number + 1}"
        while name in taken:
            name += "_"
        channels = np.flatnonzero(by_channel[:, 0] == number) if whole else None
        found.append(Part(name, np.flatnonzero(which.reshape(-1) == number), channels))
    return found


def _population(whole: DraftPopulation, part: Part) -> DraftPopulation:
    shape, neuron = part.shape(whole.shape), whole.neuron
    assert neuron is not None
    arrays: dict[str, Any] = {
        name: each.reshape(-1)[part.indices].reshape(shape)
        for name, each in vars(neuron).items()
        if isinstance(each, np.ndarray)
    }
    for name in ("leak_u", "leak_v"):  # what the register rounds to one value is one value
        arrays[name] = np.full(shape, arrays[name].mean())
    return replace(whole, name=part.name, shape=shape, neuron=replace(neuron, **arrays))


def _pieces(
    connection: DraftConnection, wholes: Mapping[str, DraftPopulation], parts: Mapping[str, list[Part]]
) -> list[DraftConnection]:
    """The connections between the parts of both ends."""
    if connection.source not in parts and connection.target not in parts:
        return [connection]
    source, target = wholes[connection.source], wholes[connection.target]
    ends = [parts.get(end.name, [_all_of(end)]) for end in (source, target)]
    conv = connection.conv
    as_kernel = conv is not None and conv.groups == 1 and all(p.channels is not None for end in ends for p in end)
    matrix = connection.weight
    if conv is not None and not as_kernel:
        matrix = LinearMap(connection.weight, source.shape, target.shape, conv).dense().weight
    pieces = []
    for one in ends[0]:
        for other in ends[1]:
            rows, columns = (other.channels, one.channels) if as_kernel else (other.indices, one.indices)
            weight: FloatArray = matrix[np.ix_(np.asarray(rows), np.asarray(columns))]
            pieces.append(DraftConnection(one.name, other.name, weight, conv if as_kernel else None))
    return pieces


def _all_of(population: DraftPopulation) -> Part:
    shape = population.shape
    channels = np.arange(shape[0]) if len(shape) == 3 else None
    return Part(population.name, np.arange(int(np.prod(shape))), channels)


def layers_of(facts: Mapping[str, object]) -> dict[str, str]:
    """By population that is part of a layer, that layer.

    Args:
        facts: of a draft network after all passes, or the provenance of a chip network.
    """
    noted = facts.get(PARTS, {})
    assert isinstance(noted, dict)
    return {part: name for name, each in noted.items() for part in each}


def by_layer(
    values: Mapping[str, Value], facts: Mapping[str, object], both: Callable[[Value, Value], Value]
) -> dict[str, Value]:
    """Values by population as values by layer.

    Args:
        facts: as of :func:`layers_of`.
        both: the value of a layer of which some parts have one value and others another.
    """
    layers, found = layers_of(facts), dict[str, Value]()
    for name, value in values.items():
        layer = layers.get(name, name)
        found[layer] = both(found[layer], value) if layer in found else value
    return found


def populations_of(names: Iterable[str], facts: Mapping[str, object]) -> list[str]:
    """The populations that layers became; ``facts`` as of :func:`layers_of`."""
    layers, names = layers_of(facts), list(names)
    whole = [name for name in names if name not in layers.values()]
    return whole + [part for part, layer in layers.items() if layer in names]


def wholes_of(chip: ChipNetwork) -> dict[str, tuple[str, IntArray]]:
    """By population that is part of a layer, the layer and the neurons of it that the population has."""
    noted = chip.provenance.get(PARTS, {})
    assert isinstance(noted, dict)
    return {part: (name, np.asarray(at)) for name, each in noted.items() for part, at in each.items()}
