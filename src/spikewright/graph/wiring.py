"""A resolved NIR graph: sub-graphs inlined, shapes inferred, loops found, and the assumptions that were made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import cast

import nir
import numpy as np

from ..base.errors import did_you_mean, refuse
from ..base.types import RESETS, Reset
from .ends import find_ends, join_outputs, remove_idle, remove_inner_ends
from .fields import NodeFault
from .flat import Connected, Flat
from .nodes import NEURONS, NeuronConstants, Shape, constants_of
from .shapes import Edge, Shaping, with_shapes

RESET_KEY = "reset"
"""Key of the reset in the metadata of a graph, and of a neuron node whose reset is another one."""

FORMAT_VERSION = "format_version"
"""Attribute of a graph that was read from a file: the version of NIR that wrote it."""


@dataclass(frozen=True, eq=False)
class Wiring(Connected):
    """A flat graph with one input node, one output node, and shapes for every node.

    Attributes:
        nodes: by name, in an order in which every edge that is not delayed points forward.
        edges: pairs of source and target.
        delayed: edges that close a loop; their values arrive one timestep later.
        shapes: by name, shapes of a node's input and output, without the batch.
        assumed: assumptions that were made, as messages for the user.
        resets: by name of a neuron node that fires, what its spikes do to its membrane, as the metadata say.
        format_version: of NIR, as the file says it; empty for a graph that was not read from a file.
    """

    nodes: dict[str, nir.NIRNode]
    edges: tuple[Edge, ...]
    delayed: frozenset[Edge]
    shapes: dict[str, tuple[Shape, Shape]]
    assumed: tuple[str, ...]
    resets: dict[str, Reset] = field(default_factory=dict)
    format_version: str = ""

    def constants(self, name: str, dt_s: float) -> NeuronConstants:
        """The constants of a neuron node at a timestep of ``dt_s`` seconds.

        Raises:
            NodeFault: they are none that a neuron can have.
        """
        with np.errstate(all="ignore"):
            found = constants_of(self.nodes[name], dt_s, self.shapes[name][0])
        if any(isinstance(each, np.ndarray) and not np.all(np.isfinite(each)) for each in vars(found).values()):
            raise NodeFault(f"has decays or gains that are not finite at a time step of {dt_s:g} s")
        return replace(found, reset=self.resets.get(name, "zero"))

    @cached_property
    def input(self) -> str:
        """Name of the input node."""
        return next(name for name, node in self.nodes.items() if isinstance(node, nir.Input))

    @cached_property
    def output(self) -> str:
        """Name of the output node."""
        return next(name for name, node in self.nodes.items() if isinstance(node, nir.Output))

    @cached_property
    def readout(self) -> str:
        """Name of the neuron node whose spikes or membrane potentials are the network's output."""
        (before, *_) = self.into(self.output)
        return before

    @cached_property
    def neurons(self) -> tuple[str, ...]:
        """Names of the neuron nodes, in order."""
        return tuple(name for name, node in self.nodes.items() if isinstance(node, NEURONS))


@dataclass
class Survey(Flat):
    """A graph that is being resolved, with every fault found so far.

    Attributes:
        wiring: the resolved graph; None if there are faults.
    """

    wiring: Wiring | None = None


def wire(graph: nir.NIRGraph) -> Wiring:
    """Resolve a graph: inline its sub-graphs, order its nodes and infer their shapes.

    Raises:
        InputError: every fault: dangling edges, several inputs, unhandled nodes, shapes that do not match.
    """
    found = survey(graph)
    refuse("NIR graph", found.faults)
    assert found.wiring is not None
    return found.wiring


def survey(graph: nir.NIRGraph) -> Survey:
    """Resolve a graph as far as possible and collect every fault of every node."""
    found = Survey(*_inlined(graph))
    resets = dict(_resets(found, graph))
    wrong_numbers = _check_numbers(found)
    _check_edges(found)
    remove_inner_ends(found)
    remove_idle(found)
    find_ends(found)
    if wrong_numbers or not any(isinstance(node, nir.Input) for node in found.nodes.values()):
        return found
    shaped = _shaped(found)
    if not found.faults and sum(isinstance(node, nir.Output) for node in shaped.nodes.values()) > 1:
        found.nodes = {name: shaped.nodes[name] for name in found.nodes}  # as they stand in the graph
        resets |= join_outputs(found, shaped.shapes, resets)
        shaped = shaped if found.faults else _shaped(found)
    if not found.faults:
        version = str(vars(graph).get(FORMAT_VERSION, ""))
        assumed = tuple(found.assumed)
        found.wiring = Wiring(shaped.nodes, tuple(found.edges), shaped.delayed, shaped.shapes, assumed, resets, version)
    return found


def _shaped(found: Survey) -> Shaping:
    """The nodes in order, with the shapes that follow; faults and assumptions are added to those found."""
    order, delayed = _order(found)
    shaped = with_shapes(Shaping({name: found.nodes[name] for name in order}, tuple(found.edges), delayed))
    found.faults[:] = dict.fromkeys([*found.faults, *shaped.faults])
    found.assumed += shaped.assumed
    return shaped


def _inlined(graph: nir.NIRGraph, prefix: str = "") -> tuple[dict[str, nir.NIRNode], list[Edge]]:
    """All nodes of nested graphs under dotted names; edges of a sub-graph go to its Inputs and leave its Outputs."""
    nodes: dict[str, nir.NIRNode] = {}
    edges: list[Edge] = []
    enter: dict[str, list[str]] = {}
    leave: dict[str, list[str]] = {}
    for name, node in graph.nodes.items():
        if not isinstance(node, nir.NIRGraph):
            nodes[prefix + name] = node
            continue
        inner, inner_edges = _inlined(node, f"{prefix}{name}.")
        nodes |= inner
        edges += inner_edges
        enter[prefix + name] = [f"{prefix}{name}.{n}" for n, k in node.nodes.items() if isinstance(k, nir.Input)]
        leave[prefix + name] = [f"{prefix}{name}.{n}" for n, k in node.nodes.items() if isinstance(k, nir.Output)]
    for source, target in graph.edges:
        for start in leave.get(prefix + source, [prefix + source]):
            edges += [(start, end) for end in enter.get(prefix + target, [prefix + target])]
    return nodes, edges


def _resets(found: Survey, graph: nir.NIRGraph) -> Iterator[tuple[str, Reset]]:
    """The resets of neuron nodes: a node's own, else the graph's, else to zero, which is NIR's."""
    whole = _said(graph.metadata, "zero")
    if whole not in RESETS:
        found.faults.append(f"its metadata say that neurons are reset by {whole!r}; {_may_be(whole)}")
        return
    for name, node in found.nodes.items():
        own = _said(node.metadata, whole) if hasattr(node, "v_threshold") else "zero"
        if own not in RESETS:
            found.faults.append(f"node {name!r}: its metadata say that it is reset by {own!r}; {_may_be(own)}")
        elif own != "zero":
            yield name, cast("Reset", own)


def _said(metadata: Mapping[str, object], default: str) -> str:
    value = metadata.get(RESET_KEY, default)
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _may_be(reset: str) -> str:
    return did_you_mean(reset, RESETS)


def _check_numbers(found: Survey) -> bool:
    """Note parameters that are no finite numbers; returns whether there are any, with which nothing can be computed."""
    before = len(found.faults)
    for name, node in found.nodes.items():
        for field_name, value in vars(node).items():
            if not isinstance(value, np.ndarray | np.generic | float | str) or field_name == "padding":
                continue
            numbers = np.asarray(value)
            if numbers.dtype.kind not in "fiub":
                found.faults.append(f"node {name!r} has a {field_name!r} of {numbers.dtype}; must be real numbers")
            elif not np.all(np.isfinite(numbers)):
                found.faults.append(f"node {name!r} has a {field_name!r} that is not finite everywhere")
    return len(found.faults) > before


def _check_edges(found: Survey) -> None:
    for edge, count in Counter(found.edges).items():
        if missing := [name for name in edge if name not in found.nodes]:
            found.faults.append(
                f"edge {edge[0]!r} -> {edge[1]!r} dangles: there is no node {missing[0]!r}; remove it or add the node"
            )
        if count > 1:
            found.faults.append(f"edge {edge[0]!r} -> {edge[1]!r} occurs {count} times; keep one")
    # Each is a fault; without them what remains can be followed for others.
    found.edges[:] = [edge for edge in dict.fromkeys(found.edges) if all(name in found.nodes for name in edge)]


def _order(found: Survey) -> tuple[list[str], frozenset[Edge]]:
    """Nodes in topological order, and the edges that close loops: depth first from the input."""
    start = next(name for name, node in found.nodes.items() if isinstance(node, nir.Input))
    after = {name: found.out_of(name) for name in found.nodes}
    finished: list[str] = []
    on_path: list[str] = [start]
    seen = {start}
    closing: set[Edge] = set()
    todo: list[Iterator[str]] = [iter(after[start])]
    while todo:
        target = next(todo[-1], None)
        if target is None:
            todo.pop()
            finished.append(on_path.pop())
        elif target in on_path:
            closing.add((on_path[-1], target))
            loop = on_path[on_path.index(target) :]
            if not any(isinstance(found.nodes[name], NEURONS) for name in loop):
                found.faults.append(f"nodes {', '.join(loop)} form a loop without a neuron; it has no order")
        elif target not in seen:
            seen.add(target)
            on_path.append(target)
            todo.append(iter(after[target]))
    for name in found.nodes.keys() - seen:
        found.faults.append(f"node {name!r} cannot be reached from the input; remove it or connect it")
    return finished[::-1], frozenset(closing)
