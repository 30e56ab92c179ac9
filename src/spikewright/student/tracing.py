"""The traced graph of a network's layers and neurons, and its forward pass layer by layer."""

from __future__ import annotations

import operator
from collections.abc import Callable
from keyword import iskeyword
from typing import Any, TypeVar

import torch
from torch import Tensor, fx, nn

from ..base.errors import InputError, refuse
from .linear_layers import has_node
from .neurons import MAX_POOLS, NeuronTrace, is_integrator, is_neuron, run_over_time
from .operations import DropoutOf, Reshape, operations_as_modules
from .shared import on_whole_batch

Value = TypeVar("Value")
OPERATIONS = (
    "modules, +, multiplication by a number, torch.cat, torch.flatten, view, reshape, squeeze, F.avg_pool1d/2d, "
    "F.adaptive_avg_pool1d/2d, F.interpolate and F.dropout"
)
"""What a forward pass may do, in words."""

OURS = (DropoutOf, Reshape)
"""Modules that operations have become, in a network that was wired anew."""


class _NeuronTracer(fx.Tracer):
    """Traces through modules and stops at neurons, torch's own modules and those that :func:`node_of` knows."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        is_ours = is_neuron(m) or has_node(m) or isinstance(m, OURS)
        return is_ours or super().is_leaf_module(m, module_qualified_name)


def trace(module: nn.Module) -> fx.GraphModule:
    """The graph of ``module``, whose nodes are torch's layers and snnTorch's neurons.

    Raises:
        InputError: the forward pass branches on data, or does something else that cannot be traced symbolically; a
            layer is named by a Python keyword.
    """
    words = [name for name, _ in module.named_modules() if any(map(iskeyword, name.split(".")))]
    refuse(
        type(module).__name__, [f"layer {name!r} is named by a Python keyword; give it another name" for name in words]
    )
    try:
        graph = _NeuronTracer().trace(module)
    except (fx.proxy.TraceError, TypeError, NotImplementedError) as error:
        raise InputError(
            f"{type(module).__name__}: its forward pass cannot be followed ({error}); "
            "write it as layers, + and torch.flatten, without branching on data"
        ) from error
    traced: fx.GraphModule = fx.GraphModule(module, graph)
    operations_as_modules(traced, module)
    return traced


def flat_time(function: Callable[..., Tensor], *values: Tensor) -> Tensor:
    """Apply a stateless function to values ``(T or 1, B, ...)`` as one batch; the result has T = 1 if all values do."""
    steps = max(value.shape[0] for value in values)
    batch = values[0].shape[1]
    merged = (v.expand(steps, *v.shape[1:]).reshape(steps * batch, *v.shape[2:]) for v in values)
    result = function(*merged)
    return result.reshape(steps, batch, *result.shape[1:])


def follow(
    graph: fx.GraphModule,
    first: Value,
    neurons: Callable[[str, nn.Module, Value], Value],
    other: Callable[[fx.Node, nn.Module | None, list[Value]], Value],
) -> Any:
    """Carry values of any kind through a traced network, node by node; returns the node that is its output.

    Args:
        neurons: given the name and the module of a neuron layer and the value that it is fed with, its output.
        other: the same of any other node, given its module, None for an operation, and the values of its arguments.

    Raises:
        InputError: the network has no output.
    """
    modules = dict(graph.named_modules())
    values: dict[fx.Node, Value] = {}
    for node in graph.graph.nodes:
        module = modules[str(node.target)] if node.op == "call_module" else None
        arriving = [values[source] for source in inputs_of(node)]
        if node.op == "placeholder":
            values[node] = first
        elif node.op == "output":
            return node.args[0]
        elif module is not None and is_neuron(module):
            values[node] = neurons(str(node.target), module, arriving[0])
        else:
            values[node] = other(node, module, arriving)
    raise InputError("the traced network has no output")


def walk(graph: fx.GraphModule, inputs: Tensor, timesteps: int) -> dict[str, NeuronTrace]:
    """Run a traced network, each layer over all T timesteps before the next; returns the traces of its neuron layers.

    Args:
        inputs: ``(T, B, *input shape)``, or ``(1, B, *input shape)`` if every timestep has the same input.

    Raises:
        InputError: a node that is neither a module, ``+`` nor ``flatten``, or an output that is not a neuron's.
    """
    traces: dict[str, NeuronTrace] = {}

    def neurons(name: str, module: nn.Module, current: Tensor) -> Tensor:
        traces[name] = run_over_time(name, module, current, timesteps)
        spikes = traces[name].spikes
        return traces[name].membrane if spikes is None else spikes

    def other(node: fx.Node, module: nn.Module | None, values: list[Tensor]) -> Tensor:
        whole = None if module is None else on_whole_batch(module, values[0].shape[0])
        given = flat_time(whole or stateless(node, module), *values)
        if pools_spikes(node):
            traces[str(node.target)] = NeuronTrace(given, given, given)
        return given

    result = follow(graph, inputs, neurons, other)
    if getattr(result, "target", None) not in traces:
        raise InputError(
            f"the network returns {result}; it must return the output of its last snn.Leaky or snn.Synaptic"
        )
    return traces


def inputs_of(node: fx.Node) -> list[fx.Node]:
    """The nodes whose values a node takes, in their order, one that it takes twice included."""
    given = [each for each in node.args if isinstance(each, fx.Node)]
    return given if len(set(given)) == len(node.all_input_nodes) else list(node.all_input_nodes)


def pools_spikes(node: fx.Node) -> bool:
    """Whether a node takes the largest of several spikes, each 0 or 1: they come straight from neurons that fire."""
    network = node.graph.owning_module
    if node.op != "call_module" or not isinstance(network.get_submodule(str(node.target)), MAX_POOLS):
        return False
    (source,) = inputs_of(node)
    while source.op == "call_module":
        module = network.get_submodule(str(source.target))
        if is_neuron(module) or isinstance(module, MAX_POOLS):
            return pools_spikes(source) if isinstance(module, MAX_POOLS) else not is_integrator(module)
        if not isinstance(module, nn.Identity | nn.Dropout | nn.Dropout1d | nn.Dropout2d):
            return False
        (source,) = inputs_of(source)
    return False


def is_sum(node: fx.Node) -> bool:
    """Whether a node adds two values."""
    adds = (
        node.target in (operator.add, operator.iadd, torch.add)
        if node.op == "call_function"
        else node.op == ("call_method") and node.target in ("add", "add_")
    )
    return adds and not node.kwargs


def is_flatten(node: fx.Node) -> bool:
    """Whether a node is ``torch.flatten`` or a tensor's ``flatten``."""
    return node.target is torch.flatten or (node.op == "call_method" and node.target == "flatten")


def stateless(node: fx.Node, module: nn.Module | None) -> Callable[..., Tensor]:
    """The function that a node without state, of ``module`` or an operation, computes on one batch.

    Raises:
        InputError: the node is neither a module, ``+`` nor ``flatten``.
    """
    if module is not None:
        return module
    if is_sum(node):
        return torch.add
    if is_flatten(node):
        extra: Any = node.args[1:]
        named: Any = node.kwargs
        return lambda value: torch.flatten(value, *extra, **named)
    raise InputError(f"{node.name}: {node.op} {node.target} is not handled; may be {OPERATIONS}")
