"""The traced graph of a network's layers and neurons, and its forward pass layer by layer."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, fx, nn

from ..base.errors import InputError
from .modules import has_node
from .neurons import NeuronTrace, is_neuron, run_over_time


class _NeuronTracer(fx.Tracer):
    """Traces through modules and stops at neurons, torch's own modules and those that :func:`node_of` knows."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return is_neuron(m) or has_node(m) or super().is_leaf_module(m, module_qualified_name)


def trace(module: nn.Module) -> fx.GraphModule:
    """The graph of ``module``, whose nodes are torch's layers and snnTorch's neurons.

    Raises:
        InputError: the forward pass branches on data, or does something else that cannot be traced symbolically.
    """
    try:
        graph = _NeuronTracer().trace(module)
    except (fx.proxy.TraceError, TypeError, NotImplementedError) as error:
        raise InputError(
            f"{type(module).__name__}: its forward pass cannot be followed ({error}); "
            "write it as layers, + and torch.flatten, without branching on data"
        ) from error
    traced: fx.GraphModule = fx.GraphModule(module, graph)
    return traced


def flat_time(function: Callable[..., Tensor], *values: Tensor) -> Tensor:
    """Apply a stateless function to values ``(T or 1, B, ...)`` as one batch; the result has T = 1 if all values do."""
    steps = max(value.shape[0] for value in values)
    batch = values[0].shape[1]
    merged = (v.expand(steps, *v.shape[1:]).reshape(steps * batch, *v.shape[2:]) for v in values)
    result = function(*merged)
    return result.reshape(steps, batch, *result.shape[1:])


def walk(
    graph: fx.GraphModule, inputs: Tensor, timesteps: int, observe: Callable[[str, NeuronTrace], None]
) -> NeuronTrace:
    """Run a traced network, each layer over all timesteps before the next.

    Args:
        inputs: ``(T, B, *input shape)``, or ``(1, B, *input shape)`` if every timestep has the same input.
        timesteps: T.
        observe: called with the name and the trace of each neuron layer, in order.

    Returns:
        The trace of the last neuron layer, whose output the network must return.

    Raises:
        InputError: a node that is neither a module, ``+`` nor ``flatten``, or an output that is not a neuron's.
    """
    modules = dict(graph.named_modules())
    values: dict[fx.Node, Tensor] = {}
    traces: dict[fx.Node, NeuronTrace] = {}
    for node in graph.graph.nodes:
        if node.op == "placeholder":
            values[node] = inputs
        elif node.op == "call_module" and is_neuron(modules[node.target]):
            neuron_trace = run_over_time(node.target, modules[node.target], values[node.args[0]], timesteps)
            traces[node] = neuron_trace
            values[node] = neuron_trace.membrane if neuron_trace.spikes is None else neuron_trace.spikes
            observe(node.target, neuron_trace)
        elif node.op == "output":
            (result,) = node.args
            if result in traces:
                return traces[result]
            raise InputError(
                f"the network returns {result}; it must return the output of its last snn.Leaky or snn.Synaptic"
            )
        else:
            values[node] = flat_time(stateless(node, modules), *(values[a] for a in node.all_input_nodes))
    raise InputError("the traced network has no output")


def is_sum(node: fx.Node) -> bool:
    """Whether a node adds two values."""
    return node.op == "call_function" and node.target in (operator.add, torch.add)


def is_flatten(node: fx.Node) -> bool:
    """Whether a node is ``torch.flatten`` or a tensor's ``flatten``."""
    return node.target is torch.flatten or (node.op == "call_method" and node.target == "flatten")


def stateless(node: fx.Node, modules: dict[str, nn.Module]) -> Callable[..., Tensor]:
    """The function that a node without state computes on one batch.

    Raises:
        InputError: the node is neither a module, ``+`` nor ``flatten``.
    """
    if node.op == "call_module":
        return modules[str(node.target)]
    if is_sum(node):
        return torch.add
    if is_flatten(node):
        extra: Any = node.args[1:]
        named: Any = node.kwargs
        return lambda value: torch.flatten(value, *extra, **named)
    raise InputError(f"{node.name}: {node.op} {node.target} is not handled; may be a module, + or torch.flatten")
