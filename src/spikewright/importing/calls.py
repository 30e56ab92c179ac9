"""The values and calls that a recording of a forward pass consists of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from .reads import Read


@dataclass(eq=False)
class Value:
    """A tensor of a recording.

    Attributes:
        tensor: its numbers when it was made.
        maker: the call that made it; None for what the code brought along: parameters, constants, old states.
        index: which of the call's results it is.
        name: of a parameter, or ``input``.
    """

    tensor: Tensor = field(repr=False)
    maker: Call | None = field(default=None, repr=False)
    index: int = 0
    name: str = ""

    @property
    def is_input(self) -> bool:
        """Whether it is the network's input."""
        return self.maker is None and self.name == "input"


@dataclass(eq=False)
class Call:
    """A call of a layer or of an operation of torch.

    Attributes:
        what: name of the layer in its network, or of the operation: ``torch.add``, ``spikegen.rate``.
        module: the layer, None for an operation.
        args: arguments, tensors replaced by their values.
        results: the tensors that came back, in order.
        index: how often the layer was called before.
    """

    what: str
    module: nn.Module | None
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    results: list[Value] = field(default_factory=list)
    index: int = 0

    @property
    def sources(self) -> list[Value]:
        """The values among the arguments, in order."""
        return list(values_in((self.args, self.kwargs)))


@dataclass(eq=False)
class Recording:
    """One or several forward passes.

    Attributes:
        calls: in order.
        outputs: what each forward pass returned, tensors replaced by values.
        inputs: what entered in each pass.
        reads: where the code took numbers out of tensors.
    """

    calls: list[Call]
    outputs: list[Any]
    inputs: list[Value]
    reads: list[Read] = field(default_factory=list)

    def of_layer(self, name: str) -> list[Call]:
        """The calls of a layer."""
        return [call for call in self.calls if call.module is not None and call.what == name]


def values_in(tree: Any) -> Iterator[Value]:
    """The values in arguments or results."""
    if isinstance(tree, Value):
        yield tree
    elif isinstance(tree, Mapping):
        for each in tree.values():
            yield from values_in(each)
    elif isinstance(tree, list | tuple):
        for each in tree:
            yield from values_in(each)
    elif hasattr(tree, "__dataclass_fields__"):
        yield from values_in(vars(tree))


def tensors_in(tree: Any) -> Iterator[Tensor]:
    """The tensors in what a function returned: in tuples, lists, dictionaries and dataclasses."""
    if isinstance(tree, Tensor):
        yield tree
    elif isinstance(tree, Mapping):
        for each in tree.values():
            yield from tensors_in(each)
    elif isinstance(tree, list | tuple):
        for each in tree:
            yield from tensors_in(each)
