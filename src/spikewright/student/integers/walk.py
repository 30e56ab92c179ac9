"""The forward pass of a student on integers: its own layers, in the chip's units."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn

from ...chip.exact import exact_kernels
from ...chip.trained_grid import TrainedGrid
from ..neurons import NeuronTrace, is_neuron
from ..tracing import flat_time, stateless
from .neurons import IntegerLaw, IntegerStates, Stepped, step_integers
from .plan import PASSES, Plan
from .rounding import bias_on_grid, weight_integers


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

    def __init__(self, plan: Plan, grid: TrainedGrid, timesteps: int, record: bool = False) -> None:
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
        if isinstance(module, PASSES):
            return values[0]
        function = stateless(node, modules)
        integers = flat_time(function, *(value.integers for value in values))
        biases = [value.bias for value in values if value.bias is not None]
        if not biases:
            return _Value(integers)
        shape = values[0].integers.shape[2:]
        return _Value(integers, function(*(bias.expand(shape)[None] for bias in biases))[0])

    def _weighted(self, name: str, module: nn.Conv2d | nn.Linear, integers: Tensor) -> _Value:
        scale = self._grid.scales[self._plan.targets[name]]
        weight = weight_integers(module.weight, scale * self._plan.units[name], self._grid.registers)
        assert module.bias is not None
        bias = bias_on_grid(module.bias, scale, self._grid.registers)
        if isinstance(module, nn.Linear):
            return _Value(flat_time(lambda x: F.linear(x, weight), integers), bias)
        m: nn.Conv2d = module
        made = flat_time(lambda x: F.conv2d(x, weight, None, m.stride, m.padding, m.dilation, m.groups), integers)
        return _Value(made, bias[:, None, None])
