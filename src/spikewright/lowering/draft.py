"""The draft network: populations and connections as a chip has them, in float64, before quantization."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import nir
import numpy as np
import torch

from ..base.errors import InputError, a_kind, arg, did_you_mean, refuse
from ..base.types import ENCODINGS, Encoding, FloatArray, Readout, Reset
from ..chip.network import ConvGeometry, Role
from ..graph.fields import NodeFault
from ..graph.interpreter import at_rest
from ..graph.nodes import NeuronConstants, Shape, is_linear
from ..graph.wiring import Wiring
from ..profile.profile import HardwareProfile
from .linear_map import LinearMap, compose, frame, identity

CUSTOMARY_INPUT_BITS = 8
"""Bits of graded input where nothing else is known: those of a pixel."""
_MOST_PATHS = 1000  # they multiply where sums follow sums
_Path: TypeAlias = tuple[str, tuple[str, ...]]
"""Linear nodes in a row: where they start, and their names in order."""


@dataclass(frozen=True, eq=False)
class DraftNeuron:
    """Constants of a population's neurons, each an array of the population's shape.

    In each timestep ``u = (1 - leak_u) * u + I + synaptic_bias``, ``v = (1 - leak_v) * v + u + bias``; a neuron spikes
    where ``v > threshold``, and then ``v = v_reset``, or the threshold is taken off. The input gain is part of the
    weights.

    Attributes:
        threshold: None for a readout that does not fire.
        synaptic_bias: a bias in front of the synaptic filter.
        reset: what a spike does to the membrane potential.
    """

    leak_u: FloatArray
    leak_v: FloatArray
    threshold: FloatArray | None
    v_reset: FloatArray
    bias: FloatArray
    synaptic_bias: FloatArray
    reset: Reset = "zero"

    @property
    def arrays(self) -> dict[str, FloatArray]:
        """Weights and constants by name, as far as there are any."""
        return {name: each for name, each in vars(self).items() if isinstance(each, np.ndarray)}


@dataclass(frozen=True, eq=False)
class DraftPopulation:
    """Neurons with one set of constants, or the input.

    Attributes:
        neuron: None for an input of ready-made events. An input's own neurons are driven by intensities in [0, 1],
            which are added to v in each timestep.
        payload: largest value that a spike carries, 1 for a binary spike.
    """

    name: str
    shape: Shape
    role: Role
    neuron: DraftNeuron | None
    payload: int = 1


@dataclass(frozen=True, eq=False)
class DraftConnection:
    """Float weights from one population to another: a matrix, or a kernel where ``conv`` is given."""

    source: str
    target: str
    weight: FloatArray
    conv: ConvGeometry | None = None


@dataclass(frozen=True, eq=False)
class Draft:
    """A float network in the form of a chip network, before quantization.

    Attributes:
        populations: ordered so that every connection that is not recurrent points forward.
        input_bits: bits of graded input or of input currents.
        facts: values for the provenance of the chip network, as JSON can hold them.
    """

    populations: tuple[DraftPopulation, ...]
    connections: tuple[DraftConnection, ...]
    timesteps: int
    encoding: Encoding
    readout: Readout
    input_bits: int
    facts: dict[str, object] = field(default_factory=dict)

    def into(self, target: str) -> tuple[DraftConnection, ...]:
        """The connections into population ``target``."""
        return tuple(c for c in self.connections if c.target == target)


@dataclass(frozen=True)
class InputFormat:
    """Timesteps per sample, how samples enter the network, and the bits of graded input or of input currents."""

    timesteps: int
    encoding: Encoding
    input_bits: int


def input_format(
    metadata: Mapping[str, Any],
    profile: HardwareProfile | None = None,
    given: Mapping[str, object] | None = None,
    also: Sequence[Encoding] = (),
) -> tuple[InputFormat, list[str]]:
    """The input format in a graph's metadata, where these are silent the given one, else a default.

    Args:
        profile: for the default number of timesteps; without a profile it is 1.
        given: by field of the format, what was requested; None or missing for what the metadata say.
        also: the other encodings that the graph and the chip allow (:func:`encodings_of`), named where one is assumed.

    Returns:
        the format, and a sentence for each default that was assumed.

    Raises:
        InputError: a value is not allowed, or contradicts the metadata.
    """
    steps, why = (
        (profile.default_timesteps, f"the default of profile {profile.name}") if profile else (1, "without a profile")
    )
    assumed: list[str] = []
    chosen: dict[str, Any] = {}
    for name, default, reason in (
        ("timesteps", steps, why),
        ("encoding", "events", f"the file does not say how samples enter{_ways(also)}"),
        ("input_bits", CUSTOMARY_INPUT_BITS, ""),
    ):
        known = [value for value in (metadata.get(name), (given or {}).get(name)) if value is not None]
        if len(known) == 2 and known[0] != known[1]:
            stated, other = known
            raise InputError(
                f"{arg(name, other)}: the graph was made for {stated}; leave it out, or train a student for {other}"
            )
        value = known[0] if known else default
        chosen[name] = value.item() if isinstance(value, np.generic | np.ndarray) and value.size == 1 else value
        if not known and reason:
            assumed.append(f"{name} {default}: {reason}")
    faults = [
        f"{name} is {chosen[name]!r}; must be a whole number of at least 1"
        for name in ("timesteps", "input_bits")
        if not isinstance(chosen[name], int) or chosen[name] < 1
    ]
    if chosen["encoding"] not in ENCODINGS:
        faults.append(f"encoding is {chosen['encoding']!r}; {did_you_mean(str(chosen['encoding']), ENCODINGS)}")
    refuse("NIR graph", faults)
    return InputFormat(**chosen), assumed


def draft_from_nir(wiring: Wiring, dt_s: float, inputs: InputFormat, facts: Mapping[str, object]) -> Draft:
    """The draft network of a graph: populations from its neuron nodes, connections from the linear paths between them.

    Args:
        dt_s: seconds per timestep.
        facts: values for the provenance.

    Raises:
        InputError: every node that a chip network cannot express, in one message.
    """
    faults = _end_faults(wiring, inputs.encoding)
    laws: dict[str, NeuronConstants] = {}
    for name in wiring.neurons:
        try:
            laws[name] = wiring.constants(name, dt_s)
        except NodeFault as fault:
            faults.append(f"node {name!r} {fault}")
    refuse("NIR graph", faults)
    encoder = wiring.out_of(wiring.input)[0] if inputs.encoding == "current" else None
    rest = at_rest(wiring, torch.zeros(1, 1, dtype=torch.float64))
    lying, entering = _is_lying(wiring), wiring.shapes[wiring.input][1]
    populations = [] if encoder else [DraftPopulation(wiring.input, frame(entering, lying), "input", None)]
    connections: list[DraftConnection] = []
    for name, law in laws.items():
        bias = sum((rest[s][0].numpy() for s in wiring.into(name)), start=np.zeros(wiring.shapes[name][0]))
        population, gain = _population(wiring, name, law, bias, is_encoder=name == encoder)
        populations.append(_framed(population, lying))
        if name != encoder:
            connections += _connections(wiring, name, gain, lying)
    readout: Readout = "count" if laws[wiring.readout].threshold is not None else "membrane"
    return Draft(tuple(populations), tuple(connections), **vars(inputs), readout=readout, facts=dict(facts))


WAYS: dict[Encoding, str] = {
    "direct": "the same values in each step",
    "current": "values that drive the first neurons as a current",
    "rate": "spikes drawn from values",
    "latency": "one spike a value, the larger the earlier",
}


def encodings_of(wiring: Wiring, profile: HardwareProfile) -> list[Encoding]:
    """The encodings beside ``events`` that the first nodes of a graph and the inputs of a chip allow."""
    first = wiring.out_of(wiring.input)
    drives = len(first) == 1 and first[0] in wiring.neurons  # a current needs neurons that it drives without weights
    graded = profile.limits.graded_spike_bits > 0
    return [way for way in WAYS if (way != "direct" or graded) and (way != "current" or drives)]


def _ways(also: Sequence[Encoding]) -> str:
    if not also:
        return ""
    listed = ", ".join(f"{name} ({WAYS[name]})" for name in also)
    return f"; the graph also allows {listed}: say the encoding where samples are values and not spikes"


def begins(wiring: Wiring) -> list[str]:
    """What is assumed of neurons that a spike does not leave at zero: where their potentials begin."""
    resets = {name: np.asarray(getattr(wiring.nodes[name], "v_reset", 0.0)) for name in wiring.neurons}
    return [
        f"node {name!r}: its potentials are counted from v_reset ({reset.min():g} to {reset.max():g}), so that those "
        "of chip and student begin there, and not at 0 as those of a graph that is interpreted; a spike or the leak "
        "ends that"
        for name, reset in resets.items()
        if np.any(reset != 0)
    ]


def _is_lying(wiring: Wiring) -> bool:
    """Whether values over one axis lie in a row, as those of an input of a single row do; else they are a column."""
    shape = wiring.shapes[wiring.input][1]
    return len(shape) == 3 and shape[1] == 1 and shape[2] > 1


def _framed(population: DraftPopulation, lying: bool) -> DraftPopulation:
    """A population in the frame that it has on a chip."""
    shape, neuron = frame(population.shape, lying), population.neuron
    if shape == population.shape or neuron is None:
        return population
    arrays: dict[str, Any] = {
        name: each.reshape(shape) for name, each in vars(neuron).items() if isinstance(each, np.ndarray)
    }
    return replace(population, shape=shape, neuron=replace(neuron, **arrays))


def _end_faults(wiring: Wiring, encoding: Encoding) -> list[str]:
    """What is wrong with the first and last nodes of a graph."""
    faults = []
    last = wiring.into(wiring.output)
    if len(last) != 1 or last[0] not in wiring.neurons:
        must = "it must be one neuron node: end the network with an LI, I or spiking node"
        faults.append(f"output {wiring.output!r} is fed by {', '.join(map(repr, last))}; {must}")
    elif any(last[0] == source for other in wiring.neurons if other != last[0] for source, _ in _paths(wiring, other)):
        faults.append(f"readout {last[0]!r} feeds further neurons; the readout must be the last population")
    first = wiring.out_of(wiring.input)
    if encoding == "current" and not (len(first) == 1 and first[0] in wiring.neurons):
        fed = f"{', '.join(map(repr, first))} instead of one neuron node that the current drives"
        faults.append(f"encoding is 'current', but input {wiring.input!r} feeds {fed}")
    return faults + [
        f"node {name!r} is {a_kind(type(wiring.nodes[name]).__name__)} that does not feed the output; between "
        "layers only spikes travel"
        for name in wiring.neurons
        if isinstance(wiring.nodes[name], nir.LI | nir.I | nir.CubaLI) and name not in last
    ]


def _population(
    wiring: Wiring, name: str, law: NeuronConstants, bias: FloatArray, is_encoder: bool
) -> tuple[DraftPopulation, FloatArray]:
    """The population of a neuron node, and the gain by which its incoming weights are multiplied.

    Thresholds that vary in the population are divided out, since the chip has one threshold for all: multiplying a
    neuron's weights, bias and threshold by the same number does not change its spikes. Potentials are counted from
    their reset.
    """
    law = law.from_reset()
    gain, threshold, drift = law.gain_u * law.gain_v, law.threshold, law.drift
    if is_encoder and threshold is not None:
        threshold, gain, drift = threshold / gain, np.ones_like(gain), drift / gain
    elif threshold is not None and np.any(threshold != threshold.flat[0]) and np.all(threshold > 0):
        gain, drift, threshold = gain / threshold, drift / threshold, np.ones_like(threshold)
    has_filter = bool(np.any(law.leak_u != 1))
    behind, before = (drift, gain * bias) if has_filter else (drift + gain * bias, np.zeros_like(gain))
    neuron = DraftNeuron(law.leak_u, law.leak_v, threshold, law.v_reset, behind, before, law.reset)
    role: Role = "input" if is_encoder else "readout" if name == wiring.readout else "hidden"
    return DraftPopulation(name, wiring.shapes[name][1], role, neuron), gain


def _connections(wiring: Wiring, target: str, gain: FloatArray, lying: bool) -> list[DraftConnection]:
    maps: dict[str, LinearMap] = {}
    for source, path in _heard(wiring, _paths(wiring, target)):
        shape = wiring.shapes[source][1]
        linear = compose([wiring.nodes[name] for name in path], shape, lying) if path else identity(frame(shape, lying))
        maps[source] = maps[source].plus(linear) if source in maps else linear
    gain = gain.reshape(frame(gain.shape, lying))
    scaled = ((source, linear.scaled(gain)) for source, linear in maps.items())
    return [DraftConnection(source, target, linear.weight, linear.conv) for source, linear in scaled]


def _heard(wiring: Wiring, paths: list[_Path]) -> list[_Path]:
    """The paths without those of weights that are all zero, which bring a constant alone, as far as others are left."""
    loud = [
        (source, path)
        for source, path in paths
        if all(np.any(weight) for name in path if (weight := getattr(wiring.nodes[name], "weight", None)) is not None)
    ]
    there = {source for source, _ in loud}
    silent = {source: (source, path) for source, path in paths if source not in there}
    return loud + list(silent.values())


def _paths(wiring: Wiring, target: str) -> list[_Path]:
    """Every path of linear nodes from a neuron or the input to ``target``: where it starts, and its nodes in order."""
    found: list[_Path] = []
    todo: list[_Path] = [(source, ()) for source in wiring.into(target)]
    while todo:
        if len(found) + len(todo) > _MOST_PATHS:
            many = f"more than {_MOST_PATHS} paths of linear nodes lead to it; merge some of them"
            raise InputError(f"node {target!r}: {many}")
        name, path = todo.pop(0)
        if is_linear(wiring.nodes[name]):
            todo += [(source, (name, *path)) for source in wiring.into(name)]
        else:
            found.append((name, path))
    return found
