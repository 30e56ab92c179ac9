"""A layer or operation without state in the terms of a student, and the table of the functions that say what it is.

Shapes are those of one sample in one timestep. Sequences ``(C, L)`` are taken as images ``(C, L, 1)``, so that a
convolution in one dimension is one in two.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from .calls import Value
from .parts import AnyPart

Shape = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Layer:
    """A layer without its name and its inputs.

    Attributes:
        kind: of part; None where values pass unchanged.
        settings: the fields of the part.
        weights: by the name that they have in the layer's module.
        gain: by which the result is to be multiplied.
    """

    kind: type[Any] | None
    settings: Mapping[str, Any] = field(default_factory=dict)
    weights: Mapping[str, Tensor] = field(default_factory=dict)
    gain: float = 1.0

    def part(self, name: str, inputs: tuple[str, ...]) -> AnyPart:
        """The part of a description."""
        assert self.kind is not None
        made: AnyPart = self.kind(name=name, inputs=inputs, **self.settings)
        return made


@dataclass(frozen=True, eq=False)
class Use:
    """A layer or operation as it was called.

    Attributes:
        module: None for an operation.
        given: all arguments by position; of a layer without itself.
        named: keyword arguments.
        shapes: of the values that arrive.
        shape: of the result.
        row: whether sequences lie along the width.
    """

    module: Any
    given: tuple[Any, ...]
    named: Mapping[str, Any]
    shapes: tuple[Shape, ...]
    shape: Shape
    row: bool = False

    def images(self, shape: Shape) -> Shape:
        """A shape as it is in a student."""
        return canonical(shape, self.row)

    def sizes(self, value: Any, flat: bool, rest: int) -> tuple[int, int]:
        """Sizes of two dimensions; ``rest`` is that of the second where values are sequences."""
        first, second = _pair(value)
        if not flat:
            return first, second
        return (rest, first) if self.row else (first, rest)

    def value(self, place: int, name: str, default: Any = None) -> Any:
        """An argument by its place or its name; a tensor as its numbers."""
        found = self.given[place] if place < len(self.given) else self.named.get(name, default)
        return found.tensor if isinstance(found, Value) else found


Handler = Callable[[Use], Layer]
HANDLERS: dict[str, Handler] = {}
"""By class of a layer, or by name of an operation."""


def handles(*names: str) -> Callable[[Handler], Handler]:
    """Register the decorated function for classes of layers and names of operations."""

    def register(function: Handler) -> Handler:
        HANDLERS.update(dict.fromkeys(names, function))
        return function

    return register


def handler_of(module: nn.Module | None, operation: str) -> Handler | None:
    """The function for a layer, by its class or the nearest class above, or for an operation."""
    names = [operation] if module is None else [kind.__name__ for kind in type(module).__mro__]
    return next((HANDLERS[name] for name in names if name in HANDLERS), None)


def canonical(shape: Shape, row: bool = False) -> Shape:
    """The shape that a sample has in a student; sequences lie along the height, or along the width (``row``)."""
    if len(shape) != 2:
        return shape
    return (shape[0], 1, shape[1]) if row else (*shape, 1)


def _pair(value: Any) -> tuple[int, int]:
    """Sizes of two dimensions, of one where the second is 1."""
    return (int(value), int(value)) if isinstance(value, int) else (int(value[0]), int(value[-1]))
