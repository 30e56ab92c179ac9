"""A student whose neurons are reset in another way, with the weights it has: where a conversion by training begins."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

from ..base.errors import check_type, refuse
from ..base.types import Reset
from ..importing.description import Description, ImportedNetwork
from ..importing.parts import NeuronPart
from .neurons import check_neuron, is_integrator, is_neuron, reset_arguments
from .student import Student


def with_reset(student: Student, reset: Reset) -> Student:
    """A copy of ``student`` whose hidden neurons, and a readout that fires, are reset in this way.

    Weights, decays, thresholds and, of a student on integers, its scales stay; the encoder of input currents is reset
    to zero in every student. What the copy computes is another network: it has to be trained on before it is as good.

    Args:
        reset: ``zero``, ``subtract`` or ``subtract-late``.

    Raises:
        InputError: ``student`` is none, the reset is none of these, or neurons that cannot be deployed.
    """
    check_type("student", student, Student, "a Student, such as distill(...).student or load_student(path)")
    config = replace(student.config, neuron=replace(student.config.neuron, reset=reset))
    network = copy.deepcopy(student.network)
    neurons = {name: module for name, module in network.named_modules() if is_neuron(module)}
    refuse("student", [fault for name, module in neurons.items() for fault in check_neuron(name, module)])
    for module in neurons.values():
        if not is_integrator(module):
            _set(module, reset)
    if isinstance(network, ImportedNetwork):
        network.description = _described(network.description, reset)
    twin = Student(config, network)
    twin.encoder = copy.deepcopy(student.encoder)
    if student.grid is not None:
        twin.take_grid(student.grid)
    return twin.train(student.training)


def _described(description: Description, reset: Reset) -> Description:
    """What the file of an imported network says of its neurons."""
    rule = reset_arguments(reset)
    changes = {"reset": rule["reset_mechanism"], "delay": rule["reset_delay"]}
    return Description(
        parts=tuple(
            part.model_copy(update=changes) if isinstance(part, NeuronPart) and part.reset != "none" else part
            for part in description.parts
        )
    )


def _set(module: Any, reset: Reset) -> None:
    """Give a neuron layer of snnTorch another reset, in place; it binds the rule when it is made."""
    rule = reset_arguments(reset)
    module.reset_mechanism, module.reset_delay = rule["reset_mechanism"], rule["reset_delay"]
    module.state_function = module._base_sub if module.reset_mechanism == "subtract" else module._base_zero
