"""Reading an ONNX file from anywhere: checked before anything in it is used."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError
from onnx import external_data_helper, inliner

from ..base.artefacts import existing_file, sha256_of
from ..base.errors import InputError, refuse

LARGEST = 2**31 - 1  # bytes that protobuf can hold in one message
AGAIN = "export the model again"


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
    tensors = [tensor for tensor in _tensors(model) if external_data_helper.uses_external_data(tensor)]
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


def first_line(error: BaseException) -> str:
    """What an error says first, without its end mark."""
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


def _external_faults(path: Path, tensor: onnx.TensorProto) -> Iterator[str]:
    """What is wrong with where a tensor says its bytes are; the file must lie in the model's folder."""
    entries = {entry.key: entry.value for entry in tensor.external_data}
    location = entries.get("location", "")
    numbers = [entries.get("offset", "0"), entries.get("length", "0")]
    file = path.parent / location
    if not location or not all(number.isascii() and number.isdigit() for number in numbers):
        yield f"tensor {tensor.name!r} does not say properly where its external data are; {AGAIN}"
    elif not file.resolve().is_relative_to(path.parent.resolve()):
        yield (
            f"tensor {tensor.name!r} asks for the file {location!r} outside of the model's folder, which is not read; "
            "export the model with its data beside it"
        )
    elif not file.is_file():
        yield f"its weights are in the external data file {location!r}, which is missing; put it beside the model"
    elif sum(map(int, numbers)) > file.stat().st_size:
        yield f"its external data file {location!r} is too short for tensor {tensor.name!r}; {AGAIN}"


def _tensors(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    yield from _graph_tensors(model.graph)
    for function in model.functions:
        yield from _node_tensors(function.node)


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
