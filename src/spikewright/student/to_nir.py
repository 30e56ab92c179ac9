"""`spikewright to-nir`: a trained student becomes a NIR graph, and the file is proven to compute the same."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nir
import numpy as np
import torch
from torch import Tensor, nn

from ..base.artefacts import atomic_write
from ..base.errors import AnswerIsNo, refuse
from ..base.version import __version__
from ..chip.trained_grid import KEY
from ..graph.interpreter import interpret
from ..graph.membrane_biases import biases_on_membranes
from ..graph.nir_io import read_graph
from ..graph.nodes import Shape
from ..graph.time_step import resolve_dt
from ..graph.wiring import wire
from ..lowering.lower import lower
from ..profile.profile import HardwareProfile, named_profile
from .integers.agreement import differences
from .integers.standing import standing_for
from .modules import DT_S, CannotExport, Passes, flatten, node_of
from .sketch import INPUT, OUTPUT, Sketch, sketch
from .student import Student
from .tracing import trace

GRAPH_FORMAT_VERSION = 1
# A file holds float32: a membrane closer to its threshold than this share may fall on either side of it.
TIE = 1e-5
READOUT_TOLERANCE = 1e-5


@dataclass(frozen=True)
class Verification:
    """How a graph's file was compared with its student, both computed in float64.

    Attributes:
        samples: compared over all their steps.
        spikes: compared one by one.
        ties: samples left out from where a membrane potential met its threshold to within float32.
    """

    samples: int
    spikes: int
    ties: int


def to_nir(student: Student, facts: dict[str, object] | None = None) -> nir.NIRGraph:
    """The NIR graph that computes what ``student`` does at inference.

    Batch norms are folded in with their running statistics, dropout is left out; neuron parameters are arrays of the
    population's shape. Metadata say what NIR cannot: time step, reset, encoding, readout, T. Of a student on integers
    every number is an integer divided by its layer's scale, and the metadata hold the scales.

    Args:
        facts: JSON-able, kept in the metadata as ``provenance`` (and ``parent_sha256``, ``teacher_macs`` beside it).

    Raises:
        InputError: every module that has no counterpart, with the reason.
    """

    if student.grid is not None:
        return _integer_graph(student, facts)
    config = student.config
    first = "encoder" if student.encoder is not None else INPUT
    drawn = sketch(trace(student.network), config.input_shape, first)
    nodes: dict[str, nir.NIRNode] = {INPUT: nir.Input(np.array(config.input_shape))}
    edges: list[tuple[str, str]] = []
    if student.encoder is not None:
        _add(nodes, drawn, first, student.encoder, config.input_shape)
        edges.append((INPUT, first))
    for step in drawn.steps.values():
        _add(nodes, drawn, step.name, step.what, step.shape)
        edges += [(source, step.name) for source in step.sources]
    refuse("student", drawn.faults)
    nodes[OUTPUT] = nir.Output(np.array([config.classes]))
    edges += [(source, OUTPUT) for source in drawn.returns]
    return nir.NIRGraph(nodes, edges, metadata=_metadata(student, facts or {}), type_check=False)


def _integer_graph(student: Student, facts: dict[str, object] | None) -> nir.NIRGraph:

    assert student.grid is not None
    graph = biases_on_membranes(to_nir(standing_for(student), facts))
    graph.metadata[KEY] = student.grid.as_metadata
    return graph


def _add(
    nodes: dict[str, nir.NIRNode], drawn: Sketch, name: str, what: nn.Module | tuple[int, int], shape: Shape
) -> None:

    try:
        node = flatten(shape, *what) if isinstance(what, tuple) else node_of(what, shape)
    except CannotExport as fault:
        drawn.faults.append(f"module {name!r} {fault}")
        return
    if not isinstance(node, Passes):
        nodes[name] = node


def _metadata(student: Student, facts: dict[str, object]) -> dict[str, Any]:

    config = student.config
    metadata: dict[str, Any] = {
        "format_version": GRAPH_FORMAT_VERSION,
        "source": f"spikewright {__version__}",
        "dt_s": DT_S,
        "reset": "zero",
        "encoding": config.encoding,
        "readout": config.readout,
        "timesteps": config.timesteps,
        "input_bits": config.input_bits,
        "classes": config.classes,
        "input_shape": np.array(config.input_shape),
        "provenance": json.dumps(facts, sort_keys=True),
    }
    beside = ("parent_sha256", "teacher_macs")
    return metadata | {key: facts[key] for key in beside if facts.get(key) is not None}


def verify_export(
    student: Student, graph: nir.NIRGraph, images: Tensor, profile: HardwareProfile | None = None
) -> Verification:
    """Compare a graph with its student on samples: every spike, and the readout.

    A student on integers is compared with the chip network that the graph becomes: every spike, current and membrane
    potential, bit for bit.

    One in floats is compared with the graph's own equations, both in float64. A sample in which a membrane potential
    comes within :data:`TIE` of its threshold may spike differently there, since the graph holds float32; it is left out
    from then on and counted.

    Args:
        images: intensities in [0, 1], ``(B, *input shape)``.
        profile: that a student on integers was trained for; None for one that comes with spikewright.

    Raises:
        InputError: a student on integers was trained for a profile of the user's own, and ``profile`` is missing.
        AnswerIsNo: the first node and step that differ, or more ties than samples compared.
    """

    if student.grid is not None:
        return _verify_integers(student, graph, images, profile)
    exact = _in_double(student)
    wiring = wire(graph)
    with torch.no_grad():
        expected = exact(images.double())
        found = interpret(wiring, expected.drive, resolve_dt(wiring, graph.metadata).dt_s, student.config.timesteps)
    whole = torch.ones(len(images), dtype=torch.bool)
    for name in (n for n in wiring.neurons if n in found.spikes):
        threshold = torch.as_tensor(wiring.nodes[name].v_threshold).double()
        distance = (expected.traces[name].membrane - threshold).abs() / threshold.abs()
        whole &= _agreeing(name, expected.spikes[name], found.spikes[name], distance, whole)
    if whole.sum() * 2 < len(images):
        raise AnswerIsNo(
            f"export: {len(images) - int(whole.sum())} of {len(images)} samples hold a membrane potential that equals "
            "its threshold to within float32, too many to compare by; verify with other samples"
        )
    _compare_readout(wiring.readout, expected.scores[whole], found.scores(wiring.readout)[whole])
    compared = sum(int(spikes[:, whole].numel()) for spikes in found.spikes.values())
    return Verification(int(whole.sum()), compared, int((~whole).sum()))


def _verify_integers(
    student: Student, graph: nir.NIRGraph, images: Tensor, profile: HardwareProfile | None
) -> Verification:

    assert student.grid is not None
    target = profile or named_profile(student.grid.profile, "export: the student", "give its file: --profile PATH")
    found = differences(student, lower(graph, target), images)
    if found:
        raise AnswerIsNo(f"export: the chip network is not what the student computes: {'; '.join(map(str, found))}")
    spikes = sum(int(s.numel()) for s in student(images[:1]).spikes.values())
    return Verification(len(images), spikes * len(images), 0)


def _in_double(student: Student) -> Student:

    # A copied fx.GraphModule no longer shares its layers, so the twin is built and traced anew.
    twin = type(student)(student.config, copy.deepcopy(student.network))
    twin.load_state_dict(student.state_dict())
    return twin.double().eval()


def _agreeing(name: str, expected: Tensor, found: Tensor, distance: Tensor, whole: Tensor) -> Tensor:
    """Samples whose spikes are equal; raises where one differs without a tie to excuse it."""

    wrong = (expected != found).flatten(2)
    per_step = wrong.any(2)
    good = ~per_step.any(0)
    for sample in torch.nonzero(whole & ~good).flatten().tolist():
        step = int(per_step[:, sample].int().argmax())
        neurons = wrong[step, sample].nonzero().flatten()
        if float(distance.flatten(2)[step, sample, neurons].max()) > TIE:
            raise AnswerIsNo(
                f"export: the graph does not compute what the student does: node {name!r} spikes differently at step "
                f"{step} of sample {sample}, neuron {int(neurons[0])} first"
            )
    return good


def _compare_readout(name: str, expected: Tensor, found: Tensor) -> None:
    scale = max(float(expected.abs().max()), 1e-12)
    worst = float((expected - found).abs().max()) / scale
    if worst > READOUT_TOLERANCE:
        raise AnswerIsNo(
            f"export: the graph does not compute what the student does: readout {name!r} differs by {worst:.2g} of its "
            f"largest value; up to {READOUT_TOLERANCE:g} is float32's rounding"
        )


def export(
    student: Student,
    path: Path | str,
    images: Tensor,
    facts: dict[str, object] | None = None,
    profile: HardwareProfile | None = None,
) -> Verification:
    """Write the graph of ``student`` to ``path``; the file is read back and compared before it gets its name.

    Raises:
        InputError: a module without a counterpart, or no folder to write to.
        AnswerIsNo: the file does not compute what the student does; nothing is left behind.
    """

    graph = to_nir(student, facts)
    with atomic_write(path) as temporary:
        nir.write(temporary, graph)
        return verify_export(student, read_graph(temporary), images, profile)
