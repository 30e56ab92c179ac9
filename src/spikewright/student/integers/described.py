"""Networks as data that have been folded or composed: what their files say of their layers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from ...importing.description import Description, ImportedNetwork
from ...importing.matrix import Matrix
from ...importing.parts import INPUT, AnyPart, ConvPart, LinearPart, MatrixPart, SumPart


def describe_merged(network: ImportedNetwork) -> None:
    """Say of two layers that have become one that they are one, in place."""
    parts: list[AnyPart] = []
    instead: dict[str, str] = {}
    for part in network.description.parts:
        module = network._modules.get(part.name)
        if isinstance(part, LinearPart | ConvPart) and isinstance(module, nn.Identity):
            instead[part.name] = instead.get(part.inputs[0], part.inputs[0])
            continue
        inputs = tuple(instead.get(name, name) for name in part.inputs)
        parts.append(part.model_copy(update={"inputs": inputs, **_sizes(part, module)}))
    network.description = Description(parts=tuple(parts))


def _sizes(part: AnyPart, module: Any) -> dict[str, Any]:
    """What the part of a layer says of its weights."""
    if isinstance(part, LinearPart):
        return {"entering": module.in_features, "leaving": module.out_features, "bias": module.bias is not None}
    if isinstance(part, ConvPart):
        sizes = {name: getattr(module, name) for name in ("stride", "padding", "dilation", "groups")}
        channels = {"entering": module.in_channels, "leaving": module.out_channels, "kernel": module.kernel_size}
        return {**channels, **sizes, "bias": module.bias is not None}
    return {}


def free(name: str, taken: set[str]) -> str:
    """``name``, or what is not taken yet, as no part of a network is called; it is taken then."""
    name = re.sub(r"\W", "_", name)[:150]
    while name in taken:
        name += "_"
    taken.add(name)
    return name


def with_matrices(network: ImportedNetwork, new: Mapping[str, Sequence[tuple[str, str, Matrix]]]) -> ImportedNetwork:
    """A network as data with matrices in place of what they compute.

    Args:
        new: by layer of neurons, the ways to it: the layer where each begins, empty for the input, the name that its
            matrix gets, and the matrix.
    """
    taken = {part.name for part in network.description.parts} | {name for ways in new.values() for _, name, _ in ways}
    modules: dict[str, nn.Module] = dict(network.named_children())
    parts: list[AnyPart] = []
    for part in network.description.parts:
        ways = new.get(part.name, ())
        for source, name, matrix in ways:
            size, begins = matrix.in_features, source or INPUT
            parts.append(MatrixPart(name=name, inputs=(begins,), entering=size, target=matrix.target))
            modules[name] = matrix
        names = [name for _, name, _ in ways]
        if len(names) > 1:
            total = free(f"{part.name}_total", taken)
            parts.append(SumPart(name=total, inputs=tuple(names)))
            names = [total]
        parts.append(part.model_copy(update={"inputs": tuple(names)}) if ways else part)
    made = ImportedNetwork(Description(parts=tuple(_needed(parts))))
    for name, module in modules.items():
        if name in made._modules:
            setattr(made, name, module)
    return made.train(network.training)


def _needed(parts: Sequence[AnyPart]) -> list[AnyPart]:
    """The parts on which the last one depends."""
    needed, kept = {parts[-1].name}, list[AnyPart]()
    for part in reversed(parts):
        if part.name in needed:
            needed |= set(part.inputs)
            kept.insert(0, part)
    return kept
