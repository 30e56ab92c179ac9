"""The forward pass of a student on integers: its own layers, in the chip's units."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn

from ...base.errors import refuse
from ...chip.exact import exact_kernels
from ...chip.trained_grid import TrainedGrid
from ..neurons import NeuronTrace, is_neuron
from ..tracing import flat_time, is_sum, stateless
from .neurons import IntegerLaw, IntegerStates, Stepped, bias_on_grid, step_integers, weight_integers

UNCHANGED = (nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d)
"""Modules that change nothing on integers: the chip drops nothing out."""


@dataclass(frozen=True)
class Wire:
    """A value between two layers.

    Attributes:
        unit: what an integer 1 is worth: 1 for a spike, less for graded input and behind an average.
        target: the neuron layer whose synaptic input it is, or becomes in the weights that it enters; empty before
            any weights.
    """

    unit: float
    target: str = ""


def plan_of(traced: fx.GraphModule, input_unit: float) -> dict[str, Wire]:
    """By node of a convolution or dense layer, the unit of what arrives at it and the neuron layer that it feeds.

    Args:
        input_unit: what an integer 1 of the input is worth.

    Raises:
        InputError: every place where the integers of the chip could not be the student's, at once.
    """
    modules = dict(traced.named_modules())
    targets, faults = _targets(traced, modules)
    wires: dict[fx.Node, Wire] = {}
    plan: dict[str, Wire] = {}
    for node in traced.graph.nodes:
        if node.op == "placeholder":
            wires[node] = Wire(input_unit)
        elif node.op == "output":
            break
        elif node.op == "call_module" and is_neuron(modules[node.target]):
            if not wires[node.args[0]].target:
                faults.append(f"{node.target}: is fed without weights; put a Conv2d or Linear before it")
            wires[node] = Wire(1.0)
        else:
            arriving = [wires[a] for a in node.all_input_nodes]
            wires[node] = _passed(node, modules, arriving, targets, faults)
            if node.name in targets:
                plan[node.name] = Wire(arriving[0].unit, targets[node.name])
    refuse("training on integers", faults)
    return plan


def _passed(
    node: fx.Node, modules: dict[str, nn.Module], arriving: list[Wire], targets: dict[str, str], faults: list[str]
) -> Wire:
    first = arriving[0]
    module = modules[str(node.target)] if node.op == "call_module" else None
    if isinstance(module, nn.Conv2d | nn.Linear):
        if first.target:
            faults.append(f"{node.target}: follows other weights without neurons between them; make them one layer")
        return Wire(0.0, targets.get(node.name, "?"))
    if isinstance(module, nn.AvgPool2d):
        if first.target:
            faults.append(f"{node.target}: pools after the weights; put it before them, where it pools spikes")
        size = module.kernel_size
        return Wire(first.unit / (size**2 if isinstance(size, int) else math.prod(size)), first.target)
    if module is not None and not isinstance(module, (*UNCHANGED, nn.Flatten)):
        faults.append(f"{node.target}: is a {type(module).__name__}; may be Conv2d, Linear, AvgPool2d or Flatten")
    if is_sum(node) and len({*arriving}) > 1:
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


@dataclass(frozen=True, eq=False)
class _Value:
    """Whole numbers ``(T or 1, B, *shape)`` on their way, and behind weights the bias that goes with them."""

    integers: Tensor
    bias: Tensor | None = None


class IntegerWalk:
    """One pass through a traced network, every neuron layer over all its timesteps.

    Attributes:
        traces: by neuron layer, in float units.
        active: by neuron layer, updates of each step and sample that had something to do, ``(T, B)``.
        states: by neuron layer, its registers after every step; empty unless recorded.
    """

    def __init__(self, plan: Mapping[str, Wire], grid: TrainedGrid, timesteps: int, record: bool = False) -> None:
        self._plan, self._grid, self._timesteps, self._record = plan, grid, timesteps, record
        self.traces: dict[str, NeuronTrace] = {}
        self.active: dict[str, Tensor] = {}
        self.states: dict[str, IntegerStates] = {}

    def encode(self, name: str, module: nn.Module, codes: Tensor, most: int) -> Tensor:
        """Spikes ``(T, B, *shape)`` of neurons whose bias is the integer intensity, ``codes`` ``(1, B, *shape)``."""
        law = IntegerLaw.of_encoder(module, most, codes[0])
        stepped = step_integers(law, torch.zeros_like(codes), self._timesteps, module.spike_grad, self._record)
        self._keep(name, stepped, NeuronTrace(codes / most, stepped.spikes, stepped.membrane))
        assert stepped.spikes is not None
        return stepped.spikes

    def run(self, graph: fx.GraphModule, inputs: Tensor) -> None:
        """Whole numbers ``(T or 1, B, *input shape)`` through the network."""
        modules = dict(graph.named_modules())
        values: dict[fx.Node, _Value] = {}
        with exact_kernels():
            for node in graph.graph.nodes:
                if node.op == "placeholder":
                    values[node] = _Value(inputs)
                elif node.op == "output":
                    break
                elif node.op == "call_module" and is_neuron(modules[node.target]):
                    layer = self._neurons(node.target, modules[node.target], values[node.args[0]])
                    values[node] = _Value(layer.membrane if layer.spikes is None else layer.spikes)
                else:
                    values[node] = self._linear(node, modules, [values[a] for a in node.all_input_nodes])

    def _neurons(self, name: str, module: nn.Module, value: _Value) -> NeuronTrace:
        scale = self._grid.scales[name]
        assert value.bias is not None
        law = IntegerLaw.of(module, scale, self._grid.registers, value.bias)
        stepped = step_integers(law, value.integers, self._timesteps, module.spike_grad, self._record)
        trace = NeuronTrace(value.integers, stepped.spikes, stepped.membrane, 1.0 / scale, value.bias)
        self._keep(name, stepped, trace)
        return trace

    def _keep(self, name: str, stepped: Stepped, trace: NeuronTrace) -> None:
        self.traces[name], self.active[name] = trace, stepped.active
        if stepped.states is not None:
            self.states[name] = stepped.states

    def _linear(self, node: fx.Node, modules: dict[str, nn.Module], values: list[_Value]) -> _Value:
        module = modules[str(node.target)] if node.op == "call_module" else None
        if isinstance(module, nn.Conv2d | nn.Linear):
            return self._weighted(node.name, module, values[0].integers)
        if isinstance(module, nn.AvgPool2d):  # sums, which stay whole numbers
            geometry = (module.kernel_size, module.stride, module.padding)
            return _Value(flat_time(lambda x: F.avg_pool2d(x, *geometry, divisor_override=1), values[0].integers))
        if isinstance(module, UNCHANGED):
            return values[0]
        function = stateless(node, modules)
        integers = flat_time(function, *(value.integers for value in values))
        biases = [value.bias for value in values if value.bias is not None]
        if not biases:
            return _Value(integers)
        shape = values[0].integers.shape[2:]
        return _Value(integers, function(*(bias.expand(shape)[None] for bias in biases))[0])

    def _weighted(self, name: str, module: nn.Conv2d | nn.Linear, integers: Tensor) -> _Value:
        wire = self._plan[name]
        scale = self._grid.scales[wire.target]
        weight = weight_integers(module.weight, scale * wire.unit, self._grid.registers)
        assert module.bias is not None
        bias = bias_on_grid(module.bias, scale, self._grid.registers)
        if isinstance(module, nn.Linear):
            return _Value(flat_time(lambda x: F.linear(x, weight), integers), bias)
        m: nn.Conv2d = module
        made = flat_time(lambda x: F.conv2d(x, weight, None, m.stride, m.padding, m.dilation, m.groups), integers)
        return _Value(made, bias[:, None, None])
