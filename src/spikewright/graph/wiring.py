"""A resolved NIR graph: sub-graphs inlined, shapes inferred, loops found, and the assumptions that were made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import cast

import nir
import numpy as np

from ..base.errors import did_you_mean, refuse
from ..base.types import RESETS, Reset
from .fields import NodeFault
from .nodes import NEURONS, NeuronConstants, Shape, constants_of, is_linear, output_shape
from .shapes import Edge, Shaping, with_shapes

RESET_KEY = "reset"
"""Key of the reset in the metadata of a graph, and of a neuron node whose reset is another one."""

FORMAT_VERSION = "format_version"
"""Attribute of a graph that was read from a file: the version of NIR that wrote it."""


class _Connected:
    edges: Sequence[Edge]

    def into(self, name: str) -> tuple[str, ...]:
        """Names of the nodes that feed ``name``."""
        return tuple(source for source, target in self.edges if target == name)

    def out_of(self, name: str) -> tuple[str, ...]:
        """Names of the nodes that ``name`` feeds."""
        return tuple(target for source, target in self.edges if source == name)


@dataclass(frozen=True, eq=False)
class Wiring(_Connected):
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
class Survey(_Connected):
    """A graph that is being resolved, with every fault found so far.

    Attributes:
        nodes: of the flat graph, by dotted name.
        edges: of the flat graph.
        faults: messages that name the node or edge.
        assumed: as in :class:`Wiring`.
        wiring: the resolved graph; None if there are faults.
    """

    nodes: dict[str, nir.NIRNode]
    edges: list[Edge]
    faults: list[str] = field(default_factory=list)
    assumed: list[str] = field(default_factory=list)
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
    _remove_inner_ends(found)
    _remove_idle(found)
    _find_ends(found)
    if wrong_numbers or not any(isinstance(node, nir.Input) for node in found.nodes.values()):
        return found
    order, delayed = _order(found)
    shaped = with_shapes(Shaping({name: found.nodes[name] for name in order}, tuple(found.edges), delayed))
    found.faults[:] = dict.fromkeys([*found.faults, *shaped.faults])
    found.assumed += shaped.assumed
    if not found.faults:
        version = str(vars(graph).get(FORMAT_VERSION, ""))
        assumed = tuple(found.assumed)
        found.wiring = Wiring(shaped.nodes, tuple(found.edges), delayed, shaped.shapes, assumed, resets, version)
    return found


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


def _remove_inner_ends(found: Survey) -> None:
    """Remove the Input and Output nodes of inlined sub-graphs, which pass their input on."""
    inner = [
        name
        for name, node in found.nodes.items()
        if (isinstance(node, nir.Input) and found.into(name)) or (isinstance(node, nir.Output) and found.out_of(name))
    ]
    for name in inner:
        _take_out(found, name)


def _take_out(found: Survey, name: str) -> None:
    """Remove a node that passes its input on, and join the edges."""
    kept = [edge for edge in found.edges if name not in edge]
    through = [(source, target) for source in found.into(name) for target in found.out_of(name)]
    found.edges[:] = kept + [edge for edge in through if edge not in kept]
    del found.nodes[name]


def _remove_idle(found: Survey) -> None:
    """Remove what does nothing: delays of zero, and second ends of a graph without an edge."""
    for name, node in list(found.nodes.items()):
        if isinstance(node, nir.Delay) and not np.any(np.asarray(node.delay, np.float64)):
            found.assumed.append(f"Delay {name!r} is zero everywhere: it is left out")
            _take_out(found, name)
    for kind in (nir.Input, nir.Output):
        ends = [name for name, node in found.nodes.items() if isinstance(node, kind)]
        idle = [name for name in ends if not found.into(name) and not found.out_of(name)]
        for name in idle if len(idle) < len(ends) else ():
            found.assumed.append(f"{kind.__name__} {name!r} is connected to nothing: it is left out")
            del found.nodes[name]


_JOINED = {
    "Input": "let one give all values side by side",
    "Output": "join the layers that they read into one, whose scores are side by side",
}
"""What to do with several nodes of a kind of which there is one."""


def _find_ends(found: Survey) -> None:
    inputs = [name for name, node in found.nodes.items() if isinstance(node, nir.Input)]
    outputs = [name for name, node in found.nodes.items() if isinstance(node, nir.Output)]
    for what, names in (("Input", inputs), ("Output", outputs)):
        if len(names) > 1:
            found.faults.append(
                f"has {len(names)} {what} nodes ({', '.join(sorted(names))}); one is handled: {_JOINED[what]}"
            )
    if not inputs:
        _add_input(found)
    if not outputs:
        _add_output(found)
    for name, node in found.nodes.items():
        if not (isinstance(node, (nir.Input, nir.Output, *NEURONS)) or is_linear(node)):
            try:
                output_shape(node, ())
            except NodeFault as fault:
                found.faults.append(f"node {name!r} {fault}")


def _add_input(found: Survey) -> None:
    roots = [name for name in found.nodes if not found.into(name)]
    shape = found.nodes[roots[0]].input_type.get("input") if len(roots) == 1 else None
    if shape is None:
        found.faults.append("has no Input node, and its shape cannot be inferred; add one")
        return
    found.nodes["input"] = nir.Input(np.asarray(shape))
    found.edges.append(("input", roots[0]))
    found.assumed.append(f"no Input node: one was put before {roots[0]!r}")


def _add_output(found: Survey) -> None:
    leaves = [name for name in found.nodes if not found.out_of(name)]
    if len(leaves) != 1:
        found.faults.append(f"has no Output node and {len(leaves)} nodes that feed nothing; add one Output")
        return
    found.nodes["output"] = nir.Output(np.array([0]))
    found.edges.append((leaves[0], "output"))
    found.assumed.append(f"no Output node: one was put after {leaves[0]!r}")


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
