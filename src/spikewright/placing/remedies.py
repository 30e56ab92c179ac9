"""What would make a network fit: more chips, narrower weights, fewer channels; each of them tried, not guessed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import count, takewhile
from math import lcm

import numpy as np

from ..chip.network import ChipNetwork, Connection, Population
from ..profile.schema import HardwareProfile
from .partition import DoesNotFit, partition
from .seating import Seating, seat

NARROWEST = 2
"""Fewest bits of a weight that lowering makes."""
GENERAL = {
    "neurons": "fewer neurons would make it fit",
    "input axons": "fewer sources (fewer channels, a larger stride, more pooling) would make it fit",
    "output axons": "fewer targets (a narrower next layer) would make it fit",
    "synapse memory": "fewer or narrower synapses (fewer sources, smaller kernels, fewer bits) would make it fit",
    "neuron configurations": "fewer populations would make it fit",
    "synapse formats": "fewer connections into one population, or of one width, would make it fit",
    "fan-in": "fewer sources for each neuron would make it fit",
    "fan-out": "fewer targets for each neuron (smaller kernels, a narrower next layer) would make it fit",
    "cores": "a smaller network (narrower layers, more pooling) would make it fit",
}


def what_would_fit(chip: ChipNetwork, profile: HardwareProfile, chips: int, resource: str) -> str:
    """The changes that make ``chip`` fit, each by itself and no larger than it has to be; in general words where none
    of them does."""
    ways = []
    if (more := _chips(chip, profile, chips)) is not None:
        ways.append(f"on {more} chips")
    if (bits := _bits(chip, profile, chips)) is not None:
        ways.append(f"with weights of {bits} bits")
    if (percent := _percent(chip, profile, chips)) is not None:
        ways.append(f"with {percent}% of the channels and neurons of its hidden layers")
    if not ways:
        return GENERAL[resource]
    *most, last = ways
    return f"it would fit {', '.join(most)} or {last}" if most else f"it would fit {last}"


def narrower(chip: ChipNetwork, percent: int) -> ChipNetwork | None:
    """The network with that share of the channels of every hidden layer, its weights zero; None where the groups of its
    convolutions forbid it."""
    populations: dict[str, Population] = {}
    for population in chip.populations:
        channels = _channels(chip, population, populations, percent)
        populations[population.name] = _resized(population, channels)
    connections = []
    for connection in chip.connections:
        changed = _between(connection, populations[connection.source], populations[connection.target], chip)
        if changed is None:
            return None
        connections.append(changed)
    return replace(chip, populations=tuple(populations.values()), connections=tuple(connections))


def _seated(chip: ChipNetwork, profile: HardwareProfile, chips: int | None) -> Seating | None:
    """Cores and chips of a network; None where it does not fit. ``chips`` None: as many as it takes."""
    cores = profile.limits.cores
    try:
        plan = partition(chip, profile, None if cores is None or chips is None else chips * cores)
        return seat(plan, profile, sum(len(cut.blocks) for cut in plan.values()) if chips is None else chips)
    except DoesNotFit:  # this is the answer that was asked for
        return None


def _chips(chip: ChipNetwork, profile: HardwareProfile, chips: int) -> int | None:
    """Fewest chips that hold the network, where more would."""
    seated = _seated(chip, profile, None) if profile.limits.cores is not None else None
    if seated is None:
        return None
    enough = count(max(seated.chips, chips + 1))
    return next(n for n in takewhile(lambda n: n <= seated.cores, enough) if _seated(chip, profile, n) is not None)


def _bits(chip: ChipNetwork, profile: HardwareProfile, chips: int) -> int | None:
    """Widest weights with which the network fits; None where memory is not limited or none are narrow enough."""
    if profile.limits.synapse_bits_per_core is None:
        return None
    for bits in range(max(c.weight_bits for c in chip.connections) - 1, NARROWEST - 1, -1):
        connections = tuple(replace(c, weight_bits=min(bits, c.weight_bits)) for c in _without_weights(chip))
        if _seated(replace(chip, connections=connections), profile, chips) is not None:
            return bits
    return None


def _percent(chip: ChipNetwork, profile: HardwareProfile, chips: int) -> int | None:
    """Largest share of the hidden channels with which the network fits, searched by halving."""
    fits, too_many = 0, 100
    while too_many - fits > 1:
        middle = (fits + too_many) // 2
        smaller = narrower(chip, middle)
        if smaller is None:
            return None
        if _seated(smaller, profile, chips) is None:
            too_many = middle
        else:
            fits = middle
    return fits or None


def _channels(chip: ChipNetwork, population: Population, done: dict[str, Population], percent: int) -> int:
    """Channels (neurons, where it is flat) of a population in the narrower network."""
    now = population.shape[0]
    for connection in chip.into(population.name):  # depthwise layers and relays follow what feeds them
        if _is_depthwise(connection, chip) and connection.source in done:
            return now // chip.by_name[connection.source].shape[0] * done[connection.source].shape[0]
    if population.role == "relay":
        return done[chip.into(population.name)[0].source].shape[0]
    if population.role != "hidden":
        return now
    groups = lcm(*_groups(chip, population))
    return max(now * percent // 100 // groups, 1) * groups


def _groups(chip: ChipNetwork, population: Population) -> Iterator[int]:
    """Groups that a population's channels must be divisible by."""
    for connection in (*chip.into(population.name), *chip.out_of(population.name)):
        if connection.conv is not None and not _is_depthwise(connection, chip):
            yield connection.conv.groups


def _is_depthwise(connection: Connection, chip: ChipNetwork) -> bool:
    groups = 1 if connection.conv is None else connection.conv.groups
    return groups > 1 and groups == chip.by_name[connection.source].shape[0]


def _resized(population: Population, channels: int) -> Population:
    shape, neuron = (channels, *population.shape[1:]), population.neuron
    if neuron is not None:
        neuron = replace(neuron, bias=np.broadcast_to(np.int64(0), shape))
    return replace(population, shape=shape, neuron=neuron)


def _between(connection: Connection, source: Population, target: Population, chip: ChipNetwork) -> Connection | None:
    if connection.conv is None:
        return replace(connection, weight=_zeros(target.size, source.size))
    groups = source.shape[0] if _is_depthwise(connection, chip) else connection.conv.groups
    if source.shape[0] % groups or target.shape[0] % groups:
        return None
    weight = _zeros(target.shape[0], source.shape[0] // groups, *connection.weight.shape[2:])
    return replace(connection, weight=weight, conv=replace(connection.conv, groups=groups))


def _without_weights(chip: ChipNetwork) -> Iterator[Connection]:
    for connection in chip.connections:
        yield replace(connection, weight=_zeros(*connection.weight.shape))


def _zeros(*shape: int) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """Zeros of a shape that take no memory."""
    return np.broadcast_to(np.int64(0), shape)
