"""Structure-aware changes of ONNX models: any field of any message, whatever it means."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

import onnx
from google.protobuf.descriptor import FieldDescriptor as Field

from .value_changes import INSIDE, NUMBERS, TEXTS

OPERATORS = ("Gemm", "Conv", "Relu", "Softmax", "Identity", "Reshape", "Constant", "Loop", "If", "Scan", "Expand",
             "Tile", "ConstantOfShape", "Range", "Pad", "Custom", "MatMul", "Transpose")  # fmt: skip
_INTEGERS = {
    Field.CPPTYPE_INT32: 32,
    Field.CPPTYPE_UINT32: 32,
    Field.CPPTYPE_INT64: 64,
    Field.CPPTYPE_UINT64: 64,
}


def of_onnx(data: bytes, random: Random) -> bytes:
    """A model with one change, sometimes with some more."""
    model = onnx.ModelProto.FromString(data)
    for _ in range(random.choice((1, 1, 1, 1, 2, 4))):
        random.choice((_field, _field, _field, _outside, _operator, _dimension))(model, random)
    return bytes(model.SerializeToString())


def _messages(message: Any) -> Iterator[Any]:
    """The message and all messages in it."""
    yield message
    for field, value in message.ListFields():
        if field.cpp_type == Field.CPPTYPE_MESSAGE:
            for each in value if _is_many(field) else [value]:
                yield from _messages(each)


def _is_many(field: Any) -> bool:
    return bool(field.is_repeated if hasattr(field, "is_repeated") else field.label == Field.LABEL_REPEATED)


def _field(model: Any, random: Random) -> None:
    """A field of any message becomes another, is left out, or is there once more."""
    message = random.choice(list(_messages(model)))
    fields = [field for field, _ in message.ListFields()]
    field = random.choice(fields if fields and random.random() < 0.8 else list(message.DESCRIPTOR.fields))
    way = random.random()
    if way < 0.15:
        message.ClearField(field.name)
    elif _is_many(field):
        _of_many(getattr(message, field.name), field, random)
    elif field.cpp_type == Field.CPPTYPE_MESSAGE:
        getattr(message, field.name).SetInParent()
    else:
        setattr(message, field.name, _value(field, random))


def _of_many(values: Any, field: Any, random: Random) -> None:
    place = random.randrange(len(values)) if len(values) else 0
    way = random.choice(("less", "twice", "more", "moved", "many"))
    if way == "less" and len(values):
        del values[place]
    elif field.cpp_type == Field.CPPTYPE_MESSAGE:
        if way in ("twice", "many") and len(values):
            for _ in range(40 if way == "many" else 1):
                values.add().CopyFrom(values[place])
        else:
            values.add()
    elif way == "twice" and len(values):
        values.append(values[place])
    elif way == "moved" and len(values):
        values[place] = _value(field, random)
    else:
        values.extend(_value(field, random) for _ in range(500 if way == "many" else 1))


def _value(field: Any, random: Random) -> Any:
    """A value of the field's type."""
    kind = field.cpp_type
    if kind in _INTEGERS:
        low = 0 if kind in (Field.CPPTYPE_UINT32, Field.CPPTYPE_UINT64) else -(2 ** (_INTEGERS[kind] - 1))
        high = 2 ** (_INTEGERS[kind] - (0 if low == 0 else 1)) - 1
        whole = [int(each) for each in NUMBERS if each == each and abs(each) != float("inf")]
        return min(high, max(low, random.choice((*whole, random.randint(0, 20)))))
    if kind in (Field.CPPTYPE_FLOAT, Field.CPPTYPE_DOUBLE):
        return float(random.choice([each for each in NUMBERS if abs(each) <= 1e300 or each != each]))
    if kind == Field.CPPTYPE_BOOL:
        return random.random() < 0.5
    if kind == Field.CPPTYPE_ENUM:
        return random.choice(list(field.enum_type.values_by_number))
    text = random.choice((*TEXTS, *OPERATORS)).encode(errors="replace")
    return text if field.type == Field.TYPE_BYTES else text.decode()


def _outside(model: Any, random: Random) -> None:
    """A tensor's numbers lie in another file."""
    tensors = [each for each in _messages(model) if isinstance(each, onnx.TensorProto)]
    if not tensors:
        return
    tensor = random.choice(tensors)
    tensor.data_location = onnx.TensorProto.EXTERNAL
    place = random.choice((f"{INSIDE}/weights.bin", "/etc/passwd", "", "beside.bin", "model.onnx", "../input"))
    for key, value in (("location", place), ("offset", "0"), ("length", random.choice(("4", "-1", "9" * 30, "x")))):
        tensor.external_data.add(key=key, value=value)


def _operator(model: Any, random: Random) -> None:
    nodes = [each for each in _messages(model) if isinstance(each, onnx.NodeProto)]
    if nodes:
        node = random.choice(nodes)
        node.op_type = random.choice(OPERATORS)
        node.domain = random.choice(("", "", "", "ai.onnx.ml", "com.microsoft", "x"))


def _dimension(model: Any, random: Random) -> None:
    """A dimension of a tensor becomes another; what is stored does not."""
    tensors = [each for each in _messages(model) if isinstance(each, onnx.TensorProto) and each.dims]
    if tensors:
        dims = random.choice(tensors).dims
        dims[random.randrange(len(dims))] = random.choice((0, 1, -1, 2**20, 2**31, 2**62, 7))
