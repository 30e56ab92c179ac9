"""Every finding in a NIR graph, node by node, and a repaired copy where that is possible."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, TypeAlias

import nir
import numpy as np

from ..base.errors import InputError, Message
from ..base.version import __version__
from ..graph.nodes import NEURONS, NodeFault, constants_of
from ..graph.time_step import TimeStep, resolve_dt
from ..graph.wiring import Wiring, survey, wire
from . import rules
from .draft import draft_from_nir, input_format

Level: TypeAlias = Literal["blocks", "assumed", "note"]

_SAME = 1e-6
"""Values that differ by less, relative to the largest, are shown as one."""


@dataclass(frozen=True)
class Finding:
    """One thing to know about a graph.

    Attributes:
        level: ``blocks`` keeps the graph from being lowered; ``assumed`` was read into it; ``note`` is worth knowing.
        where: name of a node, or ``graph``.
    """

    level: Level
    where: str
    what: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "what", Message(self.what))


def check(graph: nir.NIRGraph, dt_s: float | None = None) -> list[Finding]:
    """Everything that can be said of a graph on its way to a chip; nothing is raised.

    Args:
        graph: from any producer.
        dt_s: seconds per step; None for what the graph's metadata or its producer's convention say.
    """
    found = survey(graph)
    findings = [Finding("assumed", "graph", sentence) for sentence in found.assumed]
    if found.wiring is None:
        return findings + [Finding("blocks", "graph", fault) for fault in found.faults]
    findings += _conventions(graph)
    try:
        step = resolve_dt(found.wiring, graph.metadata, dt_s)
    except InputError as error:
        return [*findings, Finding("blocks", "graph", error.message)]
    findings.append(Finding("assumed" if step.assumed else "note", "graph", f"time step {step.dt_s:g} s: {step.why}"))
    for name in found.wiring.neurons:
        findings += _neuron_findings(found.wiring, name, step)
    try:
        inputs, _ = input_format(graph.metadata)
        faults = rules.faults_by(rules.GRAPH_RULES, draft_from_nir(found.wiring, step.dt_s, inputs, {}))
    except InputError as error:
        faults = [error.message]
    return findings + [Finding("blocks", "graph", fault) for fault in faults]


def repair(graph: nir.NIRGraph, dt_s: float | None = None) -> nir.NIRGraph:
    """The graph made plain: sub-graphs opened, shapes and parameters written out, the time step in the metadata.

    Args:
        graph: from any producer; it is left as it is.
        dt_s: seconds per step; None for what the graph's metadata or its producer's convention say.

    Raises:
        InputError: the graph has faults that rewriting cannot repair.
    """
    wiring = wire(graph)
    step = resolve_dt(wiring, graph.metadata, dt_s)
    names = {wiring.input: "input", wiring.output: "output"}
    nodes = {names.get(name, name): _written_out(wiring, name) for name in wiring.nodes}
    edges = [(names.get(source, source), names.get(target, target)) for source, target in wiring.edges]
    metadata: dict[str, Any] = {"source": f"repaired by spikewright {__version__}", "dt_s": step.dt_s}
    if assumed := [*wiring.assumed, *([f"time step: {step.why}"] if step.assumed else [])]:
        metadata["assumed"] = "; ".join(assumed)
    return nir.NIRGraph(nodes, edges, metadata=metadata | graph.metadata, type_check=False)


def _conventions(graph: nir.NIRGraph) -> Iterator[Finding]:
    if source := graph.metadata.get("source"):
        yield Finding("note", "graph", f"made by {source}")
    if "reset" not in graph.metadata:
        other = "a network trained with reset by subtraction will spike differently"
        what = f"reset to zero: NIR cannot say how its neurons were reset in training; {other}"
        yield Finding("assumed", "graph", what)
    elif graph.metadata["reset"] != "zero":
        yield Finding("blocks", "graph", f"reset is {graph.metadata['reset']!r}; NIR, Lava and Loihi reset to zero")


def _neuron_findings(wiring: Wiring, name: str, step: TimeStep) -> Iterator[Finding]:
    try:
        law = constants_of(wiring.nodes[name], step.dt_s, wiring.shapes[name][0])
    except NodeFault as fault:
        yield Finding("blocks", name, str(fault))
        return
    filtered = f"current decays by {_range(law.leak_u)} per step, " if (law.leak_u != 1).any() else ""
    fires = f"threshold {_range(law.threshold)}" if law.threshold is not None else "does not fire"
    yield Finding("note", name, f"{filtered}membrane decays by {_range(law.leak_v)} per step, {fires}")
    if law.threshold is not None and np.ptp(law.threshold) > _SAME * np.abs(law.threshold).max():
        yield Finding("note", name, "thresholds vary; the chip holds one for a population: divided into the weights")
    gain = law.gain_u * law.gain_v
    if np.any(np.abs(gain - 1) > 1e-3):
        yield Finding("note", name, f"gain per step {_range(gain)}; multiplied into the weights")


def _range(values: Any) -> str:
    low, high = float(values.min()), float(values.max())
    return f"{low:.4g}" if high - low <= _SAME * max(abs(high), abs(low)) else f"{low:.4g} to {high:.4g}"


def _written_out(wiring: Wiring, name: str) -> nir.NIRNode:
    """A node with nothing left to guess: arrays of the population's shape, the input's shape in a convolution."""
    node, (arriving, leaving) = wiring.nodes[name], wiring.shapes[name]
    if isinstance(node, nir.Input):
        return nir.Input(np.array(arriving), metadata=node.metadata)
    if isinstance(node, nir.Output):
        return nir.Output(np.array(leaving), metadata=node.metadata)
    if isinstance(node, nir.Conv2d):
        return replace(node, input_shape=arriving[1:])
    if isinstance(node, nir.Conv1d):
        return replace(node, input_shape=arriving[1])
    if isinstance(node, nir.Flatten):
        return nir.Flatten({"input": np.array(arriving)}, node.start_dim, node.end_dim, metadata=node.metadata)
    if isinstance(node, NEURONS):
        own = [f.name for f in fields(node) if f.name not in ("metadata", "input_type", "output_type")]
        arrays = {field: np.asarray(getattr(node, field)) for field in own}
        filled = {f: np.full(arriving, a.reshape(-1)[0], a.dtype) if a.size == 1 else a for f, a in arrays.items()}
        return type(node)(**filled, metadata=node.metadata)
    return node
