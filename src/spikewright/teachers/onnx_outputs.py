"""Which output of an ONNX classifier holds its logits, and what the others hold."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto

from ..base.errors import InputError, did_you_mean
from .torch_teacher import LOGITS

FLOATS: dict[int, type[np.floating[Any]]] = {
    TensorProto.FLOAT: np.float32,
    TensorProto.DOUBLE: np.float64,
    TensorProto.FLOAT16: np.float16,
}


def chosen_output(where: str, graph: onnx.GraphProto, asked: str | None) -> str:
    """The name of the output that is asked for, the only one, or the one called ``logits``.

    Raises:
        InputError: there is no such output, several and none of them ``logits``, or one that holds no logits.
    """
    outputs = {str(value.name): value for value in graph.output}
    names = list(outputs)
    if asked is not None:
        if asked not in names:
            raise InputError(f"{where}: has no output {asked!r}; {did_you_mean(asked, names)}")
        return _of_logits(where, outputs, asked)
    if len(names) == 1:
        return _of_logits(where, outputs, names[0])
    if LOGITS in names:
        return _of_logits(where, outputs, LOGITS)
    others = "; ".join(f"{name!r} {kind}" for name, value in outputs.items() if (kind := _no_logits(value)))
    raise InputError(
        f"{where}: has {len(names)} outputs ({', '.join(names)}) and none is called 'logits'"
        f"{f' ({others})' if others else ''}; {_say_which(where, outputs)}"
    )


def _of_logits(where: str, outputs: dict[str, onnx.ValueInfoProto], name: str) -> str:
    """``name``, where that output may hold logits.

    Raises:
        InputError: it holds something else.
    """
    if (kind := _no_logits(outputs[name])) is None:
        return name
    raise InputError(
        f"{where}: its output {name!r} {kind}, and logits are floating-point numbers; {_say_which(where, outputs)}"
    )


def _say_which(where: str, outputs: dict[str, onnx.ValueInfoProto]) -> str:
    """What to do to get an output with logits."""
    fitting = [name for name, value in outputs.items() if _no_logits(value) is None]
    if fitting:
        return f"say which one it is, as in {where}:{fitting[0]}"
    if any(value.type.HasField("sequence_type") for value in outputs.values()):
        return "export the model with its scores as one array (skl2onnx: options={'zipmap': False})"
    return "export the model with its logits as an output"


def _no_logits(value: onnx.ValueInfoProto) -> str | None:
    """What an output holds in place of floating-point numbers; None where it may be logits."""
    if value.type.HasField("sequence_type") or value.type.HasField("map_type"):
        return "holds a dictionary for each sample"
    kind = value.type.tensor_type.elem_type
    if kind in FLOATS or kind == TensorProto.UNDEFINED:
        return None
    known = TensorProto.DataType.values()
    told = TensorProto.DataType.Name(kind) if kind in known else "values of no known type"
    return f"holds labels or other {told}"
