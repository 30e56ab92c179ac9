"""Scars of exporters that need no guess to be mended: batch axes in parameters, single biases, transposed weights."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import fields
from math import prod
from typing import Any

import nir
import numpy as np

from .fields import NodeFault, one_number
from .nodes import NEURONS, Shape

_WEIGHTED = (nir.Linear, nir.Affine)


def mended(node: nir.NIRNode, shape: Shape, after: Sequence[nir.NIRNode] = ()) -> tuple[nir.NIRNode, list[str]]:
    """A node as it is meant where an input of ``shape`` arrives, and what was changed, as ends of sentences.

    What fits is returned as it is, and so is what cannot be mended without a guess.

    Args:
        after: the nodes that it feeds.
    """
    found: Any = copy(node)
    said: list[str] = []
    if isinstance(node, _WEIGHTED):
        said += _matrix(found, shape)
    if isinstance(node, nir.Affine | nir.Conv1d | nir.Conv2d):
        said += _bias(found)
    if isinstance(node, nir.Scale):
        said += _spread(found, ["scale"], shape)
    if isinstance(node, NEURONS):
        own = [f.name for f in fields(node) if f.name not in ("metadata", "input_type", "output_type")]
        said += _spread(found, own, shape)
    if isinstance(node, nir.Flatten):
        said += _flatten(found, shape, after)
    return (found if said else node), said


def _matrix(node: Any, shape: Shape) -> Iterator[str]:
    weight = np.asarray(node.weight)
    if weight.ndim > 2 and prod(weight.shape[:-2]) == 1:
        node.weight = weight.reshape(weight.shape[-2:])
        yield f"has weights of shape {weight.shape}: their first 1 is read as a batch and left out"
    weight = np.asarray(node.weight)
    if weight.ndim != 2 or len(shape) != 1 or weight.shape[1] == shape[0] or weight.shape[0] != shape[0]:
        return
    if np.size(getattr(node, "bias", 0.0)) in (1, weight.shape[1]):
        node.weight = np.ascontiguousarray(weight.T)
        yield f"has weights {weight.shape} where {shape[0]} values arrive: they are read as transposed"


def _bias(node: Any) -> Iterator[str]:
    bias, outputs = np.asarray(node.bias), len(np.atleast_1d(np.asarray(node.weight)))
    if bias.shape == (outputs,):
        return
    if bias.size == 1:
        node.bias = np.full(outputs, bias.reshape(-1)[0], bias.dtype if bias.dtype.kind == "f" else np.float32)
        yield f"has a single bias of shape {bias.shape}: it is taken for all {outputs} outputs"
    elif bias.size == outputs and max(bias.shape) == outputs:
        node.bias = bias.reshape(outputs)
        yield f"has a bias of shape {bias.shape}: its axes of 1 are left out"


def _spread(node: Any, names: Sequence[str], shape: Shape) -> Iterator[str]:
    """Parameters with a batch in front, or with one value for each channel."""
    batched, by_channel = set[Shape](), set[Shape]()
    for name in names:
        values = np.asarray(getattr(node, name))
        if values.size == 1 or values.shape == shape:
            continue
        bare = values.shape[_ones_in_front(values.shape, len(shape)) :]
        if bare == shape:
            batched.add(values.shape)
        elif len(bare) == len(shape) and all(mine in (1, whole) for mine, whole in zip(bare, shape, strict=True)):
            by_channel.add(values.shape)
        else:
            continue
        setattr(node, name, np.array(np.broadcast_to(values.reshape(bare), shape)))
    for each in sorted(batched):
        yield f"has parameters of shape {each}: their first 1 is read as a batch and left out"
    for each in sorted(by_channel):
        yield f"has parameters of shape {each} for {shape}: each is taken along the axes of 1"


def _ones_in_front(shape: Shape, rank: int) -> int:
    """How many axes of 1 stand in front of the last ``rank`` axes; none where others do."""
    more = max(0, len(shape) - rank)
    return more if prod(shape[:more]) == 1 else 0


def _flatten(node: Any, shape: Shape, after: Sequence[nir.NIRNode]) -> Iterator[str]:
    """Axes that were counted with the batch in front of them."""
    try:
        start, end = one_number(node.start_dim, "start_dim"), one_number(node.end_dim, "end_dim")
    except NodeFault:
        return  # it is named where the shape of its output is worked out
    declared = np.asarray((node.input_type or {}).get("input"))
    axes = declared.reshape(-1).tolist() if declared.dtype.kind in "iuf" else []
    counts_batch = len(axes) == len(shape) + 1 and (axes[0] in (0, 1) or axes[1:] == list(shape))
    if not counts_batch:
        wanted = [np.shape(each.weight)[-1] for each in after if isinstance(each, _WEIGHTED) and np.ndim(each.weight)]
        is_whole = start == 1 and end in (-1, len(shape))
        counts_batch = len(shape) > 1 and is_whole and bool(wanted) and all(n == prod(shape) for n in wanted)
    if counts_batch and (start > 0 or end > 0):
        node.start_dim, node.end_dim = start - 1 if start > 0 else start, end - 1 if end > 0 else end
        yield f"counts a batch among its axes: it flattens axes {node.start_dim} to {node.end_dim} without"
