"""Every finding in a NIR graph, node by node, and a repaired copy where that is possible."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

import nir
import numpy as np

from ..base.errors import AnswerIsNo, InputError, Message, Refusal, SpikewrightError
from ..base.version import __version__
from ..graph.fields import NodeFault, pair
from ..graph.nodes import NEURONS
from ..graph.time_step import UNSAID_RESET, Convention, Reading, TimeStep, read_as
from ..graph.wiring import RESET_KEY, Wiring, survey, wire
from ..profile.profile import HardwareProfile, load_profile
from . import rules
from .absurd import absurdities
from .draft import begins, draft_from_nir, input_format
from .lower import lower

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


def check(
    graph: nir.NIRGraph,
    dt_s: float | None = None,
    *,
    producer: str | None = None,
    reset: str | None = None,
    profile: HardwareProfile | str | Path | None = None,
    **lowering: Any,
) -> list[Finding]:
    """Everything that can be said of a graph on its way to a chip; nothing that the graph does is raised.

    Args:
        graph: from any producer.
        dt_s: as in :func:`spikewright.lower`, and so are ``producer`` and ``reset``.
        profile: the chip that it is checked for: what then does not block is lowered; None for what holds for any chip.
        lowering: with a profile, further arguments of :func:`spikewright.lower`.

    Raises:
        InputError: no such profile.
    """
    target = None if profile is None else load_profile(profile)
    found = survey(graph)
    findings = [Finding("assumed", "graph", sentence) for sentence in found.assumed]
    if found.wiring is None:
        return findings + [Finding("blocks", "graph", fault) for fault in found.faults]
    said = Convention(dt_s, producer, reset)
    if source := graph.metadata.get("source"):
        findings.append(Finding("note", "graph", f"made by {source}"))
    try:
        reading = read_as(found.wiring, graph.metadata, said)
    except InputError as error:
        findings += _conventions_alone(graph)
        return findings + [Finding("blocks", "graph", fault) for fault in _faults_of(error)]
    sentences = [*begins(reading.wiring), *reading.assumed]
    findings += [Finding("assumed", "graph", sentence) for sentence in sentences]
    step = reading.step
    findings.append(Finding("assumed" if step.assumed else "note", "graph", f"time step {step.dt_s:g} s: {step.why}"))
    for name in found.wiring.neurons:
        findings += _neuron_findings(reading.wiring, name, step)
    faults = list(_lowering_faults(graph, reading, target, said, lowering))
    return findings + [Finding("blocks", "graph", fault) for fault in dict.fromkeys(faults)]


def _lowering_faults(
    graph: nir.NIRGraph, reading: Reading, target: HardwareProfile | None, said: Convention, lowering: Mapping[str, Any]
) -> Iterator[str]:
    """What keeps a graph that can be read from being lowered, for one chip or for any."""
    try:
        inputs, _ = input_format(graph.metadata)
        draft = draft_from_nir(reading.wiring, reading.step.dt_s, inputs, {})
        yield from rules.faults_by(rules.GRAPH_RULES, draft)
        if reading.step.assumed:
            yield from absurdities(draft, reading.step)
    except InputError as error:
        yield from _faults_of(error)
    if target is not None:
        try:
            lower(graph, target, **vars(said), **lowering)
        except (InputError, AnswerIsNo) as error:
            yield from _faults_of(error)


def _faults_of(error: SpikewrightError) -> tuple[str, ...]:
    """The faults that a refusal lists, or its message without the graph's name."""
    return error.faults if isinstance(error, Refusal) else (error.message.removeprefix("NIR graph: "),)


def repair(
    graph: nir.NIRGraph, dt_s: float | None = None, *, producer: str | None = None, reset: str | None = None
) -> nir.NIRGraph:
    """The graph made plain: sub-graphs opened, shapes and parameters written out, the time step in the metadata.

    Neurons of a producer with another equation become those whose forward Euler step is the same, and its reset is
    noted in the metadata.

    Args:
        graph: from any producer; it is left as it is.
        dt_s: as in :func:`spikewright.lower`, and so are ``producer`` and ``reset``.

    Raises:
        InputError: the graph has faults that rewriting cannot repair.
    """
    reading = read_as(wire(graph), graph.metadata, Convention(dt_s, producer, reset))
    wiring, step = reading.wiring, reading.step
    names = {wiring.input: "input", wiring.output: "output"}
    nodes = {names.get(name, name): _written_out(wiring, name) for name in wiring.nodes}
    edges = [(names.get(source, source), names.get(target, target)) for source, target in wiring.edges]
    metadata: dict[str, Any] = {"source": f"repaired by spikewright {__version__}", "dt_s": step.dt_s}
    if RESET_KEY not in graph.metadata and (reset is not None or wiring.resets):
        metadata[RESET_KEY] = reset or next(iter(wiring.resets.values()))
    if assumed := [*wiring.assumed, *([f"time step: {step.why}"] if step.assumed else [])]:
        metadata["assumed"] = "; ".join(assumed)
    return nir.NIRGraph(nodes, edges, metadata=metadata | graph.metadata, type_check=False)


def _conventions_alone(graph: nir.NIRGraph) -> Iterator[Finding]:
    """What is assumed of a graph whose time step is unknown."""
    if RESET_KEY not in graph.metadata:
        yield Finding("assumed", "graph", UNSAID_RESET)


def _neuron_findings(wiring: Wiring, name: str, step: TimeStep) -> Iterator[Finding]:
    try:
        law = wiring.constants(name, step.dt_s)
    except NodeFault as fault:
        yield Finding("blocks", name, str(fault))
        return
    filtered = f"current decays by {_range(law.leak_u)} per step, " if (law.leak_u != 1).any() else ""
    fires = f"threshold {_range(law.threshold)}" if law.threshold is not None else "does not fire"
    if law.reset != "zero":
        fires += ", which a spike takes off" + (" one step late" if law.reset == "subtract-late" else "")
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
    if isinstance(node, nir.SumPool2d | nir.AvgPool2d):
        sizes = (np.array(pair(each)) for each in (node.kernel_size, node.stride, node.padding))
        return type(node)(*sizes, metadata=node.metadata)
    if isinstance(node, nir.Scale):
        scale = np.asarray(node.scale)
        return replace(node, scale=np.full(arriving, scale.reshape(-1)[0]) if scale.size == 1 else scale)
    if isinstance(node, NEURONS):
        own = [f.name for f in fields(node) if f.name not in ("metadata", "input_type", "output_type")]
        arrays = {field: np.asarray(getattr(node, field)) for field in own}
        filled = {f: np.full(arriving, a.reshape(-1)[0], a.dtype) if a.size == 1 else a for f, a in arrays.items()}
        return type(node)(**filled, metadata=node.metadata)
    return node
