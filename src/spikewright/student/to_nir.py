"""A trained student as a NIR graph: batch norms are folded away, and sums become several edges into one node."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import Any

import nir
import numpy as np
import torch
from torch import nn

from ..base.errors import InputError, check_type, refuse
from ..base.types import Reset
from ..base.version import __version__
from ..chip.encoding import full_scale
from ..chip.law import Law
from ..chip.network import INPUT_RULE_KEY, OUTPUT_RULE_KEY
from ..chip.registers import GRID_KEY
from ..data.output_rule import CLASSES
from ..energy.macs import COUNT, UNKNOWN, Macs
from ..graph.interpreter import biases_on_membranes
from ..graph.translation import reader_of, translate
from ..graph.wiring import RESET_KEY
from .finite import weight_faults
from .graph_builder import ENCODER, INPUT, OUTPUT, GraphBuilder, Value
from .integers.neurons import IntegerLaw, bias_on_grid, weight_integers
from .integers.plan import plan_of
from .linear_layers import WEIGHTED
from .modules import DT_S
from .refused import norms_per_step
from .student import Student
from .tracing import trace

GRAPH_FORMAT_VERSION = 1
RESET_NOTE = "reset_note"
RESET_NOTES: dict[Reset, str] = {
    "subtract": "v_threshold is subtracted from v in the step of a spike, after the comparison",
    "subtract-late": "v_threshold is subtracted from v in the step after a spike, and does not decay with it",
}
"""What NIR cannot say, in a sentence for other readers of a graph: its neurons set v to v_reset."""


def to_nir(student: Student, facts: dict[str, object] | None = None, *, reader: str | None = None) -> nir.NIRGraph:
    """The NIR graph that computes what ``student`` computes at inference.

    Batch norms are folded in with their running statistics, dropout is left out; neuron parameters are arrays of the
    population's shape. The metadata hold what NIR has no field for: timestep, reset, encoding, readout and T. The
    numbers in the graph of a student with integer arithmetic are integers divided by the scale of their layer, and the
    metadata hold the scales.

    Args:
        facts: JSON-able, kept in the metadata as ``provenance``, and beside it ``parent_sha256`` and the teacher's
            multiply-accumulates.
        reader: the tool that is to read it, as in :func:`spikewright.translate`; None for the form above, which says
            everything about the student.

    Raises:
        InputError: every module that has no counterpart in NIR, with the reason; weights that are NaN or infinite.
    """
    if not hasattr(nir, "CubaLI"):
        raise InputError(
            "nir: is older than 1.0.8 and writes other graphs; import networks here, and export the student's file "
            "where nir is 1.0.8 or later"
        )
    check_type("student", student, Student, "a Student, such as distill(...).student or load_student(path)")
    if reader is not None:
        reader_of(reader)
        return translate(to_nir(student, facts), reader)
    refuse("student", list(weight_faults(student)))
    if student.grid is not None:
        graph = biases_on_membranes(to_nir(float_equivalent(student), facts))
        graph.metadata[GRID_KEY] = student.grid.as_metadata
        return graph
    shape = student.config.input_shape
    builder = GraphBuilder()
    first: Value = (INPUT,), shape
    if student.encoder is not None:
        first = builder.add(ENCODER, student.encoder, *first)
    outputs = builder.follow(trace(student.network), first)
    refuse("student", [*norms_per_step(student.network), *builder.faults])
    nodes = {INPUT: nir.Input(np.array(shape)), **builder.nodes, OUTPUT: nir.Output(np.array([student.config.outputs]))}
    for name in (name for name, reset in builder.resets.items() if reset != _common(builder.resets)):
        nodes[name].metadata[RESET_KEY] = builder.resets[name]
    edges = builder.edges + [(name, OUTPUT) for name in outputs]
    metadata = _metadata(student, facts or {}, builder.resets)
    return nir.NIRGraph(nodes, edges, metadata=metadata, type_check=False)


def _common(resets: Mapping[str, Reset]) -> Reset:
    """The reset of a network's first layer, which stands for all; those of other layers are noted at their nodes."""
    return next((reset for name, reset in resets.items() if name != ENCODER), resets.get(ENCODER, "zero"))


def _note(resets: Mapping[str, Reset]) -> str | None:
    """What other readers of the graph have to know; None where all neurons are reset to zero."""
    said = [f"{RESET_KEY} {reset!r}: {RESET_NOTES[reset]}" for reset in RESET_NOTES if reset in resets.values()]
    where = "a node's own metadata come first; NIR's nodes cannot say it, so other readers compute other spikes"
    return "; ".join([*said, where]) if said else None


def _metadata(student: Student, facts: dict[str, object], resets: Mapping[str, Reset]) -> dict[str, Any]:
    config = student.config
    metadata: dict[str, Any] = {
        "format_version": GRAPH_FORMAT_VERSION,
        "source": f"spikewright {__version__}",
        "dt_s": DT_S,
        RESET_KEY: _common(resets),
        "encoding": config.encoding,
        "readout": config.readout,
        "timesteps": config.timesteps,
        "input_bits": config.input_bits,
        "classes": config.classes,
        "input_shape": np.array(config.input_shape),
        "provenance": json.dumps(facts, sort_keys=True),
    }
    if config.input_rule is not None:
        metadata[INPUT_RULE_KEY] = json.dumps(config.input_rule.as_json(), sort_keys=True)
    if config.output != CLASSES:
        metadata[OUTPUT_RULE_KEY] = json.dumps(config.output.as_json(), sort_keys=True)
    if (note := _note(resets)) is not None:
        metadata[RESET_NOTE] = note
    macs = Macs.of_facts(facts)
    if macs is not None and macs.unknown:
        metadata[UNKNOWN] = ", ".join(macs.unknown)  # a NIR file holds no lists of text
    return metadata | {key: facts[key] for key in ("parent_sha256", COUNT) if facts.get(key) is not None}


def with_network(student: Student, network: nn.Module) -> Student:
    """A copy of ``student`` with ``network`` in place of its own."""
    twin = Student(student.config, network)
    twin.encoder = copy.deepcopy(student.encoder)
    return twin


@torch.no_grad()
def float_equivalent(student: Student) -> Student:
    """A student in floats with exactly the weights, biases and constants that ``student`` has on the chip."""
    grid = student.grid
    assert grid is not None
    twin = with_network(student, copy.deepcopy(student.network))
    traced = trace(twin.network)
    modules = dict(twin.network.named_modules())
    places = plan_of(traced, student.input_unit, student.config.input_shape).weights
    for node in traced.graph.nodes:
        if node.name in places:
            place, module = places[node.name], modules[str(node.target)]
            assert isinstance(module, WEIGHTED) and module.bias is not None
            scale = grid.scales[place.target]
            unit = scale * place.unit
            weight = weight_integers(module.weight, unit, grid.registers, mixed=place.shared or None)
            module.weight.copy_(weight / unit)
            module.bias.copy_(bias_on_grid(module.bias * place.gain, scale, grid.registers) / place.gain)
    for name, scale in grid.scales.items():
        _set_neuron(modules[name], IntegerLaw.of(modules[name], scale, grid.registers).floats)
    if twin.encoder is not None:
        most = full_scale(student.config.encoding, student.config.input_bits)
        _set_neuron(twin.encoder, IntegerLaw.of_encoder(twin.encoder, most).floats)
    return twin.eval()


def _set_neuron(module: nn.Module, law: Law) -> None:
    constants = {"beta": law.keep_v, "alpha": law.keep_u, "threshold": law.threshold}
    for name, value in constants.items():
        if value is not None:
            parameter = getattr(module, name)
            parameter.copy_(torch.as_tensor(value).expand_as(parameter))
