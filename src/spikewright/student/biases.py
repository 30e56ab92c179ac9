"""Which neurons have biases, and which updates of those without have something to do.

A compartment with a bias is active in every timestep. One without is active only where something arrives or is left
from the step before, and a chip that tells the two apart charges less for the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, fx, nn

from ..chip.law import State
from .neurons import NeuronTrace, is_neuron, law_of


def trained_before(node: fx.Node, modules: Mapping[str, Any]) -> list[nn.Module]:
    """The layers and norms in front of a neuron layer, back to the neurons before it, the nearest first."""
    found: list[nn.Module] = []
    todo = list(node.all_input_nodes)
    while todo:
        before = todo.pop(0)
        module = modules[str(before.target)] if before.op == "call_module" else None
        if module is not None and isinstance(getattr(module, "weight", None), Tensor):
            found.append(module)
        if module is None or not is_neuron(module):
            todo += before.all_input_nodes
    return found


def bias_of(module: nn.Module) -> Tensor | None:
    """The bias of a layer or a norm that training may move; None without one."""
    bias = getattr(module, "bias", None)
    return bias if isinstance(bias, Tensor) and bias.requires_grad else None


def layers_without_biases(network: fx.GraphModule) -> frozenset[str]:
    """The neuron layers of a traced network in front of which nothing has a bias, nor gets one from a norm."""
    modules = dict(network.named_modules())
    nodes = [node for node in network.graph.nodes if node.op == "call_module" and is_neuron(modules[str(node.target)])]
    found = {str(node.target): trained_before(node, modules) for node in nodes}
    return frozenset(name for name, layers in found.items() if all(bias_of(each) is None for each in layers))


@torch.no_grad()
def busy_updates(module: nn.Module, trace: NeuronTrace) -> Tensor:
    """Where an update has something to do, a bias apart: something arrives, or is left, bool, ``(T, B, *shape)``.

    In floats a state never decays to zero, as it does in registers, so that integers count as many or fewer.
    """
    law, steps = law_of(module), len(trace.membrane)
    arriving = trace.current.expand_as(trace.membrane)
    rest = torch.zeros_like(arriving[0])
    state, busy = State(rest, rest), []
    for step in range(steps):
        busy.append(law.busy(state, arriving[step]))
        v = trace.membrane[step]
        if trace.spikes is not None:
            v = law.reset(v, trace.spikes[step] != 0)
        state = State(law.current(state.u, arriving[step]), v)
    return torch.stack(busy)
