"""A student whose neurons are reset in another way, with the weights it has: where a conversion by training begins."""

from __future__ import annotations

import copy
from dataclasses import replace

import snntorch as snn
from torch import nn

from ..base.errors import check_type, refuse
from ..base.types import Reset
from ..importing.description import Description, ImportedNetwork
from ..importing.parts import NeuronPart
from .neurons import check_neuron, is_integrator, is_neuron, reset_arguments, reset_of
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
    for name, module in neurons.items():
        if not is_integrator(module) and reset_of(module) != reset:
            parent, _, child = name.rpartition(".")
            setattr(network.get_submodule(parent), child, _again(module, reset))
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


def _again(module: nn.Module, reset: Reset) -> nn.Module:
    """A neuron layer with the constants of ``module``: snnTorch binds the rule of a reset when a layer is made."""
    given = {
        "beta": module.beta.detach().clone(),
        "threshold": module.threshold.detach().clone(),
        "learn_beta": isinstance(module.beta, nn.Parameter),
        "learn_threshold": isinstance(module.threshold, nn.Parameter),
        "spike_grad": module.spike_grad,
        "init_hidden": module.init_hidden,
        "output": module.output,
    }
    if isinstance(module, snn.Synaptic):
        learn_alpha = isinstance(module.alpha, nn.Parameter)
        given |= {"alpha": module.alpha.detach().clone(), "learn_alpha": learn_alpha}
    made: nn.Module = type(module)(**given, **reset_arguments(reset)).to(module.beta)
    return made.train(module.training)
