"""A student's modules as steps of a graph, before they become NIR nodes: batch norms folded, sums turned into edges."""

from __future__ import annotations

import copy
import operator
import warnings
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import torch
from torch import fx, nn

from ..graph.nodes import Shape
from .modules import CannotExport, Passes, flatten, node_of
from .neurons import is_neuron

INPUT = "input"
OUTPUT = "output"

Value: TypeAlias = tuple[tuple[str, ...], Shape]
"""Names of the steps whose sum it is, and its shape."""


@dataclass
class Step:
    """One node to be.

    Attributes:
        what: a module, or ``(start_dim, end_dim)`` of a flatten in the forward pass.
        sources: names of the steps whose sum it takes.
        shape: of what arrives, without the batch.
    """

    name: str
    what: nn.Module | tuple[int, int]
    sources: tuple[str, ...]
    shape: Shape


@dataclass
class Sketch:
    """Steps by name in order of execution, what the network returns, and every fault found."""

    first: str
    steps: dict[str, Step] = field(default_factory=dict)
    returns: tuple[str, ...] = ()
    faults: list[str] = field(default_factory=list)


def sketch(graph: fx.GraphModule, shape: Shape, first: str) -> Sketch:
    """Follow a traced network fed by the node named ``first`` with values of ``shape``."""
    drawn = Sketch(first)
    modules = dict(graph.named_modules())
    reserved = {INPUT, OUTPUT, first}
    values: dict[fx.Node, Value] = {}
    for node in graph.graph.nodes:
        arriving = [values[source] for source in node.all_input_nodes if source in values]
        if node.op == "placeholder":
            values[node] = ((first,), shape)
        elif node.op == "output":
            drawn.returns = arriving[0][0] if arriving else ()
        elif len(arriving) < len(node.all_input_nodes):
            continue  # something before it has a fault already
        elif node.op == "call_module" and node.target in reserved:
            drawn.faults.append(f"module {node.target!r} has a name that the graph needs; rename it")
        else:
            what = modules[str(node.target)] if node.op == "call_module" else None
            name = str(node.target) if what is not None else node.name
            try:
                values[node] = _follow(drawn, node, name, what, arriving, _is_sole_use(node, values))
            except CannotExport as fault:
                drawn.faults.append(f"{_called(node, name)} {fault}")
                _go_on(values, node, name, what, arriving)
    return drawn


def _is_sole_use(node: fx.Node, values: dict[fx.Node, Value]) -> bool:
    """Whether nothing but ``node`` takes what it takes, looking through nodes that only pass a value on."""
    return all(
        len(source.users) == 1
        and (
            not any(values[before][0] == values[source][0] for before in source.all_input_nodes)
            or _is_sole_use(source, values)
        )
        for source in node.all_input_nodes
    )


def _go_on(
    values: dict[fx.Node, Value], node: fx.Node, name: str, module: nn.Module | None, arriving: list[Value]
) -> None:
    """Give a faulty module's value a shape where it has one, so that faults behind it are found as well."""
    if module is None:
        return
    _, shape = arriving[0]
    with suppress(CannotExport, NotImplementedError), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the module is refused already
        twin = copy.deepcopy(module).eval()
        values[node] = (name,), shape if is_neuron(module) else _pushed(twin, shape)


def _called(node: fx.Node, name: str) -> str:
    return f"module {name!r}" if node.op == "call_module" else f"operation {name!r}"


def _follow(
    drawn: Sketch,
    node: fx.Node,
    name: str,
    module: nn.Module | None,
    arriving: list[Value],
    only_use: bool,
) -> Value:
    """Add the step of one traced node; returns the names whose sum is its value, and that value's shape."""
    if module is not None:
        sources, shape = arriving[0]
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d) and _fold(drawn, module, sources, only_use):
            return arriving[0]
        return _module_step(drawn, name, module, sources, shape)
    if node.target in (operator.add, torch.add):
        return _sum(arriving)
    if node.target is torch.flatten or (node.op == "call_method" and node.target == "flatten"):
        sources, shape = arriving[0]
        start, end = _flatten_dims(node)
        return _flatten_step(drawn, _unused(drawn, name), start, end, sources, shape)
    raise CannotExport(f"is {node.target}; in a forward pass handled are modules, + and torch.flatten")


def _module_step(drawn: Sketch, name: str, module: nn.Module, sources: tuple[str, ...], shape: Shape) -> Value:
    if isinstance(module, nn.Flatten):
        return _flatten_step(drawn, _unused(drawn, name), module.start_dim, module.end_dim, sources, shape)
    if name in drawn.steps:
        raise CannotExport("is used more than once; the chip needs neurons and weights for each use: make one per use")
    if isinstance(node_of(module, shape), Passes):
        return sources, shape
    drawn.steps[name] = Step(name, module, sources, shape)
    return (name,), shape if is_neuron(module) else _pushed(module, shape)


def _pushed(module: nn.Module, shape: Shape) -> Shape:
    parameter = next(module.parameters(), torch.zeros(0))
    try:
        with torch.no_grad():
            return tuple(module(torch.zeros(1, *shape).to(parameter)).shape[1:])
    except RuntimeError as error:
        raise CannotExport(f"does not take an input of shape {shape}: {str(error).splitlines()[0]}") from error


def _flatten_step(drawn: Sketch, name: str, start: int, end: int, sources: tuple[str, ...], shape: Shape) -> Value:
    if isinstance(flatten(shape, start, end), Passes):
        return sources, shape
    drawn.steps[name] = Step(name, (start, end), sources, shape)
    return (name,), tuple(torch.flatten(torch.zeros(1, *shape), start, end).shape[1:])


def _flatten_dims(node: fx.Node) -> tuple[int, int]:
    dims = dict(zip(("start_dim", "end_dim"), node.args[1:], strict=False)) | node.kwargs
    return int(str(dims.get("start_dim", 0))), int(str(dims.get("end_dim", -1)))


def _sum(arriving: list[Value]) -> Value:
    if len(arriving) != 2:
        raise CannotExport("adds something that is not the output of a layer; fold constants into a bias")
    (one, shape), (other, other_shape) = arriving
    if shape != other_shape:
        raise CannotExport(f"adds shapes {shape} and {other_shape}; they must be equal")
    if twice := set(one) & set(other):
        raise CannotExport(f"adds {', '.join(sorted(twice))} twice; double its weights instead")
    return one + other, shape


def _unused(drawn: Sketch, name: str) -> str:
    while name in drawn.steps or name in (INPUT, OUTPUT, drawn.first):
        name += "_"
    return name


def _fold(drawn: Sketch, norm: nn.Module, sources: tuple[str, ...], only_use: bool) -> bool:
    """Fold a batch norm, with the statistics it uses in evaluation, into the layer before it; False where none fits.

    ``W' = W * gamma / sqrt(var + eps)``, ``b' = (b - mean) * gamma / sqrt(var + eps) + beta``, computed in float64.
    """
    step = drawn.steps.get(sources[0]) if len(sources) == 1 and only_use else None
    if step is None or not isinstance(step.what, nn.Conv2d | nn.Linear):
        return False
    if norm.running_mean is None:
        raise CannotExport("keeps no running statistics; train it with track_running_stats=True")
    layer, scale = _in_double(step.what), _in_double(norm)
    gain = (scale.running_var + scale.eps).rsqrt()
    if scale.affine:
        gain = gain * scale.weight.detach()
    shift = -scale.running_mean * gain + (scale.bias.detach() if scale.affine else 0)
    if layer.bias is not None:
        shift = shift + layer.bias.detach() * gain
    layer.weight = nn.Parameter(layer.weight.detach() * gain.reshape(-1, *[1] * (layer.weight.ndim - 1)))
    layer.bias = nn.Parameter(shift)
    step.what = layer
    return True


def _in_double(module: nn.Module) -> Any:
    """A float64 copy."""
    return copy.deepcopy(module).double()
