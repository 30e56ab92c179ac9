"""A small reference interpreter: what a NIR graph computes, step by step, by forward Euler.

It is here to be plainly right, not fast: the export compares its file with the student through it, and the lowering
compares its folded weights.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, replace
from functools import reduce

import nir
import numpy as np
import torch
from torch import Tensor

from ..chip.law import State
from .nodes import FILTERED, NEURONS, apply, is_linear
from .wiring import Wiring, wire


@dataclass(frozen=True, eq=False)
class GraphTrace:
    """What each neuron node did.

    Attributes:
        spikes: by name of a neuron that fires, 0 and 1, shape ``(T, B, *shape)``.
        membranes: by name of a neuron, after the step and before a reset, same shape.
    """

    spikes: dict[str, Tensor]
    membranes: dict[str, Tensor]

    def scores(self, readout: str) -> Tensor:
        """What a readout answers, ``(B, K)``: its spike counts, or its membrane after the last step."""
        return self.spikes[readout].sum(0) if readout in self.spikes else self.membranes[readout][-1]


def interpret(wiring: Wiring, drive: Tensor, dt_s: float, timesteps: int) -> GraphTrace:
    """Run a graph from rest; delayed edges bring what their source gave one step before.

    At rest all potentials and currents are zero, whatever ``v_reset`` is; NIR leaves it open.

    Args:
        drive: what the input node gives, ``(T, B, *input shape)`` or ``(1, B, *input shape)`` for the same at every
            step; its type (float64 to compare) is what is computed in.
    """
    shapes = {name: wiring.shapes[name][0] for name in wiring.neurons}
    laws = {name: wiring.constants(name, dt_s).law(drive) for name in shapes}
    rest = {name: torch.zeros(drive.shape[1], *shape).to(drive) for name, shape in shapes.items()}
    states = {name: State(u=zeros, v=zeros) for name, zeros in rest.items()}
    spikes: dict[str, list[Tensor]] = {name: [] for name, law in laws.items() if law.threshold is not None}
    membranes: dict[str, list[Tensor]] = {name: [] for name in wiring.neurons}
    last = {name: value.expand(drive.shape[1], *value.shape[1:]) for name, value in at_rest(wiring, drive).items()}
    for step in range(timesteps):
        values: dict[str, Tensor] = {}
        for name, node in wiring.nodes.items():
            if isinstance(node, nir.Input):
                values[name] = drive[step if drive.shape[0] > 1 else 0]
                continue
            sources = ((source, last if (source, name) in wiring.delayed else values) for source in wiring.into(name))
            arriving = reduce(torch.add, (given[source] for source, given in sources))
            if isinstance(node, NEURONS):
                states[name], potential, fired = laws[name].step(states[name], arriving)
                membranes[name].append(potential)
                values[name] = potential if fired is None else fired.to(arriving)
                if fired is not None:
                    spikes[name].append(values[name])
            else:
                values[name] = arriving if isinstance(node, nir.Output) else apply(node, arriving)
        last = values
    return GraphTrace(
        spikes={name: torch.stack(steps) for name, steps in spikes.items()},
        membranes={name: torch.stack(steps) for name, steps in membranes.items()},
    )


def at_rest(wiring: Wiring, like: Tensor) -> dict[str, Tensor]:
    """What every node gives when nothing spikes and nothing comes in: biases, pushed through; each ``(1, *shape)``."""
    values: dict[str, Tensor] = {}

    def value_of(name: str) -> Tensor:
        if name not in values:
            node = wiring.nodes[name]
            if isinstance(node, (nir.Input, *NEURONS)):
                values[name] = torch.zeros(1, *wiring.shapes[name][1]).to(like)
            else:
                arriving = reduce(torch.add, (value_of(source) for source in wiring.into(name)))
                values[name] = arriving if isinstance(node, nir.Output) else apply(node, arriving)
        return values[name]

    return {name: value_of(name) for name in wiring.nodes}


def biases_on_membranes(graph: nir.NIRGraph) -> nir.NIRGraph:
    """The graph in which the biases of layers before a synaptic filter are added to the membrane instead.

    A chip's bias register acts on the membrane. In NIR this is a leak potential: ``dv = v_leak * dt / tau_mem`` in
    every timestep, so ``v_leak = b * r``, with ``r = tau_mem / dt`` as this project writes it.
    """
    wiring = wire(graph)
    filtered = [name for name in wiring.neurons if isinstance(wiring.nodes[name], FILTERED)]
    if not filtered:
        return graph
    rest = at_rest(wiring, torch.zeros(1, 1, dtype=torch.float64))
    nodes = dict(graph.nodes)
    for name in filtered:
        node = graph.nodes[name]
        bias = sum((rest[s][0].numpy() for s in wiring.into(name)), start=np.zeros(wiring.shapes[name][0]))
        nodes[name] = copy(node)
        nodes[name].v_leak = (node.v_leak + bias * node.r).astype(np.float32)
        todo = list(wiring.into(name))
        while todo:
            linear = todo.pop()
            if not is_linear(wiring.nodes[linear]):
                continue
            todo += wiring.into(linear)
            if isinstance(graph.nodes[linear], nir.Affine | nir.Conv1d | nir.Conv2d):
                nodes[linear] = copy(graph.nodes[linear])
                nodes[linear].bias = np.zeros_like(graph.nodes[linear].bias)
    return nir.NIRGraph(nodes, list(graph.edges), metadata=graph.metadata, type_check=False)


def counted_from_reset(wiring: Wiring) -> Wiring:
    """The graph whose potentials are counted from ``v_reset``, so that they begin at it and are 0 after a spike.

    ``v_threshold' = v_threshold - v_reset`` and ``v_leak' = v_leak - v_reset``. Neurons that do not fire, and those
    that are reset by subtraction, stay as they are.
    """
    nodes = dict(wiring.nodes)
    for name in wiring.neurons:
        node = nodes[name]
        shift = np.asarray(getattr(node, "v_reset", 0.0), np.float64)
        if wiring.resets.get(name, "zero") != "zero" or not np.any(shift):
            continue
        nodes[name] = copy(node)
        for field in ("v_threshold", "v_leak"):
            if hasattr(node, field):
                setattr(nodes[name], field, np.asarray(getattr(node, field), np.float64) - shift)
        nodes[name].v_reset = np.zeros_like(shift)
    return replace(wiring, nodes=nodes)
