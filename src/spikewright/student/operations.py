"""Operations of a forward pass as modules: ``F.avg_pool2d(x, 2)`` as ``nn.AvgPool2d(2)``, ``x.view(...)`` as a reshape.

A traced network whose operations are modules is exported, run over time and trained on integers by what is known of
modules.
"""

from __future__ import annotations

import inspect
import math
import operator
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn

from ..base.errors import InputError

Size: TypeAlias = int | Callable[[Sequence[int]], int]
"""A size, or what it is for an input of a shape that counts the batch."""


class Reshape(nn.Module):
    """The same values of each sample in another shape, as ``view`` and ``reshape`` give them.

    Args:
        sizes: without the batch; one of them may be -1.
    """

    def __init__(self, sizes: Sequence[Size]) -> None:
        super().__init__()
        self.sizes = tuple(sizes)

    def forward(self, value: Tensor) -> Tensor:
        """``(B, *shape)`` to ``(B, *target shape)``."""
        return value.reshape(len(value), *self.target(value.shape[1:]))

    def target(self, shape: Sequence[int]) -> tuple[int, ...]:
        """The shape that a sample of ``shape`` gets.

        Raises:
            InputError: it has another number of values, so that samples would mix.
        """
        found = [size((1, *shape)) if callable(size) else size for size in self.sizes]
        known = math.prod(size for size in found if size != -1)
        if -1 in found and known and math.prod(shape) % known == 0:
            found[found.index(-1)] = math.prod(shape) // known
        if -1 in found or math.prod(found) != math.prod(shape):
            raise InputError(
                f"the forward pass gives values of shape {tuple(shape)} the shape {tuple(found)}, which would mix "
                "samples; keep the batch as the first axis: x.flatten(1)"
            )
        return tuple(found)


class Times(nn.Module):
    """Values multiplied by a number."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = float(factor)

    def forward(self, value: Tensor) -> Tensor:
        """``factor * value``."""
        return value * self.factor


class Join(nn.Module):
    """Values side by side along an axis, which counts the batch, as ``torch.cat`` gives them."""

    def __init__(self, axis: int) -> None:
        super().__init__()
        self.axis = axis

    def forward(self, *values: Tensor) -> Tensor:
        """The concatenation."""
        return torch.cat(values, self.axis)


class DropoutOf(nn.Dropout):
    """Dropout in the forward pass of a network, which is in training when the network is."""

    def __init__(self, probability: float) -> None:
        super().__init__(probability)
        self.network: list[nn.Module] = []

    def forward(self, value: Tensor) -> Tensor:
        """``value``, with some of it set to zero in training."""
        return F.dropout(value, self.p, training=all(each.training for each in self.network))


def operations_as_modules(traced: fx.GraphModule, network: nn.Module) -> None:
    """Replace the operations of a traced network that are known as modules by these, in place.

    Args:
        network: that was traced, whose mode of training dropout follows.
    """
    for node in list(traced.graph.nodes):
        if node.op in ("call_function", "call_method") and (made := _module_for(node)) is not None:
            module, inputs = made
            if isinstance(module, DropoutOf):
                module.network.append(network)
            if isinstance(module, nn.Sequential):  # further modules behind the first
                first, second = module
                with traced.graph.inserting_before(node):
                    inputs = [traced.graph.create_node("call_module", _added(traced, node.name, first), tuple(inputs))]
                module = second
            target = _added(traced, node.name, module)
            node.op, node.target, node.args, node.kwargs = "call_module", target, tuple(inputs), {}
    for node in reversed(list(traced.graph.nodes)):  # sizes that nothing asks for any more
        if _is_size(node) and not node.users:
            traced.graph.erase_node(node)
    traced.recompile()


def _added(traced: fx.GraphModule, name: str, module: nn.Module) -> str:
    """The name under which a module was added to a traced network, one that none of its modules has."""
    while hasattr(traced, name):
        name += "_"
    traced.add_submodule(name, module)
    return name


def _module_for(node: fx.Node) -> tuple[nn.Module, list[fx.Node]] | None:
    """The module that computes what an operation does, and its inputs; None where none is known."""
    if node.op == "call_method":
        make = _METHODS.get(str(node.target))
        return None if make is None else make(node)
    if node.target in _FUNCTIONS:
        return _FUNCTIONS[node.target](node)
    return None


_POOLING = ["input", "kernel_size", "stride", "padding", "ceil_mode", "count_include_pad", "divisor_override"]
Made: TypeAlias = "tuple[nn.Module, list[fx.Node]] | None"


def _given(node: fx.Node, names: Sequence[str]) -> dict[str, Any]:
    """The arguments of a call by name, where all but the first are data of the program."""
    return {**dict(zip(names, node.args, strict=False)), **node.kwargs}


def _as(kind: type[nn.Module], function: Callable[..., Any]) -> Callable[[fx.Node], Made]:
    """What makes a module of a kind from a call of a function whose further arguments are those of the module."""
    try:
        names = list(inspect.signature(function).parameters)
    except ValueError:  # of a builtin of torch, which only average pooling is here
        names = _POOLING
    taken = set(inspect.signature(kind.__init__).parameters)

    def make(node: fx.Node) -> Made:
        given = _given(node, names)
        source = given.pop("input")
        rest = {name: value for name, value in given.items() if name in taken and value != ()}
        fixed = not any(isinstance(value, fx.Node) for value in given.values())
        return (kind(**rest), [source]) if isinstance(source, fx.Node) and fixed else None

    return make


def _dropout(node: fx.Node) -> Made:
    (source,) = node.all_input_nodes
    probability = _given(node, ["input", "p"]).get("p", 0.5)
    return DropoutOf(probability), [source]


def _max_pool(kind: type[nn.Module]) -> Callable[[fx.Node], Made]:
    names = ["input", "kernel_size", "stride", "padding", "dilation", "ceil_mode", "return_indices"]

    def make(node: fx.Node) -> Made:
        given = _given(node, names)
        source = given.pop("input")
        return kind(**{name: value for name, value in given.items() if value not in (None, [], ())}), [source]

    return make


def _upsample(node: fx.Node) -> Made:
    given = _given(node, ["input", "size", "scale_factor", "mode", "align_corners"])
    kept = {name: given[name] for name in ("size", "scale_factor", "mode", "align_corners") if name in given}
    if len(node.all_input_nodes) != 1 or given.get("antialias"):
        return None
    return nn.Upsample(**kept), [given["input"]]


def _join(node: fx.Node) -> Made:
    given = _given(node, ["tensors", "dim"])
    axis = given.get("dim", given.get("axis", 0))
    return Join(axis), list(given["tensors"])


def _times(node: fx.Node) -> Made:
    numbers = [each for each in node.args if isinstance(each, int | float)]
    if len(node.all_input_nodes) != 1 or len(numbers) != 1 or _is_size(node.all_input_nodes[0]):
        return None
    divides = node.target in (operator.truediv, operator.itruediv, torch.div) or node.target == "div"
    if divides and (node.args[0] is numbers[0] or not numbers[0] or "rounding_mode" in node.kwargs):
        return None
    return Times(1 / numbers[0] if divides else numbers[0]), list(node.all_input_nodes)


def _mean(node: fx.Node) -> Made:
    """A mean over the last two axes of (batch, channels, height, width) is global average pooling."""
    given = _given(node, ["input", "dim", "keepdim"])
    dims = given.get("dim")
    axes = tuple(dims) if isinstance(dims, tuple | list) else ()
    if len(node.all_input_nodes) != 1 or axes not in ((2, 3), (-2, -1)) or "dtype" in given:
        return None
    pool = nn.AdaptiveAvgPool2d(1)
    return (pool if given.get("keepdim") else nn.Sequential(pool, nn.Flatten())), [given["input"]]


def _reshape(node: fx.Node) -> Made:
    source, *asked = node.args
    if len(asked) == 1 and isinstance(asked[0], tuple | list):
        asked = list(asked[0])
    if node.kwargs or not isinstance(source, fx.Node) or len(asked) < 2:
        return None
    first, *rest = (_size_of(each, source) for each in asked)
    if first is None or any(each is None for each in rest) or not _is_batch(asked[0], first):
        return None
    return Reshape([each for each in rest if each is not None]), [source]


def _squeeze(node: fx.Node) -> Made:
    source, *asked = node.args
    axes = asked[0] if len(asked) == 1 and not node.kwargs else node.kwargs.get("dim")
    if not isinstance(source, fx.Node) or not isinstance(axes, int) or axes < 1:
        return None
    return _Squeeze(axes), [source]


class _Squeeze(Reshape):
    """Values without an axis of size one, which counts the batch."""

    def __init__(self, axis: int) -> None:
        super().__init__([])
        self.axis = axis

    def target(self, shape: Sequence[int]) -> tuple[int, ...]:
        """The shape without that axis, or as it is where the axis is longer."""
        at = self.axis - 1
        return (*shape[:at], *shape[at + 1 :]) if at < len(shape) and shape[at] == 1 else tuple(shape)


def _is_batch(said: object, size: Size) -> bool:
    """Whether the first size of a view is that of the batch: the first of some input, or -1 for what is left."""
    if isinstance(said, fx.Node):
        return _axis_of(said) == 0
    return size == -1


def _axis_of(node: fx.Node) -> int | None:
    """Which axis of a tensor a node is the size of; None if it is something else."""
    if node.op == "call_method" and node.target == "size" and len(node.args) == 2:
        return int(str(node.args[1]))
    if node.op == "call_function" and node.target is operator.getitem and isinstance(node.args[0], fx.Node):
        return int(str(node.args[1])) if _is_shape(node.args[0]) and isinstance(node.args[1], int) else None
    return None


def _is_shape(node: fx.Node) -> bool:
    if node.op == "call_function" and node.target is getattr:
        return str(node.args[1]) == "shape"
    return node.op == "call_method" and node.target == "size" and len(node.args) == 1 and not node.kwargs


def _is_size(node: fx.Node) -> bool:
    """Whether a node is a size, a shape, or made of sizes alone."""
    if _is_shape(node) or _axis_of(node) is not None:
        return True
    made = node.op == "call_function" and node.target in _ARITHMETIC
    return made and bool(node.all_input_nodes) and all(_is_size(each) for each in node.all_input_nodes)


_ARITHMETIC: dict[Any, Callable[[int, int], int]] = {
    operator.mul: operator.mul,
    operator.floordiv: operator.floordiv,
    operator.add: operator.add,
    operator.sub: operator.sub,
}


def _size_of(said: object, source: fx.Node) -> Size | None:
    """A size in a view of ``source``: a number, or a function of the shape of ``source``; None for others."""
    if isinstance(said, int):
        return said
    if not isinstance(said, fx.Node):
        return None
    axis = _axis_of(said)
    if axis is not None:
        of = said.args[0]
        tensor = of.args[0] if isinstance(of, fx.Node) and _is_shape(of) else of
        return (lambda shape: shape[axis]) if axis == 0 or tensor is source else None
    if said.op == "call_function" and said.target in _ARITHMETIC and len(said.args) == 2:
        one, two = (_size_of(each, source) for each in said.args)
        if one is None or two is None:
            return None
        how = _ARITHMETIC[said.target]
        return lambda shape: how(*(each(shape) if callable(each) else each for each in (one, two)))
    return None


_FUNCTIONS: dict[Any, Callable[[fx.Node], Made]] = {
    F.avg_pool1d: _as(nn.AvgPool1d, F.avg_pool1d),
    F.avg_pool2d: _as(nn.AvgPool2d, F.avg_pool2d),
    F.max_pool1d: _max_pool(nn.MaxPool1d),
    F.max_pool2d: _max_pool(nn.MaxPool2d),
    torch.max_pool1d: _max_pool(nn.MaxPool1d),
    torch.max_pool2d: _max_pool(nn.MaxPool2d),
    F.adaptive_avg_pool1d: _as(nn.AdaptiveAvgPool1d, F.adaptive_avg_pool1d),
    F.adaptive_avg_pool2d: _as(nn.AdaptiveAvgPool2d, F.adaptive_avg_pool2d),
    F.dropout: _dropout,
    F.dropout2d: _dropout,
    F.interpolate: _upsample,
    F.relu: _as(nn.ReLU, F.relu),
    torch.relu: lambda node: (nn.ReLU(), list(node.all_input_nodes)),
    F.softmax: lambda node: (nn.Softmax(1), list(node.all_input_nodes)),
    F.log_softmax: lambda node: (nn.LogSoftmax(1), list(node.all_input_nodes)),
    torch.sigmoid: lambda node: (nn.Sigmoid(), list(node.all_input_nodes)),
    torch.cat: _join,
    torch.concat: _join,
    torch.mean: _mean,
    torch.reshape: _reshape,
    torch.squeeze: _squeeze,
    **dict.fromkeys((operator.mul, operator.imul, torch.mul, operator.truediv, operator.itruediv, torch.div), _times),
}
_METHODS: dict[str, Callable[[fx.Node], Made]] = {
    "view": _reshape,
    "reshape": _reshape,
    "squeeze": _squeeze,
    "mean": _mean,
    "mul": _times,
    "div": _times,
    "relu": lambda node: (nn.ReLU(), list(node.all_input_nodes)),
    "contiguous": lambda node: (nn.Identity(), list(node.all_input_nodes)),
    "float": lambda node: (nn.Identity(), list(node.all_input_nodes)),
    "clone": lambda node: (nn.Identity(), list(node.all_input_nodes)),
}
