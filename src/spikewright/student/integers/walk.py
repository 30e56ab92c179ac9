"""The forward pass of a student on integers: its own layers, without batch norms, in the chip's units."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn

from ...base.errors import InputError, refuse
from ...chip.law import FLOAT32_LIMIT, State, exact_kernels, largest
from ...chip.registers import TrainedGrid
from ..neurons import NeuronTrace
from ..tracing import flat_time, follow, is_sum, stateless, trace
from .neurons import IntegerLaw, Stepped, bias_on_grid, step_integers, weight_integers

UNCHANGED = (nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d)
"""Modules that change nothing on integers: the chip drops nothing out."""


def fold_norms(network: nn.Module) -> None:
    """Replace each batch norm by what it computes with its running statistics, in place.

    ``w <- w * gamma / sqrt(var + eps)``, ``b <- (b - mean) * gamma / sqrt(var + eps) + beta``. Every convolution and
    dense layer has a bias afterwards; a norm's place is taken by ``nn.Identity``.

    Raises:
        InputError: a norm that does not follow a convolution or dense layer of its own.
    """
    traced = trace(network)
    modules = dict(network.named_modules())
    for module in modules.values():
        if isinstance(module, nn.Conv2d | nn.Linear) and module.bias is None:
            module.bias = nn.Parameter(module.weight.new_zeros(module.weight.shape[0]))
    for node in list(traced.graph.nodes):
        norm = modules[node.target] if node.op == "call_module" else None
        if not isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d):
            continue
        before = node.args[0]
        weighted = modules.get(str(before.target)) if before.op == "call_module" else None
        if not isinstance(weighted, nn.Conv2d | nn.Linear) or len(before.users) != 1:
            raise InputError(
                f"{node.target}: this normalisation does not follow a Conv2d or Linear of its own, so it cannot be "
                "folded away; put it right behind one"
            )
        _fold(weighted, norm)
        parent, _, child = node.target.rpartition(".")
        setattr(network.get_submodule(parent), child, nn.Identity())


@torch.no_grad()
def _fold(weighted: nn.Conv2d | nn.Linear, norm: nn.BatchNorm1d | nn.BatchNorm2d) -> None:
    assert norm.running_mean is not None and norm.running_var is not None and weighted.bias is not None
    gain = torch.rsqrt(norm.running_var + norm.eps)
    if norm.weight is not None:
        gain = gain * norm.weight
    weighted.weight.mul_(gain.reshape(-1, *[1] * (weighted.weight.ndim - 1)))
    weighted.bias.sub_(norm.running_mean).mul_(gain)
    if norm.bias is not None:
        weighted.bias.add_(norm.bias)


@dataclass(frozen=True)
class Weights:
    """The place of a convolution or dense layer among the integers of a network.

    Attributes:
        unit: what an integer 1 of its input is worth: 1 for a spike, less for graded input and behind an average.
        target: the neuron layer that it feeds.
    """

    unit: float
    target: str


@dataclass(frozen=True)
class _Wire:
    """A value between two layers: its unit, or the layers whose weighted sum it is."""

    unit: float
    weights: frozenset[fx.Node] = frozenset()


def plan_of(traced: fx.GraphModule, input_unit: float) -> dict[str, Weights]:
    """The places of all convolutions and dense layers, by the names of their nodes.

    Args:
        input_unit: what an integer 1 of the input is worth.

    Raises:
        InputError: every place where the integers of the chip could not be the student's, at once.
    """
    faults: list[str] = []
    units: dict[fx.Node, float] = {}
    targets: dict[fx.Node, set[str]] = {}

    def neurons(name: str, _: nn.Module, wire: _Wire) -> _Wire:
        if not wire.weights:
            faults.append(f"{name}: is fed without weights; put a Conv2d or Linear before it")
        for node in wire.weights:
            targets[node].add(name)
        return _Wire(1.0)

    def other(node: fx.Node, module: nn.Module | None, arriving: list[_Wire]) -> _Wire:
        first = arriving[0]
        if isinstance(module, nn.Conv2d | nn.Linear):
            units[node], targets[node] = first.unit, set()
            if first.weights:
                faults.append(f"{node.target}: follows other weights without neurons between them; make them one layer")
            return _Wire(0.0, frozenset([node]))
        return _passed(node, module, arriving, faults)

    follow(traced, _Wire(input_unit), neurons, other)
    wide = [(node, len(reached)) for node, reached in targets.items() if len(reached) != 1]
    feeding = [f"{node.target}: feeds {count} neuron layers; each must have weights of its own" for node, count in wide]
    refuse("training on integers", feeding + faults)
    return {node.name: Weights(units[node], *reached) for node, reached in targets.items()}


def _passed(node: fx.Node, module: nn.Module | None, arriving: list[_Wire], faults: list[str]) -> _Wire:
    """What a node without weights makes of the values that arrive at it."""
    first = arriving[0]
    if isinstance(module, nn.AvgPool2d):
        if first.weights:
            faults.append(f"{node.target}: pools after the weights; put it before them, where it pools spikes")
        return _Wire(first.unit / _area(module), first.weights)
    if module is not None and not isinstance(module, (*UNCHANGED, nn.Flatten)):
        faults.append(f"{node.target}: is a {type(module).__name__}; may be Conv2d, Linear, AvgPool2d or Flatten")
    if is_sum(node) and len({(wire.unit, bool(wire.weights)) for wire in arriving}) > 1:
        faults.append(f"{node.name}: adds values of different units; give both ways the same pooling and weights")
    return _Wire(first.unit, first.weights.union(*(wire.weights for wire in arriving)))


def _area(pool: nn.AvgPool2d) -> int:
    size = pool.kernel_size
    return size**2 if isinstance(size, int) else math.prod(size)


@dataclass(frozen=True, eq=False)
class _Value:
    """Whole numbers ``(T or 1, B, *shape)`` on their way, and behind weights the bias that goes with them.

    ``most`` is a bound of their magnitude, partial sums included.
    """

    integers: Tensor
    most: float
    bias: Tensor | None = None


class IntegerWalk:
    """One pass through a traced network, every neuron layer over all its timesteps.

    Attributes:
        traces: by neuron layer, in float units.
        active: by neuron layer, updates of each step and sample that had something to do, ``(T, B)``.
        overflows: by neuron layer, wraps and clips of each step and sample, ``(T, B, 2)``.
        resets: by integrator that may have been reset by an overflow, where it was, ``(T, B, *shape)``.
        states: by neuron layer, its registers after every step; empty unless recorded.
    """

    def __init__(self, plan: Mapping[str, Weights], grid: TrainedGrid, timesteps: int, record: bool = False) -> None:
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
        assert value.bias is not None
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

    def _linear(self, node: fx.Node, module: nn.Module | None, values: list[_Value]) -> _Value:
        if isinstance(module, nn.Conv2d | nn.Linear):
            return self._weighted(node.name, module, values[0])
        if isinstance(module, nn.AvgPool2d):  # sums, which stay whole numbers
            geometry = (module.kernel_size, module.stride, module.padding)
            sums = flat_time(lambda x: F.avg_pool2d(x, *geometry, divisor_override=1), values[0].integers)
            return _Value(sums, values[0].most * _area(module))
        if isinstance(module, UNCHANGED):
            return values[0]
        function = stateless(node, module)
        integers, most = flat_time(function, *(value.integers for value in values)), sum(v.most for v in values)
        biases = [value.bias for value in values if value.bias is not None]
        if not biases:
            return _Value(integers, most)
        shape = values[0].integers.shape[2:]
        return _Value(integers, most, function(*(bias.expand(shape)[None] for bias in biases))[0])

    def _weighted(self, name: str, module: nn.Conv2d | nn.Linear, value: _Value) -> _Value:
        place = self._plan[name]
        scale = self._grid.scales[place.target]
        weight = weight_integers(module.weight, scale * place.unit, self._grid.registers)
        assert module.bias is not None
        bias = bias_on_grid(module.bias, scale, self._grid.registers)
        integers = value.integers
        most = value.most * float(weight.detach().abs().flatten(1).sum(1).max())
        if most >= FLOAT32_LIMIT:
            integers, weight = integers.double(), weight.double()
        if isinstance(module, nn.Linear):
            return _Value(flat_time(lambda x: F.linear(x, weight), integers), most, bias)
        m: nn.Conv2d = module
        made = flat_time(lambda x: F.conv2d(x, weight, None, m.stride, m.padding, m.dilation, m.groups), integers)
        return _Value(made, most, bias[:, None, None])
