"""Units of the values between the neuron layers of a student on integers."""

from __future__ import annotations

import operator
from dataclasses import dataclass

import torch
from torch import fx, nn

from ...base.errors import refuse
from ..neurons import is_neuron

PASSES = (nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d)
"""Modules that change nothing on integers: the chip drops nothing out."""


@dataclass(frozen=True)
class Wire:
    """A value between two layers.

    Attributes:
        unit: what an integer 1 is worth: 1 for a spike, less for graded input and behind an average.
        target: the neuron layer whose synaptic input it is already; None before the weights.
    """

    unit: float
    target: str | None = None


@dataclass(frozen=True)
class Plan:
    """Units of every value in a traced student.

    Attributes:
        units: by node of a convolution or dense layer, the unit of what arrives at it.
        targets: by the same nodes, the neuron layer that it feeds.
    """

    units: dict[str, float]
    targets: dict[str, str]


def plan_of(traced: fx.GraphModule, input_unit: float) -> Plan:
    """Follow values from the input to every neuron layer.

    Args:
        input_unit: what an integer 1 of the input is worth.

    Raises:
        InputError: every place where the integers of the chip could not be the student's, at once.
    """
    modules = dict(traced.named_modules())
    targets, faults = _targets(traced, modules)
    wires: dict[fx.Node, Wire] = {}
    units: dict[str, float] = {}
    for node in traced.graph.nodes:
        if node.op == "placeholder":
            wires[node] = Wire(input_unit)
        elif node.op == "output":
            break
        elif node.op == "call_module" and is_neuron(modules[node.target]):
            if wires[node.args[0]].target is None:
                faults.append(f"{node.target}: is fed without weights; put a Conv2d or Linear before it")
            wires[node] = Wire(1.0)
        else:
            arriving = [wires[a] for a in node.all_input_nodes]
            wires[node] = _passed(node, modules, arriving, targets, faults)
            if node.name in targets:
                units[node.name] = arriving[0].unit
    refuse("training on integers", faults)
    return Plan(units, targets)


def _passed(
    node: fx.Node, modules: dict[str, nn.Module], arriving: list[Wire], targets: dict[str, str], faults: list[str]
) -> Wire:
    first = arriving[0]
    module = modules[str(node.target)] if node.op == "call_module" else None
    if isinstance(module, nn.Conv2d | nn.Linear):
        if first.target is not None:
            faults.append(f"{node.target}: follows other weights without neurons between them; make them one layer")
        return Wire(0.0, targets.get(node.name, ""))
    if isinstance(module, nn.AvgPool2d):
        if first.target is not None:
            faults.append(f"{node.target}: pools after the weights; put it before them, where it pools spikes")
        return Wire(first.unit / pool_size(module), first.target)
    if module is not None and not isinstance(module, (*PASSES, nn.Flatten)):
        faults.append(f"{node.target}: is a {type(module).__name__}; may be Conv2d, Linear, AvgPool2d or Flatten")
    if node.op == "call_function" and node.target in (operator.add, torch.add) and len({*arriving}) > 1:
        faults.append(f"{node.name}: adds values of different units; give both ways the same pooling and weights")
    return first


def _targets(traced: fx.GraphModule, modules: dict[str, nn.Module]) -> tuple[dict[str, str], list[str]]:
    """By node of a convolution or dense layer, the one neuron layer behind it."""
    targets: dict[str, str] = {}
    faults: list[str] = []
    for node in traced.graph.nodes:
        if node.op != "call_module" or not isinstance(modules[node.target], nn.Conv2d | nn.Linear):
            continue
        reached = _neurons_behind(node, modules)
        if len(reached) == 1:
            targets[node.name] = reached.pop()
        else:
            faults.append(f"{node.target}: feeds {len(reached)} neuron layers; each must have weights of its own")
    return targets, faults


def _neurons_behind(node: fx.Node, modules: dict[str, nn.Module]) -> set[str]:
    found: set[str] = set()
    for user in node.users:
        if user.op == "call_module" and is_neuron(modules[str(user.target)]):
            found.add(str(user.target))
        elif user.op == "call_module" and isinstance(modules[str(user.target)], nn.Conv2d | nn.Linear):
            continue
        elif user.op != "output":
            found |= _neurons_behind(user, modules)
    return found


def pool_size(module: nn.AvgPool2d) -> int:
    """Number of values in each average."""
    kernel = module.kernel_size
    return int(kernel) ** 2 if isinstance(kernel, int) else int(kernel[0]) * int(kernel[1])
