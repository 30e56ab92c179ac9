"""Values inside a network by their names, and refusals of names that a method asks for in vain."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from ..base.errors import InputError, did_you_mean


def unknown_feature(teacher: str, asked: Sequence[str], known: Sequence[str]) -> None:
    """Refuse the first name that the teacher does not have."""
    for name in asked:
        if name not in known:
            raise InputError(f"teacher {teacher}: has no value {name!r} to distil from; {did_you_mean(name, known)}")


def no_map(name: str, shape: Sequence[int]) -> str:
    """The fault that a value of this shape, for one sample, has no saliency."""
    return f"{name} is of shape {tuple(shape)}, no map of channels, height and width"


@contextmanager
def watched(modules: dict[str, nn.Module], found: dict[str, Tensor], with_gradient: bool = False) -> Iterator[None]:
    """Within the block, put each module's output into ``found`` under its name: a copy, or what gradients go through.

    An in-place activation after the module would change the output itself, so that the copy is what goes on.
    """

    def keep(name: str, output: Any) -> Tensor | None:
        if not isinstance(output, Tensor):
            return None  # of a recurrent layer or an attention, several values
        found[name] = output.clone() if with_gradient else output.detach().clone()
        return found[name] if with_gradient else None

    handles = [
        module.register_forward_hook(lambda _module, _inputs, output, name=name: keep(name, output))
        for name, module in modules.items()
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
