"""Reading an ONNX classifier from any source: the file is checked, and its input and logits are identified."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import onnx
from google.protobuf.message import DecodeError
from onnx import TensorProto, external_data_helper, inliner

from ..base.artefacts import existing_file, sha256_of
from ..base.errors import InputError, arg, refuse
from .onnx_outputs import FLOATS, chosen_output
from .samples import VALUES, Layout, Shape, Values, series_shape

LARGEST = 2**31 - 1  # bytes that protobuf can hold in one message
AGAIN = "export the model again"
_EXTERNAL = ("basepath", "checksum", "length", "location", "offset")
VALUES_KEY = "spikewright.values"
"""Key of the metadata by which a model that was written here says how it takes samples."""
MOST_BATCH = 65_536
"""Images at once, of a model that fixes their number."""


@dataclass(frozen=True, eq=False)
class OnnxFile:
    """A checked model with its weights in memory.

    Attributes:
        path: of the .onnx file.
        model: functions inlined, external data loaded.
        sha256: of the file's bytes, and of those of its external data files where it has any.
    """

    path: Path
    model: onnx.ModelProto
    sha256: str


def read_onnx(path: Path) -> OnnxFile:
    """Read and check an ONNX model.

    Raises:
        InputError: no such file, not a valid ONNX model, or external data that are missing, too short, or outside
            of the model's folder.
    """
    existing_file(path, "an ONNX model")
    model = _parsed(path)
    nodes = [node for function in model.functions for node in function.node]
    all_tensors = (*_graph_tensors(model.graph), *_node_tensors(nodes))
    refuse(str(path), list(dict.fromkeys(fault for tensor in all_tensors for fault in _type_faults(tensor))))
    tensors = [tensor for tensor in all_tensors if external_data_helper.uses_external_data(tensor)]
    refuse(str(path), list(dict.fromkeys(fault for tensor in tensors for fault in _external_faults(path, tensor))))
    files = sorted({path.parent / external_data_helper.ExternalDataInfo(tensor).location for tensor in tensors})
    if path.stat().st_size + sum(file.stat().st_size for file in files) > LARGEST:
        raise InputError(f"{path}: with its external data the model is over 2 GiB; use a smaller teacher")
    try:
        external_data_helper.load_external_data_for_model(model, str(path.parent))
        onnx.checker.check_model(model)
        inlined = inliner.inline_local_functions(model) if model.functions else model
    except (onnx.checker.ValidationError, ValueError) as error:
        raise InputError(f"{path}: is not a valid ONNX model ({first_line(error)}); {AGAIN}") from error
    return OnnxFile(path, inlined, _digest(path, files))


def values_said(path: Path) -> Values | None:
    """How a model that was written here says that it takes samples; None for any other.

    Raises:
        InputError: no such file, or not an ONNX model.
    """
    existing_file(path, "an ONNX model")
    said = {entry.key: entry.value for entry in _parsed(path).metadata_props}.get(VALUES_KEY)
    return next((known for known in VALUES if known == said), None)


def first_line(error: BaseException) -> str:
    """The first line of an error's message, without its full stop."""
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".: ") if lines else type(error).__name__


def _parsed(path: Path) -> onnx.ModelProto:
    try:
        model = onnx.load_model(path, format="protobuf", load_external_data=False)
    except DecodeError as error:
        raise InputError(f"{path}: is not an ONNX model, or is cut short; {AGAIN}") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check its permissions") from error
    if not model.graph.node:
        raise InputError(f"{path}: is not an ONNX model with a network in it; {AGAIN}")
    return model


def _type_faults(tensor: onnx.TensorProto) -> Iterator[str]:
    """The fault of a type that ONNX does not have, which ends onnxruntime's process."""
    if tensor.data_type not in TensorProto.DataType.values():
        yield f"tensor {tensor.name!r} is of type {tensor.data_type}, which ONNX does not have; {AGAIN}"


def _external_faults(path: Path, tensor: onnx.TensorProto) -> Iterator[str]:
    """Faults of where a tensor's external data are; the file must be in the model's folder."""
    entries = {entry.key: entry.value for entry in tensor.external_data}
    location = entries.get("location", "")
    numbers = [entries.get("offset", "0"), entries.get("length", "0")]
    file = path.parent / location
    if unknown := entries.keys() - set(_EXTERNAL):
        said, may_be = ", ".join(sorted(unknown)), ", ".join(_EXTERNAL)
        yield f"tensor {tensor.name!r} says {said} of its external data; may be {may_be}"
    elif not location or "\0" in location or not all(number.isascii() and number.isdigit() for number in numbers):
        yield f"tensor {tensor.name!r} does not state properly where its external data are; {AGAIN}"
    elif not file.resolve().is_relative_to(path.parent.resolve()):
        yield (
            f"tensor {tensor.name!r} names the file {location!r} outside of the model's folder, which is not read; "
            "export the model with its data beside it"
        )
    elif not file.is_file():
        yield f"its weights are in the external data file {location!r}, which is missing; put it beside the model"
    elif sum(map(int, numbers)) > file.stat().st_size:
        yield f"its external data file {location!r} is too short for tensor {tensor.name!r}; {AGAIN}"


def _graph_tensors(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    yield from _node_tensors(graph.node)


def _node_tensors(nodes: Iterable[onnx.NodeProto]) -> Iterator[onnx.TensorProto]:
    for node in nodes:
        for attribute in node.attribute:
            yield attribute.t
            yield from attribute.tensors
            for graph in (attribute.g, *attribute.graphs):
                yield from _graph_tensors(graph)


def _digest(path: Path, files: list[Path]) -> str:
    parts = [sha256_of(file) for file in (path, *files)]
    return parts[0] if len(parts) == 1 else hashlib.sha256("\n".join(parts).encode()).hexdigest()


Axes = Literal["channels first", "channels last", "flat", "series", "channels"]
Array = npt.NDArray[Any]

LAYOUT_OF: dict[Axes, Layout] = {
    "channels first": "images",
    "channels last": "images",
    "flat": "vectors",
    "series": "series",
    "channels": "channels",
}
"""By the order of an input's axes, the layout in which samples come."""
ALLOWED: dict[Layout | None, tuple[Axes, ...]] = {
    None: ("channels first", "channels last", "flat", "series", "channels"),
    "images": ("channels first", "channels last"),
    "vectors": ("flat",),
    "series": ("series",),
    "channels": ("channels",),
}
"""By the layout that a user names, None for none, the orders of axes that an input may have."""


@dataclass(frozen=True)
class Signature:
    """Input and logits of an ONNX classifier.

    Attributes:
        input_name: of the images.
        dtype: floating-point type of the images.
        batch: the batch size that the file fixes, None where it is free.
        layout: order of a sample's axes.
        logits_name: name of the value in the graph that is used as the logits.
    """

    input_name: str
    dtype: type[np.floating[Any]]
    batch: int | None
    layout: Axes
    logits_name: str

    def arranged(self, samples: Array) -> Array:
        """Samples in the layout of the axes, with the model's type and its place of the channels."""
        turned = samples.transpose(0, 2, 3, 1) if self.layout == "channels last" else samples
        return np.ascontiguousarray(turned, dtype=self.dtype)


def signature_of(
    where: str,
    graph: onnx.GraphProto,
    input_shape: Shape,
    logits: str | None,
    layout: Layout | None = None,
    of_classes: bool = True,
) -> Signature:
    """The signature of ``graph`` for images of ``input_shape``.

    Args:
        where: the file, for refusals.
        graph: of the model.
        input_shape: ``(C, H, W)`` of the data set's images.
        logits: name of the output that is the logits, None to find it.
        layout: of the samples, None to tell it by the axes of the input.
        of_classes: whether the outputs stand for classes, whose logits lie before a final softmax.

    Raises:
        InputError: not one input of floating-point images of this shape, or no clear logits.
    """
    name, tensor = _only_input(where, graph)
    shape: list[int | None] = [dimension.dim_value or None for dimension in tensor.shape.dim]
    if shape and shape[0] is not None and not 1 <= shape[0] <= MOST_BATCH:
        raise InputError(f"{where}: takes {shape[0]} images at once; may be 1 to {MOST_BATCH}, or any number")
    output = chosen_output(where, graph, logits)
    return Signature(
        input_name=name,
        dtype=FLOATS[tensor.elem_type],
        batch=shape[0] if shape else None,
        layout=_layout(where, shape, input_shape, layout),
        logits_name=_behind_softmax(graph, output) if of_classes else output,
    )


def _only_input(where: str, graph: onnx.GraphProto) -> tuple[str, onnx.TypeProto.Tensor]:
    """Name and type of the input that takes the images."""
    constants = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in constants]
    if len(inputs) != 1 or not inputs[0].type.HasField("tensor_type"):
        names = ", ".join(value.name for value in inputs) or "none"
        raise InputError(f"{where}: has {len(inputs)} inputs ({names}), a teacher has one, images; export it so")
    tensor = inputs[0].type.tensor_type
    if tensor.elem_type not in FLOATS:
        known = TensorProto.DataType.values()
        kind = TensorProto.DataType.Name(tensor.elem_type) if tensor.elem_type in known else "values of no known type"
        raise InputError(
            f"{where}: its input {inputs[0].name!r} takes {kind}, images are floating-point numbers in [0, 1]; "
            "export the model with a float32 input"
        )
    return str(inputs[0].name), tensor


def _layout(where: str, shape: list[int | None], wanted: Shape, asked: Layout | None) -> Axes:
    channels, height, width = wanted
    known: dict[Axes, tuple[int, ...]] = {
        "channels first": (channels, height, width),
        "channels last": (height, width, channels),
        "flat": (math.prod(wanted),),
    }
    over_time = series_shape(wanted)
    if over_time is not None:
        known |= {"series": over_time, "channels": over_time[::-1]}
    fitting = [
        axes
        for axes in ALLOWED[asked]
        if len(shape) == 1 + len(known.get(axes, shape))
        and all(d in (None, s) for d, s in zip(shape[1:], known[axes], strict=True))
    ]
    found = " x ".join("?" if dimension is None else str(dimension) for dimension in shape) or "a single number"
    if {"series", "channels"} <= {*fitting}:
        raise InputError(
            f"{where}: its input has shape {found} (batch first), which may be series (B, T, C) or channels (B, C, T); "
            f"say which, {arg('layout', 'series')} or {arg('layout', 'channels')}"
        )
    if fitting:
        return fitting[0]
    others = "channels last or flat will do" if over_time is None else "channels last, flat or a series will do"
    if asked is not None:
        others = f"taken as {asked}"
    raise InputError(
        f"{where}: its input has shape {found} (batch first), the data set's images are {channels} x {height} x "
        f"{width} (channels, height, width; {others}); use a model for such images"
    )


def _behind_softmax(graph: onnx.GraphProto, output: str) -> str:
    """The input of the softmax that produces ``output``, if one does, else ``output``: logits, not probabilities."""
    for node in graph.node:
        if output in node.output and node.op_type == "Softmax":
            return str(node.input[0])
        if output in node.output and node.op_type == "Identity":
            return _behind_softmax(graph, str(node.input[0]))
    return output
