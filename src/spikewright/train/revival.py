"""Waking layers that fell silent: without a spike nothing behind them learns what they are for."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn

from .neurons import is_neuron
from .student import Student

LIFT = 0.25
"""Share of the threshold by which the biases into a silent layer are raised, once in an epoch until it spikes."""


@torch.no_grad()
def wake(student: Student, layers: Iterable[str]) -> None:
    """Raise the biases in front of these neuron layers: of the batch norm where there is one, else of the weights."""
    asleep = set(layers)
    modules = dict(student.network.named_modules())
    for node in student.graph.nodes:
        if node.op == "call_module" and node.target in asleep:
            bias = _bias_before(node, modules)
            if bias is not None:
                bias.add_(LIFT * float(modules[node.target].threshold))


def _bias_before(node: torch.fx.Node, modules: dict[str, nn.Module]) -> torch.Tensor | None:
    """The nearest bias on the way back from a neuron layer."""
    todo = list(node.all_input_nodes)
    while todo:
        before = todo.pop(0)
        module = modules[str(before.target)] if before.op == "call_module" else None
        bias = getattr(module, "bias", None)
        if isinstance(bias, torch.Tensor):
            return bias
        if module is None or not is_neuron(module):
            todo += before.all_input_nodes
    return None
