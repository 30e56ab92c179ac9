"""Shapes of a graph's nodes, without the batch: inferred from the input on, with every fault and what was mended."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import nir
import numpy as np

from .fields import NodeFault, whole_numbers
from .mending import mended
from .nodes import NEURONS, Shape, check_size, first_parameter, output_shape

Edge: TypeAlias = tuple[str, str]


@dataclass
class Shaping:
    """Nodes in order, and what is found of them.

    Attributes:
        nodes: by name, in an order in which every edge that is not delayed points forward; mended where they had to be.
        edges: pairs of source and target.
        delayed: edges that close a loop.
        shapes: by name, shapes of a node's input and output; what stands behind a fault may be missing.
        faults: messages that name the node.
        assumed: what was assumed, as sentences.
    """

    nodes: dict[str, nir.NIRNode]
    edges: tuple[Edge, ...]
    delayed: frozenset[Edge]
    shapes: dict[str, tuple[Shape, Shape]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    assumed: list[str] = field(default_factory=list)


def with_shapes(graph: Shaping) -> Shaping:
    """The graph with inferred shapes: a leading 1 of its input is a batch where it fits only without."""
    name, node = next((name, node) for name, node in graph.nodes.items() if isinstance(node, nir.Input))
    shape = whole_numbers(node.input_type["input"])
    if shape is None:
        return replace(graph, faults=[f"input {name!r} has a shape that is no list of whole numbers"])
    try:
        check_size(shape)
    except NodeFault as fault:
        return replace(graph, faults=[f"input {name!r} {fault}"])
    tries = [_inferred(graph, name, shape, without) for without in _readings(shape)]
    return next((found for found in tries if not found.faults), min(tries, key=lambda found: len(found.faults)))


def _readings(shape: Shape) -> Iterator[Shape]:
    """A shape as it stands and without 1s in front, the likely ones first: no layer takes four axes."""
    ones = next((index for index, size in enumerate(shape) if size != 1), len(shape) - 1)
    stripped = [shape[count:] for count in range(ones + 1)]
    likely = [each for each in stripped if len(each) <= 3]
    yield from likely or [stripped[-1]]


def _inferred(graph: Shaping, start: str, stated: Shape, shape: Shape) -> Shaping:
    found = replace(graph, nodes=dict(graph.nodes), shapes={}, faults=[], assumed=[])
    if shape != stated:
        ones = "its first 1 is" if len(stated) - len(shape) == 1 else "the 1s in front are"
        found.assumed.append(f"input {start!r} has shape {stated}: {ones} read as a batch and left out")
    for name in graph.nodes:
        arriving = [shape] if name == start else _arriving(found, name)
        if len(set(arriving)) > 1:
            listed = " and ".join(str(each) for each in dict.fromkeys(arriving))
            found.faults.append(f"node {name!r}: its inputs have shapes {listed}; they must be equal")
        if arriving:
            _take(found, name, arriving[0])
        elif (own := _shape_of_its_own(found.nodes[name])) is not None:
            found.shapes[name] = own, own  # what feeds it has a fault; what it feeds may have others
    for source, target in sorted(found.delayed):
        if source in found.shapes and target in found.shapes and found.shapes[source][1] != found.shapes[target][0]:
            found.faults.append(
                f"edge {source!r} -> {target!r} connects an output of shape {found.shapes[source][1]} to an input of "
                f"shape {found.shapes[target][0]}"
            )
    return found


def _arriving(found: Shaping, name: str) -> list[Shape]:
    sources = [source for source, target in found.edges if target == name and (source, name) not in found.delayed]
    return [found.shapes[source][1] for source in sources if source in found.shapes]


def _take(found: Shaping, name: str, shape: Shape) -> None:
    """Note the shapes of a node that takes ``shape``, mended where that needs no guess."""
    after = [found.nodes[target] for source, target in found.edges if source == name]
    node, changes = mended(found.nodes[name], shape, after)
    found.nodes[name] = node
    found.assumed += [f"{type(node).__name__} {name!r} {change}" for change in changes]
    try:
        found.shapes[name] = shape, output_shape(node, shape)
    except NodeFault as fault:
        found.faults.append(f"node {name!r} {fault}")
        if (own := _shape_of_its_own(node)) is not None:
            found.shapes[name] = shape, own
        return
    _note_assumptions(found, name, node, shape)


def _shape_of_its_own(node: nir.NIRNode) -> Shape | None:
    """What a node gives by its own parameters, whatever arrives; None where these do not say it."""
    if isinstance(node, nir.Linear | nir.Affine) and np.ndim(node.weight) == 2:
        return (len(node.weight),)
    if isinstance(node, NEURONS) and np.size(first_parameter(node)) > 1:
        return tuple(np.shape(first_parameter(node)))
    return None


def _note_assumptions(found: Shaping, name: str, node: nir.NIRNode, shape: Shape) -> None:
    if isinstance(node, nir.Conv1d | nir.Conv2d) and node.input_shape is None:
        found.assumed.append(f"convolution {name!r} has no input_shape: {shape[1:]} follows from what feeds it")
    if isinstance(node, NEURONS) and np.size(first_parameter(node)) == 1 and shape not in ((1,), ()):
        found.assumed.append(f"neuron {name!r} has single parameters: they are taken for all {shape} of its neurons")
    if isinstance(node, nir.Output):
        declared = whole_numbers(node.output_type["output"])
        if declared is None:
            found.faults.append(f"output {name!r} has a shape that is no list of whole numbers")
        elif declared not in (shape, (0,)):
            found.assumed.append(f"output {name!r} says shape {declared}: {shape} is what arrives")
