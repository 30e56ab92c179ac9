"""A student's configuration and network out of a NIR graph of any tool, and the proof that they are the graph's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import nir
import numpy as np
import torch
from torch import Tensor

from ..base.errors import InputError, arg, did_you_mean
from ..base.types import ENCODINGS, INPUT_BITS
from ..graph.interpreter import counted_from_reset, interpret
from ..graph.time_step import NOTHING_SAID, Convention, Reading, assumptions, read_as
from ..graph.wiring import Wiring, wire
from ..importing.of_nir import CLOSE, GraphNetwork, network_of_graph
from ..lowering.draft import begins
from ..lowering.lower import rules_of
from .config import StudentConfig
from .header import IMPORTED
from .neurons import NeuronTrace
from .proof import Proof, compared

ENCODER = "encoder"
"""The node by which our graphs turn input currents into spikes."""


@dataclass(frozen=True)
class AskedOfGraph:
    """What is asked for of a graph that does not say it.

    Attributes:
        timesteps, encoding, input_bits, classes: of the student; None for what the metadata say.
        convention: how the graph is read.
    """

    timesteps: int | None = None
    encoding: str | None = None
    input_bits: int | None = None
    classes: int | None = None
    convention: Convention = NOTHING_SAID


@dataclass(frozen=True, eq=False)
class FromGraph:
    """What a student is made of.

    Attributes:
        reading: of the graph without the neurons that turn input currents into spikes, which are the student's encoder,
            and with potentials that are counted from their reset.
        threshold: of these; None where the graph has none.
        assumed: what was read into the graph, as sentences.
    """

    config: StudentConfig
    made: GraphNetwork
    reading: Reading
    threshold: float | None
    assumed: tuple[str, ...] = ()

    def prove(self, drive: Tensor, traces: Mapping[str, NeuronTrace]) -> Proof:
        """Compare a student with the graph, spike for spike.

        Args:
            drive: what enters the network, ``(T or 1, B, C, H, W)``: the spikes of the encoder where there is one.
            traces: of the student's layers of neurons.

        Raises:
            AnswerIsNo: the first layer, step and neuron that differ.
        """
        wiring = self.reading.wiring
        shape = wiring.shapes[wiring.input][1]
        entering = drive.double().reshape(*drive.shape[:2], *shape)
        found = interpret(wiring, entering, self.reading.step.dt_s, self.config.timesteps)
        theirs = {
            name: (found.spikes[node] if node in found.spikes else found.membranes[node]).float()
            for name, node in self.made.names.items()
        }
        thresholds = {name: torch.as_tensor(self.made.network.get_submodule(name).threshold) for name in theirs}
        return compared(theirs, traces, thresholds, self.made.names, {})


def read_for_student(graph: nir.NIRGraph, asked: AskedOfGraph) -> FromGraph:
    """The configuration and the network of the student that computes what a graph does.

    Raises:
        InputError: a graph with faults, one whose T is not known, or nodes that have no counterpart.
    """
    reading, said = read_as(wire(graph), graph.metadata, asked.convention), graph.metadata
    assumed = (*assumptions(reading), *begins(reading.wiring))
    reading = replace(reading, wiring=counted_from_reset(reading.wiring))
    encoding = asked.encoding or said.get("encoding", "direct")
    if encoding not in ENCODINGS:
        raise InputError(f"{arg('encoding', encoding)}: {did_you_mean(str(encoding), ENCODINGS)}")
    timesteps = asked.timesteps or _number(said, "timesteps", 0)
    if not timesteps:
        raise InputError(f"{arg('timesteps')}: is needed, since the graph does not say over how many steps it runs")
    has_encoder = said.get("encoding") == "current" and ENCODER in reading.wiring.neurons
    if has_encoder and encoding != "current":
        raise InputError(f"{arg('encoding', encoding)}: the graph has neurons for current input; leave it out")
    threshold = None
    if has_encoder:
        reading, threshold = _without_encoder(reading)
    made = network_of_graph(reading)
    config = _config(made, said, asked, encoding, timesteps)
    return FromGraph(config, made, reading, threshold, assumed)


def _without_encoder(reading: Reading) -> tuple[Reading, float]:
    """A graph of ours without the neurons that turn input currents into spikes, and their threshold.

    Raises:
        InputError: they are no encoder of a student: neurons without a leak, all alike, reset to zero.
    """
    wiring = reading.wiring
    found = wiring.constants(ENCODER, reading.step.dt_s)
    threshold = found.threshold
    gain = found.gain_u * found.gain_v
    alike = threshold is not None and bool(np.all(threshold == threshold.reshape(-1)[0])) and found.reset == "zero"
    if not alike or np.any(found.leak_v) or np.any(np.abs(gain - 1) > CLOSE) or np.any(found.drift):
        raise InputError(f"{ENCODER}: is no encoder of a student, whose neurons have no leak and are all alike")
    assert threshold is not None
    targets = wiring.out_of(ENCODER)
    edges = [edge for edge in wiring.edges if ENCODER not in edge] + [(wiring.input, target) for target in targets]
    nodes = {name: node for name, node in wiring.nodes.items() if name != ENCODER}
    bare: Wiring = replace(wiring, nodes=nodes, edges=tuple(edges))
    return replace(reading, wiring=bare), float(threshold.reshape(-1)[0])


def _number(said: Mapping[str, Any], key: str, otherwise: int) -> int:
    """A whole number in the metadata of a graph.

    Raises:
        InputError: it is something else.
    """
    value = said.get(key, otherwise)
    if not isinstance(value, int | np.integer) or isinstance(value, bool):
        raise InputError(f"graph: its metadata say {key} = {value!r}; must be a whole number")
    return int(value)


def _config(
    made: GraphNetwork, said: Mapping[str, Any], asked: AskedOfGraph, encoding: Any, timesteps: int
) -> StudentConfig:
    rule, output = rules_of(said)
    classes = asked.classes or _number(said, "classes", made.outputs // output.population)
    if classes < 1 or made.outputs % classes:
        raise InputError(f"{arg('classes', classes)}: the graph has {made.outputs} outputs, no multiple of that")
    weights = [each for each in made.network.children() if hasattr(each, "weight")]
    return StudentConfig(
        architecture=IMPORTED,
        width=int(weights[0].weight.shape[0]) if weights else made.outputs,
        input_shape=made.shape,
        classes=classes,
        timesteps=timesteps,
        encoding=encoding,
        readout="membrane" if made.is_integrator else "count",
        input_bits=asked.input_bits or _number(said, "input_bits", INPUT_BITS.get(encoding, 8)),
        input_rule=rule,
        output=replace(output, population=made.outputs // classes),
    )
