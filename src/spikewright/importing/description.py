"""A network as data: layers, their sizes and how they are wired, from which a module that can be traced is built."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from keyword import iskeyword
from typing import Annotated, Any

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from ..base.errors import a_kind
from .parts import INPUT, AnyPart, ConcatPart, ConvPart, NeuronPart, Part, SumPart, TransposedPart

TAKEN = (INPUT, "description", "network", "encoder", "output")
"""Names that no layer has: of the ends of a graph, and of what holds the layers."""
MOST_VALUES = 2**31
"""Values of one layer, of one sample in one timestep."""


def is_taken(name: str) -> bool:
    """Whether no layer may have a name: of an end of the graph, an attribute of a module, or a Python keyword."""
    return name in TAKEN or hasattr(nn.Module(), name) or iskeyword(name)


class Description(BaseModel):
    """A network as data, layer by layer in the order of computation; the last layer is its output."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    parts: Annotated[tuple[AnyPart, ...], Field(min_length=1)]

    def as_json(self) -> dict[str, Any]:
        """The description as a JSON-able dictionary."""
        return self.model_dump(mode="json")

    def faults(self, weights: Mapping[str, Tensor]) -> Iterator[str]:
        """Why no network is built of this description: names that lead nowhere, and sizes that the weights are not of.

        Args:
            weights: the state dict beside it.
        """
        known = {INPUT}
        for part in self.parts:
            yield from (f"network: {part.name!r} is fed by {name!r}, which is no layer before it"
                        for name in part.inputs if name not in known)  # fmt: skip
            if part.name in known or is_taken(part.name):
                yield f"network: the name {part.name!r} is taken; give each layer a name of its own"
            if len(part.inputs) != 1 and not isinstance(part, JOINS):
                yield f"network: {part.name!r} is fed by {len(part.inputs)} layers; a {part.kind} takes one"
            if isinstance(part, ConvPart | TransposedPart) and (
                part.entering % part.groups or part.leaving % part.groups
            ):
                yield f"network: {part.name!r} has {part.groups} groups, which do not divide its channels"
            known.add(part.name)
        if not isinstance(self.parts[-1], NeuronPart):
            yield f"network: its last layer is {a_kind(self.parts[-1].kind)}; must be neurons"
        needed, there = sum(part.values for part in self.parts), sum(value.numel() for value in weights.values())
        if needed > there:
            yield f"network: its layers have {needed:,} weights or more, and the file holds {there:,} in all"

    def shape_faults(self, input_shape: tuple[int, ...], outputs: int) -> Iterator[str]:
        """The first layer that a sample cannot pass, found on shapes alone; or another number of outputs.

        Args:
            input_shape: ``(C, H, W)``.
        """
        with torch.device("meta"):
            values = {INPUT: torch.zeros(1, *input_shape)}
            for part in self.parts:
                arriving = [values[name] for name in part.inputs]
                try:
                    value = values[part.name] = _through(part, arriving)
                except (RuntimeError, ValueError) as error:
                    shapes = " and ".join(str(tuple(each.shape[1:])) for each in arriving)
                    told = str(error).splitlines()[0]
                    yield f"network: {part.name!r} does not take values of shape {shapes} ({told})"
                    return
                if value.numel() > MOST_VALUES:
                    yield f"network: {part.name!r} has {value.numel():,} values; may be up to {MOST_VALUES:,}"
                    return
        found = tuple(values[self.parts[-1].name].shape[1:])
        if found != (outputs,):
            yield f"network: its output has shape {found}; the file says {outputs} outputs"


def _through(part: Part, arriving: list[Tensor]) -> Tensor:
    if isinstance(part, ConcatPart):
        return _joined(part, arriving)
    if isinstance(part, SumPart):
        if len({value.shape for value in arriving}) > 1:
            raise ValueError("a sum takes values of one shape")
        return _joined(part, arriving)
    if isinstance(part, NeuronPart):
        shape = arriving[0].shape[1:]
        for each in (part.beta, part.alpha or (), part.threshold):
            if len(each) > len(shape) or any(a not in (1, b) for a, b in zip(each[::-1], shape[::-1], strict=False)):
                raise ValueError(f"a constant of shape {each}")
        if part.loop is not None and part.loop.kind != "one_to_one" and shape[:1] != (part.loop.channels,):
            raise ValueError(f"a loop of {part.loop.channels} channels")
        return arriving[0]
    module = part.module()
    assert module is not None
    made: Tensor = module.eval()(arriving[0])
    return made


def _joined(part: Part, values: list[Tensor]) -> Tensor:
    if isinstance(part, ConcatPart):
        return torch.cat(values, 1)
    total = values[0]
    for value in values[1:]:
        total = total + value
    return total


JOINS = (SumPart, ConcatPart)
"""Parts that take several inputs."""


class ImportedNetwork(nn.Module):
    """The module of a description, for a single timestep.

    Attributes:
        description: what it was built of.
    """

    def __init__(self, description: Description) -> None:
        """Build the layers, with weights that are yet to be loaded."""
        super().__init__()
        self.description = description
        with torch.random.fork_rng(devices=[]):
            for part in description.parts:
                if (module := part.module()) is not None:
                    self.add_module(part.name, module)

    def forward(self, values: Tensor) -> Tensor:
        """One timestep: ``(B, *input shape)`` to the readout, ``(B, outputs)``."""
        made = {INPUT: values}
        for part in self.description.parts:
            arriving = [made[name] for name in part.inputs]
            module = self._modules.get(part.name)
            made[part.name] = _joined(part, arriving) if module is None else module(arriving[0])
        return made[self.description.parts[-1].name]
