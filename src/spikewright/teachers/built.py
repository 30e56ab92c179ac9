"""Torch networks that a user's function builds, or torchvision, with weights from a file."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, cast

from torch import nn

from ..base.errors import InputError, arg
from ..base.own_code import file_of, is_own, named_in, run_own
from .samples import Shape
from .weights import load_weights, read_weights

TORCHVISION = "torchvision:"
_OF_TORCHVISION = "spikewright.teachers.torchvision_network:torchvision_network"
"""Imported when it is needed: torchvision takes as long to load as torch itself."""
_NEEDED = ("input_shape", "classes")


@dataclass(frozen=True, eq=False)
class BuiltNetwork:
    """A torch network, and what its user should know of how it came about.

    Attributes:
        name: for people.
        remarks: what was assumed, and what was done to its weights.
    """

    network: nn.Module
    name: str
    remarks: tuple[str, ...]


def is_built(spec: str) -> bool:
    """Whether a description of a teacher is a function in a file, or a network of torchvision."""
    return is_own(spec) or spec.startswith(TORCHVISION)


def build_network(
    spec: str,
    weights: Path | None = None,
    input_shape: Shape | None = None,
    classes: int | None = None,
    role: str = "teacher",
) -> BuiltNetwork:
    """The network of a description; for the same files it is built once, as long as no other is asked for.

    Args:
        spec: ``file.py:function`` or ``torchvision:NAME``.
        weights: a file with the state dict; None for a function whose network has its weights.
        input_shape: ``(C, H, W)`` of a sample in the network's channels and size, for a function that asks for it; None
            where it is not known.
        classes: of the data, likewise.
        role: what the network is, for messages.

    Raises:
        InputError: no such file or function, a function that cannot be called so or returns no network, or weights that
            cannot be read or do not fit.
    """
    files = [file for file in (file_of(spec) if is_own(spec) else None, weights) if file is not None and file.is_file()]
    versions = tuple((file.stat().st_mtime_ns, file.stat().st_size) for file in files)
    return _built(spec, weights, input_shape, classes, role, versions)


@lru_cache(maxsize=1)
def _built(
    spec: str,
    weights: Path | None,
    input_shape: Shape | None,
    classes: int | None,
    role: str,
    versions: tuple[tuple[int, int], ...],
) -> BuiltNetwork:
    del versions  # of the files: others give another network
    if spec.startswith(TORCHVISION):
        return cast(BuiltNetwork, resolve_name(_OF_TORCHVISION)(spec, weights))
    called = f"{role} {spec!r}"
    network = _of_function(spec, called, {"input_shape": input_shape, "classes": classes})
    name = f"{file_of(spec).name}:{spec.rsplit(':', 1)[1]}"
    if weights is None:
        return BuiltNetwork(
            network, name, (f"{spec}: the network is taken as trained, as no file of weights is given",)
        )
    remarks = load_weights(network, read_weights(weights), spec)
    return BuiltNetwork(network, f"{name} with {weights.name}", remarks)


def _of_function(spec: str, called: str, known: Mapping[str, object]) -> nn.Module:
    function = named_in(spec, called)
    if isinstance(function, nn.Module):
        return function
    if not callable(function):
        raise InputError(
            f"{called}: is of type {type(function).__name__}; name a function that returns a torch.nn.Module"
        )
    taken = _arguments(function, called, known)
    network = run_own(file_of(spec), called, lambda: function(**taken))
    if isinstance(network, nn.Module):
        return network
    if isinstance(network, type) and issubclass(network, nn.Module):
        raise InputError(
            f"{called}: returns the class {network.__name__}; return a network of it, {network.__name__}()"
        )
    hint = (
        "; build the network there, and give the weights' file by " + arg("weights")
        if isinstance(network, Mapping)
        else ""
    )
    raise InputError(
        f"{called}: returns an object of type {type(network).__name__}, and must return a torch.nn.Module{hint}"
    )


def _arguments(function: Callable[..., Any], called: str, known: Mapping[str, object]) -> dict[str, object]:
    """The arguments to call a user's function with: those of ``known`` that it names."""
    parameters = inspect.signature(function).parameters.values()
    named = [p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY, p.POSITIONAL_ONLY)]
    needed = [p.name for p in named if p.default is p.empty]
    if others := [name for name in needed if name not in _NEEDED]:
        raise InputError(
            f"{called}: wants the argument{'s' if len(others) > 1 else ''} {', '.join(others)}; it is called with "
            "input_shape and classes, where it names them, and nothing else: give defaults to the others"
        )
    if absent := [name for name in needed if known[name] is None]:
        raise InputError(
            f"{called}: wants {' and '.join(absent)}, which are not known before there are data; give "
            f"{' and '.join(map(arg, absent))}"
        )
    return {p.name: known[p.name] for p in named if known.get(p.name) is not None}
