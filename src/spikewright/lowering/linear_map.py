"""Linear maps: the weights between two populations as one convolution where that is exact, else as one matrix.

Linear nodes in a row (convolutions, pooling, flatten, linear) have no neurons in between, so that the chip computes
them in one connection and without an extra timestep.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from math import prod

import nir
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..base.errors import InputError
from ..base.types import FloatArray
from ..chip.network import ConvGeometry
from ..graph.fields import conv1d_padding, conv_padding, one_number, pair
from ..graph.nodes import Shape, apply, output_shape

# Larger than any single chip holds (Loihi: 128 cores of 128 KiB at 8 bits a synapse make 2^24).
MOST_DENSE_WEIGHTS = 2**25
_CHUNK = 256


@dataclass(frozen=True, eq=False)
class LinearMap:
    """A linear map from values of one shape to values of another.

    Attributes:
        weight: float64 ``(target size, source size)``, or a kernel as in :class:`spikewright.chip.network.Connection`.
        conv: geometry of a kernel, None for a matrix.
    """

    weight: FloatArray
    source_shape: Shape
    target_shape: Shape
    conv: ConvGeometry | None = None

    def scaled(self, gain: FloatArray) -> LinearMap:
        """The map with each output multiplied by its ``gain`` (an array of the target's shape)."""
        if np.all(gain == gain.flat[0]):
            return replace(self, weight=self.weight * gain.flat[0])
        if self.conv is None:
            return replace(self, weight=self.weight * gain.reshape(-1, 1))
        per_channel = gain.reshape(gain.shape[0], -1)
        if np.all(per_channel == per_channel[:, :1]):
            return replace(self, weight=self.weight * per_channel[:, 0].reshape(-1, 1, 1, 1))
        return self.dense().scaled(gain)

    def plus(self, other: LinearMap) -> LinearMap:
        """The sum of this map and another between the same shapes."""
        if self.conv == other.conv and self.weight.shape == other.weight.shape:
            return replace(self, weight=self.weight + other.weight)
        one, two = self.dense(), other.dense()
        return replace(one, weight=one.weight + two.weight)

    def dense(self) -> LinearMap:
        """The same map as a matrix."""
        if self.conv is None:
            return self
        conv, kernel = self.conv, torch.from_numpy(self.weight)

        def push(value: Tensor) -> Tensor:
            return F.conv2d(value, kernel, None, conv.stride, conv.padding, conv.dilation, conv.groups)

        return replace(self, weight=_matrix(push, self.source_shape, self.target_shape), conv=None)


def frame(shape: Shape, lying: bool = False) -> Shape:
    """The shape that a population has on a chip: values over one axis, ``(channels, length)``, get a second of one.

    Args:
        lying: whether the one axis is a row, ``(channels, 1, length)``, and no column, ``(channels, length, 1)``.
    """
    return shape if len(shape) != 2 else (shape[0], 1, shape[1]) if lying else (*shape, 1)


def compose(path: Sequence[nir.NIRNode], source_shape: Shape, lying: bool = False) -> LinearMap:
    """One map for linear nodes in a row; biases are left out.

    Args:
        lying: as in :func:`frame`, in which the shapes of the map are.

    Raises:
        InputError: it takes a matrix larger than :data:`MOST_DENSE_WEIGHTS`.
    """
    if (kernel := _as_convolution(path, source_shape, lying)) is not None:
        return kernel
    target_shape = reduce(lambda shape, node: output_shape(node, shape), path, source_shape)
    ends = frame(source_shape, lying), frame(target_shape, lying)
    weighted = [node for node in path if not isinstance(node, nir.Flatten)]  # flattening keeps the order of values
    if len(weighted) == 1 and isinstance(weighted[0], nir.Linear | nir.Affine):
        return LinearMap(np.asarray(weighted[0].weight, np.float64), *ends)
    if not weighted:
        return LinearMap(np.eye(prod(source_shape)), *ends)

    def push(value: Tensor) -> Tensor:
        return reduce(lambda passed, node: apply(node, passed), path, value)

    return LinearMap(_matrix(push, source_shape, target_shape), *ends)


def identity(shape: Shape) -> LinearMap:
    """The identity: a depthwise convolution with a kernel of 1 x 1, or the unit matrix where there are no channels."""
    if len(shape) == 3:
        return LinearMap(np.ones((shape[0], 1, 1, 1)), shape, shape, ConvGeometry(groups=shape[0]))
    return LinearMap(np.eye(prod(shape)), shape, shape)


def _as_convolution(path: Sequence[nir.NIRNode], shape: Shape, lying: bool) -> LinearMap | None:
    """A path as one convolution in frames; None where it is not one."""
    total: LinearMap | None = None
    for node in path if len(shape) in (2, 3) else ():
        at, after = (frame(shape, lying) if total is None else total.target_shape), output_shape(node, shape)
        if isinstance(node, nir.Flatten):
            if frame(after, lying) != at:
                return None
        else:
            kernel = _convolution_of(node, at, lying)
            total = kernel if total is None or kernel is None else folded(total, kernel)
            if total is None:
                return None
        shape = after
    return total


def _convolution_of(node: nir.NIRNode, shape: Shape, lying: bool = False) -> LinearMap | None:
    """A node as a convolution of values of ``shape``; None where it is not one."""
    if isinstance(node, nir.Scale):
        scale = np.asarray(node.scale, np.float64)
        scale = scale.reshape(shape) if scale.size > 1 else np.full(shape, scale.reshape(-1)[0])
        return identity(shape).scaled(scale) if np.all(scale == scale[:, :1, :1]) else None
    if isinstance(node, nir.Conv1d):
        return _over_one_axis(node, shape, lying)
    if isinstance(node, nir.Conv2d):
        geometry = ConvGeometry(
            pair(node.stride, "stride"),
            conv_padding(node),
            pair(node.dilation, "dilation"),
            one_number(node.groups, "groups"),
        )
        return LinearMap(np.asarray(node.weight, np.float64), shape, output_shape(node, shape), geometry)
    if isinstance(node, nir.SumPool2d | nir.AvgPool2d):
        size = pair(node.kernel_size, "kernel_size")
        weight = np.full((shape[0], 1, *size), 1.0 if isinstance(node, nir.SumPool2d) else 1.0 / prod(size))
        geometry = ConvGeometry(pair(node.stride, "stride"), pair(node.padding, "padding"), groups=shape[0])
        return LinearMap(weight, shape, output_shape(node, shape), geometry)
    return None


def _over_one_axis(node: nir.Conv1d, shape: Shape, lying: bool) -> LinearMap:
    """A convolution over one axis as one over the two of its frame."""
    axis = 3 if lying else 2

    def both(value: object, other: int) -> tuple[int, int]:
        along = pair(value)[0]
        return (other, along) if lying else (along, other)

    weight = np.expand_dims(np.asarray(node.weight, np.float64), 5 - axis)
    geometry = ConvGeometry(
        both(node.stride, 1), both(conv1d_padding(node), 0), both(node.dilation, 1), one_number(node.groups, "groups")
    )
    after = output_shape(node, (shape[0], shape[axis - 1]))
    return LinearMap(weight, shape, frame(after, lying), geometry)


def folded(first: LinearMap, second: LinearMap) -> LinearMap | None:
    """Two convolutions in a row as one with a larger kernel and stride; None where zero padding makes that inexact.

    ``K[o, i, a*dA + b*dB*sA] = sum over m of B[o, m, b] * A[m, i, a]`` with stride ``sA*sB`` and padding
    ``pA + pB*sA``, for kernels A and B with strides s, paddings p and dilations d.
    """
    a, b = first.conv, second.conv
    if a is None or b is None or not all(_is_exact(first, second, axis) for axis in (0, 1)):
        return None
    # A number of groups that both kernels can have.
    groups = a.groups if b.groups % a.groups == 0 else b.groups if a.groups % b.groups == 0 else 1
    one, two = _regrouped(first.weight, a.groups, groups), _regrouped(second.weight, b.groups, groups)
    step = [b.dilation[axis] * a.stride[axis] for axis in (0, 1)]  # between the second kernel's taps in the folded one
    reach = [(one.shape[3 + axis] - 1) * a.dilation[axis] + 1 for axis in (0, 1)]  # of the first kernel
    size = [reach[axis] + (two.shape[3 + axis] - 1) * step[axis] for axis in (0, 1)]
    kernel = np.zeros((groups, two.shape[1], one.shape[2], *size))
    for row, column in np.ndindex(*two.shape[3:]):
        product = np.einsum("gom,gmiyx->goiyx", two[..., row, column], one)
        rows, columns = (
            slice(tap * step[axis], tap * step[axis] + reach[axis], a.dilation[axis])
            for axis, tap in enumerate((row, column))
        )
        kernel[..., rows, columns] += product
    geometry = ConvGeometry(
        stride=(a.stride[0] * b.stride[0], a.stride[1] * b.stride[1]),
        padding=(a.padding[0] + b.padding[0] * a.stride[0], a.padding[1] + b.padding[1] * a.stride[1]),
        groups=groups,
    )
    return LinearMap(kernel.reshape(-1, *kernel.shape[2:]), first.source_shape, second.target_shape, geometry)


def _is_exact(first: LinearMap, second: LinearMap, axis: int) -> bool:
    """Whether the folded kernel reads zeros where the second convolution pads the outputs of the first.

    That holds where an output outside the range of the first convolution would see its padding alone.
    """
    a, b = first.conv, second.conv
    assert a is not None and b is not None
    if b.padding[axis] == 0:
        return True
    reach = (first.weight.shape[2 + axis] - 1) * a.dilation[axis]
    before = -a.stride[axis] - a.padding[axis] + reach
    after = first.target_shape[1 + axis] * a.stride[axis] - a.padding[axis]
    return before < 0 and after >= first.source_shape[1 + axis]


def _regrouped(weight: FloatArray, groups: int, fewer: int) -> FloatArray:
    """A kernel of ``groups`` groups as one of ``fewer``, with zeros between channels of different groups.

    Returns:
        ``(fewer, output channels / fewer, input channels / fewer, kernel height, kernel width)``.
    """
    outputs, inputs = weight.shape[:2]
    wide = np.zeros((outputs, inputs * groups // fewer, *weight.shape[2:]))
    per_group, merged = outputs // groups, groups // fewer
    for group in range(groups):
        first = (group % merged) * inputs
        rows = slice(group * per_group, (group + 1) * per_group)
        wide[rows, first : first + inputs] = weight[rows]
    return wide.reshape(fewer, -1, *wide.shape[1:])


def _matrix(push: Callable[[Tensor], Tensor], source_shape: Shape, target_shape: Shape) -> FloatArray:
    """The matrix of a linear function, ``(target size, source size)``, from its values at the unit vectors."""
    sources, targets = prod(source_shape), prod(target_shape)
    if sources * targets > MOST_DENSE_WEIGHTS:
        raise InputError(
            f"a path of pooling and linear layers from shape {source_shape} to {target_shape} needs a matrix of "
            f"{sources * targets:,} weights, more than the {MOST_DENSE_WEIGHTS:,} that a chip may hold; let pooling "
            "divide the size that it pools, or use a convolution with a stride"
        )
    matrix = np.empty((targets, sources))
    offset = push(torch.zeros(1, *source_shape, dtype=torch.float64))
    for start in range(0, sources, _CHUNK):
        end = min(start + _CHUNK, sources)
        units = torch.zeros(end - start, sources, dtype=torch.float64)
        units[torch.arange(end - start), torch.arange(start, end)] = 1
        answers = push(units.reshape(-1, *source_shape)) - offset
        matrix[:, start:end] = answers.reshape(end - start, targets).numpy().T
    return matrix
