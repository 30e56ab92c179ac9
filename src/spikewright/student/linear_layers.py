"""The NIR nodes of torch's linear layers: convolutions, transposed ones, pooling, enlarging, padding, batch norms.

A layer that NIR has a node for becomes that node. Another becomes convolutions that compute the same
(:mod:`.spatial_maps`).
"""

from __future__ import annotations

import math
from typing import Any

import nir
import numpy as np
import torch.nn.functional as F
from torch import Tensor, nn

from ..base.errors import a_kind
from ..graph.fields import pair
from ..graph.nodes import Shape, output_shape
from .modules import DT_S, CannotExport, Nodes, float32, has_node, node_of
from .neurons import ANY_SPIKE
from .operations import Reshape, Times
from .placed import PLACED, PlacedConv1d, PlacedConv2d
from .spatial_maps import convolution, depthwise, embedded, map_of_channel, scaling

__all__ = ["has_node"]
WEIGHTED = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.ConvTranspose1d, nn.ConvTranspose2d)
"""Layers that have weights."""
_PAD_MODES = {"zeros": "constant"}


@node_of.register(nn.Conv1d)
@node_of.register(nn.Conv2d)
@node_of.register(PlacedConv1d)
@node_of.register(PlacedConv2d)
def _(module: nn.Conv1d | nn.Conv2d, shape: Shape) -> Nodes:
    spatial = _spatial(module, shape, len(module.kernel_size))
    weight, given = float32(module.weight), {"stride": module.stride, "dilation": module.dilation}
    bias = None if module.bias is None or isinstance(module, PLACED) else float32(module.bias)
    if module.padding_mode == "zeros" and not _is_uneven(module):
        return convolution(weight, spatial, module.groups, bias=bias, padding=_padding(module), **given)
    if module.padding_mode == "zeros" and set(module.dilation) == {1}:  # a tap of zeros makes the kernel odd
        before = [(0, 0), (0, 0), *((1 - size % 2, 0) for size in module.kernel_size)]
        return convolution(np.pad(weight, before), spatial, module.groups, bias=bias, padding="same", **given)
    sides: list[int] = module._reversed_padding_repeated_twice
    mode = _PAD_MODES.get(module.padding_mode, module.padding_mode)
    matrix, padded = map_of_channel(lambda value: F.pad(value, sides, mode), spatial)
    return [
        *depthwise(matrix, shape[0], spatial, padded),
        convolution(weight, padded, module.groups, bias=bias, **given),
    ]


def _is_uneven(module: nn.Conv1d | nn.Conv2d) -> bool:
    """Whether padding 'same' pads one side more than the other."""
    return module.padding == "same" and any(
        d * (k - 1) % 2 for d, k in zip(module.dilation, module.kernel_size, strict=True)
    )


def _padding(module: nn.Conv1d | nn.Conv2d) -> Shape | str:
    return module.padding


@node_of.register(nn.ConvTranspose1d)
@node_of.register(nn.ConvTranspose2d)
def _(module: nn.ConvTranspose1d | nn.ConvTranspose2d, shape: Shape) -> Nodes:
    """A convolution with the kernel turned round, over values with ``stride - 1`` zeros between them."""
    spatial, groups = _spatial(module, shape, len(module.kernel_size)), module.groups
    turned = turned_round(module.weight, groups).detach()
    bias = None if module.bias is None else float32(module.bias)
    reach = _around(module)
    if set(module.stride) == {1} and not any(module.output_padding) and min(reach) >= 0:
        return convolution(float32(turned), spatial, groups, bias=bias, padding=tuple(reach), dilation=module.dilation)
    matrix, spread = map_of_channel(lambda value: spread_out(module, value), spatial)
    return [
        *depthwise(matrix, shape[0], spatial, spread),
        convolution(float32(turned), spread, groups, bias=bias, dilation=module.dilation),
    ]


def turned_round(weight: Tensor, groups: int) -> Tensor:
    """The kernel of a transposed convolution, ``(in, out / groups, ...)``, as one of a convolution."""
    inputs, outputs = weight.shape[0] // groups, weight.shape[1]
    grouped = weight.reshape(groups, inputs, outputs, *weight.shape[2:]).transpose(1, 2)
    return grouped.reshape(groups * outputs, inputs, *weight.shape[2:]).flip(tuple(range(2, weight.ndim)))


def spread_out(module: nn.ConvTranspose1d | nn.ConvTranspose2d, value: Tensor) -> Tensor:
    """The input of a transposed convolution with zeros between its values and around them."""
    sizes = value.shape[2:]
    spread = value.new_zeros(*value.shape[:2], *((n - 1) * s + 1 for n, s in zip(sizes, module.stride, strict=True)))
    places: Any = (Ellipsis, *(slice(None, None, stride) for stride in module.stride))
    spread[places] = value
    sides = [(zeros, zeros + more) for zeros, more in zip(_around(module), module.output_padding, strict=True)]
    return F.pad(spread, [zeros for side in reversed(sides) for zeros in side])


def _around(module: nn.ConvTranspose1d | nn.ConvTranspose2d) -> list[int]:
    """Zeros on each side of a transposed convolution's input, per axis, with which a convolution gives its output."""
    padding: Any = module.padding
    return [d * (k - 1) - int(p) for d, k, p in zip(module.dilation, module.kernel_size, padding, strict=True)]


@node_of.register
def _(module: nn.AvgPool2d, shape: Shape) -> Nodes:
    spatial, padding = _spatial(module, shape, 2), pair(module.padding)
    kernel = np.array(pair(module.kernel_size))
    stride = kernel if module.stride is None else np.array(pair(module.stride))
    if module.divisor_override is None and _is_even(module, spatial):
        return nir.AvgPool2d(kernel_size=kernel, stride=stride, padding=np.array(padding))
    return _mapped(module, shape)


def _is_even(pool: nn.AvgPool1d | nn.AvgPool2d, spatial: Shape) -> bool:
    """Whether each output is the sum of its whole window, padding included, by the size of the window."""
    kernel, stride, padding = (_each(value, len(spatial)) for value in (pool.kernel_size, pool.stride, pool.padding))
    rest = [(n + 2 * p - k) % s for n, k, s, p in zip(spatial, kernel, stride, padding, strict=True)]
    return not (pool.ceil_mode and any(rest)) and (pool.count_include_pad or not any(padding))


def _each(value: object, axes: int) -> Shape:
    return pair(value)[:axes]


@node_of.register
def _(module: nn.AvgPool1d, shape: Shape) -> Nodes:
    spatial = _spatial(module, shape, 1)
    if not _is_even(module, spatial):
        return _mapped(module, shape)
    (kernel,), (stride,), (padding,) = (_each(v, 1) for v in (module.kernel_size, module.stride, module.padding))
    weight = np.full((shape[0], 1, kernel), 1 / kernel, np.float32)
    return convolution(weight, spatial, shape[0], stride=(stride,), padding=(padding,))


@node_of.register(nn.AdaptiveAvgPool1d)
@node_of.register(nn.AdaptiveAvgPool2d)
def _(module: nn.AdaptiveAvgPool1d | nn.AdaptiveAvgPool2d, shape: Shape) -> Nodes:
    axes = 1 if isinstance(module, nn.AdaptiveAvgPool1d) else 2
    spatial = _spatial(module, shape, axes)
    plain = plain_pool(module, spatial)
    return _mapped(module, shape) if plain is None else node_of(plain, shape)


def plain_pool(module: nn.AdaptiveAvgPool1d | nn.AdaptiveAvgPool2d, spatial: Shape) -> nn.Module | None:
    """The average pooling that an adaptive one is for channels of this shape; None where its windows differ."""
    asked: Any = module.output_size
    wanted = tuple(asked) if isinstance(asked, tuple | list) else (asked,) * len(spatial)
    sizes = [n if size is None else int(size) for n, size in zip(spatial, wanted, strict=True)]
    if any(n % size for n, size in zip(spatial, sizes, strict=True)):
        return None
    windows = tuple(n // size for n, size in zip(spatial, sizes, strict=True))
    return nn.AvgPool1d(windows[0]) if len(windows) == 1 else nn.AvgPool2d(pair(windows))


@node_of.register(nn.Upsample)
@node_of.register(nn.UpsamplingNearest2d)
@node_of.register(nn.UpsamplingBilinear2d)
@node_of.register(nn.ZeroPad1d)
@node_of.register(nn.ZeroPad2d)
@node_of.register(nn.ConstantPad1d)
@node_of.register(nn.ConstantPad2d)
@node_of.register(nn.ReflectionPad1d)
@node_of.register(nn.ReflectionPad2d)
@node_of.register(nn.ReplicationPad1d)
@node_of.register(nn.ReplicationPad2d)
@node_of.register(nn.CircularPad1d)
@node_of.register(nn.CircularPad2d)
def _mapped(module: nn.Module, shape: Shape) -> Nodes:
    """What each channel undergoes alike."""
    if len(shape) not in (2, 3):
        raise CannotExport(f"takes (channels, length) or (channels, height, width); what arrives has shape {shape}")
    matrix, target = map_of_channel(module, shape[1:])
    return depthwise(matrix, shape[0], shape[1:], target)


@node_of.register(nn.BatchNorm1d)
@node_of.register(nn.BatchNorm2d)
def _(module: nn.BatchNorm1d | nn.BatchNorm2d, shape: Shape) -> Nodes:
    """A gain and a shift of each channel, by the running statistics."""
    if shape[0] != module.num_features:
        raise CannotExport(f"normalises {module.num_features} channels; what arrives has shape {shape}")
    gain, shift = (each.detach().cpu().numpy() for each in gain_and_shift(module))
    return scaling(gain, shift, shape)


def gain_and_shift(norm: nn.BatchNorm1d | nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """``gamma / sqrt(var + eps)`` and ``beta - mean * gain``, float64, ``(channels,)`` each.

    Raises:
        CannotExport: the norm keeps no running statistics.
    """
    if norm.running_mean is None or norm.running_var is None:
        raise CannotExport("keeps no running statistics; train it with track_running_stats=True")
    gain = (norm.running_var.double() + norm.eps).rsqrt()
    weight, bias = (None if each is None else each.double() for each in (norm.weight, norm.bias))
    gain = gain if weight is None else gain * weight
    shift = -norm.running_mean.double() * gain
    return gain, shift if bias is None else shift + bias


def any_spike(module: Any, shape: Shape) -> tuple[list[nir.NIRNode], Shape]:
    """The nodes of max pooling over spikes, and the shape that they give: sums, and neurons that fire above 0.5.

    The largest of several spikes is 1 where any of them is: neurons without a memory, in the timestep of the spikes.
    """
    spatial = _spatial(module, shape, len(shape) - 1)
    adaptive = isinstance(module, nn.AdaptiveMaxPool1d | nn.AdaptiveMaxPool2d)
    plain = len(spatial) == 2 and not adaptive and not module.ceil_mode and set(pair(module.dilation)) == {1}
    if plain:
        given = (module.kernel_size, module.stride, module.padding)
        sums: list[nir.NIRNode] = [nir.SumPool2d(*(np.array(pair(each)) for each in given))]
        target = output_shape(sums[0], shape)
    else:
        matrix, channel = map_of_channel(module, spatial)
        sums, target = depthwise(matrix, shape[0], spatial, channel), (shape[0], *channel)
    ones = np.ones(target, np.float32)
    kept = {"tau": np.float32(DT_S) * ones, "v_threshold": np.float32(ANY_SPIKE) * ones}
    return [*sums, nir.LIF(r=ones, v_leak=0 * ones, **kept)], target


@node_of.register
def _(module: Times, shape: Shape) -> Nodes:
    return nir.Scale(scale=np.full(shape, module.factor, np.float32))


@node_of.register(nn.Unflatten)
def _(module: nn.Unflatten, shape: Shape) -> Nodes:  # noqa: ARG001
    raise CannotExport(_UNFOLDS)


_UNFOLDS = (
    "splits an axis of its input, which no NIR node does; leave values in the shape in which they come, and flatten "
    "them where a Linear begins"
)


@node_of.register
def _(module: Reshape, shape: Shape) -> Nodes:
    """Axes that are merged, one flatten for each group of them."""
    target = module.target(shape)
    nodes: list[nir.NIRNode] = []
    left = list(shape)
    for axis, size in enumerate(target):
        end, product, more = axis, 1, len(left) - len(target)
        while end < len(left) and product * left[end] <= size and (product < size or end - axis <= more):
            product, end = product * left[end], end + 1
        if product != size or end == axis:
            raise CannotExport(_UNFOLDS)
        if end - axis > 1:
            nodes.append(nir.Flatten({"input": np.array(left)}, start_dim=axis, end_dim=end - 1))
            left[axis:end] = [size]
    if len(left) != len(target):
        raise CannotExport(_UNFOLDS)
    return nodes or None


def window_of(pool: nn.Module, spatial: Shape) -> int | None:
    """How many values each average of a pooling layer divides by; None where windows differ."""
    if isinstance(pool, nn.AdaptiveAvgPool1d | nn.AdaptiveAvgPool2d):
        plain = plain_pool(pool, spatial)
        return None if plain is None else window_of(plain, spatial)
    if not isinstance(pool, nn.AvgPool1d | nn.AvgPool2d) or getattr(pool, "divisor_override", None):
        return None
    return math.prod(_each(pool.kernel_size, len(spatial))) if _is_even(pool, spatial) else None


def keeps_constants(module: nn.Module) -> bool:
    """Whether each output is a mean of inputs, so that a constant goes through unchanged, borders included."""
    if isinstance(module, nn.AvgPool1d | nn.AvgPool2d):
        padded = any(_each(module.padding, 2)) and module.count_include_pad
        return not padded and getattr(module, "divisor_override", None) is None
    return isinstance(module, nn.AdaptiveAvgPool1d | nn.AdaptiveAvgPool2d | nn.Upsample)


def scaled_outputs(layer: nn.Module, weight: Tensor, gain: Tensor) -> Tensor:
    """The weights of a layer with each output channel multiplied by its gain."""
    if not isinstance(layer, nn.ConvTranspose1d | nn.ConvTranspose2d):
        return weight * gain.reshape(-1, *[1] * (weight.ndim - 1))
    per_group = gain.reshape(layer.groups, 1, weight.shape[1]).expand(-1, weight.shape[0] // layer.groups, -1)
    return weight * per_group.reshape(weight.shape[0], weight.shape[1], *[1] * (weight.ndim - 2))


def placed(shape: Shape, target: Shape, axis: int, place: slice) -> list[nir.NIRNode]:
    """The nodes that put a value at its place along an axis of a larger one, and zeros at the others."""
    if axis == 0:
        return [embedded(shape[0], place, target[0], shape[1:])]
    matrix = np.zeros((*target[1:], *shape[1:]))
    inside = [slice(None)] * (len(target) - 1)
    inside[axis - 1] = place
    matrix[tuple(inside)] = np.eye(math.prod(shape[1:])).reshape(*shape[1:], *shape[1:])
    flat = matrix.reshape(math.prod(target[1:]), -1)
    return depthwise(flat, shape[0], shape[1:], target[1:])


def _spatial(module: nn.Module, shape: Shape, axes: int) -> Shape:
    """The shape of a channel.

    Raises:
        CannotExport: the module does not take values of this shape.
    """
    if len(shape) != axes + 1:
        what = "(channels, length)" if axes == 1 else "(channels, height, width)"
        raise CannotExport(f"is {a_kind(type(module).__name__)}, which takes {what}; what arrives has shape {shape}")
    return shape[1:]
