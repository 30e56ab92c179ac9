"""A resolved NIR graph: sub-graphs inlined, shapes inferred, loops found, and the assumptions that were made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeAlias

import nir
import numpy as np

from ..base.errors import refuse
from .nodes import NEURONS, NodeFault, Shape, check_size, is_linear, output_shape

Edge: TypeAlias = tuple[str, str]


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
    """

    nodes: dict[str, nir.NIRNode]
    edges: tuple[Edge, ...]
    delayed: frozenset[Edge]
    shapes: dict[str, tuple[Shape, Shape]]
    assumed: tuple[str, ...]

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
    """Resolve a graph as far as possible and collect every fault that prevents more."""
    found = Survey(*_inlined(graph))
    _check_numbers(found)
    _check_edges(found)
    _remove_inner_ends(found)
    _find_ends(found)
    if found.faults:
        return found
    order, delayed = _order(found)
    shapes = {} if found.faults else _infer_shapes(found, order, delayed)
    if not found.faults:
        nodes = {name: found.nodes[name] for name in order}
        found.wiring = Wiring(nodes, tuple(found.edges), delayed, shapes, tuple(found.assumed))
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


def _check_numbers(found: Survey) -> None:
    for name, node in found.nodes.items():
        for field_name, value in vars(node).items():
            if not isinstance(value, np.ndarray | np.generic | float | str) or field_name == "padding":
                continue
            numbers = np.asarray(value)
            if numbers.dtype.kind not in "fiub":
                found.faults.append(f"node {name!r} has a {field_name!r} of {numbers.dtype}; must be real numbers")
            elif not np.all(np.isfinite(numbers)):
                found.faults.append(f"node {name!r} has a {field_name!r} that is not finite everywhere")


def _check_edges(found: Survey) -> None:
    for edge, count in Counter(found.edges).items():
        if missing := [name for name in edge if name not in found.nodes]:
            found.faults.append(
                f"edge {edge[0]!r} -> {edge[1]!r} dangles: there is no node {missing[0]!r}; remove it or add the node"
            )
        if count > 1:
            found.faults.append(f"edge {edge[0]!r} -> {edge[1]!r} occurs {count} times; keep one")


def _remove_inner_ends(found: Survey) -> None:
    """Remove the Input and Output nodes of inlined sub-graphs, which pass their input on."""
    inner = [
        name
        for name, node in found.nodes.items()
        if (isinstance(node, nir.Input) and found.into(name)) or (isinstance(node, nir.Output) and found.out_of(name))
    ]
    for name in inner:
        kept = [edge for edge in found.edges if name not in edge]
        through = [(source, target) for source in found.into(name) for target in found.out_of(name)]
        found.edges[:] = kept + [edge for edge in through if edge not in kept]
        del found.nodes[name]


def _find_ends(found: Survey) -> None:
    inputs = [name for name, node in found.nodes.items() if isinstance(node, nir.Input)]
    outputs = [name for name, node in found.nodes.items() if isinstance(node, nir.Output)]
    for what, names in (("Input", inputs), ("Output", outputs)):
        if len(names) > 1:
            found.faults.append(f"has {len(names)} {what} nodes ({', '.join(sorted(names))}); one is handled")
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


def _infer_shapes(found: Survey, order: list[str], delayed: frozenset[Edge]) -> dict[str, tuple[Shape, Shape]]:
    shapes: dict[str, tuple[Shape, Shape]] = {}
    for name in order:
        node = found.nodes[name]
        arriving = [shapes[s][1] for s in found.into(name) if (s, name) not in delayed and s in shapes]
        if isinstance(node, nir.Input):
            arriving = _input_shape(found, name, node)
        if not arriving:
            return shapes  # what feeds it has a fault of its own
        if len(set(arriving)) > 1:
            listed = " and ".join(str(shape) for shape in dict.fromkeys(arriving))
            found.faults.append(f"node {name!r}: its inputs have shapes {listed}; they must be equal")
        try:
            shapes[name] = (arriving[0], output_shape(node, arriving[0]))
        except NodeFault as fault:
            found.faults.append(f"node {name!r} {fault}")
            return shapes
        _note_assumptions(found, name, node, arriving[0])
    for source, target in sorted(delayed):
        if shapes[source][1] != shapes[target][0]:
            found.faults.append(
                f"edge {source!r} -> {target!r} connects an output of shape {shapes[source][1]} to an input of shape "
                f"{shapes[target][0]}"
            )
    return shapes


def _whole_numbers(sizes: object) -> Shape | None:
    """A shape as a graph states it; None for texts, fractions, NaN and infinities."""
    found = np.asarray(sizes).reshape(-1)
    if found.dtype.kind not in "iuf" or not np.all(np.isfinite(found)) or np.any(found != np.trunc(found)):
        return None
    return tuple(int(size) for size in found)


def _input_shape(found: Survey, name: str, node: nir.Input) -> list[Shape]:
    """The shape of the input in a list, which is empty if the shape is a fault."""
    shape = _whole_numbers(node.input_type["input"])
    if shape is None:
        found.faults.append(f"input {name!r} has a shape that is no list of whole numbers")
        return []
    try:
        check_size(shape)
    except NodeFault as fault:
        found.faults.append(f"input {name!r} {fault}")
        return []
    if len(shape) == 4 and shape[0] == 1:
        found.assumed.append(f"input {name!r} has shape {shape}: its first 1 is read as a batch and left out")
        return [shape[1:]]
    return [shape]


def _note_assumptions(found: Survey, name: str, node: nir.NIRNode, shape: Shape) -> None:
    if isinstance(node, nir.Conv1d | nir.Conv2d) and node.input_shape is None:
        found.assumed.append(f"convolution {name!r} has no input_shape: {shape[1:]} follows from what feeds it")
    if isinstance(node, NEURONS) and np.size(node.r) == 1 and shape not in ((1,), ()):
        found.assumed.append(f"neuron {name!r} has single parameters: they are taken for all {shape} of its neurons")
    if isinstance(node, nir.Output):
        declared = _whole_numbers(node.output_type["output"])
        if declared is None:
            found.faults.append(f"output {name!r} has a shape that is no list of whole numbers")
        elif declared not in (shape, (0,)):
            found.assumed.append(f"output {name!r} says shape {declared}: {shape} is what arrives")
