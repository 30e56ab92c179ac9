"""The float student whose every parameter is an integer of the chip divided by its layer's scale."""

from __future__ import annotations

import copy

import torch
from torch import nn

from ...chip.encoding import full_scale
from ...chip.law import Law
from ..student import Student
from ..tracing import trace
from .neurons import IntegerLaw
from .plan import plan_of
from .rounding import bias_on_grid, weight_integers


def twin_of(student: Student, network: nn.Module) -> Student:
    """A copy of ``student`` with ``network`` in place of its own."""
    twin = Student(student.config, network)
    twin.encoder = copy.deepcopy(student.encoder)
    return twin


@torch.no_grad()
def standing_for(student: Student) -> Student:
    """A student in floats with exactly the weights, biases and constants that ``student`` has on the chip."""
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
        _set_neuron(modules[name], IntegerLaw.of(modules[name], scale, grid.registers).floats)
    if twin.encoder is not None:
        most = full_scale(student.config.encoding, student.config.input_bits)
        _set_neuron(twin.encoder, IntegerLaw.of_encoder(twin.encoder, most).floats)
    return twin.eval()


def _set_neuron(module: nn.Module, law: Law) -> None:
    constants = {"beta": law.keep_v, "alpha": law.keep_u, "threshold": law.threshold}
    for name, value in constants.items():
        if value is not None:
            parameter = getattr(module, name)
            parameter.copy_(torch.as_tensor(value).expand_as(parameter))
