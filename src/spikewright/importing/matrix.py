"""Weights from every value of one shape to every value of another, where no convolution computes them."""

from __future__ import annotations

from math import prod

import torch.nn.functional as F
from torch import Tensor, nn


class Matrix(nn.Linear):
    """A dense layer whose outputs have a shape.

    Args:
        entering: how many values enter, in whatever shape.
        target: the shape of what it gives, without the batch.
    """

    def __init__(self, entering: int, target: tuple[int, ...]) -> None:
        super().__init__(entering, prod(target))
        self.target = tuple(target)

    def forward(self, input: Tensor) -> Tensor:
        """``(B, *any shape)`` to ``(B, *target)``."""
        return self.by(input, self.weight, self.bias)

    def by(self, values: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        """The same with other weights."""
        return F.linear(values.flatten(1), weight, bias).reshape(len(values), *self.target)
