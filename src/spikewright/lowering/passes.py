"""Passes: functions from a draft network and a profile to a draft network; :data:`PASSES` is their order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import ceil
from typing import TypeAlias

import numpy as np

from ..base.errors import InputError, arg
from ..chip.encoding import full_scale
from ..chip.network import Role
from ..graph.nodes import Shape
from ..profile.profile import HardwareProfile
from .draft import Draft, DraftConnection, DraftNeuron, DraftPopulation
from .linear_map import MOST_DENSE_WEIGHTS, identity
from .split import split_constants

Pass: TypeAlias = Callable[[Draft, HardwareProfile], Draft]


def scale_input(draft: Draft, profile: HardwareProfile) -> Draft:  # noqa: ARG001
    """Divide the first weights by the integer that an intensity of 1 becomes, since graded input is integer."""
    if draft.encoding != "direct":
        return draft
    source, *others = draft.populations
    most = full_scale(draft.encoding, draft.input_bits)
    scaled = (replace(c, weight=c.weight / most) if c.source == source.name else c for c in draft.connections)
    return replace(draft, populations=(replace(source, payload=most), *others), connections=tuple(scaled))


def bias_axons(draft: Draft, profile: HardwareProfile) -> Draft:  # noqa: ARG001
    """Replace biases in front of a synaptic filter by neurons that fire in every timestep.

    The chip adds its own biases behind the filter. There are so many of these neurons that no bias weight is larger
    than the largest other weight of the population.
    """
    populations: list[DraftPopulation] = []
    connections = list(draft.connections)
    for population in draft.populations:
        neuron = population.neuron
        if neuron is None or not np.any(neuron.synaptic_bias):
            populations.append(population)
            continue
        bias = neuron.synaptic_bias.reshape(-1, 1)
        largest = max((float(np.abs(c.weight).max()) for c in draft.into(population.name)), default=0.0)
        strongest = float(np.abs(bias).max())
        if largest > 0 and strongest * bias.size > MOST_DENSE_WEIGHTS * largest:
            raise InputError(
                f"{population.name!r}: its bias of {strongest:.3g} in front of a synaptic filter needs more neurons "
                f"that always fire than a chip has, since its weights reach {largest:.3g} alone; make the weights "
                "larger or the bias smaller, or put the bias behind the filter"
            )
        count = max(1, ceil(strongest / largest)) if largest > 0 else 1
        source = _added(draft, f"{population.name}.bias", (count,), "bias")
        weight = np.repeat(bias / count, count, axis=1)
        populations += [source, replace(population, neuron=replace(neuron, synaptic_bias=np.zeros(population.shape)))]
        connections.append(DraftConnection(source.name, population.name, weight))
    return replace(draft, populations=tuple(populations), connections=tuple(connections))


def balance(draft: Draft, profile: HardwareProfile) -> Draft:  # noqa: ARG001
    """Add relays to shorter paths, so that every feed-forward connection spans one timestep.

    A relay is a population that repeats the spikes of its source one timestep later. The relays of a source form one
    chain that all its connections share. Their energy is counted like that of any other population.

    Raises:
        InputError: a path from a graded input has to be delayed, whose values a relay cannot repeat.
    """
    depth = _depths(draft)
    relays: dict[tuple[str, int], DraftPopulation] = {}
    connections: list[DraftConnection] = []
    for population in (p for p in draft.populations if p.name in depth):
        source = chain = population.name
        steps = max((depth[c.target] - depth[source] for c in draft.connections if _is_forward(c, source)), default=1)
        if steps > 1 and population.payload > 1:
            late = "1 layer" if steps == 2 else f"{steps - 1} layers"
            raise InputError(
                f"path from input {source!r}: one path is {late} shorter than another, and the chip "
                "cannot delay graded values; give both paths as many neuron layers, or take spikes as input "
                f"({arg('encoding', 'current')})"
            )
        for step in range(1, steps):
            relay = relays[source, step] = _added(draft, f"{source}.relay{step}", population.shape, "relay")
            repeat = identity(relay.shape)
            connections.append(DraftConnection(chain, relay.name, repeat.weight, repeat.conv))
            chain = relay.name
    for connection in draft.connections:
        steps = depth.get(connection.target, 0) - depth.get(connection.source, 0)
        last = relays.get((connection.source, steps - 1))
        connections.append(connection if last is None else replace(connection, source=last.name))
    return replace(draft, populations=_in_order(draft, relays, depth), connections=tuple(connections))


PASSES: tuple[Pass, ...] = (split_constants, scale_input, bias_axons, balance)


def rewritten(draft: Draft, profile: HardwareProfile) -> Draft:
    """``draft`` after every one of :data:`PASSES`, in their order."""
    for rewrite in PASSES:
        draft = rewrite(draft, profile)
    return draft


def _added(draft: Draft, name: str, shape: Shape, role: Role) -> DraftPopulation:
    """Neurons that keep no state: a relay fires where a spike arrives, a bias fires in every timestep."""
    taken = {population.name for population in draft.populations}
    while name in taken:
        name += "_"
    ones, zeros = np.ones(shape), np.zeros(shape)
    neuron = DraftNeuron(ones, ones, 0.5 * ones, zeros, ones if role == "bias" else zeros, zeros)
    return DraftPopulation(name, shape, role, neuron)


def _is_forward(connection: DraftConnection, source: str) -> bool:
    return connection.source == source and connection.target != source


def _depths(draft: Draft) -> dict[str, int]:
    """Timesteps from the input to each population; biases have none, since they fire in every timestep."""
    depth: dict[str, int] = {}
    for population in draft.populations:
        if population.role == "bias":
            continue
        sources = [c.source for c in draft.into(population.name) if _is_forward(c, c.source)]
        depth[population.name] = 1 + max((depth[source] for source in sources if source in depth), default=-1)
    return depth


def _in_order(
    draft: Draft, relays: dict[tuple[str, int], DraftPopulation], depth: dict[str, int]
) -> tuple[DraftPopulation, ...]:
    """Populations by depth, so that each relay comes after its source; those of equal depth keep their order."""
    first_use = {
        p.name: min(depth[c.target] for c in draft.connections if c.source == p.name) - 0.5
        for p in draft.populations
        if p.role == "bias"
    }
    at = {relay.name: depth[source] + step for (source, step), relay in relays.items()} | depth | first_use
    return tuple(sorted((*draft.populations, *relays.values()), key=lambda population: at[population.name]))
