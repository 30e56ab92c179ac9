"""NIR nodes and edges from a traced network: batch norms are folded away, sums become several edges into one node."""

from __future__ import annotations

import copy
import warnings
from contextlib import suppress
from typing import Any, TypeAlias

import nir
import torch
from torch import fx, nn

from ..base.errors import InputError
from ..base.types import Reset
from ..graph.nodes import Shape
from .linear_layers import WEIGHTED, any_spike, placed, scaled_outputs
from .modules import CannotExport, flatten, loop_of, node_of
from .neurons import is_integrator, is_neuron, reset_of
from .operations import Join
from .placed import PLACED, bias_of_places
from .recurrence import is_recurrent
from .spatial_maps import constant_map
from .tracing import OPERATIONS, inputs_of, is_flatten, is_sum, pools_spikes

INPUT, OUTPUT, ENCODER = "input", "output", "encoder"
"""Names of the nodes that are no layers of the network."""

Value: TypeAlias = tuple[tuple[str, ...], Shape]
"""A value in the traced network: the names of the NIR nodes whose sum it is, and its shape without the batch."""


class GraphBuilder:
    """NIR nodes by name in order of execution, the edges between them, and every fault found so far."""

    def __init__(self) -> None:
        self.nodes: dict[str, nir.NIRNode] = {}
        self.edges: list[tuple[str, str]] = []
        self.faults: list[str] = []
        self.taken: set[str] = set()
        self._pools: list[str] = []
        self._layers: dict[str, tuple[nn.Module, Shape]] = {}

    @property
    def resets(self) -> dict[str, Reset]:
        """By neuron node that fires, what its spikes do to its membrane."""
        firing = {n: layer for n, (layer, _) in self._layers.items() if is_neuron(layer) and not is_integrator(layer)}
        pools: dict[str, Reset] = dict.fromkeys(self._pools, "zero")
        return {name: reset_of(layer) for name, layer in firing.items()} | pools

    def follow(self, network: fx.GraphModule, first: Value) -> tuple[str, ...]:
        """Add the nodes of a traced network with the input ``first``; returns the names whose sum is its output."""
        modules = dict(network.named_modules())
        self.taken = {str(node.target) for node in network.graph.nodes if node.op == "call_module"}
        reserved = {INPUT, OUTPUT, *first[0]}
        values: dict[fx.Node, Value] = {}
        outputs: tuple[str, ...] = ()
        for node in network.graph.nodes:
            given = inputs_of(node)
            arriving = [values[source] for source in given if source in values]
            if node.op == "placeholder":
                values[node] = first
            elif node.op == "output":
                outputs = arriving[0][0] if arriving else ()
            elif len(arriving) < len(given):
                continue  # something before it has a fault already
            elif node.op == "call_module" and node.target in reserved:
                self.faults.append(f"module {node.target!r} has a name that the graph needs; rename it")
            else:
                self._try(values, node, modules[node.target] if node.op == "call_module" else None, arriving)
        return outputs

    def add(self, name: str, module: nn.Module, sources: tuple[str, ...], shape: Shape) -> Value:
        """Add the nodes of a module that is fed with the sum of ``sources``; returns the module's output."""
        made = node_of(module, shape)
        if made is None:
            return sources, shape
        nodes = [made] if isinstance(made, nir.NIRNode) else list(made)
        self._add_chain(name, nodes, sources)
        self._layers[name] = module, shape
        if isinstance(module, PLACED):
            constant = self._free(f"{name}_bias")
            self._add_chain(constant, constant_map(bias_of_places(module), shape), sources)
            return (name, constant), _output_shape(module, shape)
        if is_recurrent(module):
            loop = loop_of(module, shape)
            back = self._free(f"{name}_loop")
            self._add_chain(back, [loop] if isinstance(loop, nir.NIRNode) else list(loop or ()), (name,))
            self.edges.append((back, name))
        return (name,), shape if is_neuron(module) else _output_shape(module, shape)

    def _add_chain(self, name: str, nodes: list[nir.NIRNode], sources: tuple[str, ...]) -> None:
        """Add nodes in a row, of which the last is called ``name``."""
        for step, node in enumerate(nodes[:-1], 1):
            sources = (self._add_node(self._free(f"{name}_{step}"), node, sources),)
        self._add_node(name, nodes[-1], sources)

    def _try(
        self, values: dict[fx.Node, Value], node: fx.Node, module: nn.Module | None, arriving: list[Value]
    ) -> None:
        try:
            values[node] = self._value_of(node, module, arriving, _is_only_use(node, values))
        except (CannotExport, InputError) as fault:
            called = f"operation {node.name!r}" if module is None else f"module {node.target!r}"
            self.faults.append(f"{called} {fault}")
            # A faulty module's output gets a shape where it has one, so that faults behind it are found as well.
            if module is not None:
                shape = arriving[0][1]
                with (
                    suppress(CannotExport, InputError, NotImplementedError, ValueError, TypeError),
                    warnings.catch_warnings(),
                ):
                    warnings.simplefilter("ignore")
                    values[node] = (str(node.target),), shape if is_neuron(module) else _output_shape(module, shape)

    def _value_of(self, node: fx.Node, module: nn.Module | None, arriving: list[Value], only_use: bool) -> Value:
        if module is None:
            if is_sum(node):
                return _sum(arriving)
            if is_flatten(node):
                dims = dict(zip(("start_dim", "end_dim"), node.args[1:], strict=False)) | node.kwargs
                start, end = int(str(dims.get("start_dim", 0))), int(str(dims.get("end_dim", -1)))
                return self._add_flatten(node.name, start, end, *arriving[0])
            raise CannotExport(f"is {_called(node)}; in a forward pass handled are {OPERATIONS}")
        name, (sources, shape) = str(node.target), arriving[0]
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d) and only_use and self._fold(module, sources):
            return arriving[0]
        if isinstance(module, nn.Flatten):
            return self._add_flatten(name, module.start_dim, module.end_dim, sources, shape)
        if isinstance(module, Join):
            return self._join(name, module.axis, arriving)
        if pools_spikes(node) and name not in self.nodes:
            nodes, shape = any_spike(module, shape)
            self._add_chain(name, nodes, sources)
            self._pools.append(name)
            return (name,), shape
        if (
            name in self.nodes
            and next(module.parameters(), None) is None
            and not is_neuron(module)
            and not (pools_spikes(node))
        ):
            name = self._free(name)  # without weights or a state it may be used again
        if name in self.nodes:
            raise CannotExport(
                "is used more than once; the chip needs neurons and weights for each use: make one per use"
            )
        return self.add(name, module, sources, shape)

    def _join(self, name: str, axis: int, arriving: list[Value]) -> Value:
        """Values side by side: each is put at its place among zeros, and the sum is taken of all."""
        shapes = [shape for _, shape in arriving]
        at = axis - 1 if axis > 0 else axis + len(shapes[0])
        others = {(*shape[:at], *shape[at + 1 :]) for shape in shapes}
        if axis == 0 or not 0 <= at < len(shapes[0]) or len(others) > 1 or len({len(shape) for shape in shapes}) > 1:
            raise CannotExport(
                f"joins shapes {' and '.join(map(str, shapes))} along axis {axis}; all but that axis must be equal, "
                "and it must not be the batch"
            )
        total = sum(shape[at] for shape in shapes)
        target = (*shapes[0][:at], total, *shapes[0][at + 1 :])
        names, start = [], 0
        for number, (sources, shape) in enumerate(arriving, 1):
            place = slice(start, start := start + shape[at])
            part = self._free(f"{name}_{number}")
            self._add_chain(part, placed(shape, target, at, place), sources)
            names.append(part)
        return tuple(names), target

    def _add_flatten(self, name: str, start: int, end: int, sources: tuple[str, ...], shape: Shape) -> Value:
        node = flatten(shape, start, end)
        if node is None:
            return sources, shape
        while name in self.nodes or name in (INPUT, OUTPUT):
            name += "_"
        self._add_node(name, node, sources)
        return (name,), tuple(torch.flatten(torch.zeros(1, *shape), start, end).shape[1:])

    def _free(self, name: str) -> str:
        """``name``, or what no node is called yet."""
        while name in self.nodes or name in self.taken or name in (INPUT, OUTPUT):
            name += "_"
        return name

    def _add_node(self, name: str, node: nir.NIRNode, sources: tuple[str, ...]) -> str:
        self.nodes[name] = node
        self.edges += [(source, name) for source in sources]
        return name

    def _fold(self, norm: nn.BatchNorm1d | nn.BatchNorm2d, sources: tuple[str, ...]) -> bool:
        """Fold a batch norm, with its running statistics, into the layer before it; False if that is no such layer.

        ``W' = W * gamma / sqrt(var + eps)``, ``b' = (b - mean) * gamma / sqrt(var + eps) + beta``, in float64.
        """
        before, shape = self._layers.get(sources[0], (None, ())) if len(sources) == 1 else (None, ())
        if not isinstance(before, WEIGHTED):
            return False
        if norm.running_mean is None:
            raise CannotExport("keeps no running statistics; train it with track_running_stats=True")
        layer: Any = copy.deepcopy(before).double()
        scale: Any = copy.deepcopy(norm).double()
        gain = (scale.running_var + scale.eps).rsqrt()
        if scale.weight is not None:
            gain = gain * scale.weight.detach()
        shift = -scale.running_mean * gain + (0 if scale.bias is None else scale.bias.detach())
        if layer.bias is not None:
            shift = shift + layer.bias.detach() * gain
        layer.weight = nn.Parameter(scaled_outputs(layer, layer.weight.detach(), gain))
        layer.bias = nn.Parameter(shift)
        folded = node_of(layer, shape)
        self.nodes[sources[0]] = folded if isinstance(folded, nir.NIRNode) else list(folded or ())[-1]
        self._layers[sources[0]] = layer, shape
        return True


def _is_only_use(node: fx.Node, values: dict[fx.Node, Value]) -> bool:
    """Whether no other node takes the inputs of ``node``, seen through nodes that only pass a value on."""
    return all(
        len(source.users) == 1
        and (
            not any(values[before][0] == values[source][0] for before in source.all_input_nodes)
            or _is_only_use(source, values)
        )
        for source in node.all_input_nodes
    )


def _called(node: fx.Node) -> str:
    """An operation as one calls it."""
    return f"x.{node.target}(...)" if node.op == "call_method" else getattr(node.target, "__name__", str(node.target))


def _output_shape(module: nn.Module, shape: Shape) -> Shape:
    if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
        return shape
    parameter = next(module.parameters(), torch.zeros(0))
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of torch, about paddings that cost a copy
            return tuple(module(torch.zeros(1, *shape).to(parameter)).shape[1:])
    except RuntimeError as error:
        raise CannotExport(f"does not take an input of shape {shape}: {str(error).splitlines()[0]}") from error


def _sum(arriving: list[Value]) -> Value:
    if len(arriving) != 2:
        raise CannotExport("adds something that is not the output of a layer; fold constants into a bias")
    (one, shape), (other, other_shape) = arriving
    if shape != other_shape:
        raise CannotExport(f"adds shapes {shape} and {other_shape}; they must be equal")
    if twice := set(one) & set(other):
        raise CannotExport(f"adds {', '.join(sorted(twice))} twice; double its weights instead")
    return one + other, shape
