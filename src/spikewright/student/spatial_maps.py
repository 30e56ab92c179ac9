"""Linear maps that each channel undergoes alike, as NIR nodes: what enlarges, pads or pools unevenly.

NIR has no node for them, and none that unfolds what was flattened. Two convolutions do both: one whose kernel covers
the whole input, and one that spreads each of its outputs over the whole target.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from math import prod
from typing import Any

import nir
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ..base.types import FloatArray
from ..graph.nodes import Shape
from ..importing.matrix import Matrix
from ..lowering.linear_map import MOST_DENSE_WEIGHTS
from .modules import CannotExport, Nodes, float32, node_of

MOST_UNGROUPED = 2**20
"""Weights up to which a map of channels is written without groups: nir 1.0.8 forgets these when it checks a file."""


def map_of_channel(function: Callable[[Tensor], Tensor], shape: Shape) -> tuple[FloatArray, Shape]:
    """The matrix of what one channel undergoes, ``(target size, source size)``, and the shape of a target channel.

    Args:
        function: from ``(B, 1, *shape)`` to ``(B, 1, *target shape)``.
        shape: of a channel.

    Raises:
        CannotExport: it does not take this shape, it is not linear, or its matrix is too large.
    """
    size = prod(shape)
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of sizes that torch rounds
            nothing = function(torch.zeros(1, 1, *shape, dtype=torch.float64))
            check_map_size(size * prod(nothing.shape[2:]))
            found = function(torch.eye(size, dtype=torch.float64).reshape(size, 1, *shape))
    except RuntimeError as error:
        raise CannotExport(f"does not take channels of shape {shape}: {str(error).splitlines()[0]}") from error
    if bool(nothing.any()):
        raise CannotExport("gives something where nothing comes in; may be a sum with weights alone")
    return found.reshape(size, -1).T.numpy().copy(), tuple(nothing.shape[2:])


def check_map_size(weights: int) -> None:
    """Refuse a matrix that is larger than any chip holds.

    Raises:
        CannotExport: it is.
    """
    if weights > MOST_DENSE_WEIGHTS:
        raise CannotExport(
            f"needs a matrix of {weights:,} weights, more than the {MOST_DENSE_WEIGHTS:,} that a chip may hold; let "
            "pooling divide the size that it pools, or use a convolution with a stride"
        )


def depthwise(matrix: FloatArray, channels: int, shape: Shape, target: Shape) -> list[nir.NIRNode]:
    """The nodes that apply ``matrix`` to each of the channels.

    Args:
        matrix: ``(target size, source size)`` of a channel.
        shape: of a channel, one or two axes; ``target`` likewise.
    """
    if not shape:  # a vector without channels
        return [nir.Linear(weight=matrix.astype(np.float32))]
    if matrix.shape[0] <= matrix.shape[1]:
        gather, spread = matrix, np.eye(len(matrix))
    else:
        gather, spread = np.eye(matrix.shape[1]), matrix
    check_map_size(channels * (gather.size + spread.size))
    covering = np.tile(gather.reshape(-1, 1, *shape), (channels, *[1] * (1 + len(shape))))
    backwards = np.flip(spread.T.reshape(-1, *target), tuple(range(1, 1 + len(target))))
    spreading = np.tile(backwards[None], (channels, *[1] * (1 + len(target))))
    one, axes = tuple(1 for _ in shape), [size - 1 for size in target]
    if channels**2 * (gather.size + spread.size) > MOST_UNGROUPED:
        return [convolution(covering, shape, channels), convolution(spreading, one, channels, padding=tuple(axes))]
    covering, spreading = (ungrouped(kernel, channels) for kernel in (covering, spreading))
    return [convolution(covering, shape, 1), convolution(spreading, one, 1, padding=tuple(axes))]


@node_of.register
def _(module: Matrix, shape: Shape) -> Nodes:
    """Of vectors a dense layer; else a convolution over the whole input, and one that spreads what it gives."""
    weight, bias, target = float32(module.weight), float32(module.bias), module.target
    if len(target) == 1:
        made = nir.Affine(weight=weight, bias=bias)
        return made if len(shape) == 1 else [nir.Flatten({"input": np.array(shape)}, 0, -1), made]
    if len(shape) != len(target):
        raise CannotExport(f"makes values of shape {target} of some of shape {shape}, which no NIR node does")
    channels, spatial = target[0], target[1:]
    count = prod(spatial)
    check_map_size(channels * count**2)
    each = np.flip(np.eye(count).reshape(count, *spatial), tuple(range(1, len(target))))
    spreading, groups = np.tile(each[None], (channels, *[1] * len(target))), channels
    if channels**2 * count**2 <= MOST_UNGROUPED:
        spreading, groups = ungrouped(spreading, channels), 1
    one, around = tuple(1 for _ in spatial), tuple(size - 1 for size in spatial)
    return [
        convolution(weight.reshape(-1, *shape), shape[1:], 1, bias=bias),
        convolution(spreading, one, groups, padding=around),
    ]


def ungrouped(kernel: FloatArray, groups: int) -> FloatArray:
    """A kernel of several groups as one of a single group, with zeros between the groups."""
    outputs, inputs = len(kernel) // groups, kernel.shape[1]
    whole = np.zeros((len(kernel), inputs * groups, *kernel.shape[2:]))
    for group in range(groups):
        rows = slice(group * outputs, (group + 1) * outputs)
        whole[rows, group * inputs : (group + 1) * inputs] = kernel[rows]
    return whole


def constant_map(values: FloatArray, shape: Shape) -> list[nir.NIRNode]:
    """The nodes that give ``values``, whatever comes to them: a weight of zero with a bias, spread over a shape.

    Args:
        values: ``(channels, *spatial)``.
        shape: of what comes, with as many axes.
    """
    nothing = convolution(np.zeros((1, *shape)), shape[1:], 1, bias=np.ones(1))
    turned = np.flip(values, tuple(range(1, values.ndim)))[:, None]
    around = tuple(size - 1 for size in values.shape[1:])
    return [nothing, convolution(turned, tuple(1 for _ in around), 1, padding=around)]


def embedded(channels: int, place: slice, total: int, spatial: Shape) -> nir.NIRNode:
    """The node that puts channels at their place among ``total`` of them, zeros at the others."""
    weight = np.zeros((total, channels), np.float32)
    weight[place] = np.eye(channels)
    if not spatial:
        return nir.Linear(weight=weight)
    return convolution(weight.reshape(total, channels, *[1] * len(spatial)), spatial, 1)


def scaling(gain: FloatArray, shift: FloatArray, shape: Shape) -> nir.NIRNode:
    """The node ``gain * x + shift`` of each channel of values of ``shape``, or of each value of a vector."""
    if len(shape) == 1:
        check_map_size(gain.size**2)
        return nir.Affine(weight=np.diag(gain).astype(np.float32), bias=shift.astype(np.float32))
    weight = gain.reshape(-1, 1, *[1] * (len(shape) - 1))
    return convolution(weight, shape[1:], shape[0], bias=shift)


def convolution(
    weight: npt.NDArray[np.floating[Any]],
    spatial: Shape,
    groups: int,
    *,
    bias: npt.NDArray[np.floating[Any]] | None = None,
    stride: Shape | None = None,
    padding: Shape | str | None = None,
    dilation: Shape | None = None,
) -> nir.NIRNode:
    """A convolution over one or two axes of a value whose channels have the shape ``spatial``."""
    ones = tuple(1 for _ in spatial)
    shift = np.zeros(len(weight), np.float32) if bias is None else bias.astype(np.float32)
    padded = tuple(0 for _ in spatial) if padding is None else padding
    given = (stride or ones, padded, dilation or ones)
    if len(spatial) == 1:
        flat = [each if isinstance(each, str) else each[0] for each in given]
        node: nir.NIRNode = nir.Conv1d(spatial[0], weight.astype(np.float32), *flat, groups, shift)
    else:
        node = nir.Conv2d(spatial, weight.astype(np.float32), *given, groups, shift)
    node.input_type = {"input": np.array((weight.shape[1] * groups, *spatial))}  # nir 1.0.8 forgets the groups here
    return node
