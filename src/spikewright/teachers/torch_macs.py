"""Multiply-accumulates of a torch network, counted where its operators are dispatched.

An operator's multiply-accumulates are its outputs times the products that each of them sums, whether a module, a
function or an overloaded ``@`` called it. Operators on single elements, normalisation, pooling, interpolation and the
steps between gates are not counted; nor is what a network computes outside of torch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from ..energy.macs import Macs

Formula: TypeAlias = Callable[[Sequence[Any], Any], int]
"""From the positional arguments of an operator, and its result, to its multiply-accumulates."""


def _outputs_times(argument: int) -> Formula:
    """A product of matrices: for each output as many products as the last axis of ``argument`` is long."""
    return lambda args, out: out.numel() * args[argument].shape[-1]


def _convolution(args: Sequence[Any], out: Any) -> int:
    """``(input, weight, bias, stride, padding, dilation, transposed, ...)``; taps on the border count in full."""
    samples, weight, transposed = args[0], args[1], args[6]
    return int((samples if transposed else out).numel() * weight[0].numel())


def _recurrent(weights: Callable[[Sequence[Any]], Sequence[Tensor]]) -> Formula:
    """A layer over time: at every step of every sample each of its matrices is used once."""
    return lambda args, _out: _rows(args[0]) * sum(each.numel() for each in weights(args) if each.ndim == 2)


def _quantized_recurrent(gates: int, layers_at: int, bidirectional_at: int) -> Formula:
    """The same where matrices are packed: their sizes follow from input, state and number of layers."""

    def count(args: Sequence[Any], _out: Any) -> int:
        samples, state = args[0], args[1]
        hidden = (state[0] if isinstance(state, list | tuple) else state).shape[-1]
        directions = 2 if args[bidirectional_at] else 1
        inputs = [samples.shape[-1], *[directions * hidden] * (args[layers_at] - 1)]
        return _rows(samples) * directions * gates * hidden * sum(size + hidden for size in inputs)

    return count


def _attention(args: Sequence[Any], _out: Any) -> int:
    """``(query, key, value, ...)``, each ``(B, heads, length, size)``: the scores, then the sum over values."""
    query, key, value = args[:3]
    return int(math.prod(query.shape[:-1]) * key.shape[-2] * (query.shape[-1] + value.shape[-1]))


def _self_attention(*matrices: int) -> Formula:
    """Self-attention on ``(B, T, E)`` in one operator, with the arguments that hold its matrices."""

    def count(args: Sequence[Any], _out: Any) -> int:
        samples = args[0]
        attended = 2 * samples.shape[1] * samples.shape[2]
        return _rows(samples) * (attended + sum(args[place].numel() for place in matrices))

    return count


def _trilinear(args: Sequence[Any], _out: Any) -> int:
    """Of :class:`torch.nn.Bilinear`: each product of three factors is one."""
    spread = []
    for value, expanded in zip(args[:3], args[3:6], strict=True):
        for axis in sorted(expanded):
            value = value.unsqueeze(axis)
        spread.append(value)
    return math.prod(np.broadcast_shapes(*(tuple(value.shape) for value in spread)))


def _quantized_convolution(transposed: bool) -> Formula:
    return lambda args, out: (args[0] if transposed else out).numel() * args[1].unpack()[0][0].numel()


def _rows(samples: Tensor) -> int:
    return samples.numel() // samples.shape[-1] if samples.numel() else 0


FORMULAS: dict[str, Formula] = {
    **dict.fromkeys(("aten::mm", "aten::bmm", "aten::linear", "aten::_int_mm", "aten::_scaled_mm"), _outputs_times(0)),
    **dict.fromkeys(("aten::_weight_int8pack_mm", "aten::_weight_int4pack_mm"), _outputs_times(0)),
    **dict.fromkeys(("aten::addmm", "aten::baddbmm", "aten::_addmm_activation"), _outputs_times(1)),
    "aten::addbmm": lambda args, _out: args[1].numel() * args[2].shape[-1],
    "aten::mv": lambda args, _out: args[0].numel(),
    "aten::addmv": lambda args, _out: args[1].numel(),
    "aten::dot": lambda args, _out: args[0].numel(),
    "aten::vdot": lambda args, _out: args[0].numel(),
    "aten::addr": lambda _args, out: out.numel(),
    "aten::convolution": _convolution,
    "aten::_convolution": _convolution,
    "aten::conv_tbc": lambda args, out: out.numel() * args[1].shape[0] * args[1].shape[1],
    "aten::mkldnn_rnn_layer": _recurrent(lambda args: args[1:3]),
    "aten::_cudnn_rnn": _recurrent(lambda args: args[1]),
    "aten::miopen_rnn": _recurrent(lambda args: args[1]),
    "aten::quantized_lstm": _quantized_recurrent(4, 4, 7),
    "aten::quantized_gru": _quantized_recurrent(3, 4, 7),
    "aten::_trilinear": _trilinear,
    "aten::_native_multi_head_attention": _self_attention(5, 7),
    "aten::_transformer_encoder_layer_fwd": _self_attention(3, 5, 14, 16),
    **{
        f"aten::_scaled_dot_product_{kind}": _attention
        for kind in (
            *("flash_attention", "flash_attention_for_cpu", "efficient_attention", "cudnn_attention"),
            "fused_attention_overrideable",
        )
    },
    **{f"quantized::linear{kind}": _outputs_times(0) for kind in ("", "_relu", "_dynamic", "_relu_dynamic")},
    **{
        f"quantized::conv{axes}d{kind}": _quantized_convolution(transposed=False)
        for axes in (1, 2, 3)
        for kind in ("", "_relu", "_dynamic")
    },
    **{
        f"quantized::conv_transpose{axes}d{kind}": _quantized_convolution(transposed=True)
        for axes in (1, 2, 3)
        for kind in ("", "_dynamic")
    },
}
"""By operator, its multiply-accumulates."""
_MULTIPLY_ALONE = ("_fft", "_linalg", "cholesky", "geqrf", "linalg_", "matrix_exp", "orgqr")
"""Beginnings of names of operators that sum products of a single tensor."""
_KNOWN_NAMES = (
    *(
        "_cat",
        "_copy_from",
        "_has_same_storage_numel",
        "_pack_padded_sequence",
        "_prelu_kernel",
        "_softmax",
        "allclose",
    ),
    *("bernoulli", "bucketize", "cat", "complex", "copy", "eq", "equal", "floor_divide", "gather", "ge", "gt", "isin"),
    *(
        "le",
        "lift_fresh",
        "linalg_vector_norm",
        "lt",
        "max",
        "min",
        "ne",
        "normal",
        "polar",
        "put",
        "resize_as",
        "rsub",
    ),
    *("searchsorted", "select_backward", "set", "slice_inverse", "stack", "take", "topk", "where"),
    # Of quantized numbers.
    *("add", "add_relu", "add_scalar", "cat_relu", "elu", "hardswish", "leaky_relu", "mul", "mul_relu", "mul_scalar"),
    *("prelu", "sigmoid", "softmax"),
)
_KNOWN_PARTS = (
    *("embedding", "fake_quantize", "fill", "fused_gru_cell", "fused_lstm_cell", "grid_sampler", "index", "masked"),
    *("_norm", "pool", "quantize_per", "scatter", "unpool", "upsample"),
)
"""Names, and parts of names, of operators on several tensors that sum no products, or normalise or interpolate."""


HIGHER_ORDER = "a higher-order operator"
"""Of ``torch.cond`` and its like in versions of torch that do not say which one it is; nothing behind it is counted."""


def count_macs(network: nn.Module, sample: Tensor) -> Macs:
    """The multiply-accumulates of ``network`` for one ``sample``, a batch of one, on whatever device it lies."""
    counter = _Counter()
    try:
        with torch.no_grad(), counter:
            network(sample)
    except (AssertionError, NotImplementedError):  # of torch, where it does not dispatch an operator to a counter
        with torch.no_grad():
            network(sample)  # raises what is wrong with the network itself
        counter.unknown.add(HIGHER_ORDER)
    return Macs(counter.count, tuple(sorted(counter.unknown)))


class _Counter(TorchDispatchMode):
    """Adds up the multiply-accumulates of every operator that is dispatched, and notes those it does not know."""

    supports_higher_order_operators = True

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.count = 0
        self.unknown: set[str] = set()

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        del types
        out = func(*args, **(kwargs or {}))
        name = func.name().partition(".")[0].rstrip("_")
        formula = FORMULAS.get(name)
        if formula is not None:
            self.count += int(formula(args, out))
        elif _may_multiply(name, func, [*args, *(kwargs or {}).values()]):
            self.unknown.add(name)
        return out


def _may_multiply(operator: str, func: Any, args: Sequence[Any]) -> bool:
    """Whether an operator without a formula might sum products: of several tensors, or of one with itself."""
    space, _, name = operator.partition("::")
    if space not in ("aten", "prims", "prim", "quantized"):
        return any(True for _ in _tensors(args))
    if torch.Tag.pointwise in func.tags or name in _KNOWN_NAMES or any(part in name for part in _KNOWN_PARTS):
        return False
    if name.startswith(_MULTIPLY_ALONE):
        return True
    return sum(not _is_index(tensor) for tensor in _tensors(args)) > 1 or any(map(_is_packed, args))


def _tensors(args: Sequence[Any]) -> Iterator[Tensor]:
    for value in args:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, list | tuple):
            yield from _tensors(value)


def _is_index(tensor: Tensor) -> bool:
    return tensor.dtype in (torch.bool, torch.int16, torch.int32, torch.int64)


def _is_packed(value: Any) -> bool:
    """Whether an argument is an object of torch, which may hold weights."""
    return isinstance(value, torch.ScriptObject)
