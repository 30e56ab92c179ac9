"""The student in floats that stands for one on integers."""

from __future__ import annotations

import copy

import torch
from torch import nn

from ...chip.encoding import full_scale
from ..student import Student
from ..tracing import trace
from .integers import NeuronIntegers, bias_on_grid, weight_integers
from .plan import plan_of


def twin_of(student: Student, network: nn.Module) -> Student:
    """A student of its own around ``network``."""
    twin = Student(student.config, network)
    twin.encoder = copy.deepcopy(student.encoder)
    return twin


@torch.no_grad()
def standing_for(student: Student) -> Student:
    """The student in floats whose every number is a chip's integer divided by its layer's scale."""
    grid = student.grid
    assert grid is not None
    twin = twin_of(student, copy.deepcopy(student.network))
    traced = trace(twin.network)
    modules = dict(twin.network.named_modules())
    plan = plan_of(traced, student.input_unit)
    for node in traced.graph.nodes:
        if node.name in plan.targets:
            module, scale = modules[str(node.target)], grid.scales[plan.targets[node.name]]
            assert isinstance(module, nn.Conv2d | nn.Linear) and module.bias is not None
            unit = scale * plan.units[node.name]
            module.weight.copy_(weight_integers(module.weight, unit, grid.registers) / unit)
            module.bias.copy_(bias_on_grid(module.bias, scale, grid.registers))
    for name, scale in grid.scales.items():
        _set_neuron(modules[name], NeuronIntegers.of(modules[name], scale, grid.registers))
    if twin.encoder is not None:
        most = full_scale(student.config.encoding, student.config.input_bits)
        _set_neuron(twin.encoder, NeuronIntegers.of_encoder(twin.encoder, most))
    return twin.eval()


def _set_neuron(module: nn.Module, law: NeuronIntegers) -> None:
    module.beta.copy_(law.beta.expand_as(module.beta))
    if law.alpha is not None:
        module.alpha.copy_(law.alpha.expand_as(module.alpha))
    if law.threshold is not None:
        module.threshold.copy_(law.threshold.expand_as(module.threshold))
