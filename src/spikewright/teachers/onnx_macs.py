"""Multiply-accumulates of an ONNX graph, from the shapes of a real run.

An operator's multiply-accumulates are its outputs times the products that each of them sums. Operators on single
elements, normalisation, pooling and interpolation are not counted.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any, TypeAlias

import onnx
from onnx import defs, helper

Shape: TypeAlias = tuple[int, ...]
Formula: TypeAlias = Callable[[Sequence[Shape], Shape, Mapping[str, Any]], int]
"""From the shapes of some inputs, that of the first output, and the attributes, to multiply-accumulates."""

CONTRIB = "com.microsoft"
KNOWN_UP_TO = 24
"""The version of ONNX's operators up to which those without a formula, but for ``_UNKNOWN``, are known not to sum."""
_UNKNOWN = ("DeformConv", "Det", "DFT", "If", "Loop", "Scan", "SequenceMap", "STFT", "SVMClassifier", "SVMRegressor")
_KNOWN_CONTRIB = (
    *("BiasGelu", "BiasSplitGelu", "DequantizeLinear", "DynamicQuantizeLinear", "EmbedLayerNormalization", "FastGelu"),
    *("Gelu", "GroupNorm", "QLinearAdd", "QLinearAveragePool", "QLinearConcat", "QLinearGlobalAveragePool"),
    *("QLinearLeakyRelu", "QLinearMul", "QLinearReduceMean", "QLinearSigmoid", "QLinearSoftmax", "QLinearWhere"),
    *("QuantizeLinear", "QuickGelu", "RotaryEmbedding", "SkipGroupNorm", "SkipLayerNormalization"),
    *("SkipSimplifiedLayerNormalization", "SimplifiedLayerNormalization"),
)


def _convolution(shapes: Sequence[Shape], output: Shape, _attributes: Mapping[str, Any]) -> int:
    """``(input, weights)``; taps on the border count in full."""
    return math.prod(output) * math.prod(shapes[1][1:])


def _transposed(shapes: Sequence[Shape], _output: Shape, _attributes: Mapping[str, Any]) -> int:
    """``(input, weights)``: every number of the input meets every weight of its channel."""
    return math.prod(shapes[0]) * math.prod(shapes[1][1:])


def _product(shapes: Sequence[Shape], output: Shape, attributes: Mapping[str, Any]) -> int:
    """Of two matrices or stacks of matrices, the left one transposed where an attribute says so."""
    return math.prod(output) * shapes[0][-2 if attributes.get("transA") else -1]


def _recurrent(shapes: Sequence[Shape], _output: Shape, _attributes: Mapping[str, Any]) -> int:
    """``(input, weights, recurrent weights)`` of all gates and directions; peepholes are on single elements."""
    return math.prod(shapes[0][:2]) * (math.prod(shapes[1]) + math.prod(shapes[2]))


def _einsum(shapes: Sequence[Shape], _output: Shape, attributes: Mapping[str, Any]) -> int:
    """Operands are contracted from left to right; a product of single elements is not counted."""
    terms, output = _terms(attributes["equation"].decode(), shapes)
    sizes: dict[str, int] = {}
    for term, shape in zip(terms, shapes, strict=True):
        for label, size in zip(term, shape, strict=True):
            sizes[label] = max(size, sizes.get(label, 1))
    total, left = 0, set(terms[0])
    for place, term in enumerate(terms[1:], start=1):
        right, met = set(term), left | set(term)
        kept = met & {*output, *"".join(terms[place + 1 :])}
        if met != kept or not (left <= right or right <= left):
            total += math.prod(sizes[label] for label in met)
        left = kept
    return total


def _terms(equation: str, shapes: Sequence[Shape]) -> tuple[list[str], str]:
    """The labels of each operand and of the output; an ellipsis becomes labels of its own, from the right."""
    left, arrow, output = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    if not arrow:
        letters = left.replace(",", "").replace("...", "")
        output = "..." + "".join(sorted(letter for letter in set(letters) if letters.count(letter) == 1))
    hidden = [len(shape) - len(term.replace("...", "")) for term, shape in zip(terms, shapes, strict=True)]
    names = [chr(0x3B1 + place) for place in range(max(hidden, default=0))]
    spelt = [term.replace("...", "".join(names[len(names) - n :])) for term, n in zip(terms, hidden, strict=True)]
    return spelt, output.replace("...", "".join(names))


def _attention(shapes: Sequence[Shape], output: Shape, _attributes: Mapping[str, Any]) -> int:
    """``(Q, K, V, mask, past K, past V)``, each ``(B, heads, length, size)`` or ``(B, length, heads * size)``."""
    query, key, value = shapes[:3]
    past = shapes[4][2] if shapes[4] else 0
    if len(query) == 4:
        return math.prod(query[:3]) * (key[2] + past) * (query[3] + value[3])
    return query[0] * query[1] * (key[1] + past) * (query[2] + output[2])


def _contrib_attention(shapes: Sequence[Shape], _output: Shape, attributes: Mapping[str, Any]) -> int:
    """``(input, weights of Q, K and V, bias, mask, past)``: the projection, the scores, the sum over values."""
    samples, weights = shapes[:2]
    sizes = list(attributes.get("qkv_hidden_sizes", ())) or [weights[1] // 3] * 3
    past = shapes[4][3] if shapes[4] else 0
    rows = math.prod(samples[:2])
    return rows * (math.prod(weights) + (samples[1] + past) * (sizes[0] + sizes[2]))


def _linear_model(shapes: Sequence[Shape], _output: Shape, attributes: Mapping[str, Any]) -> int:
    """Of scikit-learn's converters: one for each coefficient."""
    return shapes[0][0] * len(attributes["coefficients"])


FORMULAS: dict[str, tuple[tuple[int, ...], Formula]] = {
    **dict.fromkeys(("Conv", "ConvInteger", f"{CONTRIB}::FusedConv"), ((0, 1), _convolution)),
    "QLinearConv": ((0, 3), _convolution),
    "ConvTranspose": ((0, 1), _transposed),
    **dict.fromkeys(("Gemm", "MatMul", "MatMulInteger", f"{CONTRIB}::FusedGemm"), ((0, 1), _product)),
    **dict.fromkeys((f"{CONTRIB}::FusedMatMul", f"{CONTRIB}::MatMulIntegerToFloat"), ((0, 1), _product)),
    f"{CONTRIB}::DynamicQuantizeMatMul": ((0, 1), _product),
    "QLinearMatMul": ((0, 3), _product),
    f"{CONTRIB}::QGemm": ((0, 3), _product),
    **dict.fromkeys(("LSTM", "GRU", "RNN"), ((0, 1, 2), _recurrent)),
    "Einsum": ((), _einsum),
    "Attention": ((0, 1, 2, 3, 4), _attention),
    f"{CONTRIB}::Attention": ((0, 1, 2, 3, 4), _contrib_attention),
    **dict.fromkeys(("ai.onnx.ml::LinearClassifier", "ai.onnx.ml::LinearRegressor"), ((0,), _linear_model)),
}
"""By operator, the inputs whose shapes are needed (none: all of them), and its multiply-accumulates."""


def operator_of(node: onnx.NodeProto) -> str:
    """The name of a node's operator, with its domain unless that is ONNX's own."""
    return str(node.op_type if node.domain in ("", "ai.onnx") else f"{node.domain}::{node.op_type}")


def wanted_values(nodes: Iterable[onnx.NodeProto]) -> list[str]:
    """The values whose shapes :func:`count_macs` needs, each once."""
    found = [name for node in nodes if operator_of(node) in FORMULAS for name in (*_inputs(node), node.output[0])]
    return list(dict.fromkeys(name for name in found if name))


def count_macs(nodes: Iterable[onnx.NodeProto], shapes: Mapping[str, Shape]) -> tuple[int, tuple[str, ...]]:
    """The multiply-accumulates of a graph's nodes, and the operators whose own are not known.

    Args:
        shapes: of the :func:`wanted_values`, in one run.
    """
    total, unknown = 0, set()
    for node in nodes:
        operator = operator_of(node)
        if operator in FORMULAS:
            given = (each for each in node.attribute if not each.ref_attr_name)  # else of a function around the node
            attributes = {each.name: helper.get_attribute_value(each) for each in given}
            arriving = [shapes[name] if name else () for name in _inputs(node)]
            total += FORMULAS[operator][1](arriving, shapes[node.output[0]], attributes)
        elif _may_multiply(node):
            unknown.add(operator)
    return total, tuple(sorted(unknown))


def _inputs(node: onnx.NodeProto) -> list[str]:
    """The names of the inputs that a formula needs; empty for those that the node leaves out."""
    places = FORMULAS[operator_of(node)][0] or range(len(node.input))
    return [str(node.input[place]) if place < len(node.input) else "" for place in places]


def _may_multiply(node: onnx.NodeProto) -> bool:
    if node.domain == CONTRIB:
        return node.op_type not in _KNOWN_CONTRIB
    known = ("", "ai.onnx", "ai.onnx.ml")
    return node.op_type in _UNKNOWN or node.domain not in known or _introduced()[node.op_type] > KNOWN_UP_TO


@cache
def _introduced() -> dict[str, int]:
    """By operator of ONNX, the first version of the standard that has it; of the machine learning domain 0."""
    found: dict[str, int] = {}
    for schema in defs.get_all_schemas_with_history():
        since = schema.since_version if schema.domain == "" else 0
        found[schema.name] = min(since, found.get(schema.name, since))
    return found
