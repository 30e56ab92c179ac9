"""A NIR graph made plain: sub-graphs opened, shapes worked out, loops found, and what was assumed on the way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeAlias

import nir
import numpy as np

from ..base.errors import refuse
from .nodes import LINEAR, NEURONS, NodeFault, Shape, check_size, output_shape

Edge: TypeAlias = tuple[str, str]


@dataclass(frozen=True, eq=False)
class Wiring:
    """A flat graph with one input, one output, and a shape for every node.

    Attributes:
        nodes: by name, in an order in which every edge that is not delayed points forward.
        delayed: edges that close a loop; what they carry arrives one step later.
        shapes: by name, shapes of what arrives and of what leaves, without the batch.
        assumed: sentences for the user, in the order of discovery.
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
        """Name of the neuron whose spikes or membrane potentials are the answer."""
        (before, *_) = self.into(self.output)
        return before

    @cached_property
    def neurons(self) -> tuple[str, ...]:
        """Names of the neuron nodes, in order."""
        return tuple(name for name, node in self.nodes.items() if isinstance(node, NEURONS))

    def into(self, name: str) -> tuple[str, ...]:
        """Names of the nodes that feed ``name``."""
        return tuple(source for source, target in self.edges if target == name)

    def out_of(self, name: str) -> tuple[str, ...]:
        """Names of the nodes that ``name`` feeds."""
        return tuple(target for source, target in self.edges if source == name)


@dataclass
class Survey:
    """A graph being made plain, with every fault found so far; :attr:`wiring` is None where there is one."""

    nodes: dict[str, nir.NIRNode]
    edges: list[Edge]
    faults: list[str] = field(default_factory=list)
    assumed: list[str] = field(default_factory=list)
    wiring: Wiring | None = None


def wire(graph: nir.NIRGraph) -> Wiring:
    """Make a graph plain.

    Raises:
        InputError: every fault: dangling edges, several inputs, unhandled nodes, shapes that do not meet.
    """
    found = survey(graph)
    refuse("NIR graph", found.faults)
    assert found.wiring is not None
    return found.wiring


def survey(graph: nir.NIRGraph) -> Survey:
    """Make a graph plain as far as it goes, and say everything that stands in the way."""
    found = Survey(*_opened(graph))
    _check_edges(found)
    _contract_inner_ends(found)
    _find_ends(found)
    if found.faults:
        return found
    order, delayed = _order(found)
    if found.faults:
        return found
    shapes = _infer_shapes(found, order, delayed)
    if found.faults:
        return found
    found.wiring = Wiring(
        nodes={name: found.nodes[name] for name in order},
        edges=tuple(found.edges),
        delayed=delayed,
        shapes=shapes,
        assumed=tuple(found.assumed),
    )
    return found


def _opened(graph: nir.NIRGraph, prefix: str = "") -> tuple[dict[str, nir.NIRNode], list[Edge]]:
    """All nodes of nested graphs under dotted names; an edge to a sub-graph goes to its Input, one from it leaves its
    Output."""
    nodes: dict[str, nir.NIRNode] = {}
    edges: list[Edge] = []
    enter: dict[str, list[str]] = {}
    leave: dict[str, list[str]] = {}
    for name, node in graph.nodes.items():
        if not isinstance(node, nir.NIRGraph):
            nodes[prefix + name] = node
            continue
        inner, inner_edges = _opened(node, f"{prefix}{name}.")
        nodes |= inner
        edges += inner_edges
        enter[prefix + name] = [f"{prefix}{name}.{n}" for n, k in node.nodes.items() if isinstance(k, nir.Input)]
        leave[prefix + name] = [f"{prefix}{name}.{n}" for n, k in node.nodes.items() if isinstance(k, nir.Output)]
    for source, target in graph.edges:
        for start in leave.get(prefix + source, [prefix + source]):
            edges += [(start, end) for end in enter.get(prefix + target, [prefix + target])]
    return nodes, edges


def _check_edges(found: Survey) -> None:
    for edge, count in Counter(found.edges).items():
        if missing := [name for name in edge if name not in found.nodes]:
            found.faults.append(
                f"edge {edge[0]!r} -> {edge[1]!r} dangles: there is no node {missing[0]!r}; remove it or add the node"
            )
        if count > 1:
            found.faults.append(f"edge {edge[0]!r} -> {edge[1]!r} occurs {count} times; keep one")


def _contract_inner_ends(found: Survey) -> None:
    """Take Input and Output nodes of opened sub-graphs out: they pass everything on."""
    inner = [
        name
        for name, node in found.nodes.items()
        if (isinstance(node, nir.Input) and any(t == name for _, t in found.edges))
        or (isinstance(node, nir.Output) and any(s == name for s, _ in found.edges))
    ]
    for name in inner:
        before = [s for s, t in found.edges if t == name]
        after = [t for s, t in found.edges if s == name]
        kept = [edge for edge in found.edges if name not in edge]
        through = [(s, t) for s in before for t in after]
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
        if not isinstance(node, (nir.Input, nir.Output, *NEURONS, *LINEAR)):
            try:
                output_shape(node, ())
            except NodeFault as fault:
                found.faults.append(f"node {name!r} {fault}")


def _add_input(found: Survey) -> None:
    roots = [name for name in found.nodes if not any(t == name for _, t in found.edges)]
    shape = found.nodes[roots[0]].input_type.get("input") if len(roots) == 1 else None
    if shape is None:
        found.faults.append("has no Input node, and its shape cannot be told; add one")
        return
    found.nodes["input"] = nir.Input(np.asarray(shape))
    found.edges.append(("input", roots[0]))
    found.assumed.append(f"no Input node: one was put before {roots[0]!r}")


def _add_output(found: Survey) -> None:
    leaves = [name for name in found.nodes if not any(s == name for s, _ in found.edges)]
    if len(leaves) != 1:
        found.faults.append(f"has no Output node and {len(leaves)} nodes that feed nothing; add one Output")
        return
    found.nodes["output"] = nir.Output(np.array([0]))
    found.edges.append((leaves[0], "output"))
    found.assumed.append(f"no Output node: one was put after {leaves[0]!r}")


def _order(found: Survey) -> tuple[list[str], frozenset[Edge]]:
    """Nodes sorted along the edges, and the edges that close loops: depth first from the input."""
    start = next(name for name, node in found.nodes.items() if isinstance(node, nir.Input))
    after = {name: [t for s, t in found.edges if s == name] for name in found.nodes}
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
        arriving = [shapes[s][1] for s, t in found.edges if t == name and (s, t) not in delayed and s in shapes]
        if isinstance(node, nir.Input):
            arriving = _input_shape(found, name, node)
        if not arriving:
            return shapes  # what feeds it has a fault of its own
        if len(set(arriving)) > 1:
            found.faults.append(f"node {name!r}: what arrives has shapes {_listed(arriving)}; they must be one shape")
        try:
            shapes[name] = (arriving[0], output_shape(node, arriving[0]))
        except NodeFault as fault:
            found.faults.append(f"node {name!r} {fault}")
            return shapes
        _say_shape(found, name, node, arriving[0])
    for source, target in sorted(delayed):
        if shapes[source][1] != shapes[target][0]:
            found.faults.append(
                f"edge {source!r} -> {target!r} brings shape {shapes[source][1]} to a node of {shapes[target][0]}"
            )
    return shapes


def _input_shape(found: Survey, name: str, node: nir.Input) -> list[Shape]:
    """The shape of the input, nothing where it is a fault."""
    shape = tuple(int(size) for size in np.asarray(node.input_type["input"]).reshape(-1))
    try:
        check_size(shape)
    except NodeFault as fault:
        found.faults.append(f"input {name!r} {fault}")
        return []
    if len(shape) == 4 and shape[0] == 1:
        found.assumed.append(f"input {name!r} has shape {shape}: its first 1 is read as a batch and left out")
        return [shape[1:]]
    return [shape]


def _say_shape(found: Survey, name: str, node: nir.NIRNode, shape: Shape) -> None:
    if isinstance(node, nir.Conv2d) and node.input_shape is None:
        found.assumed.append(f"convolution {name!r} has no input_shape: {shape[1:]} follows from what feeds it")
    if isinstance(node, NEURONS) and np.size(node.r) == 1 and shape not in ((1,), ()):
        found.assumed.append(f"neuron {name!r} has single parameters: they are taken for all {shape} of its neurons")
    if isinstance(node, nir.Output):
        declared = tuple(int(size) for size in np.asarray(node.output_type["output"]).reshape(-1))
        if declared not in (shape, (0,)):
            found.assumed.append(f"output {name!r} says shape {declared}: {shape} is what arrives")


def _listed(shapes: list[Shape]) -> str:
    return " and ".join(str(shape) for shape in dict.fromkeys(shapes))
