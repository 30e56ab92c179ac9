"""Biases in front of synaptic filters, moved onto the membrane."""

from __future__ import annotations

from copy import copy

import nir
import numpy as np
import torch

from .interpreter import at_rest
from .nodes import is_linear
from .wiring import Wiring, wire

_FILTERED = (nir.CubaLIF, nir.CubaLI)


def biases_on_membranes(graph: nir.NIRGraph) -> nir.NIRGraph:
    """The graph in which the biases of layers before a synaptic filter are added to the membrane instead.

    A chip's bias register acts on the membrane. In NIR this is a leak potential: ``dv = v_leak * dt / tau_mem`` in
    every timestep, so ``v_leak = b * r``, with ``r = tau_mem / dt`` as this project writes it.
    """
    wiring = wire(graph)
    filtered = [name for name in wiring.neurons if isinstance(wiring.nodes[name], _FILTERED)]
    if not filtered:
        return graph
    rest = at_rest(wiring, torch.zeros(1, 1, dtype=torch.float64))
    nodes = dict(graph.nodes)
    for name in filtered:
        node = graph.nodes[name]
        bias = sum((rest[s][0].numpy() for s in wiring.into(name)), start=np.zeros(wiring.shapes[name][0]))
        nodes[name] = copy(node)
        nodes[name].v_leak = (node.v_leak + bias * node.r).astype(np.float32)
        for linear in _linear_before(wiring, name):
            if isinstance(graph.nodes[linear], nir.Affine | nir.Conv2d):
                nodes[linear] = copy(graph.nodes[linear])
                nodes[linear].bias = np.zeros_like(graph.nodes[linear].bias)
    return nir.NIRGraph(nodes, list(graph.edges), metadata=graph.metadata, type_check=False)


def _linear_before(wiring: Wiring, name: str) -> set[str]:
    found: set[str] = set()
    todo = list(wiring.into(name))
    while todo:
        before = todo.pop()
        if is_linear(wiring.nodes[before]) and before not in found:
            found.add(before)
            todo += wiring.into(before)
    return found
