"""Inputs and outputs of a graph: one of each, those that are missing added, several outputs joined."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from math import prod

import nir
import numpy as np

from ..base.errors import a_kind
from ..base.types import FloatArray, Reset
from .fields import NodeFault
from .flat import Flat
from .nodes import NEURONS, Shape, is_linear, output_shape


def remove_inner_ends(found: Flat) -> None:
    """Remove the Input and Output nodes of inlined sub-graphs, which pass their input on."""
    inner = [
        name
        for name, node in found.nodes.items()
        if (isinstance(node, nir.Input) and found.into(name)) or (isinstance(node, nir.Output) and found.out_of(name))
    ]
    for name in inner:
        _take_out(found, name)


def _take_out(found: Flat, name: str) -> None:
    """Remove a node that passes its input on, and join the edges."""
    kept = [edge for edge in found.edges if name not in edge]
    through = [(source, target) for source in found.into(name) for target in found.out_of(name)]
    found.edges[:] = kept + [edge for edge in through if edge not in kept]
    del found.nodes[name]


def remove_idle(found: Flat) -> None:
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


def find_ends(found: Flat) -> None:
    """Add an Input and an Output where there is none, and note faults of them and nodes that are not handled."""
    inputs = [name for name, node in found.nodes.items() if isinstance(node, nir.Input)]
    outputs = [name for name, node in found.nodes.items() if isinstance(node, nir.Output)]
    if len(inputs) > 1:
        listed = ", ".join(sorted(inputs))
        found.faults.append(
            f"has {len(inputs)} Input nodes ({listed}); one is handled: let one give all values side by side"
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


def _add_input(found: Flat) -> None:
    roots = [name for name in found.nodes if not found.into(name)]
    shape = found.nodes[roots[0]].input_type.get("input") if len(roots) == 1 else None
    if shape is None:
        found.faults.append("has no Input node, and its shape cannot be inferred; add one")
        return
    found.nodes["input"] = nir.Input(np.asarray(shape))
    found.edges.append(("input", roots[0]))
    found.assumed.append(f"no Input node: one was put before {roots[0]!r}")


def _add_output(found: Flat) -> None:
    leaves = [name for name in found.nodes if not found.out_of(name)]
    if len(leaves) != 1:
        found.faults.append(f"has no Output node and {len(leaves)} nodes that feed nothing; add one Output")
        return
    found.nodes["output"] = nir.Output(np.array([0]))
    found.edges.append((leaves[0], "output"))
    found.assumed.append(f"no Output node: one was put after {leaves[0]!r}")


def join_outputs(
    found: Flat, shapes: Mapping[str, tuple[Shape, Shape]], resets: Mapping[str, Reset]
) -> dict[str, Reset]:
    """Make one readout of those that several outputs read, with their scores side by side.

    Their order is that of the Output nodes in the graph, which nir's reader of files gives by name.

    Each becomes a slice of the new one: what feeds it passes through a matrix that puts its values into their places.

    Args:
        found: a graph whose nodes all have shapes; its nodes and edges are changed.
        shapes: by name, of each node's input and output.
        resets: by name of neurons, what their spikes do.

    Returns:
        the reset of the new readout where it is not to zero.
    """
    outputs = [name for name, node in found.nodes.items() if isinstance(node, nir.Output)]
    readouts = list(dict.fromkeys(source for output in outputs for source in found.into(output)))
    if faults := list(_unjoinable(found, outputs, readouts, resets)):
        found.faults += faults
        return {}
    sizes = [prod(shapes[name][1]) for name in readouts]
    constants: dict[str, list[FloatArray]] = {}
    for name in readouts:
        for field in fields(found.nodes[name]):
            if isinstance(value := getattr(found.nodes[name], field.name), np.ndarray):
                constants.setdefault(field.name, []).append(np.broadcast_to(value, shapes[name][0]).reshape(-1))
    node = type(found.nodes[readouts[0]])(**{name: np.concatenate(values) for name, values in constants.items()})
    joined, first = _free(found, "_".join(readouts)), 0
    ranges = []
    for name, size in zip(readouts, sizes, strict=True):
        for source in found.into(name):
            _place(found, source, joined, shapes[source][1], np.eye(sum(sizes))[:, first : first + size])
        ranges.append(f"{first} to {first + size - 1} are those of {name!r}")
        first += size
    found.edges[:] = [edge for edge in found.edges if not {*edge} & {*readouts, *outputs}]
    for name in [*readouts, *outputs]:
        del found.nodes[name]
    found.nodes |= {joined: node, outputs[0]: nir.Output(np.array([sum(sizes)]))}
    found.edges.append((joined, outputs[0]))
    found.assumed.append(f"outputs {', '.join(map(repr, outputs))} are joined: scores {', '.join(ranges)}")
    return {joined: resets[readouts[0]]} if readouts[0] in resets else {}


def _unjoinable(found: Flat, outputs: list[str], readouts: list[str], resets: Mapping[str, Reset]) -> Iterator[str]:
    """Why outputs cannot be one."""
    listed = ", ".join(sorted(outputs))
    what = f"has {len(outputs)} Output nodes ({listed})"
    for output in outputs:
        if len(sources := found.into(output)) != 1:
            yield f"{what}; {output!r} reads {len(sources)} nodes, and each must read one"
    for name in readouts:
        node = found.nodes[name]
        must = "each must read neurons that feed nothing else"
        if not isinstance(node, NEURONS):
            yield f"{what}; {name!r} is {a_kind(type(node).__name__)}, and {must}"
        elif any(target not in outputs for target in found.out_of(name)) or name in found.into(name):
            yield f"{what}; {name!r} feeds further nodes, and {must}"
    kinds = {type(found.nodes[name]).__name__ for name in readouts}
    if len(kinds) > 1:
        yield f"{what} that read {' and '.join(sorted(kinds))}; neurons of one kind can be joined to one readout"
    if len({resets.get(name, "zero") for name in readouts}) > 1:
        yield f"{what} that read neurons of different resets; those of one can be joined to one readout"


def _place(found: Flat, source: str, target: str, shape: Shape, places: FloatArray) -> None:
    """Lead what ``source`` gives to its places in ``target``."""
    if len(shape) > 1:
        flat = _free(found, f"{source}_flat")
        found.nodes[flat] = nir.Flatten(input_type={"input": np.array(shape)}, start_dim=0, end_dim=-1)
        found.edges.append((source, flat))
        source = flat
    placed = _free(found, f"{source}_places")
    found.nodes[placed] = nir.Linear(places)
    found.edges += [(source, placed), (placed, target)]


def _free(found: Flat, name: str) -> str:
    while name in found.nodes:
        name += "_"
    return name
