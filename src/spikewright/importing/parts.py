"""The layers of a network as data: what they are, their sizes, and the module that each becomes."""

from __future__ import annotations

from math import prod
from typing import Annotated, Any, Literal

import snntorch as snn
import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import nn

from .matrix import Matrix

INPUT = "input"
"""The name of what enters a network in each timestep."""
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


class MatrixPart(Part):
    """Weights from every value that enters to every value of a shape."""

    kind: Literal["matrix"] = "matrix"
    entering: Size
    target: Annotated[Dimensions, Field(min_length=1)]

    @property
    def values(self) -> int:
        """How many numbers the layer's weights are."""
        return self.entering * prod(self.target)

    def module(self) -> nn.Module:
        """A :class:`~spikewright.importing.matrix.Matrix`."""
        return Matrix(self.entering, self.target)


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


class MaxPoolPart(Part):
    """The largest of the spikes in each window: whether there is any."""

    kind: Literal["max_pool2d"] = "max_pool2d"
    kernel: Pair
    stride: Pair
    padding: Padding

    def module(self) -> nn.Module:
        """A :class:`torch.nn.MaxPool2d`."""
        return nn.MaxPool2d(self.kernel, self.stride, self.padding)


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


class ConcatPart(Part):
    """What arrives side by side, channel after channel."""

    kind: Literal["concat"] = "concat"

    def module(self) -> None:
        """None: it is an operation."""
        return


class TransposedPart(Part):
    """A transposed convolution of images."""

    kind: Literal["conv_transpose2d"] = "conv_transpose2d"
    entering: Size
    leaving: Size
    kernel: Pair
    stride: Pair
    padding: Padding
    output_padding: Padding
    dilation: Pair
    groups: Size
    bias: bool

    @property
    def values(self) -> int:
        """How many numbers the layer's weights are."""
        return self.entering * (self.leaving // self.groups) * prod(self.kernel)

    def module(self) -> nn.Module:
        """A :class:`torch.nn.ConvTranspose2d`."""
        return nn.ConvTranspose2d(
            *(self.entering, self.leaving, self.kernel, self.stride, self.padding),
            *(self.output_padding, self.groups, self.bias, self.dilation),
        )


class UpsamplePart(Part):
    """Each value several times, side by side."""

    kind: Literal["upsample"] = "upsample"
    factor: Pair

    def module(self) -> nn.Module:
        """A :class:`torch.nn.Upsample` by the nearest value."""
        return nn.Upsample(scale_factor=tuple(map(float, self.factor)), mode="nearest")


class Loop(BaseModel):
    """Weights from a layer of neurons to itself: all to all, a convolution, or one to one with a ``V`` of some "
    "shape."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    kind: Literal["dense", "conv2d", "one_to_one"]
    channels: Count = 0
    kernel: Pair = (1, 1)
    shape: Dimensions = ()

    @property
    def values(self) -> int:
        """How many numbers the weights are."""
        return prod(self.shape) if self.kind == "one_to_one" else self.channels**2 * prod(self.kernel)

    @property
    def arguments(self) -> dict[str, Any]:
        """Those of snnTorch's recurrent neurons."""
        if self.kind == "dense":
            return {"linear_features": self.channels}
        if self.kind == "conv2d":
            return {"conv2d_channels": self.channels, "kernel_size": self.kernel}
        return {"V": torch.zeros(self.shape), "all_to_all": False}


class NeuronPart(Part):
    """A layer of neurons; its constants lie among the weights.

    Attributes:
        reset: ``none`` is a readout that integrates.
        delay: whether a spike resets in the step after it.
        beta, alpha, threshold: shapes of the constants; ``alpha`` is None for neurons without a synaptic current.
        learnt: which of the constants are parameters.
        loop: of neurons that hear their own spikes of the step before.
    """

    kind: Literal["neuron"] = "neuron"
    reset: Literal["zero", "subtract", "none"]
    delay: bool
    beta: Dimensions
    alpha: Dimensions | None
    threshold: Dimensions
    learnt: tuple[Literal["beta", "alpha", "threshold"], ...]
    loop: Loop | None = None

    @property
    def values(self) -> int:
        """How many numbers the layer's constants are."""
        own = sum(prod(shape) for shape in (self.beta, self.alpha or (), self.threshold))
        return own + (0 if self.loop is None else self.loop.values)

    def module(self) -> nn.Module:
        """A :class:`snntorch.Leaky`, ``Synaptic`` where there is a synaptic current, ``RLeaky`` or ``RSynaptic``."""
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
        kinds = (snn.Leaky, snn.RLeaky) if self.alpha is None else (snn.Synaptic, snn.RSynaptic)
        if self.alpha is not None:
            common |= {"alpha": torch.zeros(self.alpha), "learn_alpha": "alpha" in self.learnt}
        made: nn.Module = kinds[0](**common) if self.loop is None else kinds[1](**common, **self.loop.arguments)
        return made


AnyPart = Annotated[
    LinearPart
    | MatrixPart
    | ConvPart
    | TransposedPart
    | UpsamplePart
    | NormPart
    | PoolPart
    | MaxPoolPart
    | FlattenPart
    | SumPart
    | ConcatPart
    | NeuronPart,
    Field(discriminator="kind"),
]
