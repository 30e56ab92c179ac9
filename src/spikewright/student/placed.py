"""Convolutions with a bias of each place, as a chip has one of each neuron."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from ..base.types import FloatArray


class _Placed:
    """``bias`` has the shape of what the layer gives, without the batch."""

    @classmethod
    def of(cls, layer: Any) -> Any:
        """The same convolution without a bias, which is yet to be set."""
        kind: Any = cls
        made = kind(
            *(layer.in_channels, layer.out_channels, layer.kernel_size, layer.stride, layer.padding, layer.dilation),
            groups=layer.groups,
            bias=False,
        )
        made.weight = layer.weight
        return made.train(layer.training)

    def forward(self, input: Tensor) -> Tensor:
        """``(B, *input shape)`` to ``(B, *output shape)``."""
        me: Any = self
        found: Tensor = me._conv_forward(input, me.weight, None) + me.bias
        return found


class PlacedConv1d(_Placed, nn.Conv1d):
    """A convolution over one axis, with a bias of each place."""


class PlacedConv2d(_Placed, nn.Conv2d):
    """A convolution of images, with a bias of each place."""


PLACED = (PlacedConv1d, PlacedConv2d)


def bias_of_places(layer: Any) -> FloatArray:
    """The bias of one of :data:`PLACED`, ``(channels, *spatial)``."""
    found: FloatArray = layer.bias.detach().cpu().double().numpy()
    return found
