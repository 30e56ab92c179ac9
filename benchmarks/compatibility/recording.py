"""What a network of another tool did: its spikes by layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

Recorded: TypeAlias = dict[str, Any]
"""Spikes by layer, ``(T, *shape)``."""


@dataclass(frozen=True)
class Variant:
    """A way in which networks are written in a tool.

    Attributes:
        says: what is special about it.
        made: how it is made there.
        told: what one has to tell our reader, as arguments of `interpret`.
    """

    says: str
    made: dict[str, Any] = field(default_factory=dict)
    told: dict[str, Any] = field(default_factory=dict)


def of_modules(module: Any, names: Sequence[str], run: Callable[[], object]) -> Recorded:
    """Run a module of torch and keep what its layers of these names gave, call by call."""
    found: dict[str, list[Any]] = {name: [] for name in names}
    layers = dict(module.named_modules())

    def keep(name: str) -> Callable[..., None]:
        def hook(_: Any, __: Any, output: Any) -> None:
            value = output[0] if isinstance(output, tuple) else output
            found[name].append(value.detach().numpy().copy())

        return hook

    hooks = [layers[name].register_forward_hook(keep(name)) for name in names]
    run()
    for hook in hooks:
        hook.remove()
    return {name: np.stack(steps) for name, steps in found.items()}
