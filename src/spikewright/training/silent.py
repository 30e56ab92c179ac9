"""Neurons that never spike, and the biases or weights in front of them."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ..student.biases import bias_of, trained_before
from ..student.student import Student

LIFT = 0.25
"""Share of the threshold by which biases in front of silent neurons are raised, once in an epoch until they spike, and
share of themselves by which weights are, where there are no biases."""


@torch.no_grad()
def revive(student: Student, silent: Mapping[str, Tensor]) -> None:
    """Raise the biases in front of silent neurons, of the batch norm where there is one; without biases, the weights.

    Args:
        silent: by neuron layer, which of its channels (of a dense layer: neurons) to raise, bool, ``(C,)``.
    """
    modules = dict(student.traced.named_modules())
    for node in student.graph.nodes:
        if node.op == "call_module" and node.target in silent:
            mask, layers = silent[node.target], trained_before(node, modules)
            biases = [bias for each in layers if (bias := bias_of(each)) is not None]
            if biases and biases[0].shape == mask.shape:
                biases[0].add_(mask.to(biases[0]) * (LIFT * float(modules[node.target].threshold.detach())))
            elif layers and not biases and isinstance(layers[0], nn.Linear | nn.Conv2d):
                layers[0].weight[mask] *= 1 + LIFT
