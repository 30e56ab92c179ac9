"""A network as data: layers, their sizes and how they are wired, from which a module that can be traced is built."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import prod
from typing import Annotated, Any, Literal, Union

import snntorch as snn
import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

INPUT = "input"
"""The name of what enters a network in each timestep."""
TAKEN = (INPUT, "description", "network", "encoder", "output")
"""Names that no layer has: of the ends of a graph, and of what holds the layers."""
MOST_VALUES = 2**31
"""Values of one layer, of one sample in one timestep."""

Size = Annotated[int, Field(ge=1, le=2**31)]
Count = Annotated[int, Field(ge=0, le=2**31)]
Pair = tuple[Size, Size]
Padding = tuple[Count, Count]
Dimensions = Annotated[tuple[Size, ...], Field(max_length=4)]


class Part(BaseModel):
    """One layer of a network.

    Attributes:
        name: of the layer in its network, without a dot.
        inputs: the names of the layers that it is fed by, or :data:`INPUT`.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    name: Annotated[str, Field(pattern=r"^\w+$", max_length=200)]
    inputs: Annotated[tuple[str, ...], Field(min_length=1)]

    @property
    def values(self) -> int:
        """How many numbers the layer's weights are."""
        return 0

    def module(self) -> nn.Module | None:
        """The layer with weights that are yet to be loaded; None for an operation."""
        raise NotImplementedError


class LinearPart(Part):
    """A dense layer."""

    kind: Literal["linear"] = "linear"
    entering: Size
    leaving: Size
    bias: bool

    @property
    def values(self) -> int:
        """How many numbers the layer's weights are."""
        return self.entering * self.leaving

    def module(self) -> nn.Module:
        """A :class:`torch.nn.Linear`."""
        return nn.Linear(self.entering, self.leaving, self.bias)


class ConvPart(Part):
    """A convolution of images."""

    kind: Literal["conv2d"] = "conv2d"
    entering: Size
    leaving: Size
    kernel: Pair
    stride: Pair
    padding: Padding
    dilation: Pair
    groups: Size
    bias: bool

    @property
    def values(self) -> int:
        """How many numbers the layer's weights are."""
        return self.leaving * (self.entering // self.groups) * prod(self.kernel)

    def module(self) -> nn.Module:
        """A :class:`torch.nn.Conv2d`."""
        return nn.Conv2d(
            self.entering, self.leaving, self.kernel, self.stride, self.padding, self.dilation, self.groups, self.bias
        )


class NormPart(Part):
    """A batch norm with its running statistics, over vectors (1) or images (2)."""

    kind: Literal["batch_norm"] = "batch_norm"
    dimensions: Literal[1, 2]
    channels: Size
    eps: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    affine: bool

    @property
    def values(self) -> int:
        """How many numbers the layer's weights are."""
        return self.channels

    def module(self) -> nn.Module:
        """A :class:`torch.nn.BatchNorm1d` or ``BatchNorm2d``."""
        kind = nn.BatchNorm1d if self.dimensions == 1 else nn.BatchNorm2d
        return kind(self.channels, eps=self.eps, affine=self.affine)


class PoolPart(Part):
    """An average over windows."""

    kind: Literal["avg_pool2d"] = "avg_pool2d"
    kernel: Pair
    stride: Pair
    padding: Padding

    def module(self) -> nn.Module:
        """A :class:`torch.nn.AvgPool2d`."""
        return nn.AvgPool2d(self.kernel, self.stride, self.padding)


class FlattenPart(Part):
    """A sample as a vector."""

    kind: Literal["flatten"] = "flatten"

    def module(self) -> nn.Module:
        """A :class:`torch.nn.Flatten`."""
        return nn.Flatten()


class SumPart(Part):
    """The sum of what arrives."""

    kind: Literal["sum"] = "sum"

    def module(self) -> None:
        """None: a sum is an operation."""
        return


class NeuronPart(Part):
    """A layer of neurons; its constants lie among the weights.

    Attributes:
        reset: ``none`` is a readout that integrates.
        delay: whether a spike resets in the step after it.
        beta, alpha, threshold: shapes of the constants; ``alpha`` is None for neurons without a synaptic current.
        learnt: which of the constants are parameters.
    """

    kind: Literal["neuron"] = "neuron"
    reset: Literal["zero", "subtract", "none"]
    delay: bool
    beta: Dimensions
    alpha: Dimensions | None
    threshold: Dimensions
    learnt: tuple[Literal["beta", "alpha", "threshold"], ...]

    @property
    def values(self) -> int:
        """How many numbers the layer's constants are."""
        return sum(prod(shape) for shape in (self.beta, self.alpha or (), self.threshold))

    def module(self) -> nn.Module:
        """A :class:`snntorch.Leaky`, or ``Synaptic`` where there is a synaptic current."""
        common: dict[str, Any] = {
            "beta": torch.zeros(self.beta),
            "threshold": torch.ones(self.threshold),
            "learn_beta": "beta" in self.learnt,
            "learn_threshold": "threshold" in self.learnt,
            "init_hidden": True,
            "reset_mechanism": self.reset,
            "reset_delay": self.delay,
            "spike_grad": snn.surrogate.atan(),
        }
        if self.alpha is None:
            made: nn.Module = snn.Leaky(**common)
        else:
            made = snn.Synaptic(alpha=torch.zeros(self.alpha), learn_alpha="alpha" in self.learnt, **common)
        return made


AnyPart = Annotated[
    Union[LinearPart, ConvPart, NormPart, PoolPart, FlattenPart, SumPart, NeuronPart],  # noqa: UP007 (pydantic)
    Field(discriminator="kind"),
]


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
            if part.name in known or part.name in TAKEN or hasattr(nn.Module(), part.name):
                yield f"network: the name {part.name!r} is taken; give each layer a name of its own"
            if len(part.inputs) != 1 and not isinstance(part, SumPart):
                yield f"network: {part.name!r} is fed by {len(part.inputs)} layers; a {part.kind} takes one"
            if isinstance(part, ConvPart) and (part.entering % part.groups or part.leaving % part.groups):
                yield f"network: {part.name!r} has {part.groups} groups, which do not divide its channels"
            known.add(part.name)
        if not isinstance(self.parts[-1], NeuronPart):
            yield f"network: its last layer is a {self.parts[-1].kind}; must be neurons"
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
    if isinstance(part, SumPart):
        if len({value.shape for value in arriving}) > 1:
            raise ValueError("a sum takes values of one shape")
        return _added(arriving)
    if isinstance(part, NeuronPart):
        shape = arriving[0].shape[1:]
        for each in (part.beta, part.alpha or (), part.threshold):
            if len(each) > len(shape) or any(a not in (1, b) for a, b in zip(each[::-1], shape[::-1], strict=False)):
                raise ValueError(f"a constant of shape {each}")
        return arriving[0]
    module = part.module()
    assert module is not None
    made: Tensor = module.eval()(arriving[0])
    return made


def _added(values: list[Tensor]) -> Tensor:
    total = values[0]
    for value in values[1:]:
        total = total + value
    return total


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
            made[part.name] = _added(arriving) if isinstance(part, SumPart) or module is None else module(arriving[0])
        return made[self.description.parts[-1].name]
