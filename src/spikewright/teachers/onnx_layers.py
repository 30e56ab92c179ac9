"""The layers of torch that a teacher's ONNX model can be made of, each with its operator."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized, type_before_parametrizations
from torch.nn.utils.prune import BasePruningMethod
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

from ..exchange.onnx_graph import GraphWriter

FloatArray: TypeAlias = npt.NDArray[np.float32]
Axes: TypeAlias = tuple[int, ...]
Layer: TypeAlias = Callable[[GraphWriter, nn.Module, str, Axes], str]
"""Adds a layer to a graph, behind the value that enters it, whose shape it gets; returns the name of its output."""


def layers_of(network: nn.Module, name: str = "") -> Iterator[tuple[str, nn.Module]]:
    """The layers of nested sequences in their order, and each sequence behind its last layer, with their names.

    A module that is used several times comes several times, each time under the name of that place.
    """
    if type(network) is not nn.Sequential:
        yield name, network
        return
    for child, module in network._modules.items():  # named_children leaves out what was there before
        assert module is not None
        yield from layers_of(module, f"{name}.{child}" if name else child)
    if name:
        yield name, network


def uses_of(network: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """The layers in their order, under names that no two of them share.

    The last use of a module has its name in ``network.named_modules()``, as a method requests its output, and earlier
    uses have a number behind it.
    """
    layers = list(layers_of(network))
    left, used = Counter(module for _, module in layers), Counter[nn.Module]()
    names: dict[nn.Module, str] = {}
    for name, module in layers:
        used[module] += 1
        first = names.setdefault(module, name)
        yield first if used[module] == left[module] else f"{first} (use {used[module]})", module


def kind_of(module: nn.Module) -> type[nn.Module]:
    """The class of a layer; where its weights are parametrized that of the layer itself."""
    return type_before_parametrizations(module) if is_parametrized(module) else type(module)


def layer_faults(network: nn.Module) -> Iterator[str]:
    """Why a network cannot be written, a sentence for each of its modules."""
    if type(network) is not nn.Sequential:
        yield f"is a {type(network).__name__}, whose forward function is code; a sequence of layers can be written"
        return
    for name, module in layers_of(network):
        if kind_of(module) not in LAYERS:
            yield f"{name}: {type(module).__name__} has no operator here; may be: {', '.join(sorted(NAMES))}"
        elif isinstance(module, nn.Conv2d) and (module.padding_mode != "zeros" or isinstance(module.padding, str)):
            yield f"{name}: its padding is {module.padding_mode} {module.padding}; numbers of zeros can be written"
        elif isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d) and module.running_mean is None:
            yield f"{name}: has no running mean, so an answer depends on the other samples; train it with one"
        elif isinstance(module, nn.MaxPool2d) and module.return_indices:
            yield f"{name}: gives indices, too; make it without return_indices"
    yield from _hook_faults(network)
    for name, value in network.state_dict().items():
        if value.is_floating_point() and str(value.dtype) != "torch.float32":
            yield f"{name}: is {str(value.dtype).removeprefix('torch.')}; make it float32"


def shape_fault(name: str, module: nn.Module, shape: Axes) -> str | None:
    """Why a layer cannot be written behind a value of this shape, as a sentence."""
    if isinstance(module, nn.Flatten) and _flattened(module, shape)[0] == 0:
        return f"{name}: flattens the samples of a batch into one ({module}); give it start_dim=1"
    if isinstance(module, nn.Conv2d | nn.MaxPool2d) and len(shape) != 4:
        return (
            f"{name}: {type(module).__name__} gets {len(shape)} axes and takes the samples of a batch for channels of "
            "one sample; bring them to (batch, channels, height, width) before it"
        )
    return None


def _hook_faults(network: nn.Module) -> Iterator[str]:
    """Modules that hooks act on, but those that only compute a layer's weight from its parts."""
    for name, module in network.named_modules():
        hooks = [*module._forward_hooks.values(), *module._forward_pre_hooks.values()]
        if others := [hook for hook in hooks if not isinstance(hook, OF_WEIGHTS)]:
            where = f"{name}: " if name else ""
            said = ", ".join(sorted({getattr(hook, "__name__", type(hook).__name__) for hook in others}))
            yield f"{where}has a forward hook ({said}), which is code and would be left out; remove it first"


OF_WEIGHTS = (BasePruningMethod, SpectralNorm, WeightNorm)
"""Hooks of torch that put a weight together before each forward pass."""


def _array(value: Tensor | None, otherwise: FloatArray | None = None) -> FloatArray:
    """The numbers of a tensor, or where there is none, others."""
    if value is None:
        assert otherwise is not None
        return otherwise
    return np.ascontiguousarray(value.detach().cpu().numpy())


def _pair(value: object) -> list[int]:
    if isinstance(value, tuple):
        return [int(each) for each in value]
    return [int(value)] * 2  # type: ignore[call-overload]


def _convolution(graph: GraphWriter, module: nn.Module, value: str, shape: Axes) -> str:  # noqa: ARG001
    assert isinstance(module, nn.Conv2d)
    weights = [graph.constant(_array(module.weight), f"{graph.prefix}.weight")]
    if module.bias is not None:
        weights.append(graph.constant(_array(module.bias), f"{graph.prefix}.bias"))
    return graph.add(
        "Conv", value, *weights, name=graph.prefix, kernel_shape=list(module.kernel_size), strides=list(module.stride),
        pads=[*_pair(module.padding)] * 2, dilations=list(module.dilation), group=module.groups,
    )  # fmt: skip


def _pooling(graph: GraphWriter, module: nn.Module, value: str, shape: Axes) -> str:
    """A pooling without ``ceil_mode``, which onnxruntime and torch understand differently: the padding says it."""
    assert isinstance(module, nn.MaxPool2d)
    kernel, pads = _pair(module.kernel_size), [*_pair(module.padding), *_ends(module, shape)]
    if any(pad >= size for pad, size in zip(pads, kernel * 2, strict=True)):  # more than onnxruntime takes
        lowest = graph.constant(np.array(-np.inf, np.float32))
        value, pads = graph.add("Pad", value, graph.whole(0, 0, *pads[:2], 0, 0, *pads[2:]), lowest), [0] * 4
    return graph.add(
        "MaxPool", value, name=graph.prefix, kernel_shape=kernel, strides=_pair(module.stride),
        pads=pads, dilations=_pair(module.dilation), ceil_mode=0,
    )  # fmt: skip


def _ends(module: nn.MaxPool2d, shape: Axes) -> list[int]:
    """Padding below and to the right, with which a pooling has as many places as torch gives it.

    With ``ceil_mode`` torch adds a place for what is left of an axis, if it begins within the axis or its padding
    above.
    """
    found = []
    settings = (module.kernel_size, module.stride, module.padding, module.dilation)
    for size, kernel, stride, pad, apart in zip(shape[2:], *map(_pair, settings), strict=True):
        reach = apart * (kernel - 1) + 1
        places = -(-(size + 2 * pad - reach) // stride) + 1
        places -= (places - 1) * stride >= size + pad
        needed = (places - 1) * stride + reach - size - pad
        found.append(max(pad, needed) if module.ceil_mode else pad)
    return found


def _normalization(graph: GraphWriter, module: nn.Module, value: str, shape: Axes) -> str:  # noqa: ARG001
    assert isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d)
    size = module.num_features
    parts = {
        "weight": _array(module.weight, np.ones(size, np.float32)),
        "bias": _array(module.bias, np.zeros(size, np.float32)),
        "running_mean": _array(module.running_mean),
        "running_var": _array(module.running_var),
    }
    constants = [graph.constant(part, f"{graph.prefix}.{name}") for name, part in parts.items()]
    return graph.add("BatchNormalization", value, *constants, name=graph.prefix, epsilon=module.eps)


def _linear(graph: GraphWriter, module: nn.Module, value: str, shape: Axes) -> str:  # noqa: ARG001
    """``x W^T + b``."""
    assert isinstance(module, nn.Linear)
    weight = graph.constant(_array(module.weight).T, f"{graph.prefix}.weight transposed")
    biases = [graph.constant(_array(module.bias), f"{graph.prefix}.bias")] if module.bias is not None else []
    if not biases:
        return graph.add("MatMul", value, weight, name=graph.prefix)
    return graph.add("Add", graph.add("MatMul", value, weight), *biases, name=graph.prefix)


def _flattening(graph: GraphWriter, module: nn.Module, value: str, shape: Axes) -> str:
    """Axes of the samples become one; the axis of the batch, which has no number, stays."""
    assert isinstance(module, nn.Flatten)
    start, end = _flattened(module, shape)
    if (start, end) == (1, len(shape) - 1):
        return graph.add("Flatten", value, name=graph.prefix, axis=1)
    axes = graph.whole(*[0] * start, -1, *shape[end + 1 :])  # in a Reshape 0 is as many as before, -1 all that are left
    return graph.add("Reshape", value, axes, name=graph.prefix)


def _flattened(module: nn.Flatten, shape: Axes) -> tuple[int, int]:
    """The first and the last axis that become one."""
    return module.start_dim % len(shape), module.end_dim % len(shape)


def _rectification(graph: GraphWriter, module: nn.Module, value: str, shape: Axes) -> str:  # noqa: ARG001
    return graph.add("Relu", value, name=graph.prefix)


def _nothing(graph: GraphWriter, module: nn.Module, value: str, shape: Axes) -> str:  # noqa: ARG001
    """What a module does to a trained network's values where that is nothing."""
    return graph.add("Identity", value, name=graph.prefix)


LAYERS: Mapping[type[nn.Module], Layer] = {
    nn.Conv2d: _convolution,
    nn.MaxPool2d: _pooling,
    nn.BatchNorm1d: _normalization,
    nn.BatchNorm2d: _normalization,
    nn.Linear: _linear,
    nn.Flatten: _flattening,
    nn.ReLU: _rectification,
    nn.Dropout: _nothing,
    nn.Identity: _nothing,
    nn.Sequential: _nothing,
}
"""By class, the function that adds a layer; subclasses are other layers, with a forward function of their own."""
NAMES = tuple(kind.__name__ for kind in LAYERS)
