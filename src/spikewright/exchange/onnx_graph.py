"""An ONNX graph made node by node, with its constants, and the file of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, checker, helper, numpy_helper

from ..base.artefacts import write_bytes
from ..base.errors import InputError
from ..base.version import __version__

OPSET, FILE_VERSION = 17, 8
"""Of what is written: operators of ONNX 1.12 (2022), which every current reader has."""
LARGEST = 2**31 - 1
"""Bytes that protobuf can hold in one message."""
Axes: TypeAlias = Sequence[int | str]
Array: TypeAlias = npt.NDArray[Any]


def legible(name: str) -> str:
    """A name as protobuf can hold it: halves of characters, which JSON can hold, are spelt out."""
    return name.encode("utf-8", "backslashreplace").decode()


class GraphWriter:
    """Collects the nodes, constants, inputs and outputs of one graph.

    Values get names that begin with their number, so that they cannot meet those of inputs and outputs.
    """

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[tuple[str, tuple[int, ...], bytes], str] = {}
        self._tensors: list[onnx.TensorProto] = []
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []
        self.prefix = ""

    def __len__(self) -> int:
        return len(self._nodes)

    def add(self, kind: str, *inputs: str, name: str | None = None, **attributes: Any) -> str:
        """Add a node with one output; returns the name of its value.

        Args:
            name: of the value, None for one that is made up.
        """
        return self.split(kind, 1, *inputs, name=name, **attributes)[0]

    def split(self, kind: str, outputs: int, *inputs: str, name: str | None = None, **attributes: Any) -> list[str]:
        """Add a node with several outputs; returns the names of its values."""
        number = len(self._nodes)
        title = f"{number} {kind}{f' of {self.prefix}' if self.prefix else ''}"
        names = [name or title] if outputs == 1 else [f"{title}, part {part}" for part in range(outputs)]
        self._nodes.append(helper.make_node(kind, list(inputs), names, name=title, **attributes))
        return names

    def constant(self, value: Array, name: str = "") -> str:
        """The name of a constant; equal ones are stored once, unless they have names of their own."""
        array = np.ascontiguousarray(value)
        key = (f"{array.dtype} {name}", array.shape, array.tobytes())
        if key not in self._constants:
            self._constants[key] = name or f"constant {len(self._constants)}"
            self._tensors.append(numpy_helper.from_array(array, self._constants[key]))
        return self._constants[key]

    def whole(self, *numbers: int) -> str:
        """A constant of whole numbers, int64, with one axis."""
        return self.constant(np.array(numbers, np.int64))

    def number(self, number: int) -> str:
        """A constant of one whole number, int64, without an axis."""
        return self.constant(np.array(number, np.int64))

    def input(self, name: str, kind: type[np.generic], axes: Axes) -> str:
        """Declare an input of the graph; returns its name."""
        self._inputs.append(_declared(name, kind, axes))
        return name

    def output(self, value: str, name: str, kind: type[np.generic], axes: Axes) -> None:
        """Make a value an output of the graph, under a name of its own."""
        if value != name:
            self.add("Identity", value, name=name)
        self._outputs.append(_declared(name, kind, axes))

    def model(self, title: str, about: str, facts: Mapping[str, str]) -> onnx.ModelProto:
        """The model, checked against the standard.

        Args:
            title: of the graph.
            about: what it computes, for people.
            facts: metadata.
        """
        graph = helper.make_graph(
            self._nodes, legible(title), self._inputs, self._outputs, self._tensors, doc_string=legible(about)
        )
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=FILE_VERSION,
            producer_name="spikewright",
            producer_version=__version__,
        )
        helper.set_model_props(model, {legible(key): legible(value) for key, value in facts.items()})
        if model.ByteSize() > LARGEST:
            raise InputError(
                f"ONNX: the model would have {model.ByteSize():,} bytes, and its file can hold {LARGEST:,}"
            )
        checker.check_model(model, full_check=True)
        return model


def save(model: onnx.ModelProto, path: Path | str) -> None:
    """Write a model to ``path``, atomically; equal models give equal bytes."""
    write_bytes(path, model.SerializeToString(deterministic=True))


def _declared(name: str, kind: type[np.generic], axes: Axes) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, KINDS[kind], list(axes))


KINDS: dict[type[np.generic], int] = {
    np.int64: TensorProto.INT64,
    np.uint8: TensorProto.UINT8,
    np.float32: TensorProto.FLOAT,
    np.float64: TensorProto.DOUBLE,
}
"""By type of numpy, ONNX's number for it."""
