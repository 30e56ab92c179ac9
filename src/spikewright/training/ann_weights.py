"""Weights of an ANN as the beginning of a student: which layer gets which, and thresholds that are balanced on data.

A student's neurons send about as many spikes as a ReLU unit would have given, in a unit of their own. Layer by layer
that unit is measured on training data and taken out of the next weights. A layer's threshold is balanced against the
weights in front of it: a quantile of the largest potentials that inputs would gather without a reset meets it, so that
no layer starves and none fires always. The weights are divided and the threshold stays, as it suits the surrogate.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from onnx import numpy_helper
from torch import Tensor, fx, nn

from ..base.artefacts import sha256_of
from ..base.errors import InputError, refuse
from ..chip.law import State
from ..data.dataset import Dataset
from ..student.finite import not_finite
from ..student.neurons import is_integrator, is_neuron, law_of, run_over_time
from ..student.student import Student
from ..student.tracing import flat_time, follow, stateless, trace
from ..teachers.onnx_model import read_onnx
from ..teachers.weights import read_weights

QUANTILE = 0.5
"""Of the largest potentials of neurons over samples: the other half would reach the threshold without a reset. Higher
quantiles start and end worse on digits at T = 4: 0.5 starts at 90 %, 0.7 at 84 %, 0.9 at 47 % of an ANN at 93 %."""
SAMPLES = 256
EPS = 1e-5
"""Of batch norms, whose files do not say it."""
NORM = ("weight", "bias", "running_mean", "running_var")
STATISTICS = (nn.BatchNorm1d, nn.BatchNorm2d)
_Values: TypeAlias = tuple[Tensor, Tensor, float]


@dataclass(frozen=True, eq=False)
class LayerWeights:
    """The weights of one layer of an ANN, and of the batch norm behind it.

    Attributes:
        name: in its file.
        norm: weight, bias, running mean and running variance; None without a norm.
    """

    name: str
    weight: Tensor
    bias: Tensor | None
    norm: tuple[Tensor, ...] | None = None

    @property
    def folded(self) -> LayerWeights:
        """The same layer with the norm in its weights."""
        if self.norm is None:
            return self
        weight, bias, mean, var = self.norm
        gain = weight / (var + EPS).sqrt()
        own = torch.zeros(len(self.weight)) if self.bias is None else self.bias
        by_row = gain.reshape(-1, *[1] * (self.weight.ndim - 1))
        return LayerWeights(self.name, self.weight * by_row, (own - mean) * gain + bias)


@dataclass(frozen=True, eq=False)
class AnnWeights:
    """The weights of an ANN, layer by layer in order.

    Attributes:
        remarks: what was done to find them.
    """

    name: str
    sha256: str
    layers: tuple[LayerWeights, ...]
    remarks: tuple[str, ...] = ()

    @property
    def width(self) -> int:
        """Outputs of the first layer."""
        return len(self.layers[0].weight)


def read_ann(path: Path) -> AnnWeights:
    """The layers in an ONNX model, or in a state dict of torch or safetensors.

    Raises:
        InputError: no such file, no layers in it, norms of another kind, or weights that are NaN or infinite.
    """
    if path.suffix.lower() == ".onnx":
        layers, remarks = list(_of_onnx(path)), tuple[str, ...]()
    else:
        state = read_weights(path)
        layers, remarks = list(_of_state(path, state.values)), state.remarks
    if not layers:
        raise InputError(f"{path}: holds no weights of dense layers or convolutions, with which a student could begin")
    tensors = {layer.name: layer.folded.weight for layer in layers}
    refuse(str(path), list(not_finite(tensors)))
    return AnnWeights(str(path), sha256_of(path), tuple(layers), remarks)


def is_state_dict(path: Path) -> bool:
    """Whether a file of torch holds weights and no student."""
    if not path.is_file():
        return False
    try:
        read_weights(path)
    except InputError:
        return False
    return True


def _of_state(path: Path, values: Any) -> Iterator[LayerWeights]:
    groups: dict[str, dict[str, Tensor]] = {}
    for name, value in values.items():
        if isinstance(value, Tensor) and value.is_floating_point():
            prefix, _, last = name.rpartition(".")
            groups.setdefault(prefix, {})[last] = value.detach().float()
    pending: LayerWeights | None = None
    faults = []
    for prefix, found in groups.items():
        weight = found.get("weight")
        if "running_mean" in found and pending is not None and pending.norm is None:
            ones = torch.ones_like(found["running_mean"])
            shift = found.get("bias", torch.zeros_like(ones))
            norm = (found.get("weight", ones), shift, found["running_mean"], found["running_var"])
            pending = replace(pending, norm=norm)
        elif weight is not None and weight.ndim in (2, 4) and not set(found) - {"weight", "bias"}:
            if pending is not None:
                yield pending
            pending = LayerWeights(prefix or "weight", weight, found.get("bias"))
        else:
            faults.append(f"{prefix or 'its first values'}: holds {', '.join(found)}, which is no dense layer, "
                          "convolution of images, or batch norm behind one")  # fmt: skip
    refuse(str(path), faults)
    if pending is not None:
        yield pending


def _of_onnx(path: Path) -> Iterator[LayerWeights]:
    graph = read_onnx(path).model.graph
    arrays = {each.name: torch.from_numpy(numpy_helper.to_array(each).copy()) for each in graph.initializer}
    pending: LayerWeights | None = None
    for node in graph.node:
        given = [arrays[name].float() for name in node.input if name in arrays and arrays[name].is_floating_point()]
        kind, called = node.op_type, node.name or node.output[0]
        if kind in ("Conv", "Gemm", "MatMul") and given and given[0].ndim in (2, 4):
            if pending is not None:
                yield pending
            is_turned = any(each.name == "transB" and each.i for each in node.attribute)
            turned = kind == "MatMul" or (kind == "Gemm" and not is_turned)
            weight = given[0].T.contiguous() if turned else given[0]
            pending = LayerWeights(called, weight, given[1] if len(given) > 1 else None)
        elif kind == "Add" and given and pending is not None and pending.bias is None and pending.norm is None:
            pending = replace(pending, bias=given[0].reshape(-1))
        elif kind == "BatchNormalization" and len(given) == 4 and pending is not None:
            pending = replace(pending, norm=tuple(given))
    if pending is not None:
        yield pending


def weighted_of(student: Student) -> dict[str, nn.Module]:
    """The dense layers and convolutions of a student, by name, in the order of computation."""
    modules = dict(student.network.named_modules())
    nodes = [str(node.target) for node in student.graph.nodes if node.op == "call_module"]
    return {name: modules[name] for name in nodes if isinstance(modules.get(name), nn.Linear | nn.Conv2d)}


def match_faults(found: AnnWeights, student: Student) -> Iterator[str]:
    """Why the layers of an ANN are not those of a student: their number, or their shapes."""
    mine = weighted_of(student)
    if len(mine) != len(found.layers):
        theirs = ", ".join(f"{each.name} {tuple(each.weight.shape)}" for each in found.layers)
        ours = ", ".join(f"{name} {tuple(module.weight.shape)}" for name, module in mine.items())
        yield f"has {len(found.layers)} layers ({theirs}), and the student {len(mine)} ({ours})"
        return
    for layer, (name, module) in zip(found.layers, mine.items(), strict=True):
        there, wanted = tuple(layer.weight.shape), tuple(module.weight.shape)
        if there != wanted:
            yield f"{layer.name}: has shape {there}, and the student's {name} {wanted}"


@torch.no_grad()
def begin_with(found: AnnWeights, student: Student, dataset: Dataset) -> tuple[str, ...]:
    """Give a student the weights of an ANN, and balance its thresholds; returns what was matched, in sentences.

    Args:
        dataset: on whose training samples thresholds are balanced.

    Raises:
        InputError: layers that are not those of the student, all at once; or one that nothing reaches.
    """
    refuse(found.name, list(match_faults(found, student)))
    images = torch.from_numpy(dataset.train.samples[: dataset.train.at_once(SAMPLES)])
    by_name = dict(zip(weighted_of(student), found.layers, strict=True))
    graph = trace(student.network)
    balance = _Balance(student, graph, by_name)
    student.eval()
    drive = student.drive(images)
    if student.encoder is not None:
        spikes = run_over_time("encoder", student.encoder, drive, student.config.timesteps).spikes
        assert spikes is not None
        drive = spikes
    real = (images.float() if images.shape[1:] == student.config.input_shape else images.float().mean(1))[None]
    follow(graph, (real, drive, 1.0), balance.neurons, balance.other)
    pairs = ", ".join(f"{layer.name} is {name}" for name, layer in by_name.items())
    told = ", ".join(f"{name} {value:.3g}" for name, value in balance.divisors.items())
    balanced = f"thresholds balanced on {len(images)} training samples, weights before each divided by: {told}"
    return (*found.remarks, f"{found.name}: {pairs}", balanced)


class _Balance:
    """One pass through a student beside the ANN: values are the ANN's activation, what the student has, and its unit.

    The unit is how many spikes in a step stand for an activation of 1; weights are divided by it, so that currents are
    the ANN's own.
    """

    def __init__(self, student: Student, graph: fx.GraphModule, layers: dict[str, LayerWeights]) -> None:
        self._steps, self._layers = student.config.timesteps, layers
        self._modules = dict(graph.named_modules())
        self._norms: dict[fx.Node, LayerWeights] = {}
        self._nodes = {str(node.target): node for node in graph.graph.nodes}
        self.divisors: dict[str, float] = {}

    def neurons(self, name: str, module: Any, value: _Values) -> _Values:
        """Set the threshold of a layer, and measure its unit."""
        real, current, _ = value
        if is_integrator(module):
            return value
        gathered = self._gathered(module, current)
        threshold = float(np.quantile(gathered.numpy(), QUANTILE))
        threshold = threshold if threshold > 0 else float(gathered.max())
        if threshold <= 0:
            raise InputError(f"{name}: no input raises its neurons, so that they would never fire; look at the biases")
        divisor = threshold / float(module.threshold)
        self._divide_before(self._nodes[name], divisor)
        self.divisors[name] = divisor
        current = current / divisor
        spikes = run_over_time(name, module, current, self._steps).spikes
        assert spikes is not None
        activation = real.relu()
        unit = float((spikes.mean(0) * activation[0]).sum() / activation.square().sum().clamp_min(1e-30))
        if unit <= 0:
            raise InputError(f"{name}: fires where the ANN's units are silent, and nowhere else; look at the weights")
        return activation, spikes, unit

    def _divide_before(self, node: fx.Node, divisor: float) -> None:
        """Divide the last weights, or norms, on each way to a layer of neurons.

        Raises:
            InputError: spikes that come without weights, which cannot be divided.
        """
        for before in node.all_input_nodes:
            module = self._modules.get(str(before.target)) if before.op == "call_module" else None
            if isinstance(module, (nn.Linear, nn.Conv2d, *STATISTICS)):
                module.weight.div_(divisor)
                if module.bias is not None:
                    module.bias.div_(divisor)
            elif before.op == "placeholder" or (module is not None and is_neuron(module)):
                raise InputError(f"{node.target}: is fed by spikes without weights, which nothing balances")
            else:
                self._divide_before(before, divisor)

    def _gathered(self, module: Any, current: Tensor) -> Tensor:
        """The largest potential of each neuron, for each sample, without a reset, ``(B, *shape)``."""
        law = replace(law_of(module), threshold=None)
        state = State(torch.zeros_like(current[0]), torch.zeros_like(current[0]))
        largest = torch.full_like(current[0], -torch.inf)
        for step in range(self._steps):
            state, potential, _ = law.step(state, current[step if len(current) > 1 else 0])
            largest = torch.maximum(largest, potential)
        return largest

    def other(self, node: fx.Node, module: Any, values: list[_Values]) -> _Values:
        """Give a layer its weights, and carry both values through it."""
        units = {unit for _, _, unit in values}
        if isinstance(module, nn.Linear | nn.Conv2d):
            real, spikes, unit = values[0]
            self._take(node, module, unit)
            return flat_time(module, real * unit), flat_time(module, spikes), 1.0
        if len(units) > 1:
            raise InputError(f"{node.name}: adds spikes of layers whose units differ; put weights before the sum")
        if isinstance(module, STATISTICS):
            self._norm(node, module, values[0][0])
        function = stateless(node, module)
        reals, currents = [value[0] for value in values], [value[1] for value in values]
        return flat_time(function, *reals), flat_time(function, *currents), units.pop()

    def _take(self, node: fx.Node, module: Any, unit: float) -> None:
        layer = self._layers[str(node.target)]
        behind = [user for user in node.users if isinstance(self._modules.get(str(user.target)), STATISTICS)]
        for user in behind:
            self._norms[user] = layer
        layer = layer if behind else layer.folded
        module.weight.copy_(layer.weight / unit)
        bias = torch.zeros(len(layer.weight)) if layer.bias is None or behind else layer.bias
        if module.bias is not None:
            module.bias.copy_(bias)
        elif bool(bias.any()):
            raise InputError(f"{layer.name}: has a bias, and the student's {node.target} has none; leave it out")

    def _norm(self, node: fx.Node, module: Any, real: Tensor) -> None:
        """A norm's weights: the ANN's, or those by which it passes its values on, with the bias of the layer."""
        layer = self._norms.get(node)
        if layer is None:
            raise InputError(f"{node.target}: is a batch norm without a layer of the ANN's before it")
        own = torch.zeros(module.num_features) if layer.bias is None else layer.bias
        if layer.norm is not None:
            weight, bias, mean, var = layer.norm
            mean = mean - own
        else:
            axes = [axis for axis in range(real.ndim) if axis != 2]
            mean, var = real.mean(axes), real.var(axes, unbiased=False)
            weight, bias = (var + module.eps).sqrt(), mean + own
        for name, value in zip(NORM, (weight, bias, mean, var), strict=True):
            getattr(module, name).copy_(value)
