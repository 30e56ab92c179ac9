"""The draft of a chip network: populations and connections, still in float64, free of time units and of NIR."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import nir
import numpy as np
import torch

from ..base.errors import InputError, refuse
from ..base.types import Encoding, FloatArray, Readout
from ..chip.network import ConvGeometry, Role
from ..graph.interpreter import at_rest
from ..graph.nodes import Law, NodeFault, Shape, is_linear, law_of
from ..graph.wiring import Wiring
from .horizon import Horizon
from .linear_map import LinearMap, compose, identity

_MOST_PATHS = 1000  # sums behind sums multiply them


@dataclass(frozen=True, eq=False)
class DraftNeuron:
    """Constants of a population's neurons, each of the population's shape.

    ``u = (1 - leak_u) * u + I``; ``v = (1 - leak_v) * v + u + bias``; spike where ``v > threshold``, then
    ``v = v_reset``. The input gain is in the weights.

    Attributes:
        threshold: None for a readout that does not fire.
        bias: added to v at every step.
        synaptic_bias: added to u at every step (a bias in front of a synaptic filter).
    """

    leak_u: FloatArray
    leak_v: FloatArray
    threshold: FloatArray | None
    v_reset: FloatArray
    bias: FloatArray
    synaptic_bias: FloatArray


@dataclass(frozen=True, eq=False)
class DraftPopulation:
    """Neurons of one kind, or the input.

    Attributes:
        neuron: None for an input whose events come ready-made. The neurons of an input that has some are driven by
            intensities in [0, 1], added to v at every step with a gain of 1.
        payload: largest value that a spike carries, 1 for a binary spike.
    """

    name: str
    shape: Shape
    role: Role
    neuron: DraftNeuron | None
    payload: int = 1


@dataclass(frozen=True, eq=False)
class DraftConnection:
    """Float weights from one population to another, a kernel where ``conv`` is given."""

    source: str
    target: str
    weight: FloatArray
    conv: ConvGeometry | None = None


@dataclass(frozen=True, eq=False)
class Draft:
    """A network on its way to integers.

    Attributes:
        populations: in an order in which every connection but recurrent ones points forward.
        facts: JSON-able, for the provenance of the chip network.
    """

    populations: tuple[DraftPopulation, ...]
    connections: tuple[DraftConnection, ...]
    timesteps: int
    encoding: Encoding
    readout: Readout
    input_bits: int
    facts: dict[str, object] = field(default_factory=dict)

    def into(self, target: str) -> tuple[DraftConnection, ...]:
        """Connections that arrive at ``target``."""
        return tuple(c for c in self.connections if c.target == target)


def draft_from_nir(wiring: Wiring, dt_s: float, horizon: Horizon, facts: Mapping[str, object]) -> Draft:
    """Populations from the neuron nodes, connections from the linear paths between them.

    Raises:
        InputError: every node that a chip network cannot express, at once.
    """
    faults = list(_end_faults(wiring, horizon))
    laws: dict[str, Law] = {}
    for name in wiring.neurons:
        try:
            laws[name] = law_of(wiring.nodes[name], dt_s, wiring.shapes[name][0])
        except NodeFault as fault:
            faults.append(f"node {name!r} {fault}")
    refuse("NIR graph", faults)
    encoder = wiring.out_of(wiring.input)[0] if horizon.encoding == "current" else None
    rest = at_rest(wiring, torch.zeros(1, 1, dtype=torch.float64))
    populations = [] if encoder else [_event_input(wiring)]
    connections: list[DraftConnection] = []
    for name, law in laws.items():
        bias = sum((rest[s][0].numpy() for s in wiring.into(name)), start=np.zeros(wiring.shapes[name][0]))
        population, gain = _population(wiring, name, law, bias, is_encoder=name == encoder)
        populations.append(population)
        if name != encoder:
            connections += _connections(wiring, name, gain)
    return Draft(
        populations=tuple(populations),
        connections=tuple(connections),
        timesteps=horizon.timesteps,
        encoding=horizon.encoding,
        readout="count" if laws[wiring.readout].threshold is not None else "membrane",
        input_bits=horizon.input_bits,
        facts=dict(facts),
    )


def _end_faults(wiring: Wiring, horizon: Horizon) -> list[str]:
    faults = []
    last = wiring.into(wiring.output)
    if len(last) != 1 or last[0] not in wiring.neurons:
        faults.append(
            f"output {wiring.output!r} is fed by {', '.join(map(repr, last))}; it must be one neuron node: end the "
            "network with an LI, I or spiking node"
        )
    elif any(target != wiring.output for target in wiring.out_of(last[0])) and _feeds_another(wiring, last[0]):
        faults.append(f"readout {last[0]!r} feeds further neurons; the readout must be the last population")
    first = wiring.out_of(wiring.input)
    if horizon.encoding == "current" and not (len(first) == 1 and first[0] in wiring.neurons):
        faults.append(
            f"encoding is 'current', but input {wiring.input!r} feeds {', '.join(map(repr, first))} instead of one "
            "neuron node that the current drives"
        )
    for name in wiring.neurons:
        node = wiring.nodes[name]
        if isinstance(node, nir.LI | nir.I | nir.CubaLI) and name not in last:
            faults.append(
                f"node {name!r} is a {type(node).__name__} that does not feed the output; between layers only spikes "
                "travel"
            )
    return faults


def _feeds_another(wiring: Wiring, name: str) -> bool:
    return any(
        name in sources and other != name for other in wiring.neurons for sources in [_sources_of(wiring, other)]
    )


def _sources_of(wiring: Wiring, target: str) -> set[str]:
    return {source for source, _ in _paths(wiring, target)}


def _event_input(wiring: Wiring) -> DraftPopulation:
    return DraftPopulation(wiring.input, wiring.shapes[wiring.input][1], "input", None)


def _population(
    wiring: Wiring, name: str, law: Law, bias: FloatArray, is_encoder: bool
) -> tuple[DraftPopulation, FloatArray]:
    """The population of a neuron node, and the gain that its incoming weights take.

    Thresholds that vary over the population are divided out: scaling a neuron's weights, bias and threshold alike
    leaves its spikes as they are, and the chip holds one threshold for all.
    """
    gain, threshold, drift = law.gain_u * law.gain_v, law.threshold, law.drift
    if is_encoder and threshold is not None:
        threshold, gain, drift = threshold / gain, np.ones_like(gain), drift / gain
    elif threshold is not None and np.any(threshold != threshold.flat[0]) and np.all(threshold > 0):
        gain, drift, threshold = gain / threshold, drift / threshold, np.ones_like(threshold)
    has_filter = bool(np.any(law.leak_u != 1))
    neuron = DraftNeuron(
        leak_u=law.leak_u,
        leak_v=law.leak_v,
        threshold=threshold,
        v_reset=law.v_reset,
        bias=drift if has_filter else drift + gain * bias,
        synaptic_bias=gain * bias if has_filter else np.zeros_like(gain),
    )
    role: Role = "input" if is_encoder else "readout" if name == wiring.readout else "hidden"
    return DraftPopulation(name, wiring.shapes[name][1], role, neuron), gain


def _connections(wiring: Wiring, target: str, gain: FloatArray) -> list[DraftConnection]:
    maps: dict[str, LinearMap] = {}
    for source, path in _paths(wiring, target):
        shape = wiring.shapes[source][1]
        linear = compose([wiring.nodes[name] for name in path], shape) if path else identity(shape)
        maps[source] = maps[source].plus(linear) if source in maps else linear
    scaled = {source: linear.scaled(gain) for source, linear in maps.items()}
    return [DraftConnection(source, target, m.weight, m.conv) for source, m in scaled.items()]


def _paths(wiring: Wiring, target: str) -> list[tuple[str, tuple[str, ...]]]:
    """Every way back from a neuron over linear nodes to a neuron or the input: its start, and the nodes in between."""
    found: list[tuple[str, tuple[str, ...]]] = []
    todo: list[tuple[str, tuple[str, ...]]] = [(source, ()) for source in wiring.into(target)]
    while todo:
        if len(found) + len(todo) > _MOST_PATHS:
            raise InputError(
                f"node {target!r}: more than {_MOST_PATHS} ways of linear nodes lead to it; merge some of them"
            )
        name, path = todo.pop(0)
        if is_linear(wiring.nodes[name]):
            todo += [(source, (name, *path)) for source in wiring.into(name)]
        else:
            found.append((name, path))
    return found


def plain(metadata: Mapping[str, Any]) -> dict[str, object]:
    """Metadata as JSON-able values."""
    return {key: value.tolist() if hasattr(value, "tolist") else value for key, value in metadata.items()}
