"""What each layer and operation without state is in a student: one function for its classes and names."""

from __future__ import annotations

from math import prod

import torch
from torch import Tensor

from .calls import Value
from .layer import Layer, Shape, Use, handles
from .neuron import CannotImport
from .parts import (
    ConcatPart,
    ConvPart,
    FlattenPart,
    LinearPart,
    MaxPoolPart,
    NormPart,
    PoolPart,
    SumPart,
    TransposedPart,
    UpsamplePart,
)

PASSED = Layer(None)
"""Values pass unchanged."""


def _numbers(value: Tensor) -> Tensor:
    return value.detach().float().contiguous().clone()


def _weights(weight: Tensor, bias: Tensor | None) -> dict[str, Tensor]:
    return {"weight": _numbers(weight)} | ({} if bias is None else {"bias": _numbers(bias)})


@handles("Linear", "linear")
def _(use: Use) -> Layer:
    m = use.module
    weight, bias = (m.weight, m.bias) if m is not None else (use.value(1, "weight"), use.value(2, "bias"))
    if len(use.shapes[0]) != 1:
        raise CannotImport(f"is a Linear fed with shape {use.shapes[0]}; put nn.Flatten before it")
    settings = {"entering": weight.shape[1], "leaving": weight.shape[0], "bias": bias is not None}
    return Layer(LinearPart, settings, _weights(weight, bias))


@handles("Conv1d", "Conv2d", "conv1d", "conv2d")
def _(use: Use) -> Layer:
    m = use.module
    if m is not None:
        if m.padding_mode != "zeros":
            raise CannotImport(f"pads with {m.padding_mode!r}; the chip pads with zeros: padding_mode='zeros'")
        weight, bias = m.weight, m.bias
        stride, padding, dilation, groups = m.stride, m.padding, m.dilation, m.groups
    else:
        weight, bias = use.value(1, "weight"), use.value(2, "bias")
        stride, padding = use.value(3, "stride", 1), use.value(4, "padding", 0)
        dilation, groups = use.value(5, "dilation", 1), use.value(6, "groups", 1)
    flat = weight.dim() == 3
    weight = weight.unsqueeze(2 if use.row else -1) if flat else weight
    dilated, kernel = use.sizes(dilation, flat, 1), (weight.shape[2], weight.shape[3])
    settings = {
        "entering": weight.shape[1] * groups,
        "leaving": weight.shape[0],
        "kernel": kernel,
        "stride": use.sizes(stride, flat, 1),
        "padding": _padded(padding, kernel, dilated) if isinstance(padding, str) else use.sizes(padding, flat, 0),
        "dilation": dilated,
        "groups": groups,
        "bias": bias is not None,
    }
    return Layer(ConvPart, settings, _weights(weight, bias))


def _padded(word: str, kernel: tuple[int, int], dilation: tuple[int, int]) -> tuple[int, int]:
    around = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
    if word == "valid":
        return 0, 0
    if any(each % 2 for each in around):
        raise CannotImport(
            f"is padded 'same' with a kernel of {kernel}, which pads one side more than the other; use odd sizes"
        )
    return around[0] // 2, around[1] // 2


@handles("BatchNorm1d", "BatchNorm2d", "batch_norm")
def _(use: Use) -> Layer:
    m = use.module
    if m is not None:
        mean, var, weight, bias, eps = m.running_mean, m.running_var, m.weight, m.bias, m.eps
        training = m.training
    else:
        mean, var, weight, bias = (use.value(place, "") for place in range(1, 5))
        training, eps = use.value(5, "training", False), use.value(7, "eps", 1e-5)
    if mean is None or training:
        raise CannotImport(
            "is a batch norm by the statistics of each batch, which a single sample does not have; use "
            "track_running_stats=True and evaluation mode"
        )
    values = {"running_mean": _numbers(mean), "running_var": _numbers(var), "num_batches_tracked": torch.tensor(0)}
    if weight is not None:
        values |= {"weight": _numbers(weight), "bias": _numbers(bias)}
    flat = 1 if len(use.shapes[0]) == 1 else 2
    channels = int(mean.numel())
    settings = {"dimensions": flat, "channels": channels, "eps": float(eps), "affine": weight is not None}
    return Layer(NormPart, settings, values)


@handles("SumPool2d")
def _(use: Use) -> Layer:
    """Of sinabs: a mean times the size of its window."""
    m = use.module
    assert m is not None
    kernels = use.sizes(m.kernel_size, False, 1)
    if m.ceil_mode:
        raise CannotImport("is a sum pool with ceil_mode; leave it at its default")
    settings = {"kernel": kernels, "stride": use.sizes(m.stride or m.kernel_size, False, 1), "padding": (0, 0)}
    return Layer(PoolPart, settings, gain=float(prod(kernels)))


@handles("AvgPool1d", "AvgPool2d", "avg_pool1d", "avg_pool2d")
def _(use: Use) -> Layer:
    m = use.module
    if m is not None:
        kernel, stride, padding = m.kernel_size, m.stride, m.padding
        odd = m.ceil_mode or getattr(m, "divisor_override", None)
        counted = m.count_include_pad
    else:
        kernel, stride, padding = use.value(1, "kernel_size"), use.value(2, "stride"), use.value(3, "padding", 0)
        odd = use.value(4, "ceil_mode", False) or use.value(6, "divisor_override")
        counted = use.value(5, "count_include_pad", True)
    flat = len(use.shapes[0]) == 2
    stride = kernel if stride in (None, ()) else stride
    kernels, strides, pads = (use.sizes(each, flat, rest) for each, rest in ((kernel, 1), (stride, 1), (padding, 0)))
    size = use.images(use.shapes[0])[1:]
    whole = all((s + 2 * p - k) % t == 0 for s, p, k, t in zip(size, pads, kernels, strides, strict=True))
    if (odd and not (whole and not getattr(m, "divisor_override", None))) or (any(pads) and not counted):
        raise CannotImport(
            "is an average pool with ceil_mode, divisor_override or count_include_pad=False, which NIR has no fields "
            "for; leave them at their defaults"
        )
    return Layer(PoolPart, {"kernel": kernels, "stride": strides, "padding": pads})


@handles("MaxPool1d", "MaxPool2d", "max_pool1d", "max_pool2d")
def _(use: Use) -> Layer:
    """Of spikes alone; whether these are, the graph says."""
    m = use.module
    names = ("kernel_size", "stride", "padding", "dilation", "ceil_mode")
    defaults = (None, None, 0, 1, False)
    if m is not None:
        kernel, stride, padding, dilation, ceil = (getattr(m, name) for name in names)
    else:
        kernel, stride, padding, dilation, ceil = (use.value(n + 1, names[n], defaults[n]) for n in range(5))
    if ceil or set(use.sizes(dilation, False, 1)) != {1}:
        raise CannotImport("is a max pool with ceil_mode or dilation; leave them at their defaults")
    flat, stride = len(use.shapes[0]) == 2, kernel if stride in (None, ()) else stride
    kernels, strides, pads = (use.sizes(each, flat, rest) for each, rest in ((kernel, 1), (stride, 1), (padding, 0)))
    return Layer(MaxPoolPart, {"kernel": kernels, "stride": strides, "padding": pads})


@handles(*(f"AdaptiveAvgPool{n}d" for n in (1, 2)), *(f"adaptive_avg_pool{n}d" for n in (1, 2)))
def _(use: Use) -> Layer:
    return _pooled(use.images(use.shapes[0])[1:], use.images(use.shape)[1:])


def _pooled(size: Shape, left: Shape) -> Layer:
    if any(s % t for s, t in zip(size, left, strict=True)):
        raise CannotImport(
            f"is an adaptive average pool from {size} to {left}, whose windows are of unequal sizes; choose a size "
            "that divides the other"
        )
    kernel = (size[0] // left[0], size[1] // left[1])
    return Layer(PoolPart, {"kernel": kernel, "stride": kernel, "padding": (0, 0)})


@handles("mean")
def _(use: Use) -> Layer:
    before, after = use.images(use.shapes[0]), use.shape
    if len(before) == 3 and (after == before[:1] or after == (before[0], 1, 1)):
        return _pooled(before[1:], (1, 1))
    raise CannotImport("is a mean over other axes than height and width; use nn.AvgPool2d or nn.AdaptiveAvgPool2d")


@handles("Identity", "Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "AlphaDropout")
@handles("clone", "detach", "data", "contiguous", "to", "float", "cuda", "cpu", "requires_grad_", "type", "type_as")
def _(use: Use) -> Layer:  # noqa: ARG001  (every handler takes what the table gives)
    return PASSED


@handles("dropout", "dropout1d", "dropout2d", "alpha_dropout", "feature_dropout")
def _(use: Use) -> Layer:
    if use.value(2, "training", True):
        raise CannotImport("is a dropout that also drops in evaluation; give it training=self.training")
    return PASSED


@handles("Flatten", "Unflatten", "flatten", "unflatten", "view", "reshape", "squeeze", "unsqueeze", "view_as")
@handles("ravel", "repeat", "expand", "expand_as", "transpose", "permute", "movedim", "swapaxes", "reshape_as")
@handles("squeeze_", "unsqueeze_", "__getitem__", "select", "unbind", "stack", "repeat_interleave", "chunk", "split")
def _(use: Use) -> Layer:
    before, after = use.images(use.shapes[0]), use.images(use.shape)
    if before == after:
        return PASSED
    if after == (prod(before),):
        return Layer(FlattenPart)
    raise CannotImport(
        f"turns {use.shapes[0]} into {use.shape}; values between layers keep their shape or are flattened whole"
    )


@handles("add", "__add__", "__radd__", "__iadd__", "add_")
def _(use: Use) -> Layer:
    plain = all(isinstance(each, Value) for each in use.given[:2]) and len(use.given) == 2 and not use.named
    if plain and len(use.shapes) == 2 and use.shapes[0] == use.shapes[1]:
        return Layer(SumPart)
    raise CannotImport(
        "adds what is no value of another layer, or one of another shape; add a constant as the bias of a layer"
    )


@handles("cat", "concat", "concatenate")
def _(use: Use) -> Layer:
    axis = int(use.value(1, "dim", 0) if len(use.given) > 1 or "dim" in use.named else use.named.get("axis", 0))
    channels = sum(shape[0] for shape in use.shapes)
    if use.shape == (channels, *use.shapes[0][1:]) and axis != 0:
        return Layer(ConcatPart)
    raise CannotImport("puts values together along another axis than that of their channels, dim=1; use that")


@handles("ConvTranspose1d", "ConvTranspose2d")
def _(use: Use) -> Layer:
    m, flat = use.module, use.module.weight.dim() == 3
    weight = m.weight.unsqueeze(2 if use.row else -1) if flat else m.weight
    settings = {
        "entering": m.in_channels,
        "leaving": m.out_channels,
        "kernel": (weight.shape[2], weight.shape[3]),
        "stride": use.sizes(m.stride, flat, 1),
        "padding": use.sizes(m.padding, flat, 0),
        "output_padding": use.sizes(m.output_padding, flat, 0),
        "dilation": use.sizes(m.dilation, flat, 1),
        "groups": m.groups,
        "bias": m.bias is not None,
    }
    return Layer(TransposedPart, settings, _weights(weight, m.bias))


@handles("Upsample", "UpsamplingNearest2d", "interpolate")
def _(use: Use) -> Layer:
    mode = use.module.mode if use.module is not None else use.value(3, "mode", "nearest")
    before, after = use.images(use.shapes[0]), use.images(use.shape)
    if mode != "nearest" or any(b % a for a, b in zip(before[1:], after[1:], strict=True)):
        raise CannotImport(f"enlarges by {mode!r} from {before[1:]} to {after[1:]}; use 'nearest' and whole factors")
    return Layer(UpsamplePart, {"factor": (after[1] // before[1], after[2] // before[2])})


@handles("mul", "__mul__", "__rmul__", "__imul__", "mul_")
def _(use: Use) -> Layer:
    return Layer(None, gain=_number(use, "multiplies values with one another"))


@handles("div", "__truediv__", "__itruediv__", "div_", "true_divide")
def _(use: Use) -> Layer:
    return Layer(None, gain=1.0 / _number(use, "divides values by one another"))


def _number(use: Use, what: str) -> float:
    others = [use.value(place, "") for place in range(2)]
    found = [float(each) for each in others if isinstance(each, int | float) or getattr(each, "dim", lambda: 1)() == 0]
    if len(use.shapes) != 1 or len(found) != 1 or not found[0] > 0:
        raise CannotImport(
            f"{what}, or by a number that is none above 0; the chip adds and weighs: use a layer with weights"
        )
    return found[0]
