"""Layers and operations that no chip here has, each with the reason and what to use instead."""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn

from ..base.errors import a_kind

_ATTENTION = "is attention, which multiplies values with one another; the chip adds and weighs: use convolutions"
_NORM = (
    "is {a_kind}, which divides by the spread of each sample while it runs; the chip cannot: use a batch norm, whose "
    "statistics are fixed after training, behind a convolution or dense layer"
)
_GATES = "is {a_kind}, whose gates multiply values with one another; use spiking neurons, such as snn.Synaptic"
MAX_OF_CURRENTS = (
    "is a max pool of currents, and the largest of several currents is no weighted sum; put it behind the neurons, "
    "where any of several spikes makes one, or use nn.AvgPool2d or a convolution with a stride"
)
_MAX = "is {a_kind}, which is not handled; use nn.MaxPool2d behind neurons, nn.AvgPool2d or a convolution with a stride"
_ACTIVATION = "is {a_kind}; neurons are the only non-linearity on the chip: put a layer of spiking neurons in its place"
_CODE = "is TorchScript, which is compiled code; give the module that it was made of"

_PARALLEL = "is {a_kind}, which runs through time by itself and has no reset; use snn.Leaky and train it again"

REFUSED: dict[str, str] = {
    **dict.fromkeys(("LayerNorm", "GroupNorm", "RMSNorm", "layer_norm", "group_norm", "rms_norm"), _NORM),
    **dict.fromkeys(("InstanceNorm1d", "InstanceNorm2d", "instance_norm", "LocalResponseNorm"), _NORM),
    **dict.fromkeys(("MultiheadAttention", "TransformerEncoder", "TransformerEncoderLayer", "Transformer"), _ATTENTION),
    **dict.fromkeys(("scaled_dot_product_attention", "matmul", "__matmul__", "bmm", "einsum"), _ATTENTION),
    **dict.fromkeys(("LSTM", "GRU", "RNN", "LSTMCell", "GRUCell", "RNNCell"), _GATES),
    **dict.fromkeys(("MaxPool3d", "AdaptiveMaxPool1d", "AdaptiveMaxPool2d", "FractionalMaxPool2d"), _MAX),
    **dict.fromkeys(("adaptive_max_pool1d", "adaptive_max_pool2d", "max", "amax"), _MAX),
    **dict.fromkeys(("ReLU", "ReLU6", "LeakyReLU", "PReLU", "ELU", "GELU", "SiLU", "Sigmoid", "Tanh"), _ACTIVATION),
    **dict.fromkeys(("Softmax", "LogSoftmax", "Hardtanh", "relu", "relu_", "leaky_relu", "elu", "gelu"), _ACTIVATION),
    **dict.fromkeys(("silu", "sigmoid", "tanh", "softmax", "log_softmax", "clamp", "abs", "exp", "sqrt"), _ACTIVATION),
    "Embedding": "is an Embedding, which looks values up; feed the network with numbers",
    "ScriptModule": _CODE,
}


NO_TENSOR = ("LSTM", "GRU", "RNN", "LSTMCell", "MultiheadAttention", "LeakyParallel", "LeakyKernel")
"""Layers that return several values or run through time themselves, so that no network of single steps holds them."""


def in_no_step(network: nn.Module) -> Iterator[str]:
    """Why no network for a single timestep can be made: layers that none holds, and the others that no chip has."""
    kinds = {name or "network": type(module).__name__ for name, module in network.named_modules()}
    if set(NO_TENSOR).isdisjoint(kinds.values()):
        return
    for name, kind in kinds.items():
        if kind in NO_TENSOR or kind in REFUSED:
            yield f"{name}: {REFUSED.get(kind, _PARALLEL).format(kind=kind, a_kind=a_kind(kind))}"


def refusal_of(module: nn.Module | None, operation: str) -> str:
    """Why a layer or operation cannot be imported, as a predicate without its name."""
    names = [operation] if module is None else [kind.__name__ for kind in type(module).__mro__]
    kind = names[0]
    for name in names:
        if name in REFUSED:
            return REFUSED[name].format(kind=kind, a_kind=a_kind(kind))
    what = f"is {a_kind(kind)}" if module is not None else f"computes {kind}"
    return (
        f"{what}, which is not handled; handled are Linear, Conv1d, Conv2d, BatchNorm, AvgPool, AdaptiveAvgPool, "
        "Flatten, Dropout, sums, products with a number, and neurons"
    )
