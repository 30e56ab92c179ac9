"""The change from training in floats to training on a chip's integers, within the chip's registers."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import TypeVar

import snntorch as snn
import torch
from torch import Tensor, fx, nn

from ...base.errors import Gathered, arg, refuse
from ...chip.registers import Calibration, Grid, Peaks, Registers, TrainedGrid
from ...graph.interpreter import biases_on_membranes
from ...lowering.draft import Draft
from ...lowering.lower import drafted, fitting_scales, lower_draft, scales_of
from ...lowering.passes import rewritten
from ...lowering.peaks import Measuring
from ...lowering.rules import check_draft
from ...lowering.split import by_layer, populations_of
from ...profile.profile import HardwareProfile
from ..finite import weight_faults
from ..neurons import is_neuron
from ..recurrence import is_recurrent
from ..student import Student
from ..to_nir import to_nir, with_network
from ..tracing import trace
from .agreeing import agreed
from .composing import in_single_layers
from .constants import decay_faults, fold_thresholds, weights_before
from .folding import of_bias, outputs_of
from .plan import Plan, plan_of

Measured = TypeVar("Measured", Calibration, Calibration | None)
LEFT = 0.75
"""Power of the margin that must be left: peaks of other samples were up to 1.33 times those of 256 training samples
(`python benchmarks/long_recordings.py margins`), and 1.5 to this power is 1.36."""


def become_integer(
    student: Student,
    profile: HardwareProfile,
    spec: str,
    weight_bits: int | None = None,
    measuring: Measuring | None = None,
) -> Student:
    """A student whose forward pass is the integer network that ``student`` becomes on the chip of ``profile``.

    Its batch norms are folded for good; its scales are those that lowering chooses, and stay. Behind a synaptic filter
    a bias moves to the membrane, with the mean gain that the filter has over T steps: the chip's bias register skips
    the filter.

    Args:
        spec: the profile's name or path, noted in the student.
        weight_bits: width of a weight, sign included; None for the chip's own.
        measuring: training data on which peaks are measured; None for scales that hold in the worst case.

    Raises:
        InputError: a layer whose integers the chip cannot hold as the student computes them, or weights that are NaN or
            infinite; every one at once.
    """
    refuse("training on integers", list(weight_faults(student)))
    folded = _folded(student)
    network = folded.network
    _move_biases(folded)
    registers = Registers.of(profile.limits, weight_bits)
    graph = biases_on_membranes(to_nir(folded.eval()))
    reached = {str(node.target) for node in folded.graph.nodes}
    names = [name for name, module in network.named_modules() if is_neuron(module) and name in reached]
    draft = drafted(graph, profile)
    calibration = None
    if measuring is not None:
        check_draft(draft, profile)
        made = rewritten(draft, profile)
        calibration = _of_layers(measuring.calibration(made, profile, weight_bits), made)
    grid = Grid(weight_bits, peaks={} if calibration is None else calibration.bounds())
    scales = scales_of(lower_draft(draft, profile, grid))
    scales = agreed(scales, plan_for(folded), registers.grid(mixed=True)[0])
    folded.take_grid(
        TrainedGrid(
            profile=spec,
            profile_sha256=profile.sha256,
            registers=registers,
            scales={name: float(scales[name]) for name in names},
            calibration=calibration,
        )
    )
    settle(folded, profile)
    return folded.train(student.training)


def _folded(student: Student) -> Student:
    """A copy of a student with one layer of weights between its layers of neurons.

    Raises:
        InputError: every layer that the integers of a chip cannot hold, at once.
    """
    network = copy.deepcopy(student.network)
    found, folded = Gathered("training on integers"), None
    with found:
        network, sentences = in_single_layers(network, student.config.input_shape)
        folded = with_network(student, network)
        folded.composed = tuple(sentences)
    if folded is not None:
        with found:
            plan_for(folded)
        with found:
            fold_thresholds(network)
    found.faults += [*_loop_faults(network), *decay_faults(network)]
    found.refuse()
    assert folded is not None
    return folded


def settle(student: Student, profile: HardwareProfile, measuring: Measuring | None = None) -> bool:
    """Lower the scales of layers whose largest sums left their registers; returns whether any did.

    Training moves weights; a layer keeps its scale unless its worst case does not fit any more. Where peaks were
    measured they are measured again, and a layer keeps its scale until they have used up a quarter of the margin (its
    fourth root); then it gets the whole margin back.

    Args:
        measuring: training data, for a student with measured peaks; None leaves these as they are.
    """
    assert student.grid is not None
    before, plan = student.grid.scales, plan_for(student)
    if measuring is not None and student.grid.calibration is not None:
        _measure_again(student, profile, measuring)
    while True:
        fitting = fitting_scales(to_nir(student), profile)
        scales = {name: fitting[name] for name in student.grid.scales}
        scales = agreed(scales, plan, student.grid.registers.grid(mixed=True)[0])
        if scales == student.grid.scales:
            return scales != before
        student.take_grid(student.grid.model_copy(update={"scales": scales}))


def _measure_again(student: Student, profile: HardwareProfile, measuring: Measuring) -> None:
    grid = student.grid
    assert grid is not None and grid.calibration is not None
    graph = to_nir(student)
    draft = rewritten(drafted(graph, profile), profile)
    found = _of_layers(measuring.of_populations(draft, populations_of(grid.calibration.peaks, draft.facts)), draft)
    least, whole = (fitting_scales(graph, profile, found.bounds(m)) for m in (found.margin**LEFT, found.margin))
    scales = {name: whole[name] if least[name] < scale else scale for name, scale in grid.scales.items()}
    scales = agreed(scales, plan_for(student), grid.registers.grid(mixed=True)[0])
    student.take_grid(grid.model_copy(update={"scales": scales, "calibration": found}))


def _of_layers(measured: Measured, draft: Draft) -> Measured:
    """Peaks by layer: of one that was split, the largest of its parts."""
    if measured is None:
        return measured
    return measured.model_copy(update={"peaks": by_layer(measured.peaks, draft.facts, Peaks.and_of)})


def plan_for(student: Student) -> Plan:
    """The places of a student's layers among integers.

    Raises:
        InputError: every place where the integers of the chip could not be the student's, at once.
    """
    return plan_of(trace(student.network), student.input_unit, student.config.input_shape)


def _loop_faults(network: nn.Module) -> list[str]:
    return [
        f"{name}: feeds itself, which is trained in floats alone: {arg('integer_from', 1)}"
        for name, module in network.named_modules()
        if is_neuron(module) and is_recurrent(module)
    ]


@torch.no_grad()
def _move_biases(student: Student) -> None:
    """Scale biases before synaptic filters to what reaches the membrane on average over T steps.

    A constant 1 gives ``1 + alpha + ... + alpha^t`` at step t; the mean over T steps is the gain.
    """
    traced, steps = trace(student.network), student.config.timesteps
    modules = dict(traced.named_modules())
    plan = plan_for(student)
    shared = {name: group for group in plan.together for name in group}
    neurons = {str(node.target): node for node in traced.graph.nodes if node.op == "call_module"}
    faults = []
    for node in traced.graph.nodes:
        if node.name not in plan.weights:
            continue
        target, layer = plan.weights[node.name].target, modules[str(node.target)]
        alphas = [_alphas(layer, neurons[name], modules) for name in shared.get(target, [target])]
        alpha = alphas[0]
        if alpha is None or not all(each is not None and bool((each == alpha).all()) for each in alphas):
            faults.append(f"{node.target}: feeds neurons with different alpha; give each weights of its own")
        elif bool(alpha.any()):
            gain = sum((steps - t) * alpha**t for t in range(steps)) / steps
            layer.bias.mul_(of_bias(layer, torch.as_tensor(gain)))
    refuse("training on integers", faults)


def _alphas(layer: nn.Module, neurons: fx.Node, modules: Mapping[str, nn.Module]) -> Tensor | None:
    """For each output of a layer, alpha of the neurons behind it, float64; None where it differs within a channel."""
    module = modules[str(neurons.target)]
    alpha = module.alpha.detach().clamp(0, 1).double() if isinstance(module, snn.Synaptic) else torch.zeros(1).double()
    if alpha.numel() == 1:
        return alpha.reshape(1).expand(outputs_of(layer))
    return next((each.by_output(alpha) for each in weights_before(neurons, modules) if each.layer is layer), None)
