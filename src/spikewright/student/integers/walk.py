"""The forward pass of a student on integers: its own layers, without batch norms, in the chip's units."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn

from ...chip.law import FLOAT32_LIMIT, State, exact_kernels, largest
from ...chip.registers import TrainedGrid
from ...graph.fields import pair
from ...importing.matrix import Matrix
from ..linear_layers import WEIGHTED, plain_pool, turned_round, window_of
from ..neurons import NeuronTrace
from ..operations import Join, Times
from ..placed import PLACED
from ..tracing import flat_time, follow, is_sum, pools_spikes, stateless
from .folding import UNCHANGED
from .neurons import IntegerLaw, Stepped, bias_on_grid, step_integers, weight_integers
from .plan import POOLS, Plan, port


@dataclass(frozen=True, eq=False)
class _Value:
    """Whole numbers ``(T or 1, B, *shape)`` on their way, and behind weights the bias that goes with them.

    ``most`` is a bound of their magnitude, partial sums included.
    """

    integers: Tensor
    most: float
    bias: Tensor | None = None

    def whole_bias(self) -> Tensor:
        """The bias of each neuron, zeros where there is none."""
        shape = self.integers.shape[2:]
        return self.integers.new_zeros(shape) if self.bias is None else self.bias.expand(shape)


class IntegerWalk:
    """One pass through a traced network, every neuron layer over all its timesteps.

    Attributes:
        traces: by neuron layer, in float units.
        active: by neuron layer, updates of each step and sample that had something to do, ``(T, B)``.
        overflows: by neuron layer, wraps and clips of each step and sample, ``(T, B, 2)``.
        resets: by integrator that may have been reset by an overflow, where it was, ``(T, B, *shape)``.
        states: by neuron layer, its registers after every step; empty unless recorded.
    """

    def __init__(self, plan: Plan, grid: TrainedGrid, timesteps: int, record: bool = False) -> None:
        self._plan, self._grid, self._timesteps, self._record = plan, grid, timesteps, record
        self.traces: dict[str, NeuronTrace] = {}
        self.active: dict[str, Tensor] = {}
        self.overflows: dict[str, Tensor] = {}
        self.resets: dict[str, Tensor] = {}
        self.states: dict[str, State] = {}

    def encode(self, name: str, module: nn.Module, codes: Tensor, most: int) -> Tensor:
        """Spikes ``(T, B, *shape)`` of neurons whose biases are the intensities, ``codes`` ``(1 or T, B, *shape)``."""
        law = IntegerLaw.of_encoder(module, most, codes)
        nothing = torch.zeros_like(codes[:1])
        stepped = step_integers(law, nothing, self._timesteps, module.spike_grad, self._record, 0.0)
        self._keep(name, stepped, NeuronTrace(codes / most, stepped.spikes, stepped.membrane))
        assert stepped.spikes is not None
        return stepped.spikes

    def run(self, graph: fx.GraphModule, inputs: Tensor) -> None:
        """Whole numbers ``(T or 1, B, *input shape)`` through the network."""
        with exact_kernels():
            follow(graph, _Value(inputs, largest(inputs)), self._neurons, self._linear)

    def _neurons(self, name: str, module: nn.Module, value: _Value) -> _Value:
        scale = self._grid.scales[name]
        value = self._by_shortcut(port(name), value)
        law = IntegerLaw.of(module, scale, self._grid.registers, value.bias)
        arriving, spike_grad = value.integers, module.spike_grad
        stepped = step_integers(law, arriving, self._timesteps, spike_grad, self._record, value.most)
        trace = NeuronTrace(arriving.float(), stepped.spikes, stepped.membrane, 1.0 / scale, value.bias)
        self._keep(name, stepped, trace)
        return _Value(stepped.membrane if stepped.spikes is None else stepped.spikes, 1.0)

    def _keep(self, name: str, stepped: Stepped, trace: NeuronTrace) -> None:
        self.traces[name], self.active[name], self.overflows[name] = trace, stepped.active, stepped.overflows
        if stepped.resets is not None:
            self.resets[name] = stepped.resets
        if stepped.states is not None:
            self.states[name] = stepped.states

    def _by_shortcut(self, at: str, value: _Value) -> _Value:
        """A value that goes to neurons without weights, multiplied by the whole number that stands for 1."""
        if at not in self._plan.shortcuts:
            return value
        place = self._plan.shortcuts[at]
        weight = round(self._grid.scales[place.target] * place.unit)
        return _Value(value.integers * weight, value.most * weight)

    def _linear(self, node: fx.Node, module: nn.Module | None, values: list[_Value]) -> _Value:
        if isinstance(module, WEIGHTED):
            return self._weighted(node.name, module, values[0])
        if isinstance(module, POOLS):
            return self._pooled(node, module, values[0])
        if isinstance(module, (*UNCHANGED, Times)):  # a factor is in the unit
            return values[0]
        function = stateless(node, module)
        if pools_spikes(node):
            return self._any_spike(str(node.target), flat_time(function, values[0].integers))
        if is_sum(node) or isinstance(module, Join):
            values = [self._by_shortcut(port(node.name, index), value) for index, value in enumerate(values)]
        integers, most = flat_time(function, *(value.integers for value in values)), sum(v.most for v in values)
        if all(value.bias is None for value in values):
            return _Value(integers, most)
        return _Value(integers, most, function(*(value.whole_bias()[None] for value in values))[0])

    def _any_spike(self, name: str, spikes: Tensor) -> _Value:
        """Max pooling of spikes: neurons without a memory, which have something to do where they spike."""
        self.traces[name] = NeuronTrace(spikes, spikes, spikes)
        self.active[name] = spikes.detach().flatten(2).sum(2)
        self.overflows[name] = torch.zeros(*spikes.shape[:2], 2, dtype=torch.int64, device=spikes.device)
        return _Value(spikes, 1.0)

    def _pooled(self, node: fx.Node, module: nn.Module, value: _Value) -> _Value:
        """Sums, which stay whole numbers; the bias of weights before it goes through means unchanged."""
        divisor = self._plan.divisors[node.name]
        sums = flat_time(lambda x: _sums(module, x, divisor), value.integers)
        bias = None if value.bias is None else module(value.whole_bias()[None])[0]
        return _Value(sums, value.most * divisor, bias)

    def _weighted(self, name: str, module: Any, value: _Value) -> _Value:
        place = self._plan.weights[name]
        scale = self._grid.scales[place.target]
        weight = weight_integers(module.weight, scale * place.unit, self._grid.registers, mixed=place.shared or None)
        bias = bias_on_grid(module.bias * place.gain, scale, self._grid.registers)
        integers = value.integers
        by_output = weight if not _is_transposed(module) else turned_round(weight, module.groups)
        most = value.most * float(by_output.detach().abs().flatten(1).sum(1).max())
        if most >= FLOAT32_LIMIT:
            integers, weight = integers.double(), weight.double()
        made = flat_time(_weighing(module, weight), integers)
        if not isinstance(module, PLACED):
            bias = bias.reshape(module.target if isinstance(module, Matrix) else (-1, *[1] * (made.ndim - 3)))
        return _Value(made, most, bias)


def _is_transposed(module: nn.Module) -> bool:
    return isinstance(module, nn.ConvTranspose1d | nn.ConvTranspose2d)


def _weighing(module: Any, weight: Tensor) -> Callable[[Tensor], Tensor]:
    """The function of a layer with other weights and without its bias."""
    m = module
    if isinstance(m, Matrix):
        return lambda x: m.by(x, weight)
    if isinstance(m, nn.Linear):
        return lambda x: F.linear(x, weight)
    if isinstance(m, nn.Conv1d | nn.Conv2d):
        convolve: Any = F.conv1d if isinstance(m, nn.Conv1d) else F.conv2d
        if m.padding_mode != "zeros":
            sides: list[int] = m._reversed_padding_repeated_twice
            return lambda x: convolve(F.pad(x, sides, m.padding_mode), weight, None, m.stride, 0, m.dilation, m.groups)
        return lambda x: convolve(x, weight, None, m.stride, m.padding, m.dilation, m.groups)
    transposed: Any = F.conv_transpose1d if isinstance(m, nn.ConvTranspose1d) else F.conv_transpose2d
    return lambda x: transposed(x, weight, None, m.stride, m.padding, m.output_padding, m.groups, m.dilation)


def _sums(module: nn.Module, value: Tensor, divisor: int) -> Tensor:
    """Averages of whole numbers times what makes them whole numbers."""
    spatial = tuple(value.shape[2:])
    if window_of(module, spatial) is None:
        exact = module(value.double()) * divisor
        return (exact + (torch.round(exact) - exact).detach()).to(value)
    pool: Any = (
        plain_pool(module, spatial) if isinstance(module, nn.AdaptiveAvgPool1d | nn.AdaptiveAvgPool2d) else module
    )
    if len(spatial) == 2:
        return F.avg_pool2d(value, pool.kernel_size, pool.stride, pool.padding, divisor_override=1)
    (kernel, _), (stride, _), (padding, _) = (pair(each) for each in (pool.kernel_size, pool.stride, pool.padding))
    return F.avg_pool2d(value[..., None], (kernel, 1), (stride, 1), (padding, 0), divisor_override=1)[..., 0]
