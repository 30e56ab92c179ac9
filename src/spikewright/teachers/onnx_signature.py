"""What goes into an ONNX classifier and what comes out: found in its graph and compared with a data set."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto

from ..base.errors import InputError, did_you_mean
from .torch_teacher import LOGITS

Layout = Literal["channels first", "channels last", "flat"]
Array = npt.NDArray[Any]
Shape = tuple[int, int, int]

FLOATS: dict[int, type[np.floating[Any]]] = {
    TensorProto.FLOAT: np.float32,
    TensorProto.DOUBLE: np.float64,
    TensorProto.FLOAT16: np.float16,
}
ARRANGE: dict[Layout, Callable[[Array], Array]] = {
    "channels first": lambda images: images,
    "channels last": lambda images: np.ascontiguousarray(images.transpose(0, 2, 3, 1)),
    "flat": lambda images: images.reshape(len(images), -1),
}


@dataclass(frozen=True)
class Signature:
    """How to ask an ONNX classifier.

    Attributes:
        input_name: of the images.
        dtype: floating-point type of the images.
        batch: the batch size that the file fixes, None where it is free.
        layout: order of an image's axes.
        logits_name: the value in the graph that is taken for the logits.
    """

    input_name: str
    dtype: type[np.floating[Any]]
    batch: int | None
    layout: Layout
    logits_name: str

    def arranged(self, images: Array) -> Array:
        """Images ``(B, C, H, W)`` in the model's type and layout."""
        return ARRANGE[self.layout](images.astype(self.dtype, copy=False))


def signature_of(where: str, graph: onnx.GraphProto, input_shape: Shape, logits: str | None) -> Signature:
    """The signature of ``graph`` for images of ``input_shape``.

    Args:
        where: the file, for refusals.
        graph: of the model.
        input_shape: ``(C, H, W)`` of the data set's images.
        logits: name of the output to take, None to find it.

    Raises:
        InputError: not one input of floating-point images of this shape, or no clear logits.
    """
    name, tensor = _only_input(where, graph)
    shape: list[int | None] = [dimension.dim_value or None for dimension in tensor.shape.dim]
    output = _chosen_output(where, graph, logits)
    return Signature(
        input_name=name,
        dtype=FLOATS[tensor.elem_type],
        batch=shape[0] if shape else None,
        layout=_layout(where, shape, input_shape),
        logits_name=_behind_softmax(graph, output),
    )


def _only_input(where: str, graph: onnx.GraphProto) -> tuple[str, onnx.TypeProto.Tensor]:
    """Name and type of the images."""
    constants = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in constants]
    if len(inputs) != 1 or not inputs[0].type.HasField("tensor_type"):
        names = ", ".join(value.name for value in inputs) or "none"
        raise InputError(f"{where}: has {len(inputs)} inputs ({names}), a teacher has one, images; export it so")
    tensor = inputs[0].type.tensor_type
    if tensor.elem_type not in FLOATS:
        kind = TensorProto.DataType.Name(tensor.elem_type)
        raise InputError(
            f"{where}: its input {inputs[0].name!r} takes {kind}, images are floating-point numbers in [0, 1]; "
            "export the model with a float32 input"
        )
    return str(inputs[0].name), tensor


def _layout(where: str, shape: list[int | None], wanted: Shape) -> Layout:
    channels, height, width = wanted
    layouts: dict[Layout, tuple[int, ...]] = {
        "channels first": (channels, height, width),
        "channels last": (height, width, channels),
        "flat": (math.prod(wanted),),
    }
    for layout, sizes in layouts.items():
        if len(shape) == 1 + len(sizes) and all(d in (None, s) for d, s in zip(shape[1:], sizes, strict=True)):
            return layout
    found = " x ".join("?" if dimension is None else str(dimension) for dimension in shape) or "a single number"
    raise InputError(
        f"{where}: its input has shape {found} (batch first), the data set's images are {channels} x {height} x "
        f"{width} (channels, height, width; channels last or flat will do); use a model for such images"
    )


def _chosen_output(where: str, graph: onnx.GraphProto, asked: str | None) -> str:
    names = [str(value.name) for value in graph.output]
    if asked is not None:
        if asked not in names:
            raise InputError(f"{where}: has no output {asked!r}; {did_you_mean(asked, names)}")
        return asked
    if len(names) == 1:
        return names[0]
    if LOGITS in names:
        return LOGITS
    raise InputError(
        f"{where}: has {len(names)} outputs ({', '.join(names)}) and none is called 'logits'; "
        f"say which one it is, as in {where}:{names[0] if names else 'NAME'}"
    )


def _behind_softmax(graph: onnx.GraphProto, output: str) -> str:
    """The softmax's input where ``output`` is made by one, else ``output``: logits, not probabilities."""
    for node in graph.node:
        if output in node.output and node.op_type == "Softmax":
            return str(node.input[0])
        if output in node.output and node.op_type == "Identity":
            return _behind_softmax(graph, str(node.input[0]))
    return output
