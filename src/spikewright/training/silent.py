"""Neurons that never spike, and the biases in front of them."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, fx, nn

from ..student.neurons import is_neuron
from ..student.student import Student

LIFT = 0.25
"""Share of the threshold by which biases in front of silent neurons are raised, once in an epoch until they spike."""


@torch.no_grad()
def revive(student: Student, silent: Mapping[str, Tensor]) -> None:
    """Raise the biases in front of silent neurons: of the batch norm where there is one, else of the weights.

    Args:
        silent: by neuron layer, which of its channels (of a dense layer: neurons) to raise, bool, ``(C,)``.
    """
    modules = dict(student.network.named_modules())
    for node in student.graph.nodes:
        if node.op == "call_module" and node.target in silent:
            bias = _bias_before(node, modules)
            if bias is not None and bias.shape == silent[node.target].shape:
                bias.add_(silent[node.target].to(bias) * (LIFT * float(modules[node.target].threshold.detach())))


def _bias_before(node: fx.Node, modules: dict[str, nn.Module]) -> Tensor | None:
    """The nearest bias on the way back from a neuron layer."""
    todo = list(node.all_input_nodes)
    while todo:
        before = todo.pop(0)
        module = modules[str(before.target)] if before.op == "call_module" else None
        bias = getattr(module, "bias", None)
        if isinstance(bias, Tensor):
            return bias
        if module is None or not is_neuron(module):
            todo += before.all_input_nodes
    return None
