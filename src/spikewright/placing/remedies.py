"""What would make a network fit a chip: more chips, narrower weights or fewer channels, each of them tried out."""

from __future__ import annotations

from dataclasses import replace
from math import lcm

import numpy as np

from ..base.types import IntArray
from ..chip.network import ChipNetwork, Connection, Population
from ..profile.schema import HardwareProfile
from .cores import CoreAssignment, assign_cores
from .partition import DoesNotFit, blocks_in, partition

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
"""By exceeded resource, advice for a network that none of the changes makes fit."""


def what_would_fit(chip: ChipNetwork, profile: HardwareProfile, chips: int, resource: str) -> str:
    """The changes that make ``chip`` fit, each by itself and as small as possible, as the end of a message.

    Args:
        chips: most chips that may be used.
        resource: the resource that is exceeded, for general advice where no change helps.
    """
    tried = [change(chip, profile, chips) for change in (_more_chips, _fewer_bits, _fewer_channels)]
    if not any(tried):
        return GENERAL[resource]
    *most, last = filter(None, tried)
    return f"it would fit {', '.join(most)} or {last}" if most else f"it would fit {last}"


def narrower(chip: ChipNetwork, percent: int) -> ChipNetwork | None:
    """The network with ``percent`` of the channels of every hidden layer and with zero weights that take no memory.

    None where the groups of its convolutions do not allow it.
    """
    populations: dict[str, Population] = {}
    for population in chip.populations:
        shape = (_channels(chip, population, populations, percent), *population.shape[1:])
        neuron = population.neuron and replace(population.neuron, bias=_zeros(*shape))
        populations[population.name] = replace(population, shape=shape, neuron=neuron)
    connections = []
    for connection in chip.connections:
        source, target = populations[connection.source], populations[connection.target]
        if connection.conv is None:
            connections.append(replace(connection, weight=_zeros(target.size, source.size)))
            continue
        groups = source.shape[0] if _is_depthwise(connection, chip) else connection.conv.groups
        if source.shape[0] % groups or target.shape[0] % groups:
            return None
        weight = _zeros(target.shape[0], source.shape[0] // groups, *connection.shape[2:])
        connections.append(replace(connection, weight=weight, conv=replace(connection.conv, groups=groups)))
    return replace(chip, populations=tuple(populations.values()), connections=tuple(connections))


def _assigned(chip: ChipNetwork, profile: HardwareProfile, chips: int | None) -> CoreAssignment | None:
    """The cores and chips of a network on at most so many chips (None: any number); None where it does not fit."""
    cores = profile.limits.cores
    try:
        plan = partition(chip, profile, None if cores is None or chips is None else chips * cores)
        return assign_cores(plan, profile, blocks_in(plan) if chips is None else chips)
    except DoesNotFit:  # the result that was asked for, not a failure
        return None


def _more_chips(chip: ChipNetwork, profile: HardwareProfile, chips: int) -> str:
    """The fewest chips, more than ``chips``, on which the network fits; empty where more chips do not help."""
    on_any = None if profile.limits.cores is None else _assigned(chip, profile, None)
    enough = range(max(on_any.chips, chips + 1), on_any.cores + 1) if on_any is not None else ()
    return next((f"on {n} chips" for n in enough if _assigned(chip, profile, n) is not None), "")


def _fewer_bits(chip: ChipNetwork, profile: HardwareProfile, chips: int) -> str:
    """The most bits of a weight with which the network fits; empty where memory has no limit or bits do not help."""
    most = max(c.weight_bits for c in chip.connections) if profile.limits.synapse_bits_per_core is not None else 0
    for bits in range(most - 1, NARROWEST - 1, -1):
        connections = tuple(
            replace(c, weight_bits=min(bits, c.weight_bits), weight=_zeros(*c.shape)) for c in chip.connections
        )
        if _assigned(replace(chip, connections=connections), profile, chips) is not None:
            return f"with weights of {bits} bits"
    return ""


def _fewer_channels(chip: ChipNetwork, profile: HardwareProfile, chips: int) -> str:
    """The largest share of the hidden channels with which the network fits, by bisection; empty where none does."""
    fits, too_many = 0, 100
    while too_many - fits > 1:
        middle = (fits + too_many) // 2
        smaller = narrower(chip, middle)
        if smaller is None:
            return ""
        does_not_fit = _assigned(smaller, profile, chips) is None
        fits, too_many = (fits, middle) if does_not_fit else (middle, too_many)
    return f"with {fits}% of the channels and neurons of its hidden layers" if fits else ""


def _channels(chip: ChipNetwork, population: Population, done: dict[str, Population], percent: int) -> int:
    """Channels (neurons of a flat population) in the narrower network; ``done`` has the populations before."""
    now, into = population.shape[0], chip.into(population.name)
    for connection in into:
        if _is_depthwise(connection, chip) and connection.source in done:  # as many as their source
            return now // chip.by_name[connection.source].shape[0] * done[connection.source].shape[0]
    if population.role == "relay":
        return done[into[0].source].shape[0]
    if population.role != "hidden":
        return now
    around = (*into, *chip.out_of(population.name))
    groups = lcm(*(c.conv.groups for c in around if c.conv is not None and not _is_depthwise(c, chip)))
    return max(now * percent // 100 // groups, 1) * groups


def _is_depthwise(connection: Connection, chip: ChipNetwork) -> bool:
    groups = 1 if connection.conv is None else connection.conv.groups
    return groups > 1 and groups == chip.by_name[connection.source].shape[0]


def _zeros(*shape: int) -> IntArray:
    """Zeros of a shape that take no memory."""
    return np.broadcast_to(np.int64(0), shape)
